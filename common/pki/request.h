/*
 * Certification requests (PKCS#10, RFC 2986) from outside: bytes in, a public key that is fit to be
 * certified out. The subject and the attributes of a request are looked at for well-formedness
 * only: names come from our records. Parsed here and not by d2i_X509_REQ, which takes four times as
 * long as checking the signature (provider decoders); the signature itself is OpenSSL's.
 */
#ifndef CERTQ_PKI_REQUEST_H
#define CERTQ_PKI_REQUEST_H

#include "base/buf.h"
#include "base/err.h"
#include "pki/spki.h"

#define REQUEST_BYTES_MAX 16384

/* Public and plain; the bytes live as long as the request. */
struct request {
    struct spki key;            /* key.whole is the SubjectPublicKeyInfo to certify */
    uint8_t spki_sha256[32];    /* what the list of compromised keys knows a key by */
    uint8_t request_sha256[32]; /* of the DER, however it came */
    struct buf der;
};

/*
 * PEM (one block, nothing around it) or DER (nothing after it), at most REQUEST_BYTES_MAX. Input
 * errors, code "bad-csr", name what is wrong: size, PEM, structure, a NUL in the subject, the key
 * (spki.h), its kind or size against the rules, the signature's algorithm (SHA-1 and older are
 * refused), the signature.
 */
int request_parse(struct spki_checker *checker, struct bytes bytes, const struct spki_rules *rules,
    struct request **ret, struct err *err) MUST_USE;
void request_free(struct request *r);
DEFINE_AUTO_STRUCT(request);

#endif

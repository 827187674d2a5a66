/*
 * Public keys as they come in a SubjectPublicKeyInfo (RFC 5280 4.1.2.7, RFC 3279, 5480, 8410):
 * what they are, whether a policy takes them, whether they are known to be weak. A spki_checker
 * holds what OpenSSL would look up each time and belongs to one thread.
 */
#ifndef CERTQ_PKI_SPKI_H
#define CERTQ_PKI_SPKI_H

#include "base/buf.h"
#include "base/err.h"

#define SPKI_KIND_LIST(X)                                                                          \
    X(P256, "P-256")                                                                               \
    X(P384, "P-384")                                                                               \
    X(P521, "P-521")                                                                               \
    X(RSA, "RSA")                                                                                  \
    X(ED25519, "Ed25519")

enum spki_kind {
#define SPKI_KIND_ENUM(symbol, name) SPKI_##symbol,
    SPKI_KIND_LIST(SPKI_KIND_ENUM)
#undef SPKI_KIND_ENUM
        SPKI_KINDS
};
const char *spki_kind_name(enum spki_kind kind);

/* Which keys may be certified. Zeroed: none. */
struct spki_rules {
    bool kinds[SPKI_KINDS];
    /* with kinds[SPKI_RSA]; 2048 to 8192 bits bound them anyway */
    unsigned rsa_bits_min, rsa_bits_max;
};

/* Borrowed views into one SubjectPublicKeyInfo. */
struct spki {
    enum spki_kind kind;
    unsigned bits;
    struct bytes whole;             /* the SubjectPublicKeyInfo, DER */
    struct bytes key;               /* the BIT STRING's content: what subjectKeyIdentifier hashes */
    struct bytes modulus, exponent; /* RSA only, without sign octets */
};

/* Takes one SubjectPublicKeyInfo off the front of *in. Input errors: not DER, an algorithm that is
 * none of ours, explicit curve parameters, a curve that is none of ours, a compressed point. */
int spki_read(struct bytes *in, struct spki *ret, struct err *err) MUST_USE;

struct spki_checker;
struct spki_checker *spki_checker_new(void);
void spki_checker_free(struct spki_checker *c);
DEFINE_AUTO_STRUCT(spki_checker);

/*
 * Kind and size by policy; a point off its curve; for RSA an even or small exponent (under 65537),
 * an even modulus, a factor under 1000, ROCA (CVE-2017-15361), primes close to each other (Fermat,
 * 100 rounds). Lists of leaked keys (Debian 2008) are not looked at: put such keys on the list of
 * compromised keys, which is by hash.
 */
int spki_check(struct spki_checker *c, const struct spki *key, const struct spki_rules *rules,
    struct err *err) MUST_USE;

/* Checks a signature by the key spki_check took last; `algorithm` is the content of an
 * AlgorithmIdentifier. RSA PKCS#1 v1.5 and ECDSA with SHA-256/384/512, Ed25519. Input errors. */
int spki_verify(struct spki_checker *c, struct bytes algorithm, struct bytes message,
    struct bytes signature, struct err *err) MUST_USE;

#endif

/*
 * An issuing CA: its certificate, the chain above it, and its key, loaded once and kept for the
 * process's life with everything OpenSSL would otherwise look up per signature. An issuer belongs
 * to one thread at a time (its signing context is not locked). The key never leaves it and is
 * never printed. Keys: P-256 and RSA >= 2048 (SHA-256), P-384 (SHA-384).
 */
#ifndef CERTQ_PKI_ISSUER_H
#define CERTQ_PKI_ISSUER_H

#include "base/buf.h"
#include "base/err.h"

struct issuer;
struct evp_md_st;

/* The mark of a CA made with `certq ca init --test`: O= of its and its root's subject, so that it
 * is seen in every certificate's issuer field and can be told by issuer_is_test. */
#define ISSUER_TEST_MARK "certq TEST - not for use"

/*
 * `certificate_path`: PEM, the issuing CA first, then the certificates above it, root last or left
 * out. `key_path`: PEM, not encrypted, refused when group or others may read it. Refuses (input) a
 * key that is not the certificate's, a certificate that is no CA or may not sign certificates and
 * CRLs (RFC 5280 4.2.1.3, 4.2.1.9), a chain in which one does not sign the one before. Without
 * `key_path` (NULL) it verifies and does not sign (issuer_sign fails).
 */
int issuer_load(const char *certificate_path, const char *key_path, struct issuer **ret,
    struct err *err) MUST_USE;
void issuer_free(struct issuer *s);
DEFINE_AUTO_STRUCT(issuer);

/* True when the subject carries ISSUER_TEST_MARK; testing.settable_clock needs it. */
bool issuer_is_test(const struct issuer *s);
int64_t issuer_not_before_ms(const struct issuer *s);
/* No certificate or CRL of this issuer outlives it. */
int64_t issuer_not_after_ms(const struct issuer *s);
/* DER, borrowed for the issuer's life: its certificate; its subject Name; its subjectKeyIdentifier
 * (content only); the AlgorithmIdentifier of its signatures. */
struct bytes issuer_certificate(const struct issuer *s);
struct bytes issuer_name(const struct issuer *s);
struct bytes issuer_key_id(const struct issuer *s);
struct bytes issuer_algorithm(const struct issuer *s);
/* PEM, borrowed: what is handed out with a certificate (the issuing CA and those above it, without
 * the self-signed root), and the root ("" when the file holds none). */
const char *issuer_chain_pem(const struct issuer *s);
const char *issuer_root_pem(const struct issuer *s);

/* Signs bytes; appends the signature (the content of a signature BIT STRING). Errors: fatal, as a
 * CA that cannot sign must be looked at. */
int issuer_sign(struct issuer *s, struct bytes message, struct buf *ret, struct err *err) MUST_USE;

/* True when the signature over the message is by the issuer's key. */
bool issuer_signed(const struct issuer *s, struct bytes message, struct bytes signature);

/* What `certq ca init` makes: a root (once) and an issuing CA under it. P-256, SHA-256. */
struct issuer_plan {
    const char *root_certificate, *root_key; /* files; both there: used, neither: made */
    const char *certificate, *key;           /* files of the issuing CA: must not exist */
    const char *organisation;                /* O=; NULL: none. Must be NULL with is_test */
    const char *root_name, *name;            /* CN= */
    int64_t not_before_ms;                   /* of both; an existing root must cover it */
    int root_days, days;                     /* the issuing CA is cut to its root's life */
    bool is_test;                            /* marks both; a marked root signs only marked CAs */
};
/* Keys are written with mode 0600, certificates 0644; nothing is overwritten (conflict). */
int issuer_init(const struct issuer_plan *plan, struct err *err) MUST_USE;

#endif

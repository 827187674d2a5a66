/*
 * End-entity certificates (RFC 5280). What a product's certificates share is prepared once in a
 * template; one certificate is then a few hundred bytes of DER and one signature (P6: an X509 built
 * with the library costs several times that). A template borrows its issuer and belongs to the same
 * thread. Nothing here decides: serial, validity and subject come from the caller, so that signing
 * again gives the same certificate (I7).
 */
#ifndef CERTQ_PKI_CERTIFICATE_H
#define CERTQ_PKI_CERTIFICATE_H

#include "base/buf.h"
#include "base/err.h"
#include "pki/name.h"

struct issuer;

#define SERIAL_LENGTH 16
/* 126 bits of the CSPRNG as an INTEGER of exactly 16 octets, positive (RFC 5280 4.1.2.2). */
void serial_draw(uint8_t ret[static SERIAL_LENGTH]);

struct certificate_profile {
    const char *const *eku; /* words of eku_is_known; none: no extendedKeyUsage */
    size_t eku_count;
    const char *crl_url;   /* CRL distribution point, http://…; NULL: none */
    bool key_encipherment; /* beside digitalSignature, for RSA keys only */
};
/* serverAuth, clientAuth, codeSigning, emailProtection, smartcardLogon, documentSigning. */
bool eku_is_known(const char *word);

struct certificate_template;
/* Input: an unknown extended key usage, a URL that is none. The profile is not kept. */
int certificate_template_new(struct issuer *issuer, const struct certificate_profile *profile,
    struct certificate_template **ret, struct err *err) MUST_USE;
void certificate_template_free(struct certificate_template *t);
DEFINE_AUTO_STRUCT(certificate_template);

struct certificate_facts {
    uint8_t serial[SERIAL_LENGTH];
    int64_t not_before_ms, not_after_ms; /* both inclusive, whole seconds */
    const struct name_part *subject;     /* in order, most general first; none: critical SAN */
    size_t subject_count;
    const char *const *emails; /* subjectAltName rfc822Name */
    size_t email_count;
    const char *const *dns; /* subjectAltName dNSName; *. in front is a wildcard */
    size_t dns_count;
    struct bytes spki; /* checked before: request.h */
};

/*
 * Appends the signed certificate, DER. Input errors name the attribute, address or host name that
 * does not fit (name.h), an end before the start or past the issuer's, neither subject nor SAN.
 */
int certificate_sign(struct certificate_template *t, const struct certificate_facts *facts,
    struct buf *ret, struct err *err) MUST_USE;

/* Appends PEM. With the issuer's chain: certificate first, root left out. */
void certificate_pem(struct bytes der, struct buf *ret);

/* A certificate in words, for people; fields are UTF-8 with control characters escaped. */
struct certificate_description {
    char *subject, *issuer; /* RFC 4514 */
    char *serial;           /* lower-case hex */
    char *names;            /* "email:a@example.jp, DNS:example.jp"; "" without SAN */
    char *key;              /* "P-256", "RSA 2048" */
    char sha256[65];        /* fingerprint */
    int64_t not_before_ms, not_after_ms;
};
int certificate_describe(
    struct bytes der, struct certificate_description **ret, struct err *err) MUST_USE;
void certificate_description_free(struct certificate_description *d);
DEFINE_AUTO_STRUCT(certificate_description);

#endif

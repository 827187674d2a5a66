/*
 * CRLs (RFC 5280 section 5), built while entries stream in: each is some forty bytes appended to
 * one buffer, nothing is kept beside it, and one signature ends it (P9: a million entries in under
 * 2 s and 150 MB). The caller feeds entries in the order of their serials and owns the numbering:
 * strictly rising, from the database. The builder borrows the issuer.
 */
#ifndef CERTQ_PKI_CRL_H
#define CERTQ_PKI_CRL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/reason.h"

struct issuer;
struct crl;

#define CRL_SERIAL_MAX 20

struct crl_facts {
    uint64_t number;
    int64_t this_update_ms, next_update_ms;
};

struct crl_entry {
    struct bytes serial; /* big-endian, positive, no leading zero, at most 20 octets */
    int64_t revoked_at_ms;
    enum reason reason; /* unspecified: no reasonCode (RFC 5280 5.3.1) */
};

/* `expected`: entries about to come, 0 when not known; saves growing. Input: nextUpdate not after
 * thisUpdate, or after the issuer's end. */
int crl_new(struct issuer *issuer, const struct crl_facts *facts, size_t expected, struct crl **ret,
    struct err *err) MUST_USE;
void crl_free(struct crl *c);
DEFINE_AUTO_STRUCT(crl);
/* Fatal for a serial not above the one before, or malformed, or removeFromCRL: bugs of the caller,
 * and a CRL made of them would be wrong in silence. */
int crl_add(struct crl *c, const struct crl_entry *entry, struct err *err) MUST_USE;
size_t crl_count(const struct crl *c);
/* Signs and moves the DER into *ret (empty before). The builder is of no further use. Without
 * entries there is no revokedCertificates field (RFC 5280 5.1.2.6). */
int crl_finish(struct crl *c, struct buf *ret, struct err *err) MUST_USE;

/*
 * Reads a CRL of this issuer (`certq crl show`, the import after a restore): verifies its signature
 * and gives its facts. Input errors: not a CRL, another issuer's, a bad signature, an unknown
 * critical extension.
 */
int crl_read(
    struct issuer *issuer, struct bytes der, struct crl_facts *ret, struct err *err) MUST_USE;
/* What a CRL says of itself; nothing is verified. issuer (a Name) and key_id (its AKI's) borrow. */
struct crl_head {
    struct crl_facts facts;
    struct bytes issuer, key_id;
};
/* Input error: not a CRL as crl_read wants it. Costs the same whatever its length. */
int crl_peek(struct bytes der, struct crl_head *ret, struct err *err) MUST_USE;
/* Gets each entry in file order; non-zero stops the reading, which then returns it. */
typedef int crl_visit(void *context, const struct crl_entry *entry, struct err *err);
/* The entries of a CRL that crl_read took. Input error: an entry that cannot be read. */
int crl_each(struct bytes der, crl_visit *visit, void *context, struct err *err) MUST_USE;

#endif

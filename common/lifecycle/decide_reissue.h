/*
 * Reissue (kind reissue): by who knows the three credentials (A7), for the certificate their code
 * belongs to; or of the certificate named, by an operator (A11) or a contact of its contract (C4).
 * It makes an application with a new certificate and serial that ends when its chain does (A9):
 * with a code (A8), or at once from the CSR it brings, after a review where the product wants one
 * (C7). It takes changes of fields along (B5, B6), and settles what becomes of the old one
 * (decide_succession.h).
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_REISSUE_H
#define CERTQ_LIFECYCLE_DECIDE_REISSUE_H

#include "lifecycle/decide_credentials.h"

struct reissue_request {
    const json_t *args; /* borrowed, as is all below */
    bool has_certificate;
    struct uuid certificate;
    const char *reason;
    int timing;            /* enum policy_timing asked for; -1: none */
    const json_t *changes; /* {path: value}; NULL: none */
    /* Filled by the caller before the decision: */
    const struct request_key *key; /* of the csr; NULL: there was none */
};
/* Is the certificate named, rather than found by credentials? */
bool reissue_is_named(const struct actor *actor);

/* One answer for wrong credentials and for a certificate too near its end (B2). */
#define REISSUE_REFUSAL                                                                            \
    "nothing can be reissued with these: address, password or certificate code is wrong, there "   \
    "were too many wrong tries, or too few days of validity are left"

/* Reads what is no credential. Whose reissue it is (d->actor) must be known. */
bool reissue_read(const json_t *args, struct reissue_request *ret, struct plan *plan);

/*
 * Refusals: credentials, forbidden, not-offered, not-found, bad-request, expired, too-late,
 * too-many, new-application, contact-us, not-retrieved, already-requested, already-reissued, and
 * the state of the certificate, the subscriber or the contract.
 */
int decide_reissue(const struct decision *d, const struct reissue_request *r,
    const struct claimants *by, struct plan *plan, struct err *err) MUST_USE;

#endif

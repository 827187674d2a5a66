/*
 * Renewal (kind renew) of a certificate that lives: in place by its holder within the window (E4),
 * at the counter (D1), or as an application that is reviewed and may bring changes of contacts
 * (C2). Where the product renews by a fresh application (A2) this procedure only says so, and what
 * has expired is obtained as the policy says (E5). The new certificate is a chain of its own; the
 * old one lives to its end, or is revoked with the new one's issue.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_RENEW_H
#define CERTQ_LIFECYCLE_DECIDE_RENEW_H

#include "lifecycle/decide_approval.h"
#include "lifecycle/decide_credentials.h"
#include "lifecycle/decide_grant.h"

struct renew_request {
    const json_t *args; /* borrowed, as is all below */
    bool has_certificate;
    struct uuid certificate;
    bool has_csr;
    const char *term;      /* NULL: as the one that is renewed */
    const json_t *changes; /* of contacts, {path: value}; NULL: none */
    /* Filled by the caller before the decision: */
    const struct request_key *key; /* NULL: no CSR was given */
};

/* Reads what is no credential. Who asks (d->actor) must be known. */
bool renew_read(const json_t *args, struct renew_request *ret, struct plan *plan);

/*
 * Without a certificate named it is the one that ends last. Refusals: credentials, forbidden,
 * not-offered, not-found, bad-request, bad-signature, new-application, too-early, expired, revoked,
 * not-retrieved, awaiting-approval, cancelled, already-renewed, withdrawn, contract-ended, locked.
 */
int decide_renew(const struct decision *d, const struct renew_request *r,
    const struct claimants *by, struct plan *plan, struct err *err) MUST_USE;

/* --- for the parts of the decision --- */

struct renew_case {
    const struct decision *d;
    const struct renew_request *r;
    const struct policy *policy;
    struct aggregate *aggregate;
    struct certificate *old;
    bool is_proven; /* by credentials */
    /* Found by renew_rules_allow: */
    struct certificate *again; /* the renewal that this very CSR got before (X6); NULL: none */
    const struct length *term;
    const char *device; /* it will sit on (D8), borrowed; NULL: where the old one sits */
};
/* False: the plan is refused. */
bool renew_rules_allow(struct renew_case *k, const struct person *before, struct plan *plan);

#endif

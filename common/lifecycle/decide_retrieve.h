/*
 * Retrieval of a certificate (A8, E5) and the list of certificates that can be reissued (B1), both
 * for who proves the credentials.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_RETRIEVE_H
#define CERTQ_LIFECYCLE_DECIDE_RETRIEVE_H

#include "lifecycle/decide_credentials.h"

/* Checks the members of a retrieve that are no credentials (csr is there). */
bool retrieve_read(const json_t *args, struct plan *plan);

/*
 * Signs the certificate the code belongs to; without codes, the newest one that awaits retrieval.
 * A certificate retrieved before is given again to the same request and to no other (X6). Refusals:
 * credentials, bad-request (the key), already-retrieved, code-expired, revoked, cancelled, expired,
 * none.
 */
int decide_retrieve(const struct decision *d, const struct credentials *c,
    const struct request_key *key, const struct candidate *candidates, size_t n, struct plan *plan,
    struct err *err) MUST_USE;

/*
 * The list; empty when the credentials are wrong, as when nothing can be reissued any more (B2).
 */
int decide_lookup(const struct decision *d, const struct credentials *c,
    const struct candidate *candidates, size_t n, struct plan *plan, struct err *err) MUST_USE;

/* The same for a contract, in a contact's session (services C): all that hangs on it. */
bool lookup_contract_read(
    struct decision *d, const json_t *args, struct uuid *ret_contract, struct plan *plan);
/* contract NULL: there is none. */
int decide_lookup_contract(const struct decision *d, const json_t *args,
    const struct policy *policy, const struct contract *contract, struct plan *plan,
    struct err *err) MUST_USE;

#endif

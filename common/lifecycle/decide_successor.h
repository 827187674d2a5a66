/*
 * A certificate that takes another one's place (A4, A6, A9): its application and row, what its
 * chain prescribes, and the codes that die with it. Shared by reissue, change and renewal.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_SUCCESSOR_H
#define CERTQ_LIFECYCLE_DECIDE_SUCCESSOR_H

#include "lifecycle/decide_grant.h"
#include "lifecycle/decide_succession.h"

/*
 * The next of the chain of `c`. With EXPIRY_ROOT it ends when the chain does (A9); where nothing
 * was retrieved yet there is no end, and the chain begins with the new one.
 */
struct draft successor_draft(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, const struct certificate *c, enum policy_charge charge);
/*
 * The code of `c` dies where it was never retrieved (A11), and so does every code given for the
 * same `old` certificate before (NULL: none): two successors of one must never both be retrieved.
 */
void successor_cancel_rivals(const struct decision *d, struct aggregate *a, struct certificate *c,
    const struct certificate *old, struct plan *plan);
/*
 * A revoked certificate: may its holder have no other? Unless it was revoked for the sake of its
 * key, or of the one that takes its place.
 */
bool successor_falls(const struct certificate *c);
/* `c` was revoked by hand: codes of what was to replace or renew it die, where that falls with it.
 */
void successor_cancel_all(
    const struct decision *d, struct aggregate *a, const struct certificate *c, struct plan *plan);
/*
 * What an old application asked for beyond the profile (`before`, or NULL), and the terms of this
 * one (NULL: it replaces nothing); a new reference.
 */
json_t *successor_request(const json_t *before, const struct succession *terms);
/* Puts a draft's rows into the aggregate; `request` (a new reference, or NULL) is taken. */
struct certificate *draft_attach(
    struct aggregate *a, const struct draft *draft, json_t *request, struct application **ret);
/* chargeable and charge_reason of a result. */
void result_add_charge(const struct application *a, json_t *result);

#endif

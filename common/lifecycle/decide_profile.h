/*
 * Changing what is recorded of a subscriber (A3, B5, B6, D5): checked all at once, merged, and
 * written once nothing can fail. What certificates and applications already say stays with them
 * (B7). Shared by reissue, change and correction.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_PROFILE_H
#define CERTQ_LIFECYCLE_DECIDE_PROFILE_H

#include "lifecycle/decide_certificate.h"

/* A copy with {path: value} laid over it; new reference. */
json_t *profile_merge(const json_t *profile, const json_t *changes);
/* Bad fields of an object made by policy_check_*; those of a subscriber become "changes.PATH". */
void profile_bad_fields(const json_t *fields, struct plan *plan);
/* Does the whole still hold what the product requires, and can a certificate be made of it? */
bool profile_check(const struct decision *d, const struct policy *policy,
    const struct person *after, struct plan *plan);
/*
 * What tells subscribers apart may be among the changes: *ret_key is the new unit key, owned by the
 * caller, or NULL when it stays. The plan is refused when it is somebody else's.
 */
int profile_check_unit(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, const struct person *after, char **ret_key, struct plan *plan,
    struct err *err) MUST_USE;
/* Writes it; takes *unit_key over. */
void profile_set(
    const struct policy *policy, struct aggregate *a, const json_t *profile, char **unit_key);
/* Is this text of the profile another one afterwards? */
bool profile_differs(const json_t *before, const json_t *after, const char *path);

#endif

/*
 * Whether, and on which terms, a certificate may be reissued (A6, A11, B2, C4, C6), by the policy
 * alone. Shared by the parts of decide_reissue only.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_REISSUE_RULES_H
#define CERTQ_LIFECYCLE_DECIDE_REISSUE_RULES_H

#include "lifecycle/decide_certificate.h"
#include "lifecycle/decide_reissue.h"

struct reissue_case {
    const struct decision *d;
    const struct reissue_request *r;
    bool is_operator; /* recorded, or at the request of somebody who called (C4) */
    const struct policy *policy;
    struct aggregate *aggregate;
    struct certificate *certificate; /* the one in question */
    /* Found by rules_allow: */
    const struct policy_reason *reason;
    enum policy_timing timing;
    struct certificate *old; /* valid, and superseded by the new one; NULL: nothing was retrieved */
    /* Made by form_fill, owned: */
    struct person before, after;
    char *unit_key; /* NULL: as it is */
};

/* False: the plan is refused. */
bool rules_allow(struct reissue_case *k, struct plan *plan);
/* Must an operator look at it before (C7)? */
bool rules_want_review(const struct reissue_case *k);
/* Or after it was done, because it could not wait (C6)? */
bool rules_want_later_review(const struct reissue_case *k);

#endif

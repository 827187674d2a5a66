/*
 * Correction of what is recorded of a subscriber (D5): asked for after a disclosure, looked into by
 * an operator, who then corrects, adds or deletes as asked, or refuses. An application of kind
 * `correct` that waits for `decide`; before and after are in the audit.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_CORRECT_H
#define CERTQ_LIFECYCLE_DECIDE_CORRECT_H

#include "lifecycle/decide_whom.h"

#define KIND_WORD_CORRECT "correct" /* application.kind */

struct correct_request {
    const json_t *args;
    const json_t *changes; /* {path: value}; null deletes */
    struct whom whom;
};
bool correct_read(struct decision *d, const struct policy_set *policies, const json_t *args,
    struct correct_request *ret, struct plan *plan);
void correct_request_clear(struct correct_request *r);

/* aggregate NULL: there is no such subscriber. */
int decide_correct(const struct decision *d, const struct correct_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan,
    struct err *err) MUST_USE;
/* correct_decided, what becomes of it, is declared in decide_approval.h. */

#endif

/*
 * Finding the subscriber a job names (lifecycle/decide_whom.h). Whose an id or a unit key is hardly
 * ever changes, so it is looked up outside the transaction; the decision sees the locked rows.
 */
#ifndef CERTQ_WORKERS_KINDS_WHOM_H
#define CERTQ_WORKERS_KINDS_WHOM_H

#include "kind_ops.h"
#include "lifecycle/decide_whom.h"

/*
 * In resolve: the task locks that subscriber, if there is one. *ret_password, unless NULL, becomes
 * the scrypt text it has (NULL: none), which the caller frees.
 */
int whom_resolve(struct worker *w, struct task *task, const struct whom *whom, char **ret_password,
    struct err *err) MUST_USE;
/* In decide, borrowed; NULL: there is none. *ret_policy: of its product. */
struct aggregate *whom_find(const struct worker *w, const struct task *task,
    const struct unit *unit, const struct policy **ret_policy);

#endif

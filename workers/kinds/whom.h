/*
 * The subscriber a job is about, found outside the transaction and locked in it. Whose an id or a
 * unit key (lifecycle/decide_whom.h) is hardly ever changes; the decision sees the locked rows.
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
/*
 * In decide, borrowed: the first subscriber the task locked, or else what its contract's own
 * requests hang on. NULL: there is none. *ret_policy: of its product.
 */
struct aggregate *whom_find(const struct worker *w, const struct task *task,
    const struct unit *unit, const struct policy **ret_policy);

#endif

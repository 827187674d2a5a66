/*
 * Whom a procedure at the counter or in a session is about: a subscriber by id, or by what tells a
 * product's subscribers apart, for who has no id at hand or no record at all (D4).
 *
 *     "subscriber": UUID
 *     "product": "resident", "subscriber": {"resident_id": "R-0001"}
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_WHOM_H
#define CERTQ_LIFECYCLE_DECIDE_WHOM_H

#include "lifecycle/decide.h"
#include "lifecycle/policy_set.h"

struct whom {
    bool has_id;
    struct uuid id;
    /* Where there is no id: */
    const struct policy *policy;
    char *unit_key;      /* owned */
    const json_t *names; /* args.subscriber, borrowed */
};

/* False: the plan is refused. */
bool whom_read(
    const struct policy_set *policies, const json_t *args, struct whom *ret, struct plan *plan);
void whom_clear(struct whom *w);
/* Refuses with `not-found` in the words of the request. */
void whom_refuse(const struct whom *w, struct plan *plan);

#endif

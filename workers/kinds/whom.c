#include "kinds/whom.h"

#include "store/subscriber_store.h"
#include "unit.h"
#include "worker.h"

int whom_resolve(struct worker *w, struct task *task, const struct whom *whom, char **ret_password,
    struct err *err)
{
    struct subscriber_hit hit = {0};
    size_t n = 0;
    if (whom->has_id
            ? subscriber_find_id(w->db, &whom->id, &hit, &n, err)
            : subscriber_find_unit(w->db, whom->policy->name, whom->unit_key, &hit, &n, err))
        return -1;
    if (n)
        task->aggregates[task->aggregate_count++] = hit.id;
    if (ret_password)
        *ret_password = TAKE(hit.password);
    free(hit.password);
    return 0;
}

struct aggregate *whom_find(const struct worker *w, const struct task *task,
    const struct unit *unit, const struct policy **ret_policy)
{
    const struct contract *contract = unit_find_contract(unit, &task->contract);
    struct aggregate *a = task->aggregate_count ? unit_find(unit, &task->aggregates[0])
                          : contract            ? contract->own
                                                : NULL;
    *ret_policy = a ? policy_set_find(w->policies, a->subscriber.product) : NULL;
    return a;
}

/*
 * change: of what is recorded of a subscriber, or of a contract's contacts and account. Both are
 * named by their ids, so that nothing has to be looked up before they are locked.
 */
#include "base/mem.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "lifecycle/decide_change.h"
#include "lifecycle/policy_set.h"
#include "unit.h"
#include "worker.h"

struct change {
    struct decision decision;
    struct change_request request;
};

static void prepare(struct worker *w, struct task *task)
{
    struct change *c = task->request = MEM_NEW(struct change);
    struct ports ports;
    ports_of(w, NULL, &ports);
    c->decision = decision_of(task, &ports);
    (void)change_read(&c->decision, task->args, &c->request, &task->plan);
}

static int resolve(struct worker *w UNUSED, struct task **tasks, size_t n, struct err *err UNUSED)
{
    for (size_t i = 0; i < n; i++) {
        const struct change *c = tasks[i]->request;
        tasks[i]->aggregate_count = 0;
        if (c->request.is_of_contract)
            tasks[i]->contract = c->request.contract;
        else
            tasks[i]->aggregates[tasks[i]->aggregate_count++] = c->request.subscriber;
    }
    return 0;
}

static struct aggregate *find(const struct change_request *r, const struct unit *unit)
{
    if (!r->is_of_contract)
        return unit_find(unit, &r->subscriber);
    const struct contract *contract = unit_find_contract(unit, &r->contract);
    return contract ? contract->own : NULL;
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct change *c = task->request;
    struct ports ports;
    struct err err = {0};
    ports_of(w, unit, &ports);
    struct decision d = c->decision;
    d.ports = &ports.ports;
    struct aggregate *aggregate = find(&c->request, unit);
    const struct policy *policy =
        aggregate ? policy_set_find(w->policies, aggregate->subscriber.product) : NULL;
    if (decide_change(&d, &c->request, policy, aggregate, &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    free(task->request);
    task->request = NULL;
}

const struct kind_ops change_ops = {.id = KIND_CHANGE,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

/*
 * change: of what is recorded of a subscriber, or of a contract's contacts and account. Both are
 * named by their ids, so that nothing has to be looked up before they are locked.
 */
#include "base/mem.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/whom.h"
#include "lifecycle/decide_change.h"
#include "unit.h"
#include "worker.h"

struct change {
    struct decision decision;
    struct change_request request;
};

static void prepare(struct worker *w UNUSED, struct task *task)
{
    struct change *c = task->request = MEM_NEW(struct change);
    c->decision = decision_of(task, NULL);
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

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct change *c = task->request;
    const struct policy *policy = NULL;
    struct ports ports;
    struct err err = {0};
    const struct decision d = decision_in(w, unit, &c->decision, &ports);
    struct aggregate *aggregate = whom_find(w, task, unit, &policy);
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

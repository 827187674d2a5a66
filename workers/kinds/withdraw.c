/* withdraw: a subscriber, named by id, leaves the service with all certificates (A10). */
#include "base/mem.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/whom.h"
#include "lifecycle/decide_withdraw.h"
#include "unit.h"
#include "worker.h"

struct withdraw {
    struct decision decision;
    struct withdraw_request request;
};

static void prepare(struct worker *w UNUSED, struct task *task)
{
    struct withdraw *r = task->request = MEM_NEW(struct withdraw);
    r->decision = decision_of(task, NULL);
    (void)withdraw_read(&r->decision, task->args, &r->request, &task->plan);
}

static int resolve(struct worker *w UNUSED, struct task **tasks, size_t n, struct err *err UNUSED)
{
    for (size_t i = 0; i < n; i++) {
        const struct withdraw *r = tasks[i]->request;
        tasks[i]->aggregates[0] = r->request.subscriber;
        tasks[i]->aggregate_count = 1;
    }
    return 0;
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct withdraw *r = task->request;
    const struct policy *policy = NULL;
    struct ports ports;
    struct err err = {0};
    const struct decision d = decision_in(w, unit, &r->decision, &ports);
    struct aggregate *aggregate = whom_find(w, task, unit, &policy);
    if (decide_withdraw(&d, &r->request, policy, aggregate, &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    free(task->request);
    task->request = NULL;
}

const struct kind_ops withdraw_ops = {.id = KIND_WITHDRAW,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

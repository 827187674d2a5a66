/* erasable (D8): which certificates may be erased from a device; the question is audited. */
#include "base/mem.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/whom.h"
#include "lifecycle/decide_records.h"
#include "unit.h"
#include "worker.h"

struct question {
    struct decision decision;
    struct records_request request;
};

static void prepare(struct worker *w, struct task *task)
{
    struct question *q = task->request = MEM_NEW(struct question);
    struct ports ports;
    ports_of(w, NULL, &ports);
    q->decision = decision_of(task, &ports);
    (void)records_read(&q->decision, w->policies, task->args, &q->request, &task->plan);
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct question *q = tasks[i]->request;
        if (whom_resolve(w, tasks[i], &q->request.whom, NULL, err))
            return -1;
    }
    return 0;
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct question *q = task->request;
    const struct policy *policy = NULL;
    struct ports ports;
    struct err err = {0};
    ports_of(w, unit, &ports);
    struct decision d = q->decision;
    d.ports = &ports.ports;
    struct aggregate *aggregate = whom_find(w, task, unit, &policy);
    if (decide_erasable(&d, &q->request, policy, aggregate, &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    struct question *q = task->request;
    if (!q)
        return;
    records_request_clear(&q->request);
    free(q);
    task->request = NULL;
}

const struct kind_ops erasable_ops = {.id = KIND_ERASABLE,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

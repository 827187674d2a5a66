/* correct (D5): asks for a correction of what was disclosed; `decide` does it. */
#include "base/mem.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/whom.h"
#include "lifecycle/decide_correct.h"
#include "unit.h"
#include "worker.h"

struct question {
    struct decision decision;
    struct correct_request request;
};

static void prepare(struct worker *w, struct task *task)
{
    struct question *q = task->request = MEM_NEW(struct question);
    q->decision = decision_of(task, NULL);
    (void)correct_read(&q->decision, w->policies, task->args, &q->request, &task->plan);
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
    const struct decision d = decision_in(w, unit, &q->decision, &ports);
    struct aggregate *aggregate = whom_find(w, task, unit, &policy);
    if (decide_correct(&d, &q->request, policy, aggregate, &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    struct question *q = task->request;
    if (!q)
        return;
    correct_request_clear(&q->request);
    free(q);
    task->request = NULL;
}

const struct kind_ops correct_ops = {.id = KIND_CORRECT,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

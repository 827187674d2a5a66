/* decide: an operator approves or rejects an application, of whatever kind, that waits for it. */
#include "base/mem.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/whom.h"
#include "lifecycle/decide_approval.h"
#include "store/application_store.h"
#include "unit.h"
#include "worker.h"

struct ruling {
    struct decision decision;
    struct approval_request request;
};

static void prepare(struct worker *w UNUSED, struct task *task)
{
    struct ruling *a = task->request = MEM_NEW(struct ruling);
    a->decision = decision_of(task, NULL);
    (void)approval_read(&a->decision, task->args, &a->request, &task->plan);
}

/* A request about a contract locks all that hangs on it; any other locks its subscriber. */
static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    struct uuid *ids = mem_zero(n, sizeof *ids);
    struct application_owner *owners = mem_zero(n, sizeof *owners);
    for (size_t i = 0; i < n; i++)
        ids[i] = ((const struct ruling *)tasks[i]->request)->request.application;
    int result = application_find(w->db, ids, n, owners, err);
    for (size_t i = 0; result == 0 && i < n; i++) {
        struct ruling *ruling = tasks[i]->request;
        if (!uuid_is_zero(&owners[i].application))
            ruling->request.application = owners[i].application;
        tasks[i]->contract = owners[i].contract;
        if (!uuid_is_zero(&owners[i].subscriber))
            tasks[i]->aggregates[tasks[i]->aggregate_count++] = owners[i].subscriber;
    }
    free(ids);
    free(owners);
    return result;
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct ruling *a = task->request;
    const struct policy *policy = NULL;
    struct ports ports;
    struct err err = {0};
    const struct decision d = decision_in(w, unit, &a->decision, &ports);
    struct aggregate *aggregate = whom_find(w, task, unit, &policy);
    if (decide_approval(&d, &a->request, policy, aggregate, &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    free(task->request);
    task->request = NULL;
}

const struct kind_ops decide_ops = {.id = KIND_DECIDE,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

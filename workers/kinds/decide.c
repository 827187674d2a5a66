/* decide: an operator approves or rejects an application, of whatever kind, that waits for it. */
#include "base/mem.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "lifecycle/decide_approval.h"
#include "lifecycle/policy_set.h"
#include "store/application_store.h"
#include "unit.h"
#include "worker.h"

struct ruling {
    struct decision decision;
    struct approval_request request;
};

static void prepare(struct worker *w, struct task *task)
{
    struct ruling *a = task->request = MEM_NEW(struct ruling);
    struct ports ports;
    ports_of(w, NULL, &ports);
    a->decision = decision_of(task, &ports);
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
    struct ports ports;
    struct err err = {0};
    ports_of(w, unit, &ports);
    struct decision d = a->decision;
    d.ports = &ports.ports;
    const struct contract *contract = unit_find_contract(unit, &task->contract);
    struct aggregate *aggregate = task->aggregate_count ? unit_find(unit, &task->aggregates[0])
                                  : contract            ? contract->own
                                                        : NULL;
    const struct policy *policy =
        aggregate ? policy_set_find(w->policies, aggregate->subscriber.product) : NULL;
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

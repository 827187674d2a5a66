/*
 * lookup: the certificates that can be reissued, for who knows the credentials (B1), or for a
 * contact of a contract in a session (services C). Not durable, but decided like a job, since wrong
 * tries count here as everywhere.
 */
#include "base/mem.h"
#include "kinds/claim.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "lifecycle/decide_retrieve.h"
#include "unit.h"
#include "worker.h"

struct lookup {
    struct claim claim; /* where a contract is named: the decision only */
    bool is_of_contract;
    struct uuid contract;
};

static void prepare(struct worker *w, struct task *task)
{
    static const char *const known[] = {
        "email", "user_id", "company_code", "product", "password", "code", "by", NULL};
    struct lookup *l = task->request = MEM_NEW(struct lookup);
    l->is_of_contract = json_object_get(task->args, "contract") != NULL;
    if (l->is_of_contract) {
        l->claim.decision = decision_of(task, NULL);
        (void)lookup_contract_read(&l->claim.decision, task->args, &l->contract, &task->plan);
    } else if (claim_prepare(w, task, PROC_LOOKUP, &l->claim)) {
        args_known(task->args, known, &task->plan);
    }
}

static struct claim *claim_of(struct task *task)
{
    struct lookup *l = task->request;
    return l->is_of_contract ? NULL : &l->claim;
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct lookup *l = tasks[i]->request;
        if (l->is_of_contract)
            tasks[i]->contract = l->contract;
    }
    return claim_resolve_all(w, tasks, n, claim_of, err);
}

static int decide_contract(struct worker *w, const struct lookup *l, const struct decision *d,
    struct task *task, const struct unit *unit, struct err *err)
{
    const struct contract *contract = unit_find_contract(unit, &l->contract);
    const struct policy *policy = contract ? policy_set_find(w->policies, contract->product) : NULL;
    return decide_lookup_contract(d, task->args, policy, contract, &task->plan, err);
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct lookup *l = task->request;
    struct candidate candidates[TASK_AGGREGATES_MAX];
    struct ports ports;
    struct err err = {0};
    const struct decision d = decision_in(w, unit, &l->claim.decision, &ports);
    int result = 0;
    if (l->is_of_contract)
        result = decide_contract(w, l, &d, task, unit, &err);
    else
        result = decide_lookup(&d, &l->claim.credentials, candidates,
            claim_candidates(&l->claim, unit, candidates), &task->plan, &err);
    if (result)
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    struct lookup *l = task->request;
    if (!l)
        return;
    claim_clear(&l->claim);
    free(l);
    task->request = NULL;
}

const struct kind_ops lookup_ops = {.id = KIND_LOOKUP,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

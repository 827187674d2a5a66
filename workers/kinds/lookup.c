/*
 * lookup: the certificates that can be reissued, for who knows the credentials (B1). Not durable,
 * but decided like a job, since wrong tries count here as everywhere.
 */
#include "base/mem.h"
#include "kinds/claim.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "lifecycle/decide_retrieve.h"
#include "unit.h"

static void prepare(struct worker *w, struct task *task)
{
    static const char *const known[] = {
        "email", "user_id", "company_code", "product", "password", "code", "by", NULL};
    struct claim *c = task->request = MEM_NEW(struct claim);
    if (claim_prepare(w, task, PROC_LOOKUP, c))
        args_known(task->args, known, &task->plan);
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (claim_resolve(w, tasks[i], tasks[i]->request, err))
            return -1;
    return 0;
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct claim *c = task->request;
    struct candidate candidates[TASK_AGGREGATES_MAX];
    size_t n = claim_candidates(c, unit, candidates);
    struct ports ports;
    struct err err = {0};
    ports_of(w, unit, &ports);
    struct decision d = c->decision;
    d.ports = &ports.ports;
    if (decide_lookup(&d, &c->credentials, candidates, n, &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    struct claim *c = task->request;
    if (!c)
        return;
    claim_clear(c);
    free(c);
    task->request = NULL;
}

const struct kind_ops lookup_ops = {.id = KIND_LOOKUP,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

/*
 * retrieve: credentials and a certification request in, a certificate out. The request is checked
 * and the password compared before the transaction; the certificate is signed inside it, from what
 * was fixed when its code was given (I7), and given again to the same request (X6).
 */
#include "base/mem.h"
#include "kinds/claim.h"
#include "kinds/csr.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "lifecycle/decide_retrieve.h"
#include "unit.h"
#include "worker.h"

struct retrieve {
    struct claim claim;
    struct csr csr;
};

static void prepare(struct worker *w, struct task *task)
{
    struct retrieve *r = task->request = MEM_NEW(struct retrieve);
    claim_prepare(w, task, PROC_RETRIEVE, &r->claim);
    if (task->plan.refused && !task->plan.fields) /* for another reason than what it brings */
        return;
    retrieve_read(task->args, &task->plan);
    if (json_is_string(json_object_get(task->args, "csr")))
        (void)csr_take(task, &r->csr);
}

static struct claim *claim_of(struct task *task)
{
    return &((struct retrieve *)task->request)->claim;
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    return claim_resolve_all(w, tasks, n, claim_of, err);
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct retrieve *r = task->request;
    struct candidate candidates[TASK_AGGREGATES_MAX];
    size_t n = claim_candidates(&r->claim, unit, candidates);
    struct ports ports;
    struct err err = {0};
    ports_of(w, unit, &ports);
    struct decision d = r->claim.decision;
    d.ports = &ports.ports;
    if (decide_retrieve(&d, &r->claim.credentials, &r->csr.key, candidates, n, &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    struct retrieve *r = task->request;
    if (!r)
        return;
    claim_clear(&r->claim);
    csr_clear(&r->csr);
    free(r);
    task->request = NULL;
}

const struct kind_ops retrieve_ops = {.id = KIND_RETRIEVE,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

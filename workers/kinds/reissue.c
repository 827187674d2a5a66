/*
 * reissue: by credentials, as retrieve takes them (A7), or of the certificate that an operator
 * (A11) or a contact of its contract (C4) names.
 */
#include "base/mem.h"
#include "kinds/claim.h"
#include "kinds/csr.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "lifecycle/decide_reissue.h"
#include "unit.h"
#include "worker.h"

struct reissue {
    struct claim claim;
    struct csr csr;
    struct reissue_request request;
};

/* Who names it brings no credentials: what would be one is refused, not passed over. */
static void read_named(struct task *task, struct reissue *r)
{
    static const char *const none[] = {
        "email", "user_id", "company_code", "product", "password", "code"};
    for (size_t i = 0; i < ARRAY_LENGTH(none); i++)
        if (json_object_get(task->args, none[i]))
            plan_bad_field(&task->plan, none[i], "is the subscriber's; name the certificate");
    if (!r->request.has_certificate && !task->plan.refused)
        plan_bad_field(&task->plan, "certificate", "is missing: which one is to be reissued?");
    claim_name(&r->claim, &r->request.certificate);
}

static void prepare(struct worker *w, struct task *task)
{
    struct reissue *r = task->request = MEM_NEW(struct reissue);
    r->claim.decision = decision_of(task, NULL);
    if (!actor_read(&r->claim.decision, task->args, &task->plan))
        return;
    if (!reissue_read(task->args, &r->request, &task->plan) || !csr_take(task, &r->csr))
        return;
    r->request.key = csr_key(&r->csr);
    if (reissue_is_named(&r->claim.decision.actor))
        read_named(task, r);
    else
        (void)claim_prepare(w, task, PROC_REISSUE, &r->claim);
}

static struct claim *claim_of(struct task *task)
{
    return &((struct reissue *)task->request)->claim;
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    return claim_resolve_all(w, tasks, n, claim_of, err);
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct reissue *r = task->request;
    struct candidate candidates[TASK_AGGREGATES_MAX];
    struct ports ports;
    struct err err = {0};
    const struct decision d = decision_in(w, unit, &r->claim.decision, &ports);
    const struct claimants by = claim_find(w, task, unit, &r->claim, candidates);
    if (decide_reissue(&d, &r->request, &by, &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    struct reissue *r = task->request;
    if (!r)
        return;
    claim_clear(&r->claim);
    csr_clear(&r->csr);
    free(r);
    task->request = NULL;
}

const struct kind_ops reissue_ops = {.id = KIND_REISSUE,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

/*
 * renew: of the certificate that is named (with a session, at the counter, by a signature of its
 * own key, or by an operator), or of the one that credentials or a login's user id lead to.
 */
#include "base/mem.h"
#include "kinds/claim.h"
#include "kinds/csr.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/signature.h"
#include "lifecycle/decide_renew.h"
#include "unit.h"
#include "worker.h"

struct renew {
    struct claim claim;
    struct csr csr;
    struct signature signature;
    struct renew_request request;
};

/* Are there credentials, or a login's name, to look for? */
static bool has_names(const json_t *args)
{
    static const char *const names[] = {"email", "user_id", "password", "code"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (json_object_get(args, names[i]))
            return true;
    return false;
}

static void prepare(struct worker *w, struct task *task)
{
    struct renew *r = task->request = MEM_NEW(struct renew);
    r->claim.decision = decision_of(task, NULL);
    if (!actor_read(&r->claim.decision, task->args, &task->plan) ||
        !renew_read(task->args, &r->request, &task->plan) ||
        !signature_read(task, &r->claim.decision.actor, &r->signature) || !csr_take(task, &r->csr))
        return;
    r->request.key = csr_key(&r->csr);
    if (r->request.has_certificate && !has_names(task->args))
        claim_name(&r->claim, &r->request.certificate);
    else
        (void)claim_prepare(w, task, PROC_RENEW, &r->claim);
}

static struct claim *claim_of(struct task *task)
{
    return &((struct renew *)task->request)->claim;
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    return claim_resolve_all(w, tasks, n, claim_of, err);
}

/* Only a named certificate can have signed. */
static int verify(const struct renew *r, const struct candidate *of, struct task *task,
    struct decision *d, struct err *err)
{
    struct certificate *c = aggregate_certificate(of->aggregate, &r->request.certificate);
    return c ? signature_verify(&r->signature, c, task, d, err) : 0;
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct renew *r = task->request;
    struct candidate candidates[TASK_AGGREGATES_MAX];
    struct ports ports;
    struct err err = {0};
    struct decision d = decision_in(w, unit, &r->claim.decision, &ports);
    const struct claimants by = claim_find(w, task, unit, &r->claim, candidates);
    int result = r->claim.is_named && by.count ? verify(r, candidates, task, &d, &err) : 0;
    if (!result && !task->plan.refused)
        result = decide_renew(&d, &r->request, &by, &task->plan, &err);
    if (result)
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    struct renew *r = task->request;
    if (!r)
        return;
    claim_clear(&r->claim);
    csr_clear(&r->csr);
    signature_clear(&r->signature);
    free(r);
    task->request = NULL;
}

const struct kind_ops renew_ops = {
    .id = KIND_RENEW, .prepare = prepare, .resolve = resolve, .decide = decide, .release = release};

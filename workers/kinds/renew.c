/*
 * renew: of the certificate that is named (with a session, at the counter, by a signature of its
 * own key, or by an operator), or of the one that credentials or a login's user id lead to. Whose
 * certificate an id is never changes, so it is looked up outside the transaction.
 */
#include "base/mem.h"
#include "kinds/claim.h"
#include "kinds/csr.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/signature.h"
#include "lifecycle/decide_renew.h"
#include "store/certificate_store.h"
#include "unit.h"
#include "worker.h"

struct renew {
    struct claim claim; /* of a named one: the decision only */
    bool is_named;
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
    struct ports ports;
    ports_of(w, NULL, &ports);
    r->claim.decision = decision_of(task, &ports);
    if (!actor_read(&r->claim.decision, task->args, &task->plan) ||
        !renew_read(task->args, &r->request, &task->plan) ||
        !signature_read(task, &r->claim.decision.actor, &r->signature) ||
        !csr_read(w, task, &r->csr))
        return;
    r->is_named = r->request.has_certificate && !has_names(task->args);
    if (!r->is_named)
        (void)claim_prepare(w, task, PROC_RENEW, &r->claim);
}

static int find_named(struct worker *w, struct task *task, const struct renew *r, struct err *err)
{
    struct uuid subscriber;
    if (certificate_find(w->db, &r->request.certificate, 1, &subscriber, err))
        return -1;
    task->aggregate_count = uuid_is_zero(&subscriber) ? 0 : 1;
    task->aggregates[0] = subscriber;
    return 0;
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct renew *r = tasks[i]->request;
        if (r->is_named ? find_named(w, tasks[i], r, err)
                        : claim_resolve(w, tasks[i], &r->claim, err))
            return -1;
    }
    return 0;
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
    ports_of(w, unit, &ports);
    struct decision d = r->claim.decision;
    d.ports = &ports.ports;
    struct renew_facts facts = {.candidates = candidates};
    if (r->is_named) {
        facts.count = claim_named(w, task, unit, candidates);
    } else {
        facts.credentials = &r->claim.credentials;
        facts.count = claim_candidates(&r->claim, unit, candidates);
    }
    struct renew_request request = r->request;
    request.key = csr_key(&r->csr);
    int result = r->is_named && facts.count ? verify(r, candidates, task, &d, &err) : 0;
    if (!result && !task->plan.refused)
        result = decide_renew(&d, &request, &facts, &task->plan, &err);
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

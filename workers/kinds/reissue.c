/*
 * reissue: by credentials, as retrieve takes them (A7), or of the certificate that an operator
 * (A11) or a contact of its contract (C4) names. Whose certificate an id is never changes, so it is
 * looked up outside the transaction; everything else is decided on the locked subscriber.
 */
#include "base/mem.h"
#include "kinds/claim.h"
#include "kinds/csr.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "lifecycle/decide_reissue.h"
#include "store/certificate_store.h"
#include "unit.h"
#include "worker.h"

struct reissue {
    struct claim claim; /* where the certificate is named: the decision only */
    bool is_named;
    struct csr csr;
    struct reissue_request request;
};

/* Who names it brings no credentials: what would be one is refused, not passed over. */
static void read_named(struct task *task, const struct reissue *r)
{
    static const char *const none[] = {
        "email", "user_id", "company_code", "product", "password", "code"};
    for (size_t i = 0; i < ARRAY_LENGTH(none); i++)
        if (json_object_get(task->args, none[i]))
            plan_bad_field(&task->plan, none[i], "is the subscriber's; name the certificate");
    if (!r->request.has_certificate && !task->plan.refused)
        plan_bad_field(&task->plan, "certificate", "is missing: which one is to be reissued?");
}

static void prepare(struct worker *w, struct task *task)
{
    struct reissue *r = task->request = MEM_NEW(struct reissue);
    struct ports ports;
    ports_of(w, NULL, &ports);
    r->claim.decision = decision_of(task, &ports);
    if (!actor_read(&r->claim.decision, task->args, &task->plan))
        return;
    r->is_named = reissue_is_named(&r->claim.decision.actor);
    if (!reissue_read(task->args, &r->request, &task->plan) || !csr_read(w, task, &r->csr))
        return;
    if (r->is_named)
        read_named(task, r);
    else
        (void)claim_prepare(w, task, PROC_REISSUE, &r->claim);
}

static int find_certificates(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct reissue *r = tasks[i]->request;
        struct uuid subscriber;
        if (!r->is_named)
            continue;
        if (certificate_find(w->db, &r->request.certificate, 1, &subscriber, err))
            return -1;
        if (!uuid_is_zero(&subscriber))
            tasks[i]->aggregates[tasks[i]->aggregate_count++] = subscriber;
    }
    return 0;
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct reissue *r = tasks[i]->request;
        if (!r->is_named && claim_resolve(w, tasks[i], &r->claim, err))
            return -1;
    }
    return find_certificates(w, tasks, n, err);
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct reissue *r = task->request;
    struct candidate candidates[TASK_AGGREGATES_MAX];
    struct ports ports;
    struct err err = {0};
    ports_of(w, unit, &ports);
    struct decision d = r->claim.decision;
    d.ports = &ports.ports;
    struct reissue_facts facts = {.candidates = candidates};
    if (r->is_named) {
        facts.count = claim_named(w, task, unit, candidates);
    } else {
        facts.credentials = &r->claim.credentials;
        facts.count = claim_candidates(&r->claim, unit, candidates);
    }
    struct reissue_request request = r->request;
    request.key = csr_key(&r->csr);
    if (decide_reissue(&d, &request, &facts, &task->plan, &err))
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

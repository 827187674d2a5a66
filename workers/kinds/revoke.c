/*
 * revoke: by certificate id, or by serial, which is looked for with every issuer there is. What the
 * serial belongs to never changes, so it is looked up outside the transaction; whether it may be
 * revoked is decided on the locked subscriber, after or before a retrieval at the same moment.
 */
#include "base/mem.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/signature.h"
#include "kinds/whom.h"
#include "lifecycle/decide_revoke.h"
#include "store/certificate_store.h"
#include "unit.h"
#include "worker.h"

#include <string.h>

struct revocation {
    struct decision decision;
    struct revoke_request request;
    struct signature signature;
    struct uuid certificate; /* as named, or found by its serial; zero: there is none */
};

static void prepare(struct worker *w UNUSED, struct task *task)
{
    struct revocation *r = task->request = MEM_NEW(struct revocation);
    r->decision = decision_of(task, NULL);
    if (revoke_read(&r->decision, task->args, &r->request, &task->plan) &&
        signature_read(task, &r->decision.actor, &r->signature))
        r->certificate = r->request.certificate;
}

static int find_serial(
    struct worker *w, struct revocation *r, struct uuid *ret_subscriber, struct err *err)
{
    const struct revoke_request *q = &r->request;
    const struct bytes serial = {q->serial, q->serial_length};
    *ret_subscriber = (struct uuid){{0}};
    for (size_t i = 0; i < w->config->issuer_count; i++) {
        const char *issuer = w->config->issuers[i].name;
        if (q->issuer && strcmp(q->issuer, issuer) != 0)
            continue;
        if (certificate_find_serial(w->db, issuer, serial, &r->certificate, ret_subscriber, err))
            return -1;
        if (!uuid_is_zero(ret_subscriber))
            return 0;
    }
    return 0;
}

static int find_all(struct worker *w, struct task **tasks, size_t n, struct uuid *ids,
    struct uuid *subscribers, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct revocation *r = tasks[i]->request;
        ids[i] = r->request.has_certificate ? r->certificate : (struct uuid){{0}};
    }
    if (certificate_find(w->db, ids, n, subscribers, err))
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct revocation *r = tasks[i]->request;
        if (!r->request.has_certificate && find_serial(w, r, &subscribers[i], err))
            return -1;
    }
    return 0;
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    struct uuid *ids = mem_zero(2 * n, sizeof *ids), *subscribers = ids + n;
    int result = find_all(w, tasks, n, ids, subscribers, err);
    for (size_t i = 0; result == 0 && i < n; i++)
        if (!uuid_is_zero(&subscribers[i]))
            tasks[i]->aggregates[tasks[i]->aggregate_count++] = subscribers[i];
    free(ids);
    return result;
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct revocation *r = task->request;
    const struct policy *policy = NULL;
    struct ports ports;
    struct err err = {0};
    struct decision d = decision_in(w, unit, &r->decision, &ports);
    struct aggregate *aggregate = whom_find(w, task, unit, &policy);
    struct certificate *certificate =
        aggregate ? aggregate_certificate(aggregate, &r->certificate) : NULL;
    if (certificate && signature_verify(&r->signature, certificate, task, &d, &err))
        unit_fail(unit, &err);
    else if (!task->plan.refused &&
             decide_revoke(&d, &r->request, policy, aggregate, certificate, &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    struct revocation *r = task->request;
    if (!r)
        return;
    signature_clear(&r->signature);
    free(r);
    task->request = NULL;
}

const struct kind_ops revoke_ops = {.id = KIND_REVOKE,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

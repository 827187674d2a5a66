/*
 * password-change, password-reset, password-set (D6, D7). The old password is compared with the
 * stored hash, and the new one hashed, before the transaction; the decision starts over when the
 * hash has changed meanwhile. What was compared in an earlier try is not compared again.
 */
#include "base/mem.h"
#include "crypto/scrypt.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/secrets.h"
#include "kinds/whom.h"
#include "lifecycle/decide_password.h"
#include "unit.h"
#include "worker.h"

#include <openssl/crypto.h>
#include <string.h>

struct password_job {
    struct decision decision;
    struct password_request request;
    struct secret *old;
    struct new_password fresh;
    char *tried; /* what `old` was compared with; owned */
};

static bool same_secret(const struct secret *a, const struct secret *b)
{
    return a && b && a->length == b->length && CRYPTO_memcmp(a->data, b->data, a->length) == 0;
}

static void prepare(struct worker *w, struct task *task, enum policy_procedure procedure)
{
    struct password_job *p = task->request = MEM_NEW(struct password_job);
    p->decision = decision_of(task, NULL);
    if (!password_request_read(
            &p->decision, w->policies, procedure, task->args, &p->request, &task->plan))
        return;
    if (procedure == PROC_PASSWORD_CHANGE)
        (void)secret_open(w, task, "old", &p->old);
    if (procedure != PROC_PASSWORD_RESET)
        (void)new_password_read(w, task, "new", &p->fresh);
    if (same_secret(p->old, p->fresh.plain))
        plan_bad_field(&task->plan, "new", "is the old one");
}

static void prepare_change(struct worker *w, struct task *task)
{
    prepare(w, task, PROC_PASSWORD_CHANGE);
}

static void prepare_reset(struct worker *w, struct task *task)
{
    prepare(w, task, PROC_PASSWORD_RESET);
}

static void prepare_set(struct worker *w, struct task *task)
{
    prepare(w, task, PROC_PASSWORD_SET);
}

/* Takes `hash` over. */
static int try_old(struct password_job *p, char *hash, struct err *err)
{
    const bool is_known = hash && p->tried && strcmp(hash, p->tried) == 0;
    if (is_known) {
        free(hash);
        return 0;
    }
    free(p->tried);
    p->tried = hash;
    p->request.tried = hash;
    p->request.fits = false;
    return p->old && hash ? scrypt_verify(p->old, hash, &p->request.fits, err) : 0;
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct password_job *p = tasks[i]->request;
        char *hash = NULL;
        if (whom_resolve(w, tasks[i], &p->request.whom, &hash, err) || try_old(p, hash, err) ||
            password_hash(w, &p->fresh, err))
            return -1;
        p->request.hash = p->fresh.hash;
    }
    return 0;
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct password_job *p = task->request;
    const struct policy *policy = NULL;
    struct ports ports;
    struct err err = {0};
    const struct decision d = decision_in(w, unit, &p->decision, &ports);
    struct aggregate *aggregate = whom_find(w, task, unit, &policy);
    if (decide_password(&d, &p->request, policy, aggregate, &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    struct password_job *p = task->request;
    if (!p)
        return;
    password_request_clear(&p->request);
    secret_free(p->old);
    new_password_clear(&p->fresh);
    free(p->tried);
    free(p);
    task->request = NULL;
}

const struct kind_ops password_change_ops = {.id = KIND_PASSWORD_CHANGE,
    .prepare = prepare_change,
    .resolve = resolve,
    .decide = decide,
    .release = release};
const struct kind_ops password_reset_ops = {.id = KIND_PASSWORD_RESET,
    .prepare = prepare_reset,
    .resolve = resolve,
    .decide = decide,
    .release = release};
const struct kind_ops password_set_ops = {.id = KIND_PASSWORD_SET,
    .prepare = prepare_set,
    .resolve = resolve,
    .decide = decide,
    .release = release};

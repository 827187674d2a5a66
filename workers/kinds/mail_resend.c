/* mail-resend: a certificate code once more, for an operator (A11). */
#include "base/mem.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/whom.h"
#include "lifecycle/decide_resend.h"
#include "mail/template.h"
#include "store/mail_store.h"
#include "unit.h"
#include "worker.h"

struct resend {
    struct decision decision;
    struct resend_request request;
};

static void prepare(struct worker *w UNUSED, struct task *task)
{
    struct resend *r = task->request = MEM_NEW(struct resend);
    r->decision = decision_of(task, NULL);
    (void)resend_read(&r->decision, task->args, &r->request, &task->plan);
}

static int find(struct worker *w, struct task *task, struct err *err)
{
    struct resend_request *r = &((struct resend *)task->request)->request;
    struct mail_found found = {0};
    if (mail_store_find(w->db, &r->mail, &found, err))
        return -1;
    const struct template *t =
        found.exists ? template_set_find(w->templates, found.language, found.template) : NULL;
    r->is_found = found.exists;
    r->has_code = t && template_has_code(t);
    r->certificate = found.certificate;
    r->subscriber = found.subscriber;
    r->generation = found.generation;
    task->aggregates[0] = r->subscriber;
    task->aggregate_count = !uuid_is_zero(&r->subscriber);
    return 0;
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (find(w, tasks[i], err))
            return -1;
    return 0;
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct resend *r = task->request;
    const struct policy *policy = NULL;
    struct ports ports;
    struct err err = {0};
    const struct decision d = decision_in(w, unit, &r->decision, &ports);
    struct aggregate *aggregate = whom_find(w, task, unit, &policy);
    if (decide_resend(&d, &r->request, policy, aggregate, &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    free(task->request);
    task->request = NULL;
}

const struct kind_ops mail_resend_ops = {.id = KIND_MAIL_RESEND,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

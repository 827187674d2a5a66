#include "kinds/csr.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "pki/request.h"
#include "signer.h"
#include "worker.h"

bool csr_take(struct task *task, struct csr *ret)
{
    const json_t *csr = json_object_get(task->args, "csr");
    if (!csr || json_is_null(csr))
        return true;
    if (json_is_string(csr)) {
        ret->text =
            (struct bytes){(const uint8_t *)json_string_value(csr), json_string_length(csr)};
        task->csr = ret;
    } else {
        plan_bad_field(&task->plan, "csr", "must be a text: PEM, or DER in base64");
    }
    return !task->plan.refused;
}

const struct request_key *csr_key(const struct csr *c)
{
    return c->text.data ? &c->key : NULL;
}

struct check {
    struct signer *signer;
    struct task **tasks;
    struct err *errs;
};

static void check(void *context, size_t at, size_t thread)
{
    const struct check *c = context;
    struct csr *csr = c->tasks[at]->csr;
    if (signer_read_request(c->signer, thread, csr->text, &csr->request, &c->errs[at]) == 0)
        csr->key = signer_key(csr->request);
}

void csr_check_all(struct worker *w, struct task *tasks, size_t n)
{
    struct check c = {.signer = w->signer, .tasks = mem_zero(n, sizeof *c.tasks)};
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (tasks[i].csr)
            c.tasks[count++] = &tasks[i];
    c.errs = mem_zero(count, sizeof *c.errs);
    parallel_each(count, count / 2, check, &c);
    for (size_t i = 0; i < count; i++)
        if (!c.tasks[i]->csr->request)
            plan_bad_field(&c.tasks[i]->plan, "csr", "%s", c.errs[i].text);
    free(c.errs);
    free(c.tasks);
}

void csr_clear(struct csr *c)
{
    request_free(c->request);
    *c = (struct csr){0};
}

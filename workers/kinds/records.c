/*
 * disclose (D4): what is recorded of a subscriber; erasable (D8): which certificates may be erased
 * from a device. The subscriber's rows are locked as for any other decision, since both questions
 * are written down; for a disclosure the newest revocation files are looked up before.
 */
#include "base/mem.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/whom.h"
#include "lifecycle/decide_records.h"
#include "store/record_store.h"
#include "unit.h"
#include "worker.h"

struct question {
    struct decision decision;
    struct records_request request;
    struct record_file *files; /* one for each issuer */
};

static void prepare(struct worker *w, struct task *task)
{
    struct question *q = task->request = MEM_NEW(struct question);
    q->decision = decision_of(task, NULL);
    (void)records_read(&q->decision, w->policies, task->args, &q->request, &task->plan);
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct question *q = tasks[i]->request;
        if (whom_resolve(w, tasks[i], &q->request.whom, NULL, err))
            return -1;
    }
    return 0;
}

static int find_files(struct worker *w, struct question *q, struct err *err)
{
    const size_t n = w->config->issuer_count;
    if (!q->files)
        q->files = mem_zero(n, sizeof *q->files);
    for (size_t i = 0; i < n; i++)
        if (record_file_last(w->db, w->config->issuers[i].name, &q->files[i], err))
            return -1;
    q->request.files = q->files;
    q->request.file_count = n;
    return 0;
}

static int resolve_disclosure(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (find_files(w, tasks[i]->request, err))
            return -1;
    return resolve(w, tasks, n, err);
}

static void decide(struct worker *w, struct task *task, struct unit *unit, records_decide *rule)
{
    const struct question *q = task->request;
    const struct policy *policy = NULL;
    struct ports ports;
    struct err err = {0};
    const struct decision d = decision_in(w, unit, &q->decision, &ports);
    struct aggregate *aggregate = whom_find(w, task, unit, &policy);
    if (rule(&d, &q->request, aggregate ? policy : q->request.whom.policy, aggregate, &task->plan,
            &err))
        unit_fail(unit, &err);
}

static void disclose(struct worker *w, struct task *task, struct unit *unit)
{
    decide(w, task, unit, decide_disclose);
}

static void list_erasable(struct worker *w, struct task *task, struct unit *unit)
{
    decide(w, task, unit, decide_erasable);
}

static void release(struct task *task)
{
    struct question *q = task->request;
    if (!q)
        return;
    records_request_clear(&q->request);
    free(q->files);
    free(q);
    task->request = NULL;
}

const struct kind_ops disclose_ops = {.id = KIND_DISCLOSE,
    .prepare = prepare,
    .resolve = resolve_disclosure,
    .decide = disclose,
    .release = release};
const struct kind_ops erasable_ops = {.id = KIND_ERASABLE,
    .prepare = prepare,
    .resolve = resolve,
    .decide = list_erasable,
    .release = release};

/*
 * disclose (D4): the subscriber's rows are locked like for any other decision, since a disclosure
 * is written down; the newest revocation files are looked up before.
 */
#include "base/mem.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/whom.h"
#include "lifecycle/decide_records.h"
#include "store/record_store.h"
#include "unit.h"
#include "worker.h"

struct disclose {
    struct decision decision;
    struct records_request request;
    struct record_file *files; /* one for each issuer */
};

static void prepare(struct worker *w, struct task *task)
{
    struct disclose *q = task->request = MEM_NEW(struct disclose);
    struct ports ports;
    ports_of(w, NULL, &ports);
    q->decision = decision_of(task, &ports);
    (void)records_read(&q->decision, w->policies, task->args, &q->request, &task->plan);
}

static int find_files(struct worker *w, struct disclose *q, struct err *err)
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

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct disclose *q = tasks[i]->request;
        if (whom_resolve(w, tasks[i], &q->request.whom, NULL, err) || find_files(w, q, err))
            return -1;
    }
    return 0;
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct disclose *q = task->request;
    const struct policy *policy = NULL;
    struct ports ports;
    struct err err = {0};
    ports_of(w, unit, &ports);
    struct decision d = q->decision;
    d.ports = &ports.ports;
    struct aggregate *aggregate = whom_find(w, task, unit, &policy);
    if (decide_disclose(&d, &q->request, aggregate ? policy : q->request.whom.policy, aggregate,
            &task->plan, &err))
        unit_fail(unit, &err);
}

static void release(struct task *task)
{
    struct disclose *q = task->request;
    if (!q)
        return;
    records_request_clear(&q->request);
    free(q->files);
    free(q);
    task->request = NULL;
}

const struct kind_ops disclose_ops = {.id = KIND_DISCLOSE,
    .prepare = prepare,
    .resolve = resolve,
    .decide = decide,
    .release = release};

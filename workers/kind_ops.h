/*
 * What a kind of job does in a worker. The runner (runner.h) owns the group, the transaction and
 * the reports; a kind owns what its args mean. Two ways:
 *
 *  - decided kinds give prepare, resolve and decide; the runner locks jobs and aggregates, loads,
 *    lets them decide job by job, stores everything in bulk with the completion, commits once, and
 *    redoes a failed group by halves;
 *  - kinds with transactions of their own (mail, crl) give run, and answer for every task.
 *
 * A task is refused by plan_refuse on its plan in any of the steps; it is then completed as
 * refused and later steps skip it. Steps return -1 only for what concerns the whole group (the
 * database is away): the runner then redoes it by halves or reports *failed*.
 */
#ifndef CERTQ_WORKERS_KIND_OPS_H
#define CERTQ_WORKERS_KIND_OPS_H

#include "base/err.h"
#include "base/job.h"
#include "base/json.h"
#include "base/kind.h"
#include "lifecycle/plan.h"

struct csr;    /* kinds/csr.h */
struct worker; /* worker.h: config, database, keys, issuers, policies */
struct unit;   /* unit.h: the group's aggregates, loaded and changed */

#define TASK_AGGREGATES_MAX 16

struct task {
    const struct job *job; /* owned by the group */
    json_t *args;          /* parsed args; owned */
    void *request;         /* what prepare made of them; freed by ops->release */
    struct csr *csr;       /* part of it: the certification request to check; NULL: none */
    /* The subscribers this job locks (ids, from resolve); unknown ones are made by decide. */
    struct uuid aggregates[TASK_AGGREGATES_MAX];
    size_t aggregate_count;
    struct uuid contract; /* it locks, with all its subscribers; zero: theirs, if any */
    struct plan plan;     /* result or refusal, mails, follow-ups, audit lines */
    bool refused;         /* = plan.refused, set by the runner between steps */
    enum outcome outcome; /* set by the runner; by `run` kinds themselves */
};

struct kind_ops {
    enum kind_id id;
    /* Outside any transaction, once for each task: read args, unseal, parse requests. */
    void (*prepare)(struct worker *w, struct task *task);
    /*
     * Outside the transaction, for the tasks not refused: bulk reads that tell which aggregates to
     * lock, and what is slow (scrypt). Runs again when the group is redone after a conflict.
     */
    int (*resolve)(struct worker *w, struct task **tasks, size_t n, struct err *err);
    /* Inside the transaction with the aggregates loaded and locked: changes unit, fills the plan.
     */
    void (*decide)(struct worker *w, struct task *task, struct unit *unit);
    /* Frees task->request. */
    void (*release)(struct task *task);
    /* Instead of the three above: does the whole group and sets each outcome and plan. */
    int (*run)(
        struct worker *w, struct task **tasks, size_t n, const struct uuid *group, struct err *err);
};

/* The table of kinds.c; NULL for a kind this program does not do. */
const struct kind_ops *kind_ops(enum kind_id id);

#endif

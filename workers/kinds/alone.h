/*
 * For kinds with transactions of their own (kind_ops.h, run): their jobs one by one, each with its
 * row held in every transaction, and those transactions run until they are committed. Blocks.
 */
#ifndef CERTQ_WORKERS_KINDS_ALONE_H
#define CERTQ_WORKERS_KINDS_ALONE_H

#include "db/db.h"
#include "kind_ops.h"

/* Sets task->outcome; -1: it failed, and err is what it is reported with. */
typedef int alone_run(
    struct worker *w, struct task *task, const struct uuid *group, struct err *err);
/* Each of them; one that fails fails alone. -1: the database is away. */
int alone_each(struct worker *w, struct task **tasks, size_t n, const struct uuid *group,
    alone_run *run, struct err *err) MUST_USE;

/* (tx) 1: the job's row is no longer ours, and task->outcome says what it is. */
int alone_hold(struct db *db, struct task *task, struct err *err) MUST_USE;
/* (tx) Inserts its plan's follow-ups and writes its history. */
int alone_complete(
    struct db *db, struct task *task, const struct uuid *group, struct err *err) MUST_USE;

/* In a transaction: 1 rolls it back without being tried again. */
typedef int alone_work(void *arg, struct err *err);
/*
 * Runs it until it is committed: 0, or 1 as it said. What lost a race is run again, and so is what
 * a commit without an answer may have done: `work` must find it done.
 */
int alone_commit(struct db *db, alone_work *work, void *arg, struct err *err) MUST_USE;

#endif

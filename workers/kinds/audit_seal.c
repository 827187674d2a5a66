/*
 * audit-seal: seals the lines of the audit that no seal covers (audit/sealing.h), each some
 * thousand in a transaction of its own, writes the new seals to the file outside the database, and
 * only then completes. So a job that is done says that the file has them; one that is killed,
 * repeated or run twice at once does what is left. A file that cannot be written, or that knows of
 * a seal which the database lacks, fails the job loudly: somebody must look.
 */
#include "audit/seal_file.h"
#include "audit/sealing.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/job_store.h"
#include "kinds/kinds.h"
#include "lifecycle/decide.h"
#include "report.h"
#include "worker.h"

enum { RACES_MOST = 5 }; /* times a transaction that lost is run again */

struct sealing {
    struct worker *worker;
    struct task *task;
    const struct uuid *group;
    bool is_all; /* nothing was left to seal */
    int64_t seals, lines;
    uint64_t last;
};

static void prepare(struct worker *w UNUSED, struct task *task)
{
    static const char *const known[] = {"by", NULL};
    args_known(task->args, known, &task->plan);
}

/* 1: the job's row is no longer ours, and task->outcome says what it is. */
static int hold_job(struct sealing *s, struct err *err)
{
    struct task *task = s->task;
    struct job_lock lock = {.id = task->job->id, .attempt = task->job->attempt};
    if (job_lock_rows(s->worker->db, &lock, 1, err))
        return -1;
    if (lock.state == JOB_LOCK_HELD)
        return 0;
    task->outcome = job_lock_outcome(&lock);
    return 1;
}

static int seal_some(struct sealing *s, struct err *err)
{
    AUTO_SEAL made = {0};
    int result = hold_job(s, err);
    if (result)
        return result;
    if (audit_seal_next(
            s->worker->db, s->worker->audit, clock_now_ms(), &s->task->job->id, &made, err))
        return -1;
    s->is_all = made.number == 0;
    s->seals += !s->is_all;
    s->lines += made.count;
    return 0;
}

static int complete(struct sealing *s, struct err *err)
{
    struct task *task = s->task;
    int result = hold_job(s, err);
    if (result)
        return result;
    if (!task->refused)
        plan_result(&task->plan, json_pack("{s:I, s:I, s:I}", "seals", (json_int_t)s->seals,
                                     "lines", (json_int_t)s->lines, "last", (json_int_t)s->last));
    AUTO(completion) done = completion_new(&task, 1, clock_now_ms());
    return job_complete(s->worker->db, completion_rows(done), 1, s->group, clock_now_ms(), err);
}

/* Runs it until it is committed: 0; 1 when the job is no longer ours. A seal whose commit was
 * unsure is found there or made. */
static int in_transaction(
    struct sealing *s, int (*work)(struct sealing *, struct err *), struct err *err)
{
    struct db *db = s->worker->db;
    for (int races = 0;; races++) {
        err_clear(err);
        if (db_open(db, err))
            return -1;
        if (db_begin(db, err) == 0) {
            int result = work(s, err);
            if (result)
                db_rollback(db);
            if (result > 0 || (result == 0 && db_commit(db, err) == 0))
                return result;
        }
        if ((err->kind != ERR_CONFLICT && err->kind != ERR_UNSURE) || races >= RACES_MOST)
            return -1;
    }
}

static int seal_all(struct sealing *s, struct err *err)
{
    const char *file = s->worker->config->audit.seals;
    int result = 0;
    /* The file first: a backup that was restored must not be sealed on as if nothing had been. */
    if (db_open(s->worker->db, err) || audit_file_sync(s->worker->db, file, &s->last, err))
        return -1;
    while (result == 0 && !s->is_all)
        result = in_transaction(s, seal_some, err);
    if (result == 0 && s->seals)
        result = audit_file_sync(s->worker->db, file, &s->last, err);
    return result;
}

static int run_one(struct worker *w, struct task *task, const struct uuid *group, struct err *err)
{
    struct sealing s = {.worker = w, .task = task, .group = group};
    int result = task->refused ? 0 : seal_all(&s, err);
    task->outcome = task->refused ? OUTCOME_REFUSED : OUTCOME_DONE;
    if (result == 0)
        result = in_transaction(&s, complete, err);
    if (result == 0 && s.seals)
        log_info("audit.sealed", "seals=%lld lines=%lld last=%llu", (long long)s.seals,
            (long long)s.lines, (unsigned long long)s.last);
    return result < 0 ? -1 : 0;
}

static int run(
    struct worker *w, struct task **tasks, size_t n, const struct uuid *group, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (run_one(w, tasks[i], group, err) == 0)
            continue;
        tasks[i]->outcome = OUTCOME_FAILED;
        if (!db_is_open(w->db))
            return -1;
        log_error(
            "audit.unsealed", "job=%s error=%s", uuid_s(&tasks[i]->job->id), log_q(err->text));
        plan_clear(&tasks[i]->plan);
        plan_refuse(&tasks[i]->plan, err->code, "%s", err->text);
        err_clear(err);
    }
    return 0;
}

const struct kind_ops audit_seal_ops = {.id = KIND_AUDIT_SEAL, .prepare = prepare, .run = run};

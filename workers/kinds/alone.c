#include "kinds/alone.h"

#include "base/clock.h"
#include "db/job_store.h"
#include "report.h"
#include "worker.h"

enum { RACES_MOST = 5 }; /* times a transaction that lost is run again */

int alone_each(struct worker *w, struct task **tasks, size_t n, const struct uuid *group,
    alone_run *run, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (run(w, tasks[i], group, err) == 0)
            continue;
        tasks[i]->outcome = OUTCOME_FAILED;
        if (!db_is_open(w->db))
            return -1;
        plan_clear(&tasks[i]->plan);
        plan_refuse(&tasks[i]->plan, err->code, "%s", err->text);
        err_clear(err);
    }
    return 0;
}

int alone_hold(struct db *db, struct task *task, struct err *err)
{
    struct job_lock lock = {.id = task->job->id, .attempt = task->job->attempt};
    if (job_lock_rows(db, &lock, 1, err))
        return -1;
    if (lock.state == JOB_LOCK_HELD)
        return 0;
    task->outcome = job_lock_outcome(&lock);
    return 1;
}

int alone_complete(struct db *db, struct task *task, const struct uuid *group, struct err *err)
{
    AUTO(completion) done = completion_new(&task, 1, clock_now_ms());
    const size_t n = completion_followup_count(done);
    if (n && job_insert(db, completion_followups(done), n, err))
        return -1;
    return job_complete(db, completion_rows(done), 1, group, clock_now_ms(), err);
}

int alone_commit(struct db *db, alone_work *work, void *arg, struct err *err)
{
    for (int races = 0;; races++) {
        err_clear(err);
        if (db_open(db, err))
            return -1;
        if (db_begin(db, err) == 0) {
            int result = work(arg, err);
            if (result)
                db_rollback(db);
            if (result > 0 || (result == 0 && db_commit(db, err) == 0))
                return result;
        }
        if ((err->kind != ERR_CONFLICT && err->kind != ERR_UNSURE) || races >= RACES_MOST)
            return -1;
    }
}

#include "support/jobs.h"

#include <string.h>

struct job job_sample(void)
{
    static char client[] = "shop";
    static uint8_t args[] = "{\"note\":\"hello\"}";
    struct job job = {.id = uuid_new(),
        .slot = 3,
        .priority = JOB_PRIORITY_DEFAULT,
        .run_at_ms = 1000000,
        .rank = job_rank(1000000, JOB_PRIORITY_DEFAULT),
        .kind = "noop",
        .client = client,
        .args = args,
        .args_length = sizeof args - 1,
        .created_ms = 1000000};
    memset(job.fingerprint, 0x5a, sizeof job.fingerprint);
    return job;
}

void job_alter(struct job *job)
{
    job->fingerprint[0]++;
}

struct accept accept_of(const struct job *job)
{
    return (struct accept){.job = job};
}

int job_finish(struct db *db, const struct job *job, const struct uuid *group, struct err *err)
{
    struct job_lock lock = {.id = job->id, .attempt = job->attempt};
    const struct job_completion done = {.job = job, .state = JOB_DONE};
    if (db_begin(db, err))
        return -1;
    if (job_lock_rows(db, &lock, 1, err) == 0) {
        if (lock.state == JOB_LOCK_HELD) {
            if (job_complete(db, &done, 1, group, 2000000, err) == 0)
                return db_commit(db, err);
        } else {
            err_set(err, ERR_CONFLICT, NULL, "the lock's state is %d", (int)lock.state);
        }
    }
    db_rollback(db);
    return -1;
}

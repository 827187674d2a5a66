/* The worker's part of the job store: lock, complete, follow up, and look after a lost commit. */
#include "base/mem.h"
#include "db/job_row.h"

#include <string.h>

/* ---- locking ---- */

static int by_lock_id(const void *a, const void *b)
{
    return uuid_compare(&((const struct job_lock *)a)->id, &((const struct job_lock *)b)->id);
}

static struct job_lock *find_lock(struct job_lock *locks, size_t n, const struct uuid *id)
{
    const struct job_lock key = {.id = *id};
    return bsearch(&key, locks, n, sizeof *locks, by_lock_id);
}

/* Those still to be classified, packed for a list; returns how many. */
static size_t pack_unseen(const struct job_lock *locks, size_t n, struct uuid *ids)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (locks[i].state == JOB_LOCK_UNSEEN)
            ids[count++] = locks[i].id;
    }
    return count;
}

static int take_locks(
    struct db *db, struct job_lock *locks, size_t n, const struct uuid *ids, struct err *err)
{
    static const struct statement lock = {.name = "job.lock",
        .sql =
            "SELECT j.id, j.attempt FROM " DB_JOIN_IDS("job j", "j.id") " FOR UPDATE SKIP LOCKED",
        .params = "bi",
        .columns = "bi"};
    struct db_value params[2], c[2];
    ids_bind(params, ids, n);
    if (db_query(db, &lock, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, c, err)) > 0) {
        const struct uuid id = uuid_of(&c[0]);
        struct job_lock *l = find_lock(locks, n, &id);
        if (l)
            l->state = c[1].integer == l->attempt ? JOB_LOCK_HELD : JOB_LOCK_STALE;
    }
    return row;
}

/* Gives the rows a plain read finds of those not classified yet a state. */
static int classify(struct db *db, const struct statement *find, int state, struct job_lock *locks,
    size_t n, struct uuid *ids, struct err *err)
{
    const size_t count = pack_unseen(locks, n, ids);
    struct db_value params[2], c;
    if (count == 0)
        return 0;
    ids_bind(params, ids, count);
    if (db_query(db, find, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, &c, err)) > 0) {
        const struct uuid id = uuid_of(&c);
        struct job_lock *l = find_lock(locks, n, &id);
        if (l)
            l->state = (__typeof__(l->state))state;
    }
    return row;
}

static int lock_part(struct db *db, struct job_lock *locks, size_t n, struct err *err)
{
    /*
     * In this order: a row that is locked and then completed between the reads is found by the
     * last, and one that was neither seen nor finished is really unknown.
     */
    static const struct statement in_job = {.name = "job.there",
        .sql = "SELECT j.id FROM " DB_JOIN_IDS("job j", "j.id"),
        .params = "bi",
        .columns = "b"};
    static const struct statement in_history = {.name = "history.there",
        .sql = "SELECT h.id FROM " DB_JOIN_IDS("job_history h", "h.id"),
        .params = "bi",
        .columns = "b"};
    struct uuid ids[DB_IDS_MOST];
    for (size_t i = 0; i < n; i++)
        locks[i].state = JOB_LOCK_UNSEEN;
    pack_unseen(locks, n, ids);
    if (take_locks(db, locks, n, ids, err) ||
        classify(db, &in_job, JOB_LOCK_BUSY, locks, n, ids, err) ||
        classify(db, &in_history, JOB_LOCK_FINISHED, locks, n, ids, err))
        return -1;
    return 0;
}

int job_lock_rows(struct db *db, struct job_lock *locks, size_t n, struct err *err)
{
    qsort(locks, n, sizeof *locks, by_lock_id);
    for (size_t at = 0; at < n; at += DB_IDS_MOST) {
        if (lock_part(db, locks + at, n - at < DB_IDS_MOST ? n - at : DB_IDS_MOST, err))
            return -1;
    }
    return 0;
}

/* ---- completion ---- */

static int by_uuid(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

int job_complete(struct db *db, const struct job_completion *done, size_t n,
    const struct uuid *group, int64_t now_ms, struct err *err)
{
    AUTO_TEXT memory = mem_zero(n, sizeof(struct uuid) + sizeof(struct history_row));
    struct history_row *rows = (struct history_row *)(void *)memory;
    struct uuid *ids = (struct uuid *)(void *)(rows + n);
    for (size_t i = 0; i < n; i++) {
        ids[i] = done[i].job->id;
        rows[i] = (struct history_row){.job = done[i].job,
            .state = done[i].state,
            .group = group,
            .finished_ms = now_ms,
            .result = done[i].result,
            .followups = done[i].followups};
    }
    qsort(ids, n, sizeof *ids, by_uuid);
    if (job_rows_delete(db, ids, n, err))
        return -1;
    return history_rows_insert(db, rows, n, err);
}

int job_insert(struct db *db, const struct job *const *jobs, size_t n, struct err *err)
{
    return job_rows_insert(db, jobs, n, err);
}

/* ---- after an unsure commit ---- */

/*
 * Waits until the lost transaction has ended one way or the other: while the server has not noticed
 * that its client is gone, the rows are still locked, and reading past the locks would say "not
 * committed" of something that is about to be.
 */
static int wait_for_end(struct db *db, const struct uuid *ids, size_t n, struct err *err)
{
    static const struct statement wait = {.name = "job.wait",
        .sql = "SELECT j.id FROM " DB_JOIN_IDS("job j", "j.id") " FOR UPDATE",
        .params = "bi",
        .columns = "b"};
    struct db_value params[2], c;
    ids_bind(params, ids, n);
    if (db_query(db, &wait, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, &c, err)) > 0)
        ;
    return row;
}

static int count_group(struct db *db, const struct uuid *ids, size_t n, const struct uuid *group,
    int64_t *total, struct err *err)
{
    static const struct statement count = {.name = "history.group",
        .sql = "SELECT COUNT(*) FROM " DB_JOIN_IDS("job_history h", "h.id") " WHERE h.group_id = ?",
        .params = "bib",
        .columns = "i"};
    struct db_value params[3], c;
    ids_bind(params, ids, n);
    params[2] = db_uuid(group);
    if (db_query(db, &count, params, err) || db_fetch(db, &c, err) < 0)
        return -1;
    *total += c.integer;
    db_finish(db);
    return 0;
}

int job_group_won(struct db *db, const struct uuid *ids, size_t n, const struct uuid *group,
    bool *ret_won, struct err *err)
{
    AUTO_TEXT memory = (char *)(void *)ids_sorted(ids, n);
    const struct uuid *sorted = (const struct uuid *)(const void *)memory;
    int64_t total = 0;
    if (db_begin(db, err))
        return -1;
    for (size_t at = 0; at < n; at += DB_IDS_MOST) {
        const size_t part = n - at < DB_IDS_MOST ? n - at : DB_IDS_MOST;
        if (wait_for_end(db, sorted + at, part, err) ||
            count_group(db, sorted + at, part, group, &total, err)) {
            db_rollback(db);
            return -1;
        }
    }
    db_rollback(db);
    *ret_won = n && total == (int64_t)n;
    return 0;
}

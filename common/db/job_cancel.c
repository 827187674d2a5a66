/* Follow-ups that are not wanted any more: a revocation in 14 days whose certificate is revoked. */
#include "base/mem.h"
#include "db/job_row.h"

#include <assert.h>
#include <string.h>

struct waiting {
    struct job *jobs; /* client and args are ours */
    size_t count;
};

static void waiting_clear(struct waiting *w)
{
    for (size_t i = 0; i < w->count; i++) {
        free(w->jobs[i].client);
        free(w->jobs[i].args);
    }
    free(w->jobs);
}

/* Kinds are interned by their names, since the columns they come in do not last. */
static int lock(struct db *db, const struct uuid *sorted, size_t n, char (*kinds)[JOB_KIND_MAX + 1],
    struct waiting *ret, struct err *err)
{
    static const struct statement lock = {.name = "cancel.lock",
        .sql = "SELECT " JOB_COLUMNS " FROM " DB_JOIN_IDS("job j", "j.id") " FOR UPDATE",
        .params = "bi",
        .columns = JOB_COLUMN_TYPES};
    struct db_value params[2], c[JOB_COLUMN_COUNT];
    ids_bind(params, sorted, n);
    if (db_query(db, &lock, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, c, err)) > 0 && ret->count < n) {
        struct job *job = &ret->jobs[ret->count];
        job_of_row(c, job);
        text_of(&c[3], kinds[ret->count], sizeof kinds[ret->count]);
        job->kind = kinds[ret->count++];
    }
    db_finish(db);
    return row < 0 ? -1 : 0;
}

static int move(struct db *db, const struct waiting *w, int64_t now_ms, struct err *err)
{
    static const struct uuid no_group;
    AUTO_TEXT memory = mem_zero(w->count, sizeof(struct history_row) + sizeof(struct uuid));
    struct history_row *rows = (struct history_row *)(void *)memory;
    struct uuid *ids = (struct uuid *)(void *)(rows + w->count);
    for (size_t i = 0; i < w->count; i++) {
        ids[i] = w->jobs[i].id;
        rows[i] = (struct history_row){
            .job = &w->jobs[i], .state = JOB_CANCELLED, .group = &no_group, .finished_ms = now_ms};
    }
    struct uuid *sorted = ids_sorted(ids, w->count);
    int result =
        job_rows_delete(db, sorted, w->count, err) || history_rows_insert(db, rows, w->count, err);
    free(sorted);
    return result ? -1 : 0;
}

int job_cancel(struct db *db, const struct uuid *ids, size_t n, int64_t now_ms, struct err *err)
{
    assert(n <= DB_IDS_MOST);
    if (n == 0)
        return 0;
    CLEANUP(waiting_clear) struct waiting w = {mem_zero(n, sizeof(struct job)), 0};
    AUTO_TEXT memory = mem_zero(n, JOB_KIND_MAX + 1);
    struct uuid *sorted = ids_sorted(ids, n);
    int result = lock(db, sorted, n, (char(*)[JOB_KIND_MAX + 1])(void *)memory, &w, err);
    free(sorted);
    return result || (w.count && move(db, &w, now_ms, err)) ? -1 : 0;
}

/* Transitions the broker makes, and what happens to finished jobs later. */
#include "base/mem.h"
#include "db/job_row.h"

#include <string.h>

/* ---- retry, crash, dead, cancel ---- */

/* Changes of a call with the rows they found, both sorted by id. */
struct changing {
    struct job_change *change;
    struct job row; /* locked; client and args are ours */
    char kind[JOB_KIND_MAX + 1];
};
struct changes {
    struct changing *items;
    size_t count;
};

static void changes_clear(struct changes *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->items[i].row.client);
        free(c->items[i].row.args);
    }
    free(c->items);
}

static int by_change_id(const void *a, const void *b)
{
    return uuid_compare(
        &((const struct changing *)a)->change->id, &((const struct changing *)b)->change->id);
}

static int by_key(const void *key, const void *item)
{
    return uuid_compare(key, &((const struct changing *)item)->change->id);
}

static int lock_part(struct db *db, struct changing *items, size_t n, struct err *err)
{
    static const struct statement lock = {.name = "change.lock",
        .sql =
            "SELECT " JOB_COLUMNS " FROM " DB_JOIN_IDS("job j", "j.id") " FOR UPDATE SKIP LOCKED",
        .params = "bi",
        .columns = JOB_COLUMN_TYPES};
    struct uuid ids[DB_IDS_MOST];
    struct db_value params[2], c[JOB_COLUMN_COUNT];
    for (size_t i = 0; i < n; i++)
        ids[i] = items[i].change->id;
    ids_bind(params, ids, n);
    if (db_query(db, &lock, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, c, err)) > 0) {
        const struct uuid id = uuid_of(&c[0]);
        struct changing *item = bsearch(&id, items, n, sizeof *items, by_key);
        if (!item || item->row.client)
            continue;
        job_of_row(c, &item->row);
        text_of(&c[3], item->kind, sizeof item->kind);
        item->row.kind = item->kind;
        item->change->applied = item->row.attempt == item->change->attempt;
    }
    return row;
}

/* Statements differ in the column they count in; the attempt guards both (I2). */
static int put_back(struct db *db, struct changes *all, int what, struct err *err)
{
    static const struct statement retry = {.name = "change.retry",
        .sql = "UPDATE job SET attempt = attempt + 1, failures = failures + 1, run_at_ms = ?, "
               "`rank` = ?, error = ? WHERE id = ? AND attempt = ?",
        .params = "iibbi"};
    static const struct statement crash = {.name = "change.crash",
        .sql = "UPDATE job SET attempt = attempt + 1, crashes = crashes + 1, run_at_ms = ?, "
               "`rank` = ?, error = COALESCE(?, error) WHERE id = ? AND attempt = ?",
        .params = "iibbi"};
    AUTO_VALUES values = mem_zero(all->count * 5, sizeof *values);
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct job_change *c = all->items[i].change;
        if (!c->applied || (int)c->what != what)
            continue;
        const struct db_value row[] = {db_int(c->run_at_ms), db_int(c->rank),
            db_bytes_or_null(c->error), db_uuid(&c->id), db_int(c->attempt)};
        memcpy(values + 5 * n++, row, sizeof row);
    }
    return db_run_bulk(db, what == JOB_CHANGE_RETRY ? &retry : &crash, values, n, NULL, err);
}

static int finish(struct db *db, struct changes *all, int64_t now_ms, struct err *err)
{
    static const struct uuid no_group;
    AUTO_TEXT memory = mem_zero(all->count, sizeof(struct history_row) + sizeof(struct uuid));
    struct history_row *rows = (struct history_row *)(void *)memory;
    struct uuid *ids = (struct uuid *)(void *)(rows + all->count);
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct job_change *c = all->items[i].change;
        const bool is_dead = c->what == JOB_CHANGE_DEAD;
        if (!c->applied || (!is_dead && c->what != JOB_CHANGE_CANCEL))
            continue;
        ids[n] = c->id;
        rows[n++] = (struct history_row){.job = &all->items[i].row,
            .state = is_dead ? JOB_DEAD : JOB_CANCELLED,
            .group = &no_group,
            .finished_ms = now_ms,
            .result = c->error,
            .keeps_args = is_dead};
    }
    return job_rows_delete(db, ids, n, err) || history_rows_insert(db, rows, n, err) ? -1 : 0;
}

static int change_part(
    struct db *db, struct job_change *changes, size_t n, int64_t now_ms, struct err *err)
{
    CLEANUP(changes_clear) struct changes all = {mem_zero(n, sizeof(struct changing)), n};
    for (size_t i = 0; i < n; i++) {
        changes[i].applied = false;
        all.items[i].change = &changes[i];
    }
    qsort(all.items, n, sizeof *all.items, by_change_id);
    if (db_begin(db, err))
        return -1;
    if (lock_part(db, all.items, n, err) || put_back(db, &all, JOB_CHANGE_RETRY, err) ||
        put_back(db, &all, JOB_CHANGE_CRASH, err) || finish(db, &all, now_ms, err)) {
        db_rollback(db);
        return -1;
    }
    return db_commit(db, err);
}

int job_change(struct db *db, struct job_change *changes, size_t n, int64_t now_ms, struct err *err)
{
    for (size_t at = 0; at < n; at += DB_IDS_MOST) {
        const size_t part = n - at < DB_IDS_MOST ? n - at : DB_IDS_MOST;
        if (change_part(db, changes + at, part, now_ms, err))
            return -1;
    }
    return 0;
}

/* ---- dead jobs again ---- */

/* Its priority, or -1 when there is nothing to retry; the row is locked. */
static int lock_dead(struct db *db, const struct uuid *id, const char *client_or_null,
    int64_t *ret_priority, struct err *err)
{
    static const struct statement lock = {.name = "dead.lock",
        .sql = "SELECT priority FROM job_history WHERE id = ? AND state = 'dead' AND "
               "args IS NOT NULL AND (? IS NULL OR client = ?) FOR UPDATE",
        .params = "btt",
        .columns = "i"};
    const struct db_value params[] = {
        db_uuid(id), db_text(client_or_null), db_text(client_or_null)};
    struct db_value c;
    if (db_query(db, &lock, params, err))
        return -1;
    const int row = db_fetch(db, &c, err);
    if (row < 0)
        return -1;
    *ret_priority = row ? c.integer : -1;
    db_finish(db);
    return 0;
}

/* The attempt goes on counting: a report of an earlier one must not be taken for this one's. */
static int move_back(struct db *db, const struct uuid *id, uint16_t slot, int64_t rank,
    int64_t now_ms, struct err *err)
{
    static const struct statement insert = {.name = "dead.insert",
        .sql = "INSERT INTO job (id, slot, `rank`, kind, priority, run_at_ms, attempt, failures, "
               "crashes, args, fingerprint, client, parent, created_ms) "
               "SELECT id, ?, ?, kind, priority, ?, attempt + 1, 0, 0, args, fingerprint, client, "
               "parent, created_ms FROM job_history WHERE id = ?",
        .params = "iiib"};
    static const struct statement drop = {
        .name = "dead.delete", .sql = "DELETE FROM job_history WHERE id = ?", .params = "b"};
    const struct db_value row[] = {db_int(slot), db_int(rank), db_int(now_ms), db_uuid(id)};
    return db_run(db, &insert, row, NULL, err) || db_run(db, &drop, &row[3], NULL, err) ? -1 : 0;
}

int job_retry_dead(struct db *db, const struct uuid *id, uint16_t slot, int64_t now_ms,
    const char *client_or_null, bool *ret_done, struct err *err)
{
    int64_t priority;
    if (db_begin(db, err))
        return -1;
    if (lock_dead(db, id, client_or_null, &priority, err) ||
        (priority >= 0 && move_back(db, id, slot, job_rank(now_ms, (int)priority), now_ms, err))) {
        db_rollback(db);
        return -1;
    }
    if (db_commit(db, err))
        return -1;
    *ret_done = priority >= 0;
    return 0;
}

/* ---- finished jobs ---- */

static int is_waiting(struct db *db, const struct uuid *id, bool *ret, struct err *err)
{
    static const struct statement find = {.name = "job.exists",
        .sql = "SELECT COUNT(*) FROM job WHERE id = ?",
        .params = "b",
        .columns = "i"};
    const struct db_value param = db_uuid(id);
    struct db_value c;
    if (db_query(db, &find, &param, err) || db_fetch(db, &c, err) < 0)
        return -1;
    *ret = c.integer > 0;
    db_finish(db);
    return 0;
}

int job_close(
    struct db *db, const struct uuid *id, bool mark_closed, bool *ret_known, struct err *err)
{
    static const struct statement empty = {.name = "history.empty",
        .sql = "UPDATE job_history SET result = NULL, args = NULL, closed = closed OR ? "
               "WHERE id = ?",
        .params = "ib"};
    const struct db_value params[] = {db_int(mark_closed), db_uuid(id)};
    int64_t rows;
    if (db_run(db, &empty, params, &rows, err))
        return -1;
    if (rows == 0)
        return is_waiting(db, id, ret_known, err);
    *ret_known = true;
    return 0;
}

/* The next `most` ids after the cursor: how many there are, and the last of them. */
static int next_range(struct db *db, const struct uuid *cursor, size_t most, struct uuid *last,
    size_t *ret_rows, struct err *err)
{
    static const struct statement range = {.name = "purge.range",
        .sql = "SELECT id FROM job_history WHERE id > ? ORDER BY id LIMIT ?",
        .params = "bi",
        .columns = "b"};
    const struct db_value params[] = {db_uuid(cursor), db_int((int64_t)most)};
    struct db_value c;
    size_t n = 0;
    if (db_query(db, &range, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, &c, err)) > 0) {
        *last = uuid_of(&c);
        n++;
    }
    *ret_rows = n;
    return row;
}

int job_purge(struct db *db, int64_t before_ms, size_t most, struct uuid *cursor, size_t *ret_rows,
    struct err *err)
{
    static const struct statement purge = {.name = "purge.delete",
        .sql = "DELETE FROM job_history WHERE id > ? AND id <= ? AND finished_ms < ?",
        .params = "bbi"};
    struct uuid last;
    size_t rows;
    if (next_range(db, cursor, most, &last, &rows, err))
        return -1;
    if (rows) {
        const struct db_value params[] = {db_uuid(cursor), db_uuid(&last), db_int(before_ms)};
        if (db_run(db, &purge, params, NULL, err))
            return -1;
        *cursor = last;
    }
    *ret_rows = rows;
    return 0;
}

int job_empty(struct db *db, int64_t before_ms, const char *kinds, const struct uuid *after,
    const struct uuid *last, struct err *err)
{
    static const struct statement empty = {.name = "purge.empty",
        .sql = "UPDATE job_history SET result = NULL, args = NULL WHERE id > ? AND id <= ? "
               "AND finished_ms < ? AND FIND_IN_SET(kind, ?) "
               "AND (result IS NOT NULL OR args IS NOT NULL)",
        .params = "bbit"};
    const struct db_value params[] = {
        db_uuid(after), db_uuid(last), db_int(before_ms), db_text(kinds)};
    return db_run(db, &empty, params, NULL, err);
}

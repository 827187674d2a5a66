#include "db/job_row.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void ids_bind(struct db_value params[static 2], const struct uuid *ids, size_t n)
{
    assert(n <= DB_IDS_MOST);
    params[0] = db_bytes((struct bytes){ids->b, n * sizeof *ids});
    params[1] = db_int((int64_t)n);
}

static int by_id(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

struct uuid *ids_sorted(const struct uuid *ids, size_t n)
{
    struct uuid *copy = mem_copy(ids, n * sizeof *ids);
    qsort(copy, n, sizeof *copy, by_id);
    return copy;
}

struct uuid uuid_of(const struct db_value *column)
{
    struct uuid id = {{0}};
    if (column->type == DB_BYTES && column->bytes.length == sizeof id.b)
        memcpy(id.b, column->bytes.data, sizeof id.b);
    return id;
}

void text_of(const struct db_value *column, char *ret, size_t size)
{
    snprintf(ret, size, "%s", column->type == DB_NULL ? "" : (const char *)column->bytes.data);
}

struct db_value db_uuid_or_null(const struct uuid *id)
{
    return uuid_is_zero(id) ? db_null() : db_uuid(id);
}

struct db_value db_bytes_or_null(struct bytes b)
{
    return b.length ? db_bytes(b) : db_null();
}

void job_row_values(const struct job *j, struct db_value *ret)
{
    const struct db_value row[JOB_COLUMN_COUNT] = {db_uuid(&j->id), db_int(j->slot),
        db_int(j->rank), db_text(j->kind), db_int(j->priority), db_int(j->run_at_ms),
        db_int(j->attempt), db_int(j->failures), db_int(j->crashes),
        db_bytes((struct bytes){j->args, j->args_length}),
        db_bytes((struct bytes){j->fingerprint, sizeof j->fingerprint}), db_text(j->client),
        db_uuid_or_null(&j->parent), db_int(j->created_ms)};
    memcpy(ret, row, sizeof row);
}

int job_rows_insert(struct db *db, const struct job *const *jobs, size_t n, struct err *err)
{
    static const struct statement insert = {
        .name = "job.insert", .sql = JOB_INSERT, .params = JOB_COLUMN_TYPES};
    AUTO_VALUES values = mem_zero(n * JOB_COLUMN_COUNT, sizeof *values);
    for (size_t i = 0; i < n; i++)
        job_row_values(jobs[i], values + i * JOB_COLUMN_COUNT);
    return db_run_bulk(db, &insert, values, n, NULL, err);
}

void job_of_row(const struct db_value c[static JOB_COLUMN_COUNT], struct job *ret)
{
    *ret = (struct job){.id = uuid_of(&c[0]),
        .slot = (uint16_t)c[1].integer,
        .rank = c[2].integer,
        .kind = (const char *)c[3].bytes.data,
        .priority = (uint8_t)c[4].integer,
        .run_at_ms = c[5].integer,
        .attempt = (uint32_t)c[6].integer,
        .failures = (uint32_t)c[7].integer,
        .crashes = (uint32_t)c[8].integer,
        .args = mem_copy(c[9].bytes.data, c[9].bytes.length),
        .args_length = c[9].bytes.length,
        .client = bytes_to_text(c[11].bytes),
        .parent = uuid_of(&c[12]),
        .created_ms = c[13].integer};
    if (c[10].bytes.length == sizeof ret->fingerprint)
        memcpy(ret->fingerprint, c[10].bytes.data, sizeof ret->fingerprint);
}

#define HISTORY_COLUMN_COUNT 17

int history_rows_insert(struct db *db, const struct history_row *rows, size_t n, struct err *err)
{
    static const struct statement insert = {.name = "history.insert",
        .sql = "INSERT INTO job_history (id, kind, state, client, fingerprint, group_id, attempt, "
               "failures, crashes, parent, created_ms, run_at_ms, finished_ms, priority, result, "
               "followups, args) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        .params = "btttbbiiibiiiibbb"};
    AUTO_VALUES values = mem_zero(n * HISTORY_COLUMN_COUNT, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        const struct history_row *h = &rows[i];
        const struct job *j = h->job;
        const struct bytes args = {j->args, j->args_length};
        const struct db_value row[HISTORY_COLUMN_COUNT] = {db_uuid(&j->id), db_text(j->kind),
            db_text(job_state_name(h->state)), db_text(j->client),
            db_bytes((struct bytes){j->fingerprint, sizeof j->fingerprint}), db_uuid(h->group),
            db_int(j->attempt), db_int(j->failures), db_int(j->crashes),
            db_uuid_or_null(&j->parent), db_int(j->created_ms), db_int(j->run_at_ms),
            db_int(h->finished_ms), db_int(j->priority), db_bytes_or_null(h->result),
            db_bytes_or_null(h->followups), h->keeps_args ? db_bytes(args) : db_null()};
        memcpy(values + i * HISTORY_COLUMN_COUNT, row, sizeof row);
    }
    return db_run_bulk(db, &insert, values, n, NULL, err);
}

int job_rows_delete(struct db *db, const struct uuid *sorted, size_t n, struct err *err)
{
    static const struct statement drop = {
        .name = "job.delete", .sql = "DELETE j FROM " DB_JOIN_IDS("job j", "j.id"), .params = "bi"};
    for (size_t at = 0; at < n; at += DB_IDS_MOST) {
        const size_t part = n - at < DB_IDS_MOST ? n - at : DB_IDS_MOST;
        struct db_value params[2];
        int64_t rows = 0;
        ids_bind(params, sorted + at, part);
        if (db_run(db, &drop, params, &rows, err))
            return -1;
        if (rows != (int64_t)part)
            return err_set(err, ERR_CONFLICT, NULL,
                "job.delete: %lld of %zu jobs were there: not all were locked", (long long)rows,
                part);
    }
    return 0;
}

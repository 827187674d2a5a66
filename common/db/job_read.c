/* Reading jobs and records, and counting. Plain reads: they wait for nobody. */
#include "base/mem.h"
#include "db/job_row.h"

#include <assert.h>
#include <string.h>

/* ---- whole rows ---- */

static int each_job(struct db *db, const struct statement *s, const struct db_value *params,
    job_each *each, void *context, struct err *err)
{
    struct db_value c[JOB_COLUMN_COUNT];
    if (db_query(db, s, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, c, err)) > 0) {
        struct job job;
        job_of_row(c, &job);
        each(context, &job);
    }
    return row;
}

int job_read_slot(struct db *db, uint16_t slot, const int64_t *after_rank,
    const struct uuid *after_id, int64_t most_rank, size_t most, job_each *each, void *context,
    struct err *err)
{
    static const struct statement head = {.name = "job.head",
        .sql = "SELECT " JOB_COLUMNS " FROM job j FORCE INDEX (slot_rank) "
               "WHERE j.slot = ? AND j.`rank` <= ? ORDER BY j.slot, j.`rank`, j.id LIMIT ?",
        .params = "iii",
        .columns = JOB_COLUMN_TYPES};
    /* As two ranges, both on the index in its order; (rank, id) > (?, ?) would not use it. */
    static const struct statement next = {.name = "job.next",
        .sql = "SELECT " JOB_COLUMNS " FROM job j FORCE INDEX (slot_rank) "
               "WHERE j.slot = ? AND ((j.`rank` = ? AND j.id > ?) OR (j.`rank` > ? AND "
               "j.`rank` <= ?)) ORDER BY j.slot, j.`rank`, j.id LIMIT ?",
        .params = "iibiii",
        .columns = JOB_COLUMN_TYPES};
    if (!after_id) {
        const struct db_value params[] = {db_int(slot), db_int(most_rank), db_int((int64_t)most)};
        return each_job(db, &head, params, each, context, err);
    }
    if (*after_rank > most_rank)
        return 0;
    const struct db_value params[] = {db_int(slot), db_int(*after_rank), db_uuid(after_id),
        db_int(*after_rank), db_int(most_rank), db_int((int64_t)most)};
    return each_job(db, &next, params, each, context, err);
}

int job_read_ids(
    struct db *db, const struct uuid *ids, size_t n, job_each *each, void *context, struct err *err)
{
    static const struct statement read = {.name = "job.read",
        .sql = "SELECT " JOB_COLUMNS " FROM " DB_JOIN_IDS("job j", "j.id"),
        .params = "bi",
        .columns = JOB_COLUMN_TYPES};
    AUTO_TEXT memory = (char *)(void *)ids_sorted(ids, n);
    for (size_t at = 0; at < n; at += DB_IDS_MOST) {
        struct db_value params[2];
        ids_bind(params, (const struct uuid *)(const void *)memory + at,
            n - at < DB_IDS_MOST ? n - at : DB_IDS_MOST);
        if (each_job(db, &read, params, each, context, err))
            return -1;
    }
    return 0;
}

/* ---- records ---- */

#define RECORD_OF_JOB                                                                              \
    "j.id, j.kind, j.client, j.priority, j.slot, j.attempt, j.failures, j.crashes, j.created_ms, " \
    "j.run_at_ms, j.parent, j.error"
#define RECORD_OF_JOB_TYPES "bttiiiiiiibb"
#define RECORD_OF_HISTORY                                                                          \
    "h.id, h.kind, h.client, h.priority, h.state, h.attempt, h.failures, h.crashes, "              \
    "h.created_ms, h.run_at_ms, h.parent, h.finished_ms, h.group_id, h.closed, h.result, "         \
    "h.followups"
#define RECORD_OF_HISTORY_TYPES "bttitiiiiibibibb"
#define RECORD_COLUMNS_MOST 16

void job_record_clear(struct job_record *r)
{
    buf_free(&r->result);
    buf_free(&r->followups);
    buf_free(&r->error);
}

static void add_content(struct buf *to, const struct db_value *column)
{
    if (column->type != DB_NULL && column->bytes.length)
        buf_add(to, column->bytes.data, column->bytes.length);
}

/* What the columns of both have in the same places. */
static struct job_record record_of(const struct db_value *c)
{
    struct job_record r = {.id = uuid_of(&c[0]),
        .priority = (uint8_t)c[3].integer,
        .attempt = (uint32_t)c[5].integer,
        .failures = (uint32_t)c[6].integer,
        .crashes = (uint32_t)c[7].integer,
        .created_ms = c[8].integer,
        .run_at_ms = c[9].integer,
        .parent = uuid_of(&c[10])};
    text_of(&c[1], r.kind, sizeof r.kind);
    text_of(&c[2], r.client, sizeof r.client);
    return r;
}

struct record_reader {
    bool is_history, has_now;
    int64_t now_ms;
    job_record_each *each;
    void *context;
    size_t seen;
};

static void give_record(struct record_reader *reader, const struct db_value *c)
{
    struct job_record r = record_of(c);
    if (reader->is_history) {
        r.in_history = true;
        if (!job_state_parse((const char *)c[4].bytes.data, &r.state))
            r.state = JOB_DEAD;
        r.finished_ms = c[11].integer;
        r.group = uuid_of(&c[12]);
        r.closed = c[13].integer != 0;
        add_content(&r.result, &c[14]);
        add_content(&r.followups, &c[15]);
    } else {
        r.in_job = true;
        r.slot = (uint16_t)c[4].integer;
        r.state = reader->has_now && r.run_at_ms > reader->now_ms ? JOB_SCHEDULED : JOB_READY;
        add_content(&r.error, &c[11]);
    }
    reader->seen++;
    reader->each(reader->context, &r);
}

static int each_record(struct db *db, const struct statement *s, const struct db_value *params,
    struct record_reader *reader, struct err *err)
{
    struct db_value c[RECORD_COLUMNS_MOST];
    if (db_query(db, s, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, c, err)) > 0)
        give_record(reader, c);
    return row;
}

int job_read_records(struct db *db, const struct uuid *ids, size_t n, job_record_each *each,
    void *context, struct err *err)
{
    /* job before history: what is completed between the reads is found twice, not never. */
    static const struct statement of_job = {.name = "record.job",
        .sql = "SELECT " RECORD_OF_JOB " FROM " DB_JOIN_IDS("job j", "j.id"),
        .params = "bi",
        .columns = RECORD_OF_JOB_TYPES};
    static const struct statement of_history = {.name = "record.history",
        .sql = "SELECT " RECORD_OF_HISTORY " FROM " DB_JOIN_IDS("job_history h", "h.id"),
        .params = "bi",
        .columns = RECORD_OF_HISTORY_TYPES};
    AUTO_TEXT memory = (char *)(void *)ids_sorted(ids, n);
    struct record_reader job = {.each = each, .context = context};
    struct record_reader history = {.each = each, .context = context, .is_history = true};
    for (size_t at = 0; at < n; at += DB_IDS_MOST) {
        struct db_value params[2];
        ids_bind(params, (const struct uuid *)(const void *)memory + at,
            n - at < DB_IDS_MOST ? n - at : DB_IDS_MOST);
        if (each_record(db, &of_job, params, &job, err) ||
            each_record(db, &of_history, params, &history, err))
            return -1;
    }
    return 0;
}

/* ---- lists ---- */

static int list_waiting(
    struct db *db, const struct job_filter *f, struct record_reader *reader, struct err *err)
{
    static const struct statement list = {.name = "list.job",
        .sql = "SELECT " RECORD_OF_JOB " FROM job j WHERE (? IS NULL OR j.kind = ?) AND "
               "(? IS NULL OR j.client = ?) AND j.created_ms >= ? AND "
               "j.run_at_ms BETWEEN ? AND ? ORDER BY j.id DESC LIMIT ?",
        .params = "ttttiiii",
        .columns = RECORD_OF_JOB_TYPES};
    const bool is_scheduled = f->has_state && f->state == JOB_SCHEDULED;
    const bool is_ready = f->has_state && f->state == JOB_READY;
    const struct db_value params[] = {db_text(f->kind), db_text(f->kind), db_text(f->client),
        db_text(f->client), db_int(f->since_ms),
        db_int(is_scheduled ? reader->now_ms + 1 : INT64_MIN),
        db_int(is_ready ? reader->now_ms : INT64_MAX), db_int((int64_t)f->most)};
    return each_record(db, &list, params, reader, err);
}

static int list_finished(struct db *db, const struct job_filter *f, size_t most,
    struct record_reader *reader, struct err *err)
{
    static const struct statement list = {.name = "list.history",
        .sql = "SELECT " RECORD_OF_HISTORY " FROM job_history h WHERE (? IS NULL OR h.kind = ?) "
               "AND (? IS NULL OR h.client = ?) AND h.created_ms >= ? AND "
               "(? IS NULL OR h.state = ?) ORDER BY h.id DESC LIMIT ?",
        .params = "ttttitti",
        .columns = RECORD_OF_HISTORY_TYPES};
    const char *state = f->has_state ? job_state_name(f->state) : NULL;
    const struct db_value params[] = {db_text(f->kind), db_text(f->kind), db_text(f->client),
        db_text(f->client), db_int(f->since_ms), db_text(state), db_text(state),
        db_int((int64_t)most)};
    return each_record(db, &list, params, reader, err);
}

int job_list(struct db *db, const struct job_filter *filter, int64_t now_ms, job_record_each *each,
    void *context, struct err *err)
{
    const bool wants_waiting =
        !filter->has_state || filter->state == JOB_READY || filter->state == JOB_SCHEDULED;
    const bool wants_finished = !filter->has_state || filter->state >= JOB_DONE;
    struct record_reader reader = {
        .has_now = true, .now_ms = now_ms, .each = each, .context = context};
    if (wants_waiting && list_waiting(db, filter, &reader, err))
        return -1;
    reader.is_history = true;
    if (wants_finished && reader.seen < filter->most)
        return list_finished(db, filter, filter->most - reader.seen, &reader, err);
    return 0;
}

int job_count(struct db *db, job_count_each *each, void *context, struct err *err)
{
    static const struct statement count = {.name = "job.count",
        .sql = "SELECT j.kind, COUNT(*), MIN(j.run_at_ms) FROM job j GROUP BY j.kind",
        .columns = "tii"};
    struct db_value c[3];
    if (db_query(db, &count, NULL, err))
        return -1;
    int row;
    while ((row = db_fetch(db, c, err)) > 0)
        each(context, (const char *)c[0].bytes.data, c[1].integer, c[2].integer);
    return row;
}

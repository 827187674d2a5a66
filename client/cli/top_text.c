#include "top_text.h"

#include "base/clock.h"
#include "base/mem.h"
#include "people.h"
#include "table.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *name, *metric;
} counted[] = {
    {"requests", "certq_requests_total"},
    {"accepted", "certq_jobs_accepted_total"},
    {"dispatched", "certq_jobs_dispatched_total"},
    {"done", "certq_jobs_ended_total{state=\"done\"}"},
    {"refused", "certq_jobs_ended_total{state=\"refused\"}"},
    {"dead", "certq_jobs_ended_total{state=\"dead\"}"},
    {"cancelled", "certq_jobs_ended_total{state=\"cancelled\"}"},
    {"retried", "certq_jobs_retried_total"},
};

static json_int_t metric(const json_t *frame, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(frame, "metrics"), name));
}

json_t *top_rates(const json_t *before, const json_t *after, int64_t ms)
{
    json_t *rates = json_object();
    const char *was = json_text_at(before, "life"), *is = json_text_at(after, "life");
    if (!was || !is || strcmp(was, is) != 0 || ms <= 0)
        return rates;
    for (size_t i = 0; i < ARRAY_LENGTH(counted); i++) {
        json_int_t more = metric(after, counted[i].metric) - metric(before, counted[i].metric);
        if (more >= 0)
            json_object_set_new(
                rates, counted[i].name, json_real((double)(more * 10000 / ms) / 10));
    }
    return rates;
}

/* --- for people --- */

/* 45 s, 12 min, 5 h, 3 d. */
static void write_age(int64_t ms, struct buf *ret)
{
    int64_t s = ms > 0 ? ms / 1000 : 0;
    if (s < 120)
        buf_printf(ret, "%" PRId64 " s", s);
    else if (s < 7200)
        buf_printf(ret, "%" PRId64 " min", s / 60);
    else if (s < 172800)
        buf_printf(ret, "%" PRId64 " h", s / 3600);
    else
        buf_printf(ret, "%" PRId64 " d", s / 86400);
}

static bool read_time(const json_t *object, const char *name, int64_t *ret_ms)
{
    const char *text = json_text_at(object, name);
    return text && clock_parse(text, strlen(text), ret_ms);
}

static void write_rate(const json_t *frame, const char *name, const char *label, struct buf *ret)
{
    const json_t *rate = json_object_get(json_object_get(frame, "rates"), name);
    if (rate)
        buf_printf(ret, "  %s %.1f/s", label, json_number_value(rate));
    else
        buf_printf(ret, "  %s -", label);
}

static void write_head(const json_t *frame, struct buf *ret)
{
    int64_t now_ms;
    const char *broker = json_text_at(frame, "broker");
    AUTO_BUF name = {0};
    people_text(broker ? broker : "-", &name);
    buf_add_text(ret, "certq top  ");
    if (read_time(frame, "at", &now_ms)) {
        char mark[8];
        people_time(now_ms, NULL, ret);
        buf_printf(ret, " %s", people_zone_mark(NULL, mark));
    }
    buf_printf(ret, "  brokers %" JSON_INTEGER_FORMAT "  workers %zu  database %s",
        json_integer_value(json_object_get(frame, "brokers")),
        json_array_size(json_object_get(frame, "workers")),
        metric(frame, "certq_database_up") ? "up" : "AWAY");
    buf_add_text(ret, "\nrates     ");
    write_rate(frame, "accepted", "accepted", ret);
    write_rate(frame, "done", "done", ret);
    write_rate(frame, "refused", "refused", ret);
    write_rate(frame, "dead", "dead", ret);
    write_rate(frame, "retried", "retried", ret);
    buf_printf(ret,
        "\njobs        ready %" JSON_INTEGER_FORMAT "  later %" JSON_INTEGER_FORMAT
        "  groups %" JSON_INTEGER_FORMAT "  to store %" JSON_INTEGER_FORMAT
        "  waiters %" JSON_INTEGER_FORMAT "  at ",
        metric(frame, "certq_jobs_ready"), metric(frame, "certq_jobs_scheduled"),
        metric(frame, "certq_groups_running"), metric(frame, "certq_store_waiting"),
        metric(frame, "certq_waiters"));
    people_cut(buf_bytes(&name), 16, ret);
    buf_add_text(ret, "\nmail        oldest waits ");
    write_age(metric(frame, "certq_mail_oldest_seconds") * 1000, ret);
    buf_add_text(ret, "    CRLs ");
    json_int_t left_s = metric(frame, "certq_crl_seconds_left");
    if (left_s) {
        buf_add_text(ret, "end in ");
        write_age(left_s * 1000, ret);
    } else {
        buf_add_text(ret, "OVER OR MISSING");
    }
    buf_add_char(ret, '\n');
}

static bool is_busy(const json_t *queue)
{
    static const char *const counts[] = {"waiting", "ready", "scheduled", "running"};
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++)
        if (json_integer_value(json_object_get(queue, counts[i])))
            return true;
    return json_is_true(json_object_get(queue, "paused"));
}

/* A row of a table: the object, and how long ago `time` is as `age`. */
static json_t *row_of(const json_t *object, const char *time, int64_t now_ms)
{
    json_t *row = json_copy((json_t *)(uintptr_t)object);
    int64_t ms;
    AUTO_BUF age = {0};
    if (!read_time(object, time, &ms))
        return row;
    if (ms > now_ms) {
        buf_add_text(&age, "in ");
        write_age(ms - now_ms, &age);
    } else {
        write_age(now_ms - ms, &age);
    }
    json_object_set_new(row, "age", json_string(buf_text(&age)));
    return row;
}

static void write_table(const json_t *rows, const struct column *columns, size_t screen,
    const char *nothing, struct buf *ret)
{
    buf_add_char(ret, '\n');
    if (json_array_size(rows))
        table_write(rows, columns, NULL, screen, ret);
    else
        buf_printf(ret, "%s\n", nothing);
}

static void write_queues(const json_t *frame, int64_t now_ms, size_t screen, struct buf *ret)
{
    static const struct column columns[] = {
        {"KIND", "kind", COLUMN_SQUEEZE},
        {"WAITING", "waiting", COLUMN_COUNT},
        {"READY", "ready", COLUMN_COUNT},
        {"LATER", "scheduled", COLUMN_COUNT},
        {"RUNNING", "running", COLUMN_COUNT},
        {"WORKERS", "workers", COLUMN_COUNT},
        {"OLDEST", "age", COLUMN_COUNT},
        {"PAUSED", "paused", COLUMN_TEXT},
        {0},
    };
    AUTO_TYPE(json, json_t) *rows = json_array();
    const json_t *queues = json_object_get(frame, "queues");
    for (size_t i = 0; i < json_array_size(queues); i++)
        if (is_busy(json_array_get(queues, i)))
            json_array_append_new(rows, row_of(json_array_get(queues, i), "oldest", now_ms));
    write_table(rows, columns, screen, "nothing waits or runs", ret);
}

static void write_workers(const json_t *frame, int64_t now_ms, size_t screen, struct buf *ret)
{
    static const struct column columns[] = {
        {"WORKER", "name", COLUMN_SQUEEZE},
        {"HOST", "host", COLUMN_SQUEEZE},
        {"PID", "pid", COLUMN_COUNT},
        {"STATE", "state", COLUMN_TEXT},
        {"GROUPS", "groups", COLUMN_COUNT},
        {"JOBS", "jobs", COLUMN_COUNT},
        {"HERE FOR", "age", COLUMN_COUNT},
        {0},
    };
    AUTO_TYPE(json, json_t) *rows = json_array();
    const json_t *workers = json_object_get(frame, "workers");
    for (size_t i = 0; i < json_array_size(workers); i++)
        json_array_append_new(rows, row_of(json_array_get(workers, i), "since", now_ms));
    write_table(rows, columns, screen, "no workers", ret);
}

/* No line wider than the screen, no more lines than rows. */
static void fit(const struct buf *text, size_t screen, size_t rows, struct buf *ret)
{
    const char *line = buf_text(text);
    for (size_t row = 0; *line && (!rows || row < rows); row++) {
        size_t n = strcspn(line, "\n");
        people_cut((struct bytes){(const uint8_t *)line, n}, screen, ret);
        buf_add_char(ret, '\n');
        line += n + (line[n] == '\n');
    }
}

void top_write(const json_t *frame, size_t screen, size_t rows, struct buf *ret)
{
    int64_t now_ms = 0;
    AUTO_BUF text = {0};
    (void)read_time(frame, "at", &now_ms);
    write_head(frame, &text);
    write_queues(frame, now_ms, screen, &text);
    write_workers(frame, now_ms, screen, &text);
    fit(&text, screen, rows, ret);
}

#include "wire/worker.h"

#include "base/kind.h"
#include "base/mem.h"
#include "wire/pack.h"

#include <string.h>

#define NAME_MAX_ 256         /* names, hosts, kinds */
#define BYTES_MAX (64U << 20) /* args, results: the frame bounds them sooner */
#define ERROR_TEXT_MAX 1024
#define FOLLOWUPS_MAX (64 * WORKER_GROUP_MAX)
#define GROUPS_MAX 65536
#define JOB_LEAST 112 /* bytes of a job with empty texts: bounds a count by what came */
#define RESULT_LEAST 21
#define FLAG_URGENT 1
#define FLAG_DURABLE 2

/* ---- reading: an unpack that remembers what it was reading when it broke ---- */

struct reader {
    struct unpack u;
    const char *message, *field;
    uint32_t item; /* 1-based; 0 outside of lists */
};

static struct unpack *at(struct reader *r, const char *field)
{
    if (!r->u.broken)
        r->field = field;
    return &r->u;
}

static struct reader reader_of(struct bytes body, enum worker_command command, const char *message)
{
    struct reader r = {.u = unpack_of(body), .message = message, .field = "command"};
    if (unpack_u8(&r.u) != command)
        r.u.broken = true;
    return r;
}

static int reader_fail(const struct reader *r, struct err *err)
{
    if (r->item)
        return err_set(err, ERR_INPUT, NULL, "%s: item %u: %s is short or out of bounds",
            r->message, r->item, r->field);
    return err_set(err, ERR_INPUT, NULL, "%s: %s is short or out of bounds", r->message, r->field);
}

static int reader_end(struct reader *r, struct err *err)
{
    if (r->u.broken)
        return reader_fail(r, err);
    if (!unpack_ok(&r->u))
        return err_set(err, ERR_INPUT, NULL, "%s: %zu bytes left over after %s", r->message,
            unpack_left(&r->u), r->field);
    return 0;
}

/* A count of items of at least `least` bytes each, bounded before anything is allocated. */
static uint32_t read_count(struct reader *r, const char *field, uint32_t most, size_t least)
{
    uint32_t n = unpack_u32(at(r, field));
    if (n > most || n > unpack_left(&r->u) / least)
        r->u.broken = true;
    return r->u.broken ? 0 : n;
}

static struct bytes read_name(struct reader *r, const char *field)
{
    struct bytes name = unpack_bytes(at(r, field), NAME_MAX_);
    if (!name.length)
        r->u.broken = true;
    return name;
}

/* A number that must lie within least..most. */
static int64_t read_within(struct reader *r, int64_t value, int64_t least, int64_t most)
{
    if (value < least || value > most)
        r->u.broken = true;
    return value;
}

static void write_job(const struct job *job, struct buf *ret)
{
    pack_id(ret, &job->id);
    pack_u16(ret, job->slot);
    pack_u8(ret, job->priority);
    pack_i64(ret, job->rank);
    pack_i64(ret, job->run_at_ms);
    pack_u32(ret, job->attempt);
    pack_u32(ret, job->failures);
    pack_u32(ret, job->crashes);
    pack_i64(ret, job->created_ms);
    pack_id(ret, &job->parent);
    buf_add(ret, job->fingerprint, sizeof job->fingerprint);
    pack_text_nul(ret, job->client ? job->client : "");
    pack_bytes(ret, (struct bytes){job->args, job->args_length});
}

static void read_job(struct reader *r, struct job *job)
{
    job->id = unpack_id(at(r, "id"));
    job->slot = unpack_u16(at(r, "slot"));
    job->priority = (uint8_t)read_within(r, unpack_u8(at(r, "priority")), 0, JOB_PRIORITY_URGENT);
    job->rank = unpack_i64(at(r, "rank"));
    job->run_at_ms = unpack_i64(at(r, "run_at"));
    job->attempt = unpack_u32(at(r, "attempt"));
    job->failures = unpack_u32(at(r, "failures"));
    job->crashes = unpack_u32(at(r, "crashes"));
    job->created_ms = unpack_i64(at(r, "created"));
    job->parent = unpack_id(at(r, "parent"));
    at(r, "fingerprint");
    for (size_t i = 0; i < sizeof job->fingerprint; i++)
        job->fingerprint[i] = unpack_u8(&r->u);
    job->client = unpack_text_nul(at(r, "client"), JOB_CLIENT_MAX);
    struct bytes args = unpack_bytes(at(r, "args"), BYTES_MAX);
    job->args = (uint8_t *)(uintptr_t)args.data;
    job->args_length = args.length;
}

/* ---- the command ---- */

int worker_command_of(struct bytes body, enum worker_command *ret, struct err *err)
{
    if (!body.length)
        return err_set(err, ERR_INPUT, NULL, "the body is empty: no command");
    if (body.data[0] < WORKER_READY || body.data[0] > WORKER_ERROR)
        return err_set(err, ERR_INPUT, NULL, "unknown command %u", body.data[0]);
    *ret = (enum worker_command)body.data[0];
    return 0;
}

void worker_plain_write(enum worker_command command, struct buf *ret)
{
    pack_u8(ret, (uint8_t)command);
}

/* ---- READY ---- */

void worker_ready_write(const struct worker_ready *m, struct buf *ret)
{
    pack_u8(ret, WORKER_READY);
    pack_id(ret, &m->life);
    pack_bytes(ret, m->name);
    pack_bytes(ret, m->host);
    pack_u32(ret, m->pid);
    pack_u16(ret, m->credit);
    pack_u16(ret, m->urgent);
    pack_u16(ret, m->group);
    pack_u16(ret, m->kind_count);
    for (size_t i = 0; i < m->kind_count; i++)
        pack_bytes(ret, m->kinds[i]);
}

int worker_ready_parse(struct bytes body, struct worker_ready *ret, struct err *err)
{
    struct reader r = reader_of(body, WORKER_READY, "READY");
    struct worker_ready m = {0};
    m.life = unpack_id(at(&r, "life"));
    if (uuid_is_zero(&m.life))
        r.u.broken = true;
    m.name = read_name(&r, "name");
    m.host = read_name(&r, "host");
    m.pid = unpack_u32(at(&r, "pid"));
    m.credit = unpack_u16(at(&r, "credit"));
    m.urgent = unpack_u16(at(&r, "urgent credit"));
    m.group = unpack_u16(at(&r, "group"));
    read_within(&r, m.group, 1, WORKER_GROUP_MAX);
    m.kind_count = unpack_u16(at(&r, "count of kinds"));
    read_within(&r, m.kind_count, 1, WORKER_KINDS_MAX);
    for (uint16_t i = 0; !r.u.broken && i < m.kind_count; i++) {
        r.item = i + 1U;
        m.kinds[i] = read_name(&r, "kind");
    }
    if (reader_end(&r, err))
        return -1;
    *ret = m;
    return 0;
}

/* ---- WELCOME ---- */

void worker_welcome_write(const struct worker_welcome *m, struct buf *ret)
{
    pack_u8(ret, WORKER_WELCOME);
    pack_id(ret, &m->life);
    pack_bytes(ret, m->name);
    pack_i64(ret, m->shift_ms);
    pack_i64(ret, m->clock_epoch);
}

int worker_welcome_parse(struct bytes body, struct worker_welcome *ret, struct err *err)
{
    struct reader r = reader_of(body, WORKER_WELCOME, "WELCOME");
    struct worker_welcome m = {0};
    m.life = unpack_id(at(&r, "life"));
    m.name = read_name(&r, "name");
    m.shift_ms = unpack_i64(at(&r, "shift"));
    m.clock_epoch = unpack_i64(at(&r, "clock epoch"));
    if (reader_end(&r, err))
        return -1;
    *ret = m;
    return 0;
}

/* ---- JOBS ---- */

void worker_jobs_write(const struct worker_jobs *head, struct job *const *jobs, struct buf *ret)
{
    pack_u8(ret, WORKER_JOBS);
    pack_id(ret, &head->group);
    pack_bytes(ret, head->kind);
    pack_u8(ret, (uint8_t)((head->urgent ? FLAG_URGENT : 0) | (head->durable ? FLAG_DURABLE : 0)));
    pack_u32(ret, (uint32_t)head->deadline_ms);
    pack_u32(ret, head->count);
    for (uint32_t i = 0; i < head->count; i++)
        write_job(jobs[i], ret);
}

int worker_jobs_parse(struct bytes body, struct worker_jobs *ret, struct err *err)
{
    struct reader r = reader_of(body, WORKER_JOBS, "JOBS");
    struct worker_jobs m = {0};
    m.group = unpack_id(at(&r, "group"));
    m.kind = read_name(&r, "kind");
    uint8_t flags = unpack_u8(at(&r, "flags"));
    read_within(&r, flags, 0, FLAG_URGENT | FLAG_DURABLE);
    m.urgent = flags & FLAG_URGENT;
    m.durable = flags & FLAG_DURABLE;
    m.deadline_ms = (int32_t)read_within(&r, unpack_u32(at(&r, "deadline")), 0, INT32_MAX);
    m.count = read_count(&r, "count of jobs", WORKER_GROUP_MAX, JOB_LEAST);
    m.jobs = mem_zero(m.count, sizeof *m.jobs);
    for (uint32_t i = 0; !r.u.broken && i < m.count; i++) {
        r.item = i + 1;
        read_job(&r, &m.jobs[i]);
    }
    if (reader_end(&r, err)) {
        worker_jobs_free(&m);
        return -1;
    }
    *ret = m;
    return 0;
}

void worker_jobs_free(struct worker_jobs *m)
{
    free(m->jobs);
    m->jobs = NULL;
    m->count = 0;
}

/* ---- REPORT ---- */

void worker_report_write(const struct worker_report *m, struct buf *ret)
{
    pack_u8(ret, WORKER_REPORT);
    pack_id(ret, &m->group);
    pack_u32(ret, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        pack_id(ret, &m->results[i].id);
        pack_u8(ret, (uint8_t)m->results[i].outcome);
        pack_bytes(ret, m->results[i].result);
    }
    pack_u32(ret, m->followup_count);
    for (uint32_t i = 0; i < m->followup_count; i++) {
        if (m->followup_kinds)
            pack_bytes(ret, m->followup_kinds[i]);
        else
            pack_text(ret, m->followups[i].kind);
        write_job(&m->followups[i], ret);
    }
}

static void read_results(struct reader *r, struct worker_report *m)
{
    m->count = read_count(r, "count of results", WORKER_GROUP_MAX, RESULT_LEAST);
    m->results = mem_zero(m->count, sizeof *m->results);
    for (uint32_t i = 0; !r->u.broken && i < m->count; i++) {
        r->item = i + 1;
        m->results[i].id = unpack_id(at(r, "id"));
        m->results[i].outcome =
            (enum outcome)read_within(r, unpack_u8(at(r, "outcome")), 0, OUTCOMES - 1);
        m->results[i].result = unpack_bytes(at(r, "result"), BYTES_MAX);
    }
    if (!r->u.broken)
        r->item = 0;
}

static void read_followups(struct reader *r, struct worker_report *m)
{
    m->followup_count = read_count(r, "count of follow-ups", FOLLOWUPS_MAX, JOB_LEAST);
    m->followups = mem_zero(m->followup_count, sizeof *m->followups);
    m->followup_kinds = mem_zero(m->followup_count, sizeof *m->followup_kinds);
    for (uint32_t i = 0; !r->u.broken && i < m->followup_count; i++) {
        r->item = i + 1;
        struct bytes name = m->followup_kinds[i] = read_name(r, "follow-up's kind");
        const struct kind *kind = kind_find((const char *)name.data, name.length);
        m->followups[i].kind = kind ? kind->name : NULL;
        read_job(r, &m->followups[i]);
    }
}

int worker_report_parse(struct bytes body, struct worker_report *ret, struct err *err)
{
    struct reader r = reader_of(body, WORKER_REPORT, "REPORT");
    struct worker_report m = {0};
    m.group = unpack_id(at(&r, "group"));
    read_results(&r, &m);
    read_followups(&r, &m);
    if (reader_end(&r, err)) {
        worker_report_free(&m);
        return -1;
    }
    *ret = m;
    return 0;
}

void worker_report_free(struct worker_report *m)
{
    free(m->results);
    free(m->followups);
    free(m->followup_kinds);
    *m = (struct worker_report){0};
}

/* ---- HEARTBEAT ---- */

void worker_heartbeat_write(const struct worker_heartbeat *m, struct buf *ret)
{
    pack_u8(ret, WORKER_HEARTBEAT);
    pack_i64(ret, m->shift_ms);
    pack_i64(ret, m->clock_epoch);
    pack_u32(ret, m->count);
    for (uint32_t i = 0; i < m->count; i++)
        pack_id(ret, &m->groups[i]);
}

int worker_heartbeat_parse(struct bytes body, struct worker_heartbeat *ret, struct err *err)
{
    struct reader r = reader_of(body, WORKER_HEARTBEAT, "HEARTBEAT");
    struct worker_heartbeat m = {0};
    m.shift_ms = unpack_i64(at(&r, "shift"));
    m.clock_epoch = unpack_i64(at(&r, "clock epoch"));
    m.count = read_count(&r, "count of groups", GROUPS_MAX, sizeof *m.groups);
    m.groups = mem_zero(m.count, sizeof *m.groups);
    for (uint32_t i = 0; i < m.count; i++)
        m.groups[i] = unpack_id(at(&r, "group"));
    if (reader_end(&r, err)) {
        worker_heartbeat_free(&m);
        return -1;
    }
    *ret = m;
    return 0;
}

void worker_heartbeat_free(struct worker_heartbeat *m)
{
    free(m->groups);
    m->groups = NULL;
    m->count = 0;
}

/* ---- ERROR ---- */

void worker_error_write(const struct worker_error *m, struct buf *ret)
{
    pack_u8(ret, WORKER_ERROR);
    pack_bytes(ret, m->code);
    pack_bytes(ret, m->text);
}

int worker_error_parse(struct bytes body, struct worker_error *ret, struct err *err)
{
    struct reader r = reader_of(body, WORKER_ERROR, "ERROR");
    struct worker_error m = {0};
    m.code = read_name(&r, "code");
    m.text = unpack_bytes(at(&r, "text"), ERROR_TEXT_MAX);
    if (reader_end(&r, err))
        return -1;
    *ret = m;
    return 0;
}

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "floor.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ACCEPT_ROWS 500

/* ---- the queue between accepting and doing ---- */

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    struct uuid *ids;
    size_t capacity, first, count;
    bool stopped;
};

struct queue *queue_new(size_t capacity)
{
    struct queue *q = MEM_NEW(struct queue);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->filled, NULL);
    pthread_cond_init(&q->emptied, NULL);
    q->ids = mem_zero(capacity, sizeof *q->ids);
    q->capacity = capacity;
    return q;
}

void queue_free(struct queue *q)
{
    free(q->ids);
    free(q);
}

void queue_stop(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->stopped = true;
    pthread_cond_broadcast(&q->filled);
    pthread_cond_broadcast(&q->emptied);
    pthread_mutex_unlock(&q->lock);
}

static bool queue_put(struct queue *q, const struct uuid *ids, size_t n)
{
    pthread_mutex_lock(&q->lock);
    while (!q->stopped && q->capacity - q->count < n)
        pthread_cond_wait(&q->emptied, &q->lock);
    for (size_t i = 0; i < n && !q->stopped; i++)
        q->ids[(q->first + q->count++) % q->capacity] = ids[i];
    const bool stopped = q->stopped;
    pthread_cond_broadcast(&q->filled);
    pthread_mutex_unlock(&q->lock);
    return !stopped;
}

/* Exactly n; false at the end. */
static bool queue_take(struct queue *q, struct uuid *ids, size_t n)
{
    pthread_mutex_lock(&q->lock);
    while (!q->stopped && q->count < n)
        pthread_cond_wait(&q->filled, &q->lock);
    for (size_t i = 0; i < n && !q->stopped; i++, q->count--)
        ids[i] = q->ids[q->first++ % q->capacity];
    q->first %= q->capacity;
    const bool stopped = q->stopped;
    if (q->capacity - q->count >= ACCEPT_ROWS)
        pthread_cond_signal(&q->emptied);
    pthread_mutex_unlock(&q->lock);
    return !stopped;
}

/* ---- accept ---- */

static const char insert_job[] =
    "INSERT INTO job (id, slot, `rank`, kind, priority, run_at_ms, attempt, failures, crashes, "
    "args, fingerprint, client, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
#define JOB_TYPES "biibiiiiibbbi"

static const uint8_t fingerprint[32] = {1};

struct rows *job_rows_new(MYSQL *m, size_t most)
{
    return rows_new(m, insert_job, JOB_TYPES, most);
}

void job_row(struct rows *r, size_t row, const struct uuid *id, const char *kind, const char *args)
{
    const int64_t now_ms = clock_now_ms();
    rows_bytes(r, row, 0, id, sizeof *id);
    rows_int(r, row, 1, id->b[15] % 16);
    rows_int(r, row, 2, now_ms - 300000);
    rows_text(r, row, 3, kind);
    rows_int(r, row, 4, 5);
    rows_int(r, row, 5, now_ms);
    rows_bytes(r, row, 9, args, ARGS_LENGTH);
    rows_bytes(r, row, 10, fingerprint, sizeof fingerprint);
    rows_text(r, row, 11, "bench");
    rows_int(r, row, 12, now_ms);
}

void job_args(char *args)
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/";
    random_bytes(args, ARGS_LENGTH);
    for (size_t i = 0; i < ARGS_LENGTH; i++)
        args[i] = letters[args[i] & 63];
}

void *work_accept(void *context)
{
    struct work *w = context;
    MYSQL *m = floor_connect(w->options, w->options->database);
    struct rows *jobs = job_rows_new(m, ACCEPT_ROWS);
    struct uuid ids[ACCEPT_ROWS];
    char args[ARGS_LENGTH];
    job_args(args);
    while (!atomic_load(w->stopping)) {
        for (size_t i = 0; i < ACCEPT_ROWS; i++) {
            ids[i] = uuid_new();
            job_row(jobs, i, &ids[i], w->options->floor > 2 ? "issue" : "noop", args);
        }
        floor_text(m, "BEGIN");
        rows_send(jobs, ACCEPT_ROWS);
        floor_text(m, "COMMIT");
        if (!w->queue)
            atomic_fetch_add(w->done, ACCEPT_ROWS);
        else if (!queue_put(w->queue, ids, ACCEPT_ROWS))
            break;
    }
    rows_free(jobs);
    mysql_close(m);
    return NULL;
}

/* ---- completion ---- */

/* One or many at a time: with one, no list and no bulk, as programs do that know no better. */
struct completion {
    MYSQL *connection;
    size_t group;
    struct rows *lock; /* NULL: deleting locks the one row */
    struct rows *drop, *history;
};

struct rows *history_new(MYSQL *m, size_t most)
{
    return rows_new(m,
        "INSERT INTO job_history (id, kind, state, client, fingerprint, group_id, attempt, "
        "failures, crashes, created_ms, run_at_ms, finished_ms, result) "
        "VALUES (?, ?, 'done', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "bbbbbiiiiiib", most);
}

void history_row(
    struct rows *r, size_t row, const struct uuid *id, const struct uuid *group, const char *result)
{
    const int64_t now_ms = clock_now_ms();
    rows_bytes(r, row, 0, id, sizeof *id);
    rows_text(r, row, 1, "noop");
    rows_text(r, row, 2, "bench");
    rows_bytes(r, row, 3, fingerprint, sizeof fingerprint);
    rows_bytes(r, row, 4, group, sizeof *group);
    for (size_t k = 8; k <= 10; k++)
        rows_int(r, row, k, now_ms);
    rows_text(r, row, 11, result);
}

#define LIST                                                                                       \
    "seq_0_to_1023 s STRAIGHT_JOIN job j ON "                                                      \
    "j.id = SUBSTR(CAST(? AS BINARY), s.seq * 16 + 1, 16) AND s.seq < ?"

static struct completion completion_new(const struct options *o, size_t group)
{
    MYSQL *m = floor_connect(o, o->database);
    const bool one = group == 1;
    return (struct completion){.connection = m,
        .group = group,
        .lock = one ? NULL
                    : rows_new(m, "SELECT j.attempt FROM " LIST " FOR UPDATE SKIP LOCKED", "bi", 1),
        .drop = one ? rows_new(m, "DELETE FROM job WHERE id = ? AND 1 = ?", "bi", 1)
                    : rows_new(m, "DELETE j FROM " LIST, "bi", 1),
        .history = history_new(m, group)};
}

static void completion_free(struct completion *c)
{
    if (c->lock)
        rows_free(c->lock);
    rows_free(c->drop);
    rows_free(c->history);
    mysql_close(c->connection);
}

static void lock_group(struct completion *c, const struct uuid *ids)
{
    if (c->lock)
        rows_send_list(c->lock, ids, c->group, c->group);
}

static void complete(struct completion *c, const struct uuid *ids, const char *result)
{
    const struct uuid group_id = uuid_new();
    for (size_t i = 0; i < c->group; i++)
        history_row(c->history, i, &ids[i], &group_id, result);
    rows_send_list(c->drop, ids, c->group, c->group);
    rows_send(c->history, c->group);
}

static int by_id(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

void *work_complete(void *context)
{
    struct work *w = context;
    struct completion c = completion_new(w->options, ACCEPT_ROWS);
    struct uuid ids[ACCEPT_ROWS];
    while (queue_take(w->queue, ids, c.group)) {
        qsort(ids, c.group, sizeof *ids, by_id);
        floor_text(c.connection, "BEGIN");
        lock_group(&c, ids);
        complete(&c, ids, "{}");
        floor_text(c.connection, "COMMIT");
        atomic_fetch_add(w->done, (long long)c.group);
    }
    completion_free(&c);
    return NULL;
}

/* ---- effect ---- */

struct effect {
    struct completion completion;
    struct rows *application, *certificate, *mail, *audit;
    struct uuid *made; /* four new ids a job */
    char args[ARGS_LENGTH];
};

static void effect_open(struct effect *e, const struct options *o, size_t group)
{
    e->completion = completion_new(o, group);
    MYSQL *m = e->completion.connection;
    e->application = rows_new(m,
        "INSERT INTO application (id, subscriber, certificate, kind, state, job, chargeable, "
        "charge_reason, request, created_ms) VALUES (?, ?, ?, 'issue', 'approved', ?, 1, 'new', "
        "?, ?)",
        "bbbbbi", group);
    e->certificate = rows_new(m,
        "INSERT INTO certificate (id, subscriber, application, product, issuer, state, serial, "
        "code_key, code_generation, code_nonce, code_issued_ms, root, created_ms) VALUES "
        "(?, ?, ?, 'bench', 'bench', 'awaiting-retrieval', ?, 'k1', 1, ?, ?, ?, ?)",
        "bbbbbibi", group);
    e->mail = job_rows_new(m, group);
    e->audit = rows_new(m,
        "INSERT INTO audit (id, at_ms, job, client, role, channel, actor, event, subject, detail) "
        "VALUES (?, ?, ?, 'bench', 'subscriber', 'credentials', 'bench', 'certificate.code', ?, ?)",
        "bibbb", group);
    e->made = mem_zero(group * 4, sizeof *e->made);
    job_args(e->args);
}

static void effect_close(struct effect *e)
{
    rows_free(e->application);
    rows_free(e->certificate);
    rows_free(e->mail);
    rows_free(e->audit);
    completion_free(&e->completion);
    free(e->made);
}

static void effect_fill(struct effect *e, size_t i, const struct uuid *job)
{
    const int64_t now_ms = clock_now_ms();
    struct uuid *made = &e->made[4 * i]; /* application, certificate, mail, audit */
    for (size_t k = 0; k < 4; k++)
        made[k] = uuid_new();
    rows_bytes(e->application, i, 0, &made[0], 16);
    rows_bytes(e->application, i, 1, job, 16);
    rows_bytes(e->application, i, 2, &made[1], 16);
    rows_bytes(e->application, i, 3, job, 16);
    rows_bytes(e->application, i, 4, e->args, ARGS_LENGTH);
    rows_int(e->application, i, 5, now_ms);
    rows_bytes(e->certificate, i, 0, &made[1], 16);
    rows_bytes(e->certificate, i, 1, job, 16);
    rows_bytes(e->certificate, i, 2, &made[0], 16);
    rows_bytes(e->certificate, i, 3, &made[3], 16); /* the serial */
    rows_bytes(e->certificate, i, 4, &made[2], 16);
    rows_int(e->certificate, i, 5, now_ms);
    rows_bytes(e->certificate, i, 6, &made[1], 16);
    rows_int(e->certificate, i, 7, now_ms);
    job_row(e->mail, i, &made[2], "mail", e->args);
    rows_bytes(e->audit, i, 0, &made[3], 16);
    rows_int(e->audit, i, 1, now_ms);
    rows_bytes(e->audit, i, 2, job, 16);
    rows_bytes(e->audit, i, 3, &made[1], 16);
    rows_bytes(e->audit, i, 4, e->args, 100);
}

void *work_effect(void *context)
{
    struct work *w = context;
    const size_t group = w->options->floor == 4 ? 1 : (size_t)w->options->group;
    struct effect e;
    effect_open(&e, w->options, group);
    struct uuid *ids = mem_zero(group, sizeof *ids);
    while (queue_take(w->queue, ids, group)) {
        qsort(ids, group, sizeof *ids, by_id);
        for (size_t i = 0; i < group; i++)
            effect_fill(&e, i, &ids[i]);
        floor_text(e.completion.connection, "BEGIN");
        lock_group(&e.completion, ids);
        rows_send(e.application, group);
        rows_send(e.certificate, group);
        rows_send(e.mail, group);
        rows_send(e.audit, group);
        complete(&e.completion, ids, "{\"state\":\"code-queued\"}");
        floor_text(e.completion.connection, "COMMIT");
        atomic_fetch_add(w->done, (long long)group);
    }
    free(ids);
    effect_close(&e);
    return NULL;
}

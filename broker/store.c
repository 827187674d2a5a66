#include "store.h"

#include "metrics.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/job_store.h"

#include <pthread.h>

enum { RETRY_MS = 100, LARGE_PART = 4 };

struct store_thread {
    struct store *store;
    struct db *db;
    pthread_t thread;
    struct accept *batch;
    struct item **items;
    size_t count;
    bool is_busy; /* has a batch */
    bool is_away; /* said so in the log */
};

struct store {
    struct store_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct item *first, **last; /* the queue, under the lock, as is `waiting` */
    size_t waiting, busy;       /* busy: threads with a batch */
    bool stopping;
    struct item *put_first, **put_last; /* the reactor's, until store_flush */
    size_t put_count, held;             /* the reactor's; held: not come back yet */
    size_t thread_count;
    struct store_thread threads[STORE_THREADS_MAX];
};

/*
 * A second commit beside one under way pays only when it is a large one: rows that wait a little
 * longer share the next commit.
 */
static bool is_worth_a_batch(const struct store *s)
{
    return s->first && (s->busy == 0 || s->waiting >= s->options.rows / LARGE_PART);
}

/* Moves what fits in one batch from the queue to the thread; waits while there is nothing. */
static void take_batch(struct store_thread *t)
{
    struct store *s = t->store;
    size_t bytes = 0;
    t->count = 0;
    pthread_mutex_lock(&s->lock);
    s->busy -= t->is_busy;
    while (!is_worth_a_batch(s) && !s->stopping)
        pthread_cond_wait(&s->changed, &s->lock);
    while (s->first && t->count < s->options.rows) {
        struct item *item = s->first;
        bytes += item->job.args_length;
        if (t->count > 0 && bytes > s->options.bytes)
            break;
        t->items[t->count++] = item;
        s->first = item->next;
        s->waiting--;
    }
    if (!s->first)
        s->last = &s->first;
    else
        pthread_cond_signal(&s->changed); /* enough for another thread */
    t->is_busy = t->count > 0;
    s->busy += t->is_busy;
    metric_set(METRIC_STORE_WAITING, s->waiting);
    pthread_mutex_unlock(&s->lock);
}

static struct store_batch *new_batch(struct store *s)
{
    struct store_batch *b = MEM_NEW(struct store_batch);
    b->task.done = s->options.done;
    return b;
}

/* Sends n items back; their verdicts are set. */
static void give_back(struct store *s, struct item **items, size_t n)
{
    if (n == 0)
        return;
    struct store_batch *b = new_batch(s);
    struct item **last = &b->first;
    for (size_t i = 0; i < n; i++) {
        *last = items[i];
        items[i]->next = NULL;
        last = &items[i]->next;
    }
    b->count = n;
    inbox_post(s->options.inbox, &b->task);
}

static enum item_verdict verdict_of(const struct accept *a)
{
    switch (a->verdict) {
    case ACCEPT_NEW:
        return VERDICT_NEW;
    case ACCEPT_SAME:
        return a->finished ? VERDICT_FINISHED : VERDICT_SAME;
    case ACCEPT_CONFLICT:
        return VERDICT_CONFLICT;
    case ACCEPT_REJECTED:
        break;
    }
    return VERDICT_REJECTED;
}

/* Items nobody waits for any more, or that waited too long while the database is away. */
static void give_back_hopeless(struct store_thread *t, bool is_away)
{
    int64_t now = clock_monotonic_ms();
    size_t kept = 0, gone = 0;
    struct item **out = mem_zero(t->count, sizeof(struct item *));
    for (size_t i = 0; i < t->count; i++) {
        struct item *item = t->items[i];
        bool is_late = is_away && now - item->since_ms > STORE_PATIENCE_MS;
        if (is_late || t->store->stopping) {
            item->verdict = VERDICT_UNAVAILABLE;
            out[gone++] = item;
        } else {
            t->items[kept++] = item;
        }
    }
    t->count = kept;
    give_back(t->store, out, gone);
    free(out);
}

static int accept_batch(struct store_thread *t, struct err *err)
{
    for (size_t i = 0; i < t->count; i++)
        t->batch[i] = (struct accept){.job = &t->items[i]->job};
    int64_t start = clock_monotonic_us();
    if ((!db_is_open(t->db) && db_open(t->db, err)) || job_accept(t->db, t->batch, t->count, err))
        return -1;
    metric_add(METRIC_BATCH_US, (uint64_t)(clock_monotonic_us() - start));
    metric_count(BATCHES);
    metric_add(METRIC_BATCH_ROWS, t->count);
    for (size_t i = 0; i < t->count; i++) {
        struct item *item = t->items[i];
        item->verdict = verdict_of(&t->batch[i]);
        item->foreign = t->batch[i].foreign;
        if (item->verdict == VERDICT_REJECTED)
            item->error = mem_copy(&t->batch[i].error, sizeof *item->error);
    }
    return 0;
}

/* True when the store is to end. Waits a little, so that a missing server is not hammered. */
static bool pause_thread(struct store *s)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += RETRY_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && pthread_cond_timedwait(&s->changed, &s->lock, &until) == 0) {
    }
    bool stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return stopping;
}

/* Those still in the queue that waited too long while the database is away. */
static void give_back_late(struct store_thread *t)
{
    struct store *s = t->store;
    pthread_mutex_lock(&s->lock);
    int64_t now = clock_monotonic_ms();
    size_t late = 0;
    struct item **out = mem_zero(s->waiting + 1, sizeof(struct item *));
    while (s->first && now - s->first->since_ms > STORE_PATIENCE_MS) {
        struct item *item = s->first;
        s->first = item->next;
        s->waiting--;
        item->verdict = VERDICT_UNAVAILABLE;
        out[late++] = item;
    }
    if (!s->first)
        s->last = &s->first;
    pthread_mutex_unlock(&s->lock);
    give_back(s, out, late);
    free(out);
}

static void store_batch_or_give_up(struct store_thread *t)
{
    while (t->count > 0) {
        struct err err = {0};
        if (accept_batch(t, &err) == 0) {
            if (t->is_away)
                log_info("store.back", "rows=%zu", t->count);
            t->is_away = false;
            give_back(t->store, t->items, t->count);
            t->count = 0;
            return;
        }
        if (!t->is_away)
            log_warn("store.away", "rows=%zu error=%s", t->count, log_q(err.text));
        t->is_away = true;
        give_back_hopeless(t, true);
        give_back_late(t);
        if (t->count > 0 && pause_thread(t->store))
            give_back_hopeless(t, true);
    }
}

static void *thread_main(void *context)
{
    struct store_thread *t = context;
    pthread_setname_np(pthread_self(), "store");
    for (;;) {
        take_batch(t);
        if (t->count == 0)
            return NULL; /* stopping and nothing left */
        store_batch_or_give_up(t);
    }
}

struct store *store_new(const struct store_options *options, struct db **connections, size_t n)
{
    struct store *s = MEM_NEW(struct store);
    s->options = *options;
    s->last = &s->first;
    s->put_last = &s->put_first;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    s->thread_count = n;
    for (size_t i = 0; i < n; i++) {
        struct store_thread *t = &s->threads[i];
        t->store = s;
        t->db = connections[i];
        t->batch = mem_zero(options->rows, sizeof *t->batch);
        t->items = mem_zero(options->rows, sizeof(struct item *));
        pthread_create(&t->thread, NULL, thread_main, t);
    }
    return s;
}

bool store_put(struct store *s, struct item *item)
{
    if (s->held >= s->options.pending)
        return false;
    s->held++;
    s->put_count++;
    item->next = NULL;
    *s->put_last = item;
    s->put_last = &item->next;
    return true;
}

void store_flush(struct store *s)
{
    if (!s->put_first)
        return;
    pthread_mutex_lock(&s->lock);
    *s->last = s->put_first;
    s->last = s->put_last;
    s->waiting += s->put_count;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    s->put_first = NULL;
    s->put_last = &s->put_first;
    s->put_count = 0;
}

void store_returned(struct store *s, size_t n)
{
    s->held -= n;
}

size_t store_held(const struct store *s)
{
    return s->held;
}

void store_stop(struct store *s)
{
    store_flush(s);
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->thread_count; i++)
        pthread_join(s->threads[i].thread, NULL);
    s->thread_count = 0;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    if (s->thread_count)
        store_stop(s);
    for (size_t i = 0; i < STORE_THREADS_MAX; i++) {
        db_free(s->threads[i].db);
        free(s->threads[i].batch);
        free(s->threads[i].items);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}

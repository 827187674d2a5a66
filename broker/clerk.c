#include "clerk.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <time.h>

enum { RETRY_MS = 250 };

struct clerk {
    const char *name;
    struct db *db;
    struct inbox *inbox;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct task *first, **last;
    struct task *patient, **patient_last; /* waiting for the database; the thread's own */
    int64_t patient_due_ms;
    size_t load;
    bool stopping, stopped, is_away;
};

static void append(struct task ***last, struct task *task)
{
    task->next = NULL;
    **last = task;
    *last = &task->next;
}

static void finish(struct clerk *c, struct task *task)
{
    pthread_mutex_lock(&c->lock);
    c->load--;
    pthread_mutex_unlock(&c->lock);
    inbox_post(c->inbox, task);
}

static bool is_passing(const struct err *err)
{
    return err->kind == ERR_TEMPORARY || err->kind == ERR_CONFLICT || err->kind == ERR_UNSURE;
}

/* True when the database is away. */
static bool run(struct clerk *c, struct task *task, bool last_try)
{
    err_clear(&task->err);
    int failed = 0;
    if (!db_is_open(c->db))
        failed = db_open(c->db, &task->err);
    if (!failed)
        failed = task->run(task, c->db, &task->err);
    bool away = failed && task->err.kind == ERR_TEMPORARY;
    if (away && !c->is_away)
        log_warn("clerk.away", "thread=%s error=%s", c->name, log_q(task->err.text));
    if (!failed && c->is_away)
        log_info("clerk.back", "thread=%s patient=%d", c->name, c->patient != NULL);
    c->is_away = away;
    if (failed && task->patient && is_passing(&task->err) && !last_try)
        append(&c->patient_last, task);
    else
        finish(c, task);
    return away;
}

static void run_patient(struct clerk *c, bool last_try)
{
    struct task *task = c->patient;
    bool away = false;
    c->patient = NULL;
    c->patient_last = &c->patient;
    while (task) {
        struct task *next = task->next;
        if (away && !last_try)
            append(&c->patient_last, task); /* one failure is enough for this round */
        else
            away = run(c, task, last_try);
        task = next;
    }
    c->patient_due_ms = clock_monotonic_ms() + RETRY_MS;
}

/* The next task; NULL after RETRY_MS while patient ones wait, or when the thread is to end. */
static struct task *next_task(struct clerk *c, bool *ret_stopping)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += RETRY_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&c->lock);
    int timed_out = 0;
    while (!c->first && !c->stopping && !timed_out)
        timed_out = c->patient ? pthread_cond_timedwait(&c->changed, &c->lock, &until)
                               : pthread_cond_wait(&c->changed, &c->lock);
    struct task *task = c->first;
    if (task) {
        c->first = task->next;
        if (!c->first)
            c->last = &c->first;
    }
    *ret_stopping = c->stopping;
    pthread_mutex_unlock(&c->lock);
    return task;
}

static void *thread_main(void *context)
{
    struct clerk *c = context;
    pthread_setname_np(pthread_self(), c->name);
    for (;;) {
        bool stopping;
        struct task *task = next_task(c, &stopping);
        if (task) {
            run(c, task, stopping);
        } else if (stopping) {
            run_patient(c, true);
            return NULL;
        }
        if (c->patient && clock_monotonic_ms() >= c->patient_due_ms)
            run_patient(c, false);
    }
}

struct clerk *clerk_new(const char *name, struct db *db, struct inbox *inbox)
{
    struct clerk *c = MEM_NEW(struct clerk);
    c->name = name;
    c->db = db;
    c->inbox = inbox;
    c->last = &c->first;
    c->patient_last = &c->patient;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_create(&c->thread, NULL, thread_main, c);
    return c;
}

void clerk_ask(struct clerk *c, struct task *task)
{
    pthread_mutex_lock(&c->lock);
    c->load++;
    append(&c->last, task);
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

size_t clerk_load(struct clerk *c)
{
    pthread_mutex_lock(&c->lock);
    size_t load = c->load;
    pthread_mutex_unlock(&c->lock);
    return load;
}

void clerk_stop(struct clerk *c)
{
    if (c->stopped)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    c->stopped = true;
}

void clerk_free(struct clerk *c)
{
    if (!c)
        return;
    clerk_stop(c);
    db_free(c->db);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    free(c);
}

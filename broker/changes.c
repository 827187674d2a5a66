#include "changes.h"

#include "broker.h"
#include "jobs.h"
#include "metrics.h"
#include "questions.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "db/job_store.h"

struct changes {
    struct job_change *list; /* errors are owned copies */
    size_t count, room;
};

struct changes *changes_new(void)
{
    return MEM_NEW(struct changes);
}

static void free_changes(struct job_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)changes[i].error.data);
    free(changes);
}

void changes_free(struct changes *c)
{
    if (!c)
        return;
    free_changes(c->list, c->count);
    free(c);
}

struct change_task {
    struct task task;
    struct job_change *changes;
    size_t count;
    int64_t now_ms;
};

static int run_changes(struct task *task, struct db *db, struct err *err)
{
    struct change_task *t = (struct change_task *)task;
    return job_change(db, t->changes, t->count, t->now_ms, err);
}

static void applied(struct broker *b, struct item *item, const struct job_change *c)
{
    switch (c->what) {
    case JOB_CHANGE_RETRY:
        item->job.failures++;
        metric_count(RETRIED);
        break;
    case JOB_CHANGE_CRASH:
        item->job.crashes++;
        item->alone = true;
        metric_count(CRASHED);
        break;
    case JOB_CHANGE_DEAD:
        log_warn("job.dead", "job=%s kind=%s attempt=%u", uuid_s(&item->job.id), item->kind->name,
            item->job.attempt);
        jobs_end(b, item, JOB_DEAD, c->error);
        return;
    case JOB_CHANGE_CANCEL:
        jobs_end(b, item, JOB_CANCELLED, (struct bytes){0});
        return;
    }
    item->job.attempt++;
    item->job.run_at_ms = c->run_at_ms;
    item->job.rank = c->rank;
    jobs_put(b, item);
}

static void done_changes(struct task *task, struct broker *b)
{
    struct change_task *t = (struct change_task *)task;
    for (size_t i = 0; i < t->count; i++) {
        const struct job_change *c = &t->changes[i];
        struct item *item = map_get(b->items, &c->id);
        if (!item || item->state != ITEM_ASKING)
            continue;
        if (c->applied && !task->err.kind)
            applied(b, item, c);
        else
            ask_fate(b, &c->id);
    }
    free_changes(t->changes, t->count);
    free(t);
}

static void add_change(
    struct broker *b, struct item *item, int what, int64_t run_at_ms, struct bytes error)
{
    struct changes *q = b->changes;
    if (q->count == q->room) {
        q->room = q->room ? q->room * 2 : 32;
        q->list = mem_resize(q->list, q->room, sizeof *q->list);
    }
    ready_remove(&b->ready, item);
    item->state = ITEM_ASKING;
    struct job_change *c = &q->list[q->count++];
    *c = (struct job_change){.id = item->job.id,
        .attempt = item->job.attempt,
        .what = what,
        .run_at_ms = run_at_ms,
        .rank = job_rank(run_at_ms, item->job.priority)};
    c->error.data = error.length ? mem_copy(error.data, error.length) : NULL;
    c->error.length = error.length;
}

void changes_turn(struct broker *b)
{
    struct changes *q = b->changes;
    if (!q->count)
        return;
    struct change_task *t = MEM_NEW(struct change_task);
    t->task = (struct task){.run = run_changes, .done = done_changes, .patient = true};
    t->changes = q->list;
    t->count = q->count;
    t->now_ms = b->now_ms;
    q->list = NULL;
    q->count = q->room = 0;
    clerk_ask(b->clerk, &t->task);
}

/* Exponential, between half and the whole of it, so that jobs that failed together spread out. */
static int64_t backoff_ms(const struct config_retry *retry, uint32_t failures)
{
    int64_t ms = retry->first_ms;
    while (failures-- > 0 && ms < retry->most_ms)
        ms *= 2;
    if (ms > retry->most_ms)
        ms = retry->most_ms;
    return ms / 2 + (int64_t)random_below((uint64_t)(ms - ms / 2) + 1);
}

void change_failed(struct broker *b, struct item *item, struct bytes error)
{
    const struct config_retry *retry = &b->config->retry;
    uint32_t most = kind_attempts(item->kind, (uint32_t)retry->attempts, retry->most_ms);
    if (item->job.failures + 1 >= most)
        add_change(b, item, JOB_CHANGE_DEAD, b->now_ms, error);
    else
        add_change(
            b, item, JOB_CHANGE_RETRY, b->now_ms + backoff_ms(retry, item->job.failures), error);
}

void change_crashed(struct broker *b, struct item *item)
{
    const struct config_retry *retry = &b->config->retry;
    static const char error[] =
        "{\"code\":\"crashed\",\"message\":\"its worker was lost each time it ran alone\"}";
    if (item->job.crashes + 1 >= (uint32_t)retry->crashes)
        add_change(b, item, JOB_CHANGE_DEAD, b->now_ms, bytes_of_text(error));
    else
        add_change(b, item, JOB_CHANGE_CRASH, b->now_ms, (struct bytes){0});
}

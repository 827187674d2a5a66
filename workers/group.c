#include "group.h"

#include "base/clock.h"
#include "base/mem.h"

enum { WAIT_MS = 10000 };

int group_new(
    struct buf *frame, const bool serves[static KINDS], struct group **ret, struct err *err)
{
    AUTO(group) g = MEM_NEW(struct group);
    if (worker_jobs_parse(buf_bytes(frame), &g->message, err))
        return -1;
    const struct bytes name = g->message.kind;
    g->kind = kind_find((const char *)name.data, name.length);
    if (!g->kind || !serves[g->kind->id] || !(g->ops = kind_ops(g->kind->id)))
        return err_set(err, ERR_INPUT, NULL,
            "a group of kind \"%.*s\", which this worker does not do",
            (int)(name.length > 32 ? 32 : name.length), (const char *)name.data);
    g->id = g->message.group;
    g->received_ms = clock_monotonic_ms();
    g->urgent = g->message.urgent;
    g->durable = g->message.durable;
    g->n = g->message.count;
    g->tasks = mem_zero(g->n, sizeof *g->tasks);
    for (size_t i = 0; i < g->n; i++) {
        g->message.jobs[i].kind = g->kind->name;
        g->tasks[i].job = &g->message.jobs[i];
        g->tasks[i].outcome = OUTCOME_FAILED;
    }
    g->frame = *frame;
    *frame = (struct buf){0};
    *ret = TAKE(g);
    return 0;
}

void group_release(struct group *g)
{
    for (size_t i = 0; g->tasks && i < g->n; i++) {
        struct task *t = &g->tasks[i];
        if (g->ops->release)
            g->ops->release(t);
        plan_clear(&t->plan);
        json_decref(t->args);
        t->args = NULL;
    }
}

void group_free(struct group *g)
{
    if (!g)
        return;
    group_release(g);
    free(g->tasks);
    worker_jobs_free(&g->message);
    buf_free(&g->frame);
    buf_free(&g->report);
    free(g);
}

bool group_is_late(const struct group *g)
{
    const int32_t deadline_ms = g->message.deadline_ms;
    return deadline_ms > 0 && clock_monotonic_ms() - g->received_ms > deadline_ms;
}

bool group_is_overdue(const struct group *g)
{
    const int32_t half_ms = g->message.deadline_ms / 2;
    return half_ms > 0 &&
           clock_monotonic_ms() - g->received_ms > (half_ms < WAIT_MS ? half_ms : WAIT_MS);
}

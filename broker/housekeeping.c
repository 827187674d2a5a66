#include "housekeeping.h"

#include "broker.h"

#include "base/mem.h"
#include "db/job_store.h"

#include <stdio.h>

enum {
    RANGE = 2000, /* rows looked at in one transaction */
    RANGE_EVERY_MS = 500,
    WALK_EVERY_MS = 600000, /* from the end of one walk to the next */
    FIRST_MS = 30000,       /* after the start */
};

struct housekeeping {
    struct uuid cursor;
    int64_t due_ms; /* monotonic; 0: not begun */
    bool is_under_way;
    char personal[256]; /* kinds, for job_empty */
};

struct range_task {
    struct task task;
    const char *personal;
    int64_t purge_before_ms, empty_before_ms;
    struct uuid cursor;
    size_t rows;
};

struct housekeeping *housekeeping_new(void)
{
    struct housekeeping *h = MEM_NEW(struct housekeeping);
    size_t n = 0;
    for (int k = 0; k < KINDS; k++)
        if (kind_of((enum kind_id)k)->personal)
            n += (size_t)snprintf(h->personal + n, sizeof h->personal - n, "%s%s", n ? "," : "",
                kind_name((enum kind_id)k));
    return h;
}

void housekeeping_free(struct housekeeping *h)
{
    free(h);
}

static int run_range(struct task *task, struct db *db, struct err *err)
{
    struct range_task *t = (struct range_task *)task;
    struct uuid before = t->cursor;
    if (job_purge(db, t->purge_before_ms, RANGE, &t->cursor, &t->rows, err))
        return -1;
    return t->rows ? job_empty(db, t->empty_before_ms, t->personal, &before, &t->cursor, err) : 0;
}

static void done_range(struct task *task, struct broker *b)
{
    struct range_task *t = (struct range_task *)task;
    struct housekeeping *h = b->housekeeping;
    h->is_under_way = false;
    h->due_ms = b->tick_ms + RANGE_EVERY_MS;
    if (!task->err.kind)
        h->cursor = t->cursor;
    if (!task->err.kind && t->rows == 0) {
        h->cursor = (struct uuid){{0}};
        h->due_ms = b->tick_ms + WALK_EVERY_MS;
    }
    free(t);
}

void housekeeping_turn(struct broker *b)
{
    struct housekeeping *h = b->housekeeping;
    if (h->due_ms == 0)
        h->due_ms = b->tick_ms + FIRST_MS;
    if (h->is_under_way || b->tick_ms < h->due_ms || !b->note || !b->note->slot_count ||
        !backlog_owns(&b->backlog, b->note->slots[0].id))
        return;
    struct range_task *t = MEM_NEW(struct range_task);
    t->task = (struct task){.run = run_range, .done = done_range};
    t->personal = h->personal;
    t->purge_before_ms = b->now_ms - b->config->broker.retention_ms;
    t->empty_before_ms = b->now_ms - b->config->broker.result_ms;
    t->cursor = h->cursor;
    h->is_under_way = true;
    clerk_ask(b->desk, &t->task);
}

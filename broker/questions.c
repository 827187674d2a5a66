#include "questions.h"

#include "broker.h"
#include "changes.h"
#include "jobs.h"
#include "metrics.h"
#include "waits.h"

#include "base/log.h"
#include "base/mem.h"
#include "db/job_store.h"

#include <string.h>

enum { TASKS_MOST = 2000, IDS_MOST = 1000, BOUNCE_MS = 100 };

struct ids {
    struct uuid *ids;
    size_t count, room;
};
struct questions {
    struct ids fates, rows;
};

struct questions *questions_new(void)
{
    return MEM_NEW(struct questions);
}

void questions_free(struct questions *q)
{
    if (!q)
        return;
    free(q->fates.ids);
    free(q->rows.ids);
    free(q);
}

bool questions_ask(struct broker *b, struct task *task)
{
    if (clerk_load(b->clerk) >= TASKS_MOST)
        return false;
    clerk_ask(b->clerk, task);
    return true;
}

static void add_id(struct ids *list, const struct uuid *id)
{
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 64;
        list->ids = mem_resize(list->ids, list->room, sizeof *list->ids);
    }
    list->ids[list->count++] = *id;
}

static void mark_asking(struct broker *b, const struct uuid *id)
{
    struct item *item = map_get(b->items, id);
    if (item && item_is_row(item) && item->state != ITEM_RUNNING) {
        ready_remove(&b->ready, item);
        item->state = ITEM_ASKING;
    }
}

/* ---- what became of these ---- */

struct fate_task {
    struct task task;
    struct uuid *ids;
    size_t count;
    struct job_record *records;
    size_t record_count;
};

void ask_fate(struct broker *b, const struct uuid *id)
{
    mark_asking(b, id);
    add_id(&b->questions->fates, id);
}

static void clear_records(struct fate_task *t)
{
    for (size_t i = 0; i < t->record_count; i++)
        job_record_clear(&t->records[i]);
    t->record_count = 0;
}

static void keep_record(void *context, struct job_record *record)
{
    struct fate_task *t = context;
    if (t->record_count == 2 * t->count) { /* once in each table at most */
        job_record_clear(record);
        return;
    }
    t->records[t->record_count++] = *record;
}

static int run_fates(struct task *task, struct db *db, struct err *err)
{
    struct fate_task *t = (struct fate_task *)task;
    clear_records(t);
    return job_read_records(db, t->ids, t->count, keep_record, t, err);
}

static void on_ended(struct broker *b, const struct job_record *r)
{
    ask_rows(b, (const struct uuid *)(const void *)r->followups.data,
        r->followups.length / sizeof(struct uuid));
    struct item *item = map_get(b->items, &r->id);
    if (item && !item_is_row(item))
        waits_end_accepted(b, &r->id, r->state, buf_bytes(&r->result));
    else if (!item || item->state == ITEM_RUNNING)
        waits_end(b, &r->id, r->state, buf_bytes(&r->result));
    else
        jobs_end(b, item, r->state, buf_bytes(&r->result));
}

static void on_fate(struct broker *b, const struct job_record *r)
{
    const struct item *item = map_get(b->items, &r->id);
    if (r->in_history)
        on_ended(b, r);
    else if (item && item->state == ITEM_ASKING)
        add_id(&b->questions->rows, &r->id);
}

/*
 * In neither table. Nothing is lost by forgetting it: if the row comes to light (a replica behind),
 * the head of the slot is read every 30 s. Who waits is told.
 */
static void on_vanished(struct broker *b, const struct uuid *id)
{
    struct item *item = map_get(b->items, id);
    if (item && item->state != ITEM_ASKING)
        return;
    struct err err = {0};
    err_set(&err, ERR_NOT_FOUND, "not-found", "there is no such job");
    waits_gone(b, id, &err);
    if (item) {
        log_warn("job.vanished", "job=%s kind=%s", uuid_s(id), item->kind->name);
        metric_count(VANISHED);
        jobs_drop(b, item);
    }
}

static void done_fates(struct task *task, struct broker *b)
{
    struct fate_task *t = (struct fate_task *)task;
    AUTO(map) found = map_new();
    b->fates--;
    for (size_t i = 0; i < t->record_count; i++) {
        map_put(found, &t->records[i].id, &t->records[i]);
        on_fate(b, &t->records[i]);
    }
    for (size_t i = 0; i < t->count && !task->err.kind; i++)
        if (!map_get(found, &t->ids[i]))
            on_vanished(b, &t->ids[i]);
    clear_records(t);
    free(t->records);
    free(t->ids);
    free(t);
}

static void turn_fates(struct broker *b)
{
    struct ids *list = &b->questions->fates;
    for (size_t at = 0; at < list->count; at += IDS_MOST) {
        struct fate_task *t = MEM_NEW(struct fate_task);
        t->task = (struct task){.run = run_fates, .done = done_fates, .patient = true};
        t->count = list->count - at < IDS_MOST ? list->count - at : IDS_MOST;
        t->ids = mem_copy(list->ids + at, t->count * sizeof *t->ids);
        t->records = mem_zero(2 * t->count, sizeof *t->records);
        b->fates++;
        clerk_ask(b->clerk, &t->task);
    }
    list->count = 0;
}

/* ---- rows as they are now, and pages of them ---- */

struct rows_task {
    struct task task;
    struct uuid *ids; /* rows by id; else a page */
    size_t count;
    bool is_head;
    struct backlog_page page;
    int64_t most_rank;
    size_t most;
    struct job *jobs;
    size_t job_count, job_room;
};

void ask_rows(struct broker *b, const struct uuid *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct uuid id;
        memcpy(&id, &ids[i], sizeof id); /* from a blob */
        if (!map_get(b->items, &id))
            add_id(&b->questions->rows, &id);
    }
}

/* A job the store read, in our memory: content and the name of its kind. */
static void keep_job(void *context, struct job *job)
{
    struct rows_task *t = context;
    if (t->job_count == t->job_room) {
        t->job_room = t->job_room ? t->job_room * 2 : 64;
        t->jobs = mem_resize(t->jobs, t->job_room, sizeof *t->jobs);
    }
    const struct kind *kind = kind_find(job->kind, strlen(job->kind));
    t->jobs[t->job_count] = *job;
    t->jobs[t->job_count++].kind = kind ? kind->name : "";
    job->client = NULL;
    job->args = NULL;
}

static void clear_jobs(struct rows_task *t)
{
    for (size_t i = 0; i < t->job_count; i++) {
        free(t->jobs[i].client);
        free(t->jobs[i].args);
    }
    t->job_count = 0;
}

static int run_rows(struct task *task, struct db *db, struct err *err)
{
    struct rows_task *t = (struct rows_task *)task;
    clear_jobs(t);
    if (t->ids)
        return job_read_ids(db, t->ids, t->count, keep_job, t, err);
    const struct backlog_page *p = &t->page;
    return job_read_slot(db, p->slot, p->from_head ? NULL : &p->after.rank,
        p->from_head ? NULL : &p->after.id, t->most_rank, t->most, keep_job, t, err);
}

static void adopt_jobs(struct broker *b, struct rows_task *t)
{
    for (size_t i = 0; i < t->job_count; i++)
        jobs_adopt(b, &t->jobs[i]);
    t->job_count = 0;
}

static void free_rows(struct rows_task *t)
{
    clear_jobs(t);
    free(t->jobs);
    free(t->ids);
    free(t);
}

/* The row replaces what we knew: attempt, rank, slot and all. */
static void refresh(struct broker *b, struct item *old, struct job *job)
{
    struct item *item = item_adopt(job, old->kind);
    item->alone = old->alone || item->job.crashes > 0;
    item->unwanted = old->unwanted;
    item->bounces = old->bounces;
    item->since_ms = old->since_ms;
    map_put(b->items, &item->job.id, item);
    item_free(old);
    if (!backlog_owns(&b->backlog, item->job.slot))
        jobs_forget(b, item);
    else if (item->bounces)
        ready_delay(&b->ready, item, b->tick_ms + BOUNCE_MS);
    else
        ready_put(&b->ready, item, b->now_ms);
}

static void done_rows(struct task *task, struct broker *b)
{
    struct rows_task *t = (struct rows_task *)task;
    for (size_t i = 0; i < t->job_count; i++) {
        struct item *item = map_get(b->items, &t->jobs[i].id);
        if (item && item->state == ITEM_ASKING)
            refresh(b, item, &t->jobs[i]);
        else
            jobs_adopt(b, &t->jobs[i]);
    }
    t->job_count = 0;
    for (size_t i = 0; i < t->count && !task->err.kind; i++) {
        const struct item *item = map_get(b->items, &t->ids[i]);
        if (item && item->state == ITEM_ASKING) /* it ended between two questions */
            ask_fate(b, &t->ids[i]);
    }
    free_rows(t);
}

static void turn_rows(struct broker *b)
{
    struct ids *list = &b->questions->rows;
    for (size_t at = 0; at < list->count; at += IDS_MOST) {
        struct rows_task *t = MEM_NEW(struct rows_task);
        t->task = (struct task){.run = run_rows, .done = done_rows, .patient = true};
        t->count = list->count - at < IDS_MOST ? list->count - at : IDS_MOST;
        t->ids = mem_copy(list->ids + at, t->count * sizeof *t->ids);
        clerk_ask(b->clerk, &t->task);
    }
    list->count = 0;
}

static void done_page(struct task *task, struct broker *b)
{
    struct rows_task *t = (struct rows_task *)task;
    b->pages--;
    struct place last = {0};
    if (t->job_count)
        last = (struct place){t->jobs[t->job_count - 1].rank, t->jobs[t->job_count - 1].id};
    if (task->err.kind)
        backlog_read_failed(&b->backlog, &t->page);
    else if (backlog_read_end(
                 &b->backlog, &t->page, t->job_count ? &last : NULL, t->job_count >= t->most))
        adopt_jobs(b, t);
    free_rows(t);
}

static void done_head(struct task *task, struct broker *b)
{
    struct rows_task *t = (struct rows_task *)task;
    struct place *after = &b->heads[t->page.slot];
    *after = (struct place){0};
    if (!task->err.kind && t->job_count >= t->most)
        *after = (struct place){t->jobs[t->job_count - 1].rank, t->jobs[t->job_count - 1].id};
    adopt_jobs(b, t);
    free_rows(t);
}

void ask_page(struct broker *b, uint16_t slot, size_t most)
{
    struct rows_task *t = MEM_NEW(struct rows_task);
    t->task = (struct task){.run = run_rows, .done = done_page};
    backlog_read_begin(&b->backlog, slot, &t->page);
    t->most_rank = INT64_MAX;
    t->most = most;
    b->pages++;
    clerk_ask(b->clerk, &t->task);
}

void ask_head(struct broker *b, uint16_t slot, size_t most)
{
    struct rows_task *t = MEM_NEW(struct rows_task);
    t->task = (struct task){.run = run_rows, .done = done_head};
    t->page.slot = slot;
    t->page.after = b->heads[slot];
    t->page.from_head = uuid_is_zero(&t->page.after.id);
    if (b->now_ms > b->latest_ms) /* what came before the clock was set back is due as well */
        b->latest_ms = b->now_ms;
    t->most_rank = b->latest_ms;
    t->most = most;
    clerk_ask(b->clerk, &t->task);
}

void questions_turn(struct broker *b)
{
    changes_turn(b);
    turn_rows(b);
    turn_fates(b);
}

#include "jobs.h"

#include "broker.h"
#include "dispatch.h"
#include "metrics.h"
#include "questions.h"
#include "titanic.h"
#include "waits.h"

#include "base/log.h"

#include <string.h>

enum {
    PAGE_MOST = 1000,
    PAGES_AT_ONCE = 2,
    HEAD_EVERY_MS = 30000,
    HEAD_MOST = 500,
    STUCK_MS = 5000,
    STUCK_EVERY_MS = 500,
    VOLATILE_MS = 8000
};

static struct place place_of(const struct item *item)
{
    return (struct place){item->job.rank, item->job.id};
}

static size_t capacity(const struct broker *b)
{
    return b->config->broker.jobs_in_memory;
}

static void remove_item(struct broker *b, struct item *item)
{
    ready_remove(&b->ready, item);
    map_remove(b->items, &item->job.id);
}

void jobs_drop(struct broker *b, struct item *item)
{
    remove_item(b, item);
    item_free(item);
}

void jobs_forget(struct broker *b, struct item *item)
{
    remove_item(b, item);
    waits_absent(b, &item->job.id, item->job.slot);
    item_free(item);
    metric_count(FORGOTTEN);
}

void jobs_end(struct broker *b, struct item *item, enum job_state state, struct bytes result)
{
    static const enum metric metrics[JOB_STATES] = {
        [JOB_DONE] = METRIC_DONE,
        [JOB_REFUSED] = METRIC_REFUSED,
        [JOB_DEAD] = METRIC_DEAD,
        [JOB_CANCELLED] = METRIC_CANCELLED,
    };
    metric_add(metrics[state], 1);
    remove_item(b, item);
    waits_end(b, &item->job.id, state, result);
    if (item->unwanted)
        titanic_unwanted(b, &item->job.id);
    item_free(item);
}

/* ---- coming in ---- */

static bool is_parked(const struct broker *b, const struct item *item)
{
    return (b->backlog.parked >> item->kind->id & 1) && item->job.priority < JOB_PRIORITY_URGENT;
}

/*
 * Below the horizon a job must stay, beyond it it may: it does while there is room, so that new
 * jobs do not wait behind a backlog of a kind nobody serves.
 */
static bool stays(const struct broker *b, const struct item *item)
{
    if (!item->kind->durable)
        return true;
    if (!backlog_owns(&b->backlog, item->job.slot) || is_parked(b, item))
        return false;
    struct place at = place_of(item);
    return item->job.priority >= JOB_PRIORITY_URGENT || map_count(b->items) < capacity(b) / 2 ||
           backlog_keeps(&b->backlog, item->job.slot, &at);
}

void jobs_put(struct broker *b, struct item *item)
{
    if (stays(b, item))
        ready_put(&b->ready, item, b->now_ms);
    else
        jobs_forget(b, item);
}

void jobs_adopt(struct broker *b, struct job *job)
{
    const struct kind *kind = kind_find(job->kind, strlen(job->kind));
    if (!kind || map_get(b->items, &job->id) || !backlog_owns(&b->backlog, job->slot)) {
        free(job->client);
        free(job->args);
        return;
    }
    struct item *item = item_adopt(job, kind);
    item->alone = item->job.crashes > 0;
    map_put(b->items, &item->job.id, item);
    metric_count(ADOPTED);
    if (is_parked(b, item))
        jobs_forget(b, item);
    else
        ready_put(&b->ready, item, b->now_ms);
}

void jobs_follow_up(struct broker *b, const struct job *job, struct bytes name)
{
    const struct kind *kind = kind_find((const char *)name.data, name.length);
    if (!kind || !kind->durable || job->slot >= SLOTS_MAX ||
        !backlog_owns(&b->backlog, job->slot) || map_get(b->items, &job->id))
        return;
    struct item *item = item_new(job, kind);
    map_put(b->items, &item->job.id, item);
    metric_count(FOLLOWUPS);
    jobs_put(b, item);
}

/* ---- what the store found ---- */

static struct err unavailable(void)
{
    struct err err = {0};
    err_set(&err, ERR_TEMPORARY, "unavailable",
        "the database is away; the job may exist: ask again with the same id");
    return err;
}

static void not_stored(struct broker *b, struct item *item)
{
    struct err err = {0};
    switch (item->verdict) {
    case VERDICT_REJECTED:
        err = *item->error;
        err_set(&err, ERR_INPUT, "bad-request", "the database refuses it: %s", item->error->text);
        break;
    case VERDICT_CONFLICT:
        err_set(&err, ERR_CONFLICT, "conflict", "id: taken by a request with other content");
        break;
    case VERDICT_NEW:
    case VERDICT_SAME:
    case VERDICT_FINISHED:
    case VERDICT_UNAVAILABLE:
        err = unavailable();
        break;
    }
    waits_reject(b, &item->job.id, &err);
    jobs_drop(b, item);
}

static void stored(struct broker *b, struct item *item)
{
    struct uuid id = item->job.id;
    if (item->foreign && (item->verdict == VERDICT_SAME || item->verdict == VERDICT_FINISHED))
        item->verdict = VERDICT_CONFLICT;
    switch (item->verdict) {
    case VERDICT_NEW:
        metric_count(ACCEPTED);
        waits_accepted(b, &id, false);
        jobs_put(b, item);
        return;
    case VERDICT_SAME:
        metric_count(REPEATED);
        waits_accepted(b, &id, false);
        jobs_drop(b, item);
        waits_absent(b, &id, SLOTS_MAX);
        return;
    case VERDICT_FINISHED:
        metric_count(REPEATED);
        waits_accepted(b, &id, true);
        jobs_drop(b, item);
        if (waits_has(b->waits, &id))
            ask_fate(b, &id);
        return;
    case VERDICT_CONFLICT:
    case VERDICT_REJECTED:
    case VERDICT_UNAVAILABLE:
        break;
    }
    not_stored(b, item);
}

void jobs_stored(struct task *task, struct broker *b)
{
    struct store_batch *batch = (struct store_batch *)task;
    store_returned(b->store, batch->count);
    for (struct item *item = batch->first, *next; item; item = next) {
        next = item->next;
        stored(b, item);
    }
    free(batch);
}

/* ---- leases ---- */

static void forget_of_slot(void *context, struct item *item)
{
    jobs_forget(context, item);
}

void jobs_lease(struct broker *b, const struct keeper_note *note)
{
    uint64_t held = 0;
    for (size_t i = 0; i < note->slot_count; i++) {
        const struct slot_row *row = &note->slots[i];
        if (row->id >= SLOTS_MAX)
            continue;
        bool is_ours = uuid_equal(&row->broker, &b->life);
        held += is_ours;
        bool is_again = backlog_owns(&b->backlog, row->id) && b->slot_epochs[row->id] != row->epoch;
        if ((!is_ours || is_again) && backlog_owns(&b->backlog, row->id)) {
            backlog_disown(&b->backlog, row->id);
            ready_forget_slot(&b->ready, row->id, forget_of_slot, b);
            waits_slot_lost(b, row->id);
        }
        if (is_ours && !backlog_owns(&b->backlog, row->id))
            backlog_own(&b->backlog, row->id);
        b->slot_epochs[row->id] = row->epoch;
    }
    metric_set(METRIC_SLOTS, held);
}

/* ---- the bound ---- */

static void forget_and_cut(void *context, struct item *item)
{
    struct broker *b = context;
    struct place at = place_of(item);
    backlog_cut(&b->backlog, item->job.slot, &at);
    jobs_forget(b, item);
}

static void keep_bound(struct broker *b)
{
    size_t most = capacity(b);
    if (map_count(b->items) <= most)
        return;
    uint64_t can_go = dispatch_kinds(b);
    for (int k = 0; k < KINDS; k++)
        if (!(can_go >> k & 1) && kind_of((enum kind_id)k)->durable &&
            ready_forget_kind(&b->ready, (enum kind_id)k, most / 8, forget_of_slot, b) > 0) {
            b->backlog.parked |= UINT64_C(1) << k;
            log_info("kind.parked", "kind=%s", kind_name((enum kind_id)k));
        }
    if (map_count(b->items) > most)
        ready_forget(&b->ready, map_count(b->items) - most + most / 8, forget_and_cut, b);
}

static void read_on(struct broker *b)
{
    size_t most = capacity(b) / 4 < PAGE_MOST ? capacity(b) / 4 : PAGE_MOST;
    bool room = map_count(b->items) < capacity(b) / 2;
    while (b->pages < PAGES_AT_ONCE) {
        int slot = backlog_next(&b->backlog, room);
        if (slot < 0)
            return;
        ask_page(b, (uint16_t)slot, most ? most : 1);
    }
}

static void read_heads(struct broker *b)
{
    if (b->tick_ms < b->heads_due_ms)
        return;
    b->heads_due_ms = b->tick_ms + HEAD_EVERY_MS;
    for (uint16_t slot = 0; slot < SLOTS_MAX; slot++)
        if (backlog_owns(&b->backlog, slot))
            ask_head(b, slot, HEAD_MOST);
}

static void look_up_absent(struct broker *b)
{
    struct uuid ids[PAGE_MOST];
    if (b->tick_ms < b->looks_due_ms || b->fates > 0)
        return;
    b->looks_due_ms = b->tick_ms + WAITS_LOOK_MS;
    size_t n = waits_to_look_up(b, ids, ARRAY_LENGTH(ids));
    for (size_t i = 0; i < n; i++)
        ask_fate(b, &ids[i]);
}

/* What has no row waits for a worker so long and no longer. */
static void give_up_volatile(struct broker *b)
{
    struct err err = {0};
    err_set(&err, ERR_TEMPORARY, "unavailable", "no worker took it in time");
    for (int k = 0; k < KINDS; k++) {
        if (kind_of((enum kind_id)k)->durable)
            continue;
        struct item *head;
        while ((head = ready_head(&b->ready, (enum kind_id)k)) &&
               b->tick_ms - head->since_ms > VOLATILE_MS) {
            waits_gone(b, &head->job.id, &err);
            jobs_drop(b, head);
        }
    }
}

/*
 * The store, or one of its connections, waits for a server that says nothing. Those who asked are
 * told; what they asked for stays with the store, and is a job nobody waits for if it comes to be
 * one.
 */
static void answer_unstored(struct broker *b)
{
    if (b->tick_ms < b->stuck_due_ms || store_held(b->store) == 0)
        return;
    b->stuck_due_ms = b->tick_ms + STUCK_EVERY_MS;
    const struct err err = unavailable();
    const struct item *item;
    struct uuid id;
    for (size_t at = 0; (item = map_next(b->items, &at, &id));)
        if (item->state == ITEM_STORING && b->tick_ms - item->since_ms > STUCK_MS)
            waits_reject(b, &id, &err);
}

void jobs_turn(struct broker *b)
{
    give_up_volatile(b);
    answer_unstored(b);
    keep_bound(b);
    if (b->backlog.parked & dispatch_kinds(b)) {
        log_info("kind.unparked", "jobs=%zu", map_count(b->items));
        backlog_rewind(&b->backlog);
    }
    if (broker_may_dispatch(b)) {
        read_on(b);
        read_heads(b);
    }
    look_up_absent(b);
}

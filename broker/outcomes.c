#include "outcomes.h"

#include "broker.h"
#include "changes.h"
#include "jobs.h"
#include "metrics.h"
#include "questions.h"
#include "waits.h"

#include "base/log.h"

#include <inttypes.h>

enum {
    BOUNCE_FIRST_MS = 50,
    BOUNCE_MOST_MS = 500,
    UNSEEN_MS = 2000, /* in neither table for so long: ask what became of it */
};

static struct bytes object_or_nothing(struct bytes json)
{
    bool is_object = json.length >= 2 && json.data[0] == '{' && json.data[json.length - 1] == '}';
    return is_object ? json : (struct bytes){0};
}

/* Handed back: again soon, each time a little later. */
static void bounce(struct broker *b, struct item *item)
{
    int64_t ms = BOUNCE_FIRST_MS;
    for (int i = 0; i < item->bounces && ms < BOUNCE_MOST_MS; i++)
        ms *= 2;
    if (item->bounces++ == 0)
        item->since_ms = b->tick_ms;
    if (item->bounces > 100)
        item->bounces = 100;
    ready_delay(&b->ready, item, b->tick_ms + (ms < BOUNCE_MOST_MS ? ms : BOUNCE_MOST_MS));
}

static void on_unseen(struct broker *b, struct item *item)
{
    metric_count(BOUNCED_UNSEEN);
    if (item->kind->durable && item->bounces > 0 && b->tick_ms - item->since_ms > UNSEEN_MS)
        ask_fate(b, &item->job.id);
    else
        bounce(b, item);
}

static void on_failed(struct broker *b, struct item *item, struct bytes error)
{
    if (item->kind->durable)
        change_failed(b, item, error);
    else
        jobs_end(b, item, JOB_DEAD, error);
}

/* The slot went to another broker meanwhile: what is not over is that broker's. */
static bool is_still_ours(const struct broker *b, const struct item *item)
{
    return !item->kind->durable || backlog_owns(&b->backlog, item->job.slot);
}

static void settle(struct broker *b, struct item *item, const struct worker_result *r)
{
    static const char no_row[] =
        "{\"code\":\"unavailable\",\"message\":\"its worker looked for a row\"}";
    struct bytes result = object_or_nothing(r->result);
    item->group = NULL;
    item->state = ITEM_ASKING; /* in no heap until something is decided */
    if (r->outcome != OUTCOME_BUSY && r->outcome != OUTCOME_UNSEEN)
        item->bounces = 0;
    switch (r->outcome) {
    case OUTCOME_DONE:
        jobs_end(b, item, JOB_DONE, result);
        return;
    case OUTCOME_REFUSED:
        jobs_end(b, item, JOB_REFUSED, result);
        return;
    case OUTCOME_FAILED:
        on_failed(b, item, result);
        return;
    case OUTCOME_BUSY:
        metric_count(BOUNCED_BUSY);
        if (is_still_ours(b, item))
            bounce(b, item);
        else
            jobs_forget(b, item);
        return;
    case OUTCOME_UNSEEN:
        on_unseen(b, item);
        return;
    case OUTCOME_FINISHED:
        metric_count(BOUNCED_FINISHED);
        break;
    case OUTCOME_STALE:
        metric_count(BOUNCED_STALE);
        break;
    case OUTCOMES:
        break;
    }
    if (item->kind->durable)
        ask_fate(b, &item->job.id);
    else /* it has no row: whatever row has its id is another's */
        jobs_end(b, item, JOB_DEAD, bytes_of_text(no_row));
}

/* Again at once, without the members it had; a report that leaves some out settles the others. */
static void redispatch(struct broker *b, struct item *item)
{
    item->group = NULL;
    item->state = ITEM_ASKING;
    if (is_still_ours(b, item))
        ready_put(&b->ready, item, b->now_ms);
    else
        jobs_forget(b, item);
}

static void close_group(struct broker *b, struct group *group)
{
    struct worker *worker = group->worker;
    if (group->urgent && worker->urgent_groups > 0)
        worker->urgent_groups--;
    groups_close(b->groups, &worker->groups, group);
}

static struct item *member(struct broker *b, struct group *group, const struct uuid *id, size_t at)
{
    /* Usually a report keeps the order of its group. */
    struct item *item = at < group->count ? group->items[at] : NULL;
    if (!item || !uuid_equal(&item->job.id, id))
        item = map_get(b->items, id);
    return item && item->group == group ? item : NULL;
}

/*
 * A worker of a signing kind could do itself whatever it makes up here. Of the others' follow-ups
 * only the id is taken and the row is read: else a worker that may send mails could have a job of
 * its own wording done, by whom and as whom it likes, over a row that is there (I12).
 */
static void take_follow_up(
    struct broker *b, const struct job *job, struct bytes kind, bool is_believed)
{
    if (is_believed)
        jobs_follow_up(b, job, kind);
    else
        ask_rows(b, &job->id, 1);
}

void outcomes_report(struct broker *b, struct worker *worker, const struct worker_report *report)
{
    struct group *group = groups_find(b->groups, &report->group);
    if (!group || group->worker != worker) {
        /* Given up as lost before: its members go their own way and find out. */
        log_info("group.late", "group=%s worker=%s", uuid_s(&report->group), worker->name);
        return;
    }
    log_debug("group.reported", "group=%s kind=%s jobs=%u ms=%" PRId64, uuid_s(&group->id),
        group->kind->name, group->count, b->tick_ms - group->sent_ms);
    /* Members leave group->items as they are settled, since settling may free them. */
    for (uint32_t i = 0; i < report->count; i++) {
        struct item *item = member(b, group, &report->results[i].id, i);
        if (!item)
            continue;
        if (i < group->count && group->items[i] == item)
            group->items[i] = NULL;
        else
            for (uint32_t k = 0; k < group->count; k++)
                if (group->items[k] == item)
                    group->items[k] = NULL;
        settle(b, item, &report->results[i]);
    }
    for (uint32_t i = 0; i < group->count; i++)
        if (group->items[i]) {
            log_warn("report.short", "group=%s job=%s worker=%s", uuid_s(&group->id),
                uuid_s(&group->items[i]->job.id), worker->name);
            redispatch(b, TAKE(group->items[i]));
        }
    const bool is_believed = group->kind->signing;
    close_group(b, group);
    for (uint32_t i = 0; i < report->followup_count; i++)
        take_follow_up(b, &report->followups[i], report->followup_kinds[i], is_believed);
}

static void crashed(struct broker *b, struct item *item)
{
    static const char error[] =
        "{\"code\":\"crashed\",\"message\":\"its worker was lost each time it ran\"}";
    if (item->kind->durable) {
        change_crashed(b, item);
    } else if (++item->job.crashes >= (uint32_t)b->config->retry.crashes) {
        metric_count(CRASHED);
        jobs_end(b, item, JOB_DEAD, bytes_of_text(error));
    } else {
        redispatch(b, item);
    }
}

void outcomes_lost(struct broker *b, struct group *group, bool was_orderly)
{
    metric_count(GROUPS_LOST);
    log_warn("group.lost", "group=%s kind=%s jobs=%u worker=%s ms=%" PRId64, uuid_s(&group->id),
        group->kind->name, group->count, group->worker->name, b->tick_ms - group->sent_ms);
    bool was_alone = group->count == 1;
    for (uint32_t i = 0; i < group->count; i++) {
        struct item *item = TAKE(group->items[i]);
        if (!item)
            continue;
        item->group = NULL;
        item->state = ITEM_ASKING;
        item->alone = item->alone || !was_orderly;
        if (was_alone && !was_orderly)
            crashed(b, item);
        else
            redispatch(b, item);
    }
    close_group(b, group);
}

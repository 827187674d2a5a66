#include "dispatch.h"

#include "broker.h"
#include "metrics.h"
#include "workers.h"

#include "base/log.h"

enum {
    GROUP_BYTES = 4 << 20,
    GROUP_LEAST = 8,
    SLOW_MOST = 8, /* passwords to hash, a tenth of a second each: I9 */
};

uint64_t dispatch_kinds(const struct broker *b)
{
    return workers_kinds(b->workers) & ~b->paused;
}

static bool is_urgent(const struct item *item)
{
    return item->job.priority >= JOB_PRIORITY_URGENT;
}

struct credit {
    bool normal, urgent;
};

/* A job that may have taken a worker down is the only one there: the crash is its own. */
static bool has_suspect(const struct worker *w)
{
    for (const struct group *g = w->groups.first; g; g = g->next)
        if (g->alone)
            return true;
    return false;
}

static struct credit credit_of(const struct worker *w)
{
    struct credit c = {0};
    if (w->is_draining || has_suspect(w))
        return c;
    size_t normal = w->groups.count - w->urgent_groups + w->ghosts;
    c.normal = normal < w->credit;
    c.urgent = c.normal || w->urgent_groups < w->urgent;
    return c;
}

/* The head with the lowest rank among the worker's kinds that its credit may take. */
static struct item *best_head(
    const struct broker *b, const struct worker *w, struct credit credit, uint64_t kinds)
{
    struct item *best = NULL;
    for (kinds &= w->kinds; kinds; kinds &= kinds - 1) {
        struct item *head = ready_head(&b->ready, (enum kind_id)__builtin_ctzll(kinds));
        if (!head || (head->alone && w->groups.count))
            continue;
        if ((credit.normal || (credit.urgent && is_urgent(head))) &&
            (!best || ready_goes_before(head, best)))
            best = head;
    }
    return best;
}

/* A short queue is shared among the workers that could take some of it now. */
static size_t fair_part(const struct broker *b, enum kind_id kind)
{
    size_t takers = 0, n = b->ready.kinds[kind].count;
    for (const struct worker *w = workers_first(b->workers); w; w = w->next)
        takers += (w->kinds >> kind & 1) && credit_of(w).normal;
    n = takers > 1 ? (n + takers - 1) / takers : n;
    return n < GROUP_LEAST ? GROUP_LEAST : n;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Takes a group's members out of the ready queue; the head is known to be there. */
static uint32_t collect(
    struct broker *b, const struct worker *w, struct item *head, struct item **items)
{
    const struct kind *kind = head->kind;
    size_t most = smaller(smaller(kind->group, w->group_most), fair_part(b, kind->id));
    most = smaller(most, WORKER_GROUP_MAX);
    bool urgent = is_urgent(head), alone = head->alone;
    size_t bytes = 0, slow = 0;
    uint32_t n = 0;
    while (head && n < most && is_urgent(head) == urgent && head->alone == alone) {
        bytes += head->job.args_length;
        slow += head->slow;
        if (n > 0 && (alone || bytes > GROUP_BYTES || slow > SLOW_MOST))
            break;
        items[n++] = ready_pop(&b->ready, kind->id);
        head = ready_head(&b->ready, kind->id);
    }
    return n;
}

static void send_group(struct broker *b, struct worker *w, struct item **items, uint32_t n)
{
    const struct kind *kind = items[0]->kind;
    bool urgent = is_urgent(items[0]);
    struct group *group = groups_open(b->groups, w, &w->groups, kind, items, n, b->tick_ms);
    group->urgent = urgent && w->urgent_groups < w->urgent;
    w->urgent_groups += group->urgent;
    group->alone = items[0]->alone;
    struct job *jobs[WORKER_GROUP_MAX];
    for (uint32_t i = 0; i < n; i++)
        jobs[i] = &items[i]->job;
    const struct worker_jobs message = {
        .group = group->id,
        .kind = bytes_of_text(kind->name),
        .urgent = urgent,
        .durable = kind->durable,
        .deadline_ms = kind->deadline_ms,
        .count = n,
    };
    AUTO_BUF body = {0};
    worker_jobs_write(&message, jobs, &body);
    /* A worker that cannot be reached is found out by its silence. */
    worker_send(b->workers, w, &body);
    metric_count(GROUPS);
    metric_add(METRIC_DISPATCHED, n);
    log_debug("group.sent", "group=%s kind=%s jobs=%u worker=%s", uuid_s(&group->id), kind->name, n,
        w->name);
}

/* One group to one worker; false when there is nothing it could take. */
static bool serve(struct broker *b, struct worker *w, uint64_t kinds)
{
    struct credit credit = credit_of(w);
    struct item *items[WORKER_GROUP_MAX];
    struct item *head = credit.urgent ? best_head(b, w, credit, kinds) : NULL;
    if (!head)
        return false;
    send_group(b, w, items, collect(b, w, head, items));
    return true;
}

static uint64_t durable_kinds(void)
{
    uint64_t kinds = 0;
    for (int k = 0; k < KINDS; k++)
        kinds |= (uint64_t)kind_of((enum kind_id)k)->durable << k;
    return kinds;
}

void dispatch_turn(struct broker *b)
{
    uint64_t kinds = dispatch_kinds(b);
    if (!broker_may_dispatch(b))
        kinds &= ~durable_kinds(); /* what has no row needs no lease */
    bool served = kinds != 0;
    while (served) {
        served = false;
        for (struct worker *w = workers_first(b->workers); w; w = w->next)
            served |= serve(b, w, kinds);
    }
}

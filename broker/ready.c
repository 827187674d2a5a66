#include "ready.h"

#include "base/mem.h"

/* CLOCKS_DIFFER_MS: a job's dates may be from another host, whose clock is not quite ours. */
enum { SOON_MS = 3600000, CLOCKS_DIFFER_MS = 10000 };

void ready_clear(struct ready *r)
{
    for (size_t k = 0; k < KINDS; k++)
        heap_clear(&r->kinds[k]);
    heap_clear(&r->scheduled);
    heap_clear(&r->delayed);
}

/* ready.h, ready_put */
static bool is_due(const struct ready *r, const struct job *job, int64_t now_ms)
{
    const int64_t wait_ms = job->run_at_ms - now_ms, asked_ms = job->run_at_ms - job->created_ms;
    const int64_t excess_ms = wait_ms - CLOCKS_DIFFER_MS;
    if (wait_ms <= 0)
        return true;
    if (job->attempt > 0)
        return r->retry_most_ms > 0 && excess_ms > r->retry_most_ms;
    return asked_ms <= 0 || (asked_ms <= SOON_MS && excess_ms > asked_ms);
}

void ready_put(struct ready *r, struct item *item, int64_t now_ms)
{
    if (!is_due(r, &item->job, now_ms)) {
        item->state = ITEM_SCHEDULED;
        r->scheduled_by_kind[item->kind->id]++;
        heap_push(&r->scheduled, item, item->job.run_at_ms);
    } else {
        const int64_t latest = job_rank(now_ms, item->job.priority);
        item->state = ITEM_READY;
        heap_push(
            &r->kinds[item->kind->id], item, item->job.rank < latest ? item->job.rank : latest);
    }
}

void ready_delay(struct ready *r, struct item *item, int64_t until_ms)
{
    item->state = ITEM_DELAYED;
    heap_push(&r->delayed, item, until_ms);
}

void ready_remove(struct ready *r, struct item *item)
{
    if (!item->heap)
        return;
    if (item->heap == &r->scheduled)
        r->scheduled_by_kind[item->kind->id]--;
    heap_remove(item);
}

static int64_t turn_heap(struct ready *r, struct heap *h, int64_t now, int64_t now_ms, int64_t most)
{
    while (h->count) {
        int64_t ahead = h->entries[0].key - now;
        if (ahead > 0)
            return ahead < most ? ahead : most;
        struct item *item = h->entries[0].item;
        ready_remove(r, item);
        ready_put(r, item, now_ms); /* scheduled again, when the clock was set back meanwhile */
    }
    return most;
}

static void put_again(struct ready *r, struct heap *h, int64_t now_ms)
{
    struct heap old = *h;
    *h = (struct heap){0};
    for (size_t i = 0; i < old.count; i++) {
        struct item *item = old.entries[i].item;
        item->heap = NULL;
        if (h == &r->scheduled)
            r->scheduled_by_kind[item->kind->id]--;
        ready_put(r, item, now_ms);
    }
    free(old.entries);
}

/* The clock went back: what waits may be due, and what is due must not be behind what comes now. */
static void consider_again(struct ready *r, int64_t now_ms)
{
    put_again(r, &r->scheduled, now_ms);
    for (size_t k = 0; k < KINDS; k++)
        put_again(r, &r->kinds[k], now_ms);
}

int64_t ready_turn(struct ready *r, int64_t now_ms, int64_t monotonic_ms, int64_t most)
{
    if (now_ms < r->turned_ms)
        consider_again(r, now_ms);
    r->turned_ms = now_ms;
    most = turn_heap(r, &r->scheduled, now_ms, now_ms, most);
    return turn_heap(r, &r->delayed, monotonic_ms, now_ms, most);
}

static int64_t key_of(const struct item *item)
{
    return item->heap->entries[item->heap_at].key;
}

bool ready_goes_before(const struct item *a, const struct item *b)
{
    return key_of(a) != key_of(b) ? key_of(a) < key_of(b) : item_compare(a, b) < 0;
}

struct item *ready_head(const struct ready *r, enum kind_id kind)
{
    return heap_head(&r->kinds[kind]);
}

struct item *ready_pop(struct ready *r, enum kind_id kind)
{
    return heap_pop(&r->kinds[kind]);
}

size_t ready_count(const struct ready *r)
{
    size_t n = r->scheduled.count + r->delayed.count;
    for (size_t k = 0; k < KINDS; k++)
        n += r->kinds[k].count;
    return n;
}

/* ---- forgetting ---- */

static bool may_forget(const struct item *item)
{
    return item->kind->durable && item->job.priority < JOB_PRIORITY_URGENT;
}

struct pick {
    struct item **items;
    size_t count;
};

static void pick_heap(struct pick *p, const struct heap *h, const enum kind_id *only)
{
    p->items = mem_resize(p->items, p->count + h->count + 1, sizeof(struct item *));
    for (size_t i = 0; i < h->count; i++) {
        struct item *item = h->entries[i].item;
        if (may_forget(item) && (!only || item->kind->id == *only))
            p->items[p->count++] = item;
    }
}

static int compare_least_urgent_first(const void *a, const void *b)
{
    return item_compare(*(struct item *const *)b, *(struct item *const *)a);
}

/* Sorting costs n log n, but it is done once for every eighth of the memory that goes. */
static size_t forget_first(
    struct ready *r, struct pick *p, size_t n, ready_each *each, void *context)
{
    if (n > p->count)
        n = p->count;
    qsort(p->items, p->count, sizeof(struct item *), compare_least_urgent_first);
    for (size_t i = 0; i < n; i++) {
        ready_remove(r, p->items[i]);
        each(context, p->items[i]);
    }
    free(p->items);
    return n;
}

size_t ready_forget(struct ready *r, size_t n, ready_each *each, void *context)
{
    struct pick p = {0};
    for (size_t k = 0; k < KINDS; k++)
        pick_heap(&p, &r->kinds[k], NULL);
    pick_heap(&p, &r->scheduled, NULL);
    return forget_first(r, &p, n, each, context);
}

size_t ready_forget_kind(
    struct ready *r, enum kind_id kind, size_t keep, ready_each *each, void *context)
{
    struct pick p = {0};
    pick_heap(&p, &r->kinds[kind], NULL);
    pick_heap(&p, &r->scheduled, &kind);
    return forget_first(r, &p, p.count > keep ? p.count - keep : 0, each, context);
}

static void forget_slot_of(
    struct ready *r, struct heap *h, uint16_t slot, ready_each *each, void *context)
{
    struct pick p = {.items = mem_resize(NULL, h->count + 1, sizeof(struct item *))};
    for (size_t i = 0; i < h->count; i++)
        if (h->entries[i].item->job.slot == slot && h->entries[i].item->kind->durable)
            p.items[p.count++] = h->entries[i].item;
    for (size_t i = 0; i < p.count; i++) {
        ready_remove(r, p.items[i]);
        each(context, p.items[i]);
    }
    free(p.items);
}

void ready_forget_slot(struct ready *r, uint16_t slot, ready_each *each, void *context)
{
    for (size_t k = 0; k < KINDS; k++)
        forget_slot_of(r, &r->kinds[k], slot, each, context);
    forget_slot_of(r, &r->scheduled, slot, each, context);
    forget_slot_of(r, &r->delayed, slot, each, context);
}

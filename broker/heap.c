#include "heap.h"

#include "base/mem.h"

#include <assert.h>

static bool is_before(const struct heap_entry *a, const struct heap_entry *b)
{
    if (a->key != b->key)
        return a->key < b->key;
    if (a->tie != b->tie)
        return a->tie < b->tie;
    return uuid_compare(&a->item->job.id, &b->item->job.id) < 0;
}

static void place(struct heap *h, size_t at, const struct heap_entry *e)
{
    h->entries[at] = *e;
    e->item->heap_at = at;
}

static void sift_up(struct heap *h, size_t at, const struct heap_entry *e)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!is_before(e, &h->entries[parent]))
            break;
        place(h, at, &h->entries[parent]);
        at = parent;
    }
    place(h, at, e);
}

static void sift_down(struct heap *h, size_t at, const struct heap_entry *e)
{
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && is_before(&h->entries[child + 1], &h->entries[child]))
            child++;
        if (!is_before(&h->entries[child], e))
            break;
        place(h, at, &h->entries[child]);
        at = child;
    }
    place(h, at, e);
}

void heap_clear(struct heap *h)
{
    for (size_t i = 0; i < h->count; i++)
        h->entries[i].item->heap = NULL;
    free(h->entries);
    *h = (struct heap){0};
}

void heap_push(struct heap *h, struct item *item, int64_t key)
{
    assert(!item->heap);
    if (h->count == h->room) {
        h->room = h->room ? h->room * 2 : 64;
        h->entries = mem_resize(h->entries, h->room, sizeof *h->entries);
    }
    struct heap_entry e = {.key = key, .item = item};
    for (int i = 0; i < 8; i++)
        e.tie = e.tie << 8 | item->job.id.b[i];
    item->heap = h;
    sift_up(h, h->count++, &e);
}

struct item *heap_head(const struct heap *h)
{
    return h->count ? h->entries[0].item : NULL;
}

struct item *heap_pop(struct heap *h)
{
    struct item *head = heap_head(h);
    if (head)
        heap_remove(head);
    return head;
}

void heap_remove(struct item *item)
{
    struct heap *h = item->heap;
    assert(h && h->entries[item->heap_at].item == item);
    size_t at = item->heap_at;
    struct heap_entry last = h->entries[--h->count];
    item->heap = NULL;
    if (at == h->count)
        return;
    if (at > 0 && is_before(&last, &h->entries[(at - 1) / 2]))
        sift_up(h, at, &last);
    else
        sift_down(h, at, &last);
}

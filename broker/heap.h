/*
 * A binary heap of items by a number, lowest first, ties by id. An item is in at most one heap and
 * knows its place, so that it can be taken out of the middle. Does not own items.
 */
#ifndef CERTQ_BROKER_HEAP_H
#define CERTQ_BROKER_HEAP_H

#include "item.h"

struct heap_entry {
    int64_t key;
    uint64_t tie; /* the id's first eight bytes: most comparisons need not touch the item */
    struct item *item;
};
struct heap {
    struct heap_entry *entries;
    size_t count, room;
};

void heap_clear(struct heap *h);
void heap_push(struct heap *h, struct item *item, int64_t key);
/* The lowest, or NULL. */
struct item *heap_head(const struct heap *h);
struct item *heap_pop(struct heap *h);
/* Takes it out of the heap it is in (item->heap). */
void heap_remove(struct item *item);

#endif

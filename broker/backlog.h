/*
 * What of the waiting jobs is in memory (I9). For each slot this broker leases there is a horizon,
 * a place in (rank, id) order: every job of the slot up to it is in memory; what lies beyond may be
 * in MariaDB only. When memory is full the least urgent jobs are forgotten and the horizon is
 * pulled down; when it is half empty the slot is read on after the horizon.
 *
 * Two exceptions keep one kind from filling the memory for the others: jobs of a kind that cannot
 * be dispatched (paused, no worker) may be forgotten without pulling the horizon: the kind is then
 * parked, pages skip its jobs, and when it can go on everything is read from the head again.
 *
 * While a page is being read, jobs accepted for that slot are kept whatever the horizon says: the
 * page may have been read before they were committed. Pure; knows no items.
 */
#ifndef CERTQ_BROKER_BACKLOG_H
#define CERTQ_BROKER_BACKLOG_H

#include "base/uuid.h"
#include "db/registry_store.h"

#include <stdbool.h>
#include <stdint.h>

struct place {
    int64_t rank;
    struct uuid id;
};
struct backlog_slot {
    bool owned, reading;
    bool started;         /* the horizon is a place; else nothing is in memory for sure */
    bool complete;        /* the horizon is the end of the slot */
    struct place horizon; /* inclusive */
    uint32_t ticket;      /* changes when the horizon moves down: a page under way is void */
};
struct backlog {
    struct backlog_slot slots[SLOTS_MAX];
    uint64_t parked; /* bits by kind id */
};

int place_compare(const struct place *a, const struct place *b);

void backlog_own(struct backlog *b, uint16_t slot);
void backlog_disown(struct backlog *b, uint16_t slot);
bool backlog_owns(const struct backlog *b, uint16_t slot);
/* Must this job, just committed, stay in memory? */
bool backlog_keeps(const struct backlog *b, uint16_t slot, const struct place *at);
/* The job at `at` was forgotten: the horizon ends before it. */
void backlog_cut(struct backlog *b, uint16_t slot, const struct place *at);
/* Everything is read from the head again, parked kinds too. */
void backlog_rewind(struct backlog *b);

/*
 * The slot to read a page of next, -1 for none: a slot never read first, else, when `room`, the one
 * whose horizon is lowest.
 */
int backlog_next(const struct backlog *b, bool room);
struct backlog_page {
    uint16_t slot;
    uint32_t ticket;
    bool from_head;
    struct place after;
};
void backlog_read_begin(struct backlog *b, uint16_t slot, struct backlog_page *ret);
/* The page came: `last` is its last job, NULL when it had none; `full`: there may be more. False
 * when it is void and its jobs say nothing. A failed read ends with backlog_read_failed. */
bool backlog_read_end(
    struct backlog *b, const struct backlog_page *page, const struct place *last, bool full);
void backlog_read_failed(struct backlog *b, const struct backlog_page *page);

#endif

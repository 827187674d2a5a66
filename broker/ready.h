/*
 * The jobs in memory that wait: ready ones in a heap for each kind by rank, scheduled ones by
 * run_at (domain clock), delayed ones by the moment their short pause ends (monotonic clock). Pure:
 * times are given, nothing blocks. Does not own items.
 */
#ifndef CERTQ_BROKER_READY_H
#define CERTQ_BROKER_READY_H

#include "heap.h"

struct ready {
    struct heap kinds[KINDS];
    struct heap scheduled, delayed;
    size_t scheduled_by_kind[KINDS];
    int64_t retry_most_ms; /* the longest pause before a retry; 0: any */
    int64_t turned_ms;     /* the domain clock at the last turn */
};

void ready_clear(struct ready *r);
/*
 * Into READY or, when it is to run later, SCHEDULED. Run_at is a date only where somebody asked for
 * one: a job that was to run at once, or in less than an hour, or again after a pause, does not
 * wait for a clock that was set back to come by there once more, nor behind all that comes from now
 * on. Set back is what differs by more than ten seconds: clocks of two hosts may differ by less,
 * and what is to wait must wait.
 */
void ready_put(struct ready *r, struct item *item, int64_t now_ms);
/* Into DELAYED until `until_ms` (monotonic). */
void ready_delay(struct ready *r, struct item *item, int64_t until_ms);
/* Out of whichever heap it is in; nothing when it is in none. */
void ready_remove(struct ready *r, struct item *item);
/* Moves what is due to READY, all of it considered again when the domain clock went back; returns
 * ms until the next is due, at most `most`. */
int64_t ready_turn(struct ready *r, int64_t now_ms, int64_t monotonic_ms, int64_t most);
/* The kind's most urgent ready job (I9: lowest rank first); NULL when none. */
struct item *ready_head(const struct ready *r, enum kind_id kind);
/* Of two heads: is this one more urgent? */
bool ready_goes_before(const struct item *a, const struct item *b);
struct item *ready_pop(struct ready *r, enum kind_id kind);
/* Ready, scheduled and delayed ones. */
size_t ready_count(const struct ready *r);

/* Called with each item after it was taken out. */
typedef void ready_each(void *context, struct item *item);
/*
 * Forgets at least `n` of the least urgent durable jobs of priority under 9, ready or scheduled
 * (I9), fewer when there are not so many. Returns how many.
 */
size_t ready_forget(struct ready *r, size_t n, ready_each *each, void *context);
/* Forgets jobs of one kind likewise, the least urgent first, down to `keep`. */
size_t ready_forget_kind(
    struct ready *r, enum kind_id kind, size_t keep, ready_each *each, void *context);
/* Takes out all that wait of one slot. */
void ready_forget_slot(struct ready *r, uint16_t slot, ready_each *each, void *context);

#endif

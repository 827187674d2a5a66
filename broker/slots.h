/*
 * Who leases which slot (I4), as a pure state machine fed with what was read from the registry and
 * the monotonic clock. It judges other brokers by their beats alone, never by a wall clock: a beat
 * read unchanged five times running, 2 s apart, is a dead broker's. slots_decide says what to take
 * (compare-and-set on the epoch decides whether we got it) and what to give up:
 *
 *  - free and dead slots are taken up to a fair share among the live brokers;
 *  - what is beyond the share is given up when there is another live broker to take it;
 *  - a broker that for 10 s lacks a worker for a kind another live broker serves gives all up. So
 *    that two brokers with different workers do not both step back, the one serving more kinds
 *    (then the older life) stays.
 */
#ifndef CERTQ_BROKER_SLOTS_H
#define CERTQ_BROKER_SLOTS_H

#include "db/registry_store.h"

#define SLOTS_BEAT_MS 2000
#define SLOTS_SAME_BEATS 5     /* equal readings until a lessee is dead */
#define SLOTS_FENCE_MS 6000    /* not beaten for so long: stop dispatching */
#define SLOTS_LACKING_MS 10000 /* without a kind for so long: give up */
#define SLOTS_PEERS_MAX 64

struct slots_beat { /* a beat watched */
    uint64_t beat;
    int same;
    int64_t read_ms;
};
struct slots_peer {
    struct uuid life;
    uint64_t kinds; /* bits by kind id */
    bool seen;      /* in the reading under way */
    struct slots_beat watch;
};
struct slots {
    struct uuid self;
    struct slot_row rows[SLOTS_MAX];
    struct slots_beat watches[SLOTS_MAX];
    size_t count;
    struct slots_peer peers[SLOTS_PEERS_MAX]; /* without self */
    size_t peer_count;
    int64_t lacking_since_ms; /* 0: lacks nothing */
};

struct slots_plan {
    struct slot_row take[SLOTS_MAX]; /* with the epoch to compare */
    size_t take_count;
    uint16_t give[SLOTS_MAX];
    size_t give_count;
};

void slots_init(struct slots *s, const struct uuid *self);
/* What the slot table holds now. */
void slots_observe(struct slots *s, const struct slot_row *rows, size_t n, int64_t now_ms);
/* What the broker table holds now, one call a row between begin and end; self is ignored. */
void slots_peers_begin(struct slots *s);
void slots_peer(
    struct slots *s, const struct uuid *life, uint64_t kinds, uint64_t beat, int64_t now_ms);
/* Forgets peers whose row is gone. */
void slots_peers_end(struct slots *s);
/* Has this peer's beat stood still for long enough? */
bool slots_peer_is_dead(const struct slots *s, const struct uuid *life);
bool slots_holds(const struct slots *s, uint16_t slot);
void slots_decide(struct slots *s, uint64_t own_kinds, int64_t now_ms, struct slots_plan *ret);

#endif

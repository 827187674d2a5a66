/*
 * The keeper: a thread with a database connection that keeps this broker's place among the others:
 * its row and its slots' beats every SLOTS_BEAT_MS, reading what the others did, taking and giving
 * slots as slots.h decides, paused kinds, the test clock. After each round it posts a note to the
 * reactor; while the database is away there are no notes, and the reactor stops dispatching by
 * itself when the last good one is SLOTS_FENCE_MS old.
 */
#ifndef CERTQ_BROKER_KEEPER_H
#define CERTQ_BROKER_KEEPER_H

#include "slots.h"
#include "task.h"

struct keeper;

struct keeper_peer {
    struct broker_row row;
    bool is_self, is_alive;
};
/* What a round found; `done` frees it with keeper_note_free. */
struct keeper_note {
    struct task task;
    int64_t beat_ms; /* monotonic, before the beat was sent */
    size_t slot_count;
    struct slot_row slots[SLOTS_MAX];
    uint64_t paused; /* bits by kind id */
    int64_t shift_ms;
    uint64_t clock_epoch;
    size_t peer_count;
    struct keeper_peer peers[SLOTS_PEERS_MAX + 1];
};
struct keeper_options {
    struct broker_row self; /* life, name, host, endpoints, pid, started */
    bool settable_clock;    /* look at the clock row every KEEPER_CLOCK_MS */
    struct inbox *inbox;
    void (*done)(struct task *task, struct broker *broker);
};
#define KEEPER_CLOCK_MS 250

/* Takes the connection. */
struct keeper *keeper_new(const struct keeper_options *options, struct db *db);
/* Kinds (bits) our workers serve, and the clock epoch we and all of them took. Any thread. */
void keeper_tell(struct keeper *k, uint64_t kinds, uint64_t clock_epoch);
/* A round at once (somebody changed a queue or the clock). */
void keeper_poke(struct keeper *k);
/* Gives the slots up, removes our row, ends the thread. */
void keeper_stop(struct keeper *k);
void keeper_free(struct keeper *k);

#endif

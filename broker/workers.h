/*
 * The worker side of the broker: the ROUTER socket, who is there (by life: routing identities are
 * reused, lives are not), credits, heartbeats both ways. A worker that is silent for
 * WORKER_SILENCE_MS is gone and its groups are lost. Grammar: wire/worker.h, docs/protocol.md.
 */
#ifndef CERTQ_BROKER_WORKERS_H
#define CERTQ_BROKER_WORKERS_H

#include "groups.h"

#include "config/config.h"
#include "wire/worker.h"

struct broker;
struct workers;

struct worker {
    struct uuid key; /* made from the routing identity */
    size_t identity_length;
    uint8_t identity[256];
    struct uuid life;
    const struct config_worker_key *owner; /* the key that brought this life; NULL: no CURVE */
    char name[65], host[256];
    uint32_t pid;
    uint64_t kinds; /* bits by kind id */
    uint16_t credit, urgent, group_most;
    struct group_list groups;
    size_t urgent_groups; /* of those, on urgent credit */
    size_t ghosts;        /* groups it holds that were given up here: they keep its credit */
    bool is_draining;
    int64_t joined_ms;             /* domain time */
    int64_t heard_ms, beat_due_ms; /* monotonic */
    int64_t clock_epoch;           /* taken */
    struct worker *next;
};

/* Binds config->broker.workers. */
int workers_new(struct broker *b, struct workers **ret, struct err *err) MUST_USE;
void workers_free(struct workers *w);
void *workers_socket(const struct workers *w);
const char *workers_endpoint(const struct workers *w);
/* Handles up to `most` messages; returns how many. */
size_t workers_receive(struct workers *w, struct broker *b, size_t most);
/* Heartbeats, silence, lost groups. `stalled_ms`: how long this process was held up, which is not
 * the workers' silence. Returns ms until it is wanted again. */
int64_t workers_turn(struct workers *w, struct broker *b, int64_t stalled_ms);
/* A heartbeat to everybody now: the clock changed. */
void workers_beat_now(struct workers *w);

struct worker *workers_first(const struct workers *w);
size_t workers_count(const struct workers *w);
/* Not draining, with this kind. */
size_t workers_serving(const struct workers *w, enum kind_id kind);
/* Kinds served by workers that are not draining. */
uint64_t workers_kinds(const struct workers *w);
/* The lowest clock epoch a worker has taken; `none` without workers. */
int64_t workers_clock_epoch(const struct workers *w, int64_t none);

/* Sends a body; false when the worker cannot be reached (it is then on its way out). */
bool worker_send(struct workers *w, struct worker *worker, const struct buf *body);
/* Asks it to end what it has and go. */
void worker_drain(struct workers *w, struct worker *worker);
/* BYE to all: the broker ends. */
void workers_bye(struct workers *w);

#endif

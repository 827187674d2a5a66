/*
 * The broker process: the reactor's state, which every module of the broker works on. One thread
 * (the reactor) touches it; the store, clerk, keeper, sealer and HTTP threads get what they need
 * handed over and answer through the inbox.
 */
#ifndef CERTQ_BROKER_BROKER_H
#define CERTQ_BROKER_BROKER_H

#include "backlog.h"
#include "clerk.h"
#include "groups.h"
#include "keeper.h"
#include "mail_watch.h"
#include "ready.h"
#include "store.h"

#include "base/map.h"
#include "config/config.h"

struct clients;
struct waits;
struct workers;
struct keyring;
struct policy_set;
struct sealing;
struct questions;
struct changes;
struct admin;
struct housekeeping;
struct schedules;
struct exports;
struct http;
struct zap;
struct curve_pair;

struct broker {
    const struct config *config;
    struct uuid life;
    int64_t now_ms;  /* the domain's now, read once a turn */
    int64_t tick_ms; /* monotonic, read once a turn */
    int64_t started_ms;
    int64_t clock_epoch; /* of the test clock, as taken here */
    bool is_draining;

    void *zmq;
    struct curve_pair *curve; /* NULL: plain */
    struct zap *zap;
    struct clients *clients;
    struct waits *waits;
    struct workers *workers;
    struct http *http;

    struct map *items; /* every struct item, by id; owns them */
    struct ready ready;
    struct backlog backlog;
    uint64_t slot_epochs[SLOTS_MAX];
    struct place heads[SLOTS_MAX]; /* where the next reading of a head goes on; id 0: at the head */
    size_t pages;                  /* of the backlog, being read */
    size_t fates;                  /* questions about what became of jobs, being asked */
    int64_t heads_due_ms;          /* when the heads of our slots are read again */
    int64_t latest_ms;             /* the latest time by which they were read */
    int64_t stuck_due_ms;          /* when those are answered who wait too long for the store */
    int64_t looks_due_ms;          /* when jobs waited for, but not here, are looked up again */
    struct groups *groups;
    uint16_t next_slot; /* where new jobs go: changes from turn to turn */

    struct keyring *fingerprints;
    struct policy_set *policies; /* for what is urgent */
    struct buf canonical;        /* scratch: the request under way (quick.h) */
    struct sealing *sealing;     /* NULL: plain secrets are refused */
    struct inbox *inbox;
    struct store *store;
    struct clerk *clerk; /* the reactor's own questions */
    struct clerk *desk;  /* operators' questions, which may be slow */
    struct keeper *keeper;
    struct keeper_note *note; /* the last one; NULL before the first */
    uint64_t paused;          /* bits by kind id */
    struct questions *questions;
    struct changes *changes;
    struct housekeeping *housekeeping;
    struct schedules *schedules;
    struct exports *exports;
    struct mail_watch mail_watch;
    struct admin *admin;
    struct json_t *counts; /* waiting jobs by kind, as last counted; NULL: not yet */
    int64_t counts_ms;
    int64_t poked_ms; /* the keeper, for the clock's sake */
};

/* Sets everything up; the sockets are bound. Errors are configuration errors or a port taken. */
int broker_new(const struct config *config, struct broker **ret, struct err *err) MUST_USE;
/*
 * Runs until the first signal on signal_fd and then drains: requests are answered `unavailable`,
 * groups have ten seconds to end. 0: drained; 1: a second signal.
 */
int broker_run(struct broker *b, int signal_fd);
void broker_free(struct broker *b);
/* May jobs go to workers? Not before the first lease, nor when the last beat is too old (I4). */
bool broker_may_dispatch(const struct broker *b);
DEFINE_AUTO_STRUCT(broker);

#endif

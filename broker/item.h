/*
 * A job the broker holds in memory, with what only the broker knows of it. Made in one block from
 * bytes (client and args live behind the struct) or around a row the store read (whose heap content
 * it takes). Owned by the reactor, but for the time it is with the store or the sealer
 * (ITEM_STORING), when the reactor reads its unchanging fields only.
 */
#ifndef CERTQ_BROKER_ITEM_H
#define CERTQ_BROKER_ITEM_H

#include "base/err.h"
#include "base/job.h"
#include "base/kind.h"

struct json_t;
struct heap;
struct group;

/*
 *  STORING ──▶ READY ⇄ SCHEDULED      (run_at ahead, domain clock)
 *                │  ⇄ DELAYED         (a short pause, monotonic clock)
 *                ▼
 *             RUNNING ──▶ ASKING      (a question about it is with the clerk)
 */
#define ITEM_STATES(X)                                                                             \
    X(STORING)                                                                                     \
    X(READY)                                                                                       \
    X(SCHEDULED)                                                                                   \
    X(DELAYED)                                                                                     \
    X(RUNNING)                                                                                     \
    X(ASKING)
enum item_state {
#define ITEM_ENUM(symbol) ITEM_##symbol,
    ITEM_STATES(ITEM_ENUM)
#undef ITEM_ENUM
};

/* What the store found (see enum accept_verdict), or that it could not look in time. */
enum item_verdict {
    VERDICT_NEW,
    VERDICT_SAME,
    VERDICT_FINISHED, /* same, and in history */
    VERDICT_CONFLICT,
    VERDICT_REJECTED,   /* error says why */
    VERDICT_UNAVAILABLE /* the database is away */
};

struct item {
    struct job job;
    const struct kind *kind;
    enum item_state state;
    enum item_verdict verdict;
    bool client_apart, args_apart; /* on the heap, not in data */
    bool slow;                     /* it costs a scrypt: few of them in a group (I9) */
    bool alone;                    /* its group was lost: dispatched singly from now on */
    bool foreign;                  /* verdict SAME or CONFLICT: another client's */
    bool dropped;                  /* while STORING: nobody waits any more, do not store */
    bool unwanted;                 /* closed before it ended: its result is emptied at once */
    uint8_t bounces;               /* times handed back busy or unseen, one after another */
    int64_t since_ms;              /* monotonic: received; later: first handed back unseen */
    struct heap *heap;             /* the heap it is in, NULL when in none */
    size_t heap_at;
    struct group *group; /* RUNNING */
    struct item *next;   /* queues between threads */
    struct json_t *seal; /* args with plain secrets, still to be sealed; owned */
    struct err *error;   /* verdict REJECTED; owned */
    uint8_t data[];
};

/* Copies client and args into the block. job's pointers may be borrowed. */
struct item *item_new(const struct job *job, const struct kind *kind);
/* Takes the heap content of a job the store read; kind is not job->kind's memory. */
struct item *item_adopt(struct job *job, const struct kind *kind);
void item_free(struct item *item);
/* Replaces args by bytes on the heap, which it takes. */
void item_set_args(struct item *item, uint8_t *args, size_t length);
/* (rank, id) order. */
int item_compare(const struct item *a, const struct item *b);
/*
 * Does it stand for the row with its id? Not while it is STORING, when the row may be another
 * client's, and never when its kind is not durable.
 */
bool item_is_row(const struct item *item);
const char *item_state_name(enum item_state state);
DEFINE_AUTO_STRUCT(item);

#endif

/*
 * The store threads: durable acceptance by natural group commit. Whatever arrived while the last
 * commit was under way is the next batch, up to so many rows and bytes. Each thread has a
 * connection of its own. Items are the store's from store_put until they come back through the
 * inbox with a verdict, after the commit (I1).
 *
 * While the database is away the store keeps trying for ever; items that waited longer than
 * STORE_PATIENCE_MS come back VERDICT_UNAVAILABLE (an unsure commit may still have them: ask again
 * with the same id). The queue is bounded: store_put then says no.
 */
#ifndef CERTQ_BROKER_STORE_H
#define CERTQ_BROKER_STORE_H

#include "item.h"
#include "task.h"

#define STORE_PATIENCE_MS 2000
#define STORE_THREADS_MAX 4

struct store;
struct store_batch { /* what comes back */
    struct task task;
    struct item *first; /* linked by next, in the order of arrival; the receiver's */
    size_t count;
};
struct store_options {
    size_t rows, bytes; /* most in a batch */
    size_t pending;     /* most waiting */
    struct inbox *inbox;
    void (*done)(struct task *task, struct broker *broker);
};

/* Takes the connections, one for each thread. */
struct store *store_new(const struct store_options *options, struct db **connections, size_t n);
/* Ends the threads once the queue is empty; while the database is away all comes back unavailable.
 */
void store_stop(struct store *s);
void store_free(struct store *s);
/* The reactor's side. False when too many have not come back yet. */
bool store_put(struct store *s, struct item *item);
/* Hands over what was put since: once a turn, so that a turn's requests share a wake-up. */
void store_flush(struct store *s);
/* For each batch that came back. */
void store_returned(struct store *s, size_t n);
/* Items put and not come back. */
size_t store_held(const struct store *s);

#endif

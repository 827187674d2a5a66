/*
 * The sealer's thread: plain secrets in args are sealed to the intake certificate before anything
 * is stored (I6). Public-key work, so it is kept off the reactor. Items come back through the inbox
 * in order, with args written anew. Bounded.
 */
#ifndef CERTQ_BROKER_SEALING_H
#define CERTQ_BROKER_SEALING_H

#include "item.h"
#include "task.h"

struct sealing;
struct sealer;

/* What comes back, one item each: task.err says whether it could be sealed. */
struct sealed {
    struct task task;
    struct item *item;
};

/* Takes the sealer. */
struct sealing *sealing_new(struct sealer *sealer, size_t most, struct inbox *inbox,
    void (*done)(struct task *task, struct broker *broker));
/* False when too many wait. */
bool sealing_put(struct sealing *s, struct item *item);
void sealing_free(struct sealing *s);

#endif

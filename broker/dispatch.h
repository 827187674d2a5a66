/*
 * From ready jobs to workers with credit. A worker gets a group as soon as it has credit and there
 * is a ready job of one of its kinds; groups grow by themselves while others are in flight. Of the
 * kinds the one whose head has the lowest rank goes first; urgent jobs (priority 9) go in groups of
 * their own and may use the credit kept for them; jobs whose group was lost go alone.
 */
#ifndef CERTQ_BROKER_DISPATCH_H
#define CERTQ_BROKER_DISPATCH_H

#include <stdint.h>

struct broker;

/* Sends what can be sent. */
void dispatch_turn(struct broker *b);
/* Kinds (bits) that are not paused and that a worker here serves. */
uint64_t dispatch_kinds(const struct broker *b);

#endif

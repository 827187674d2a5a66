/*
 * The jobs this broker holds: what came back from the store, follow-ups, pages of the backlog, and
 * how they leave: ended, forgotten, or their slot gone to another broker. Keeps memory within
 * config->broker.jobs_in_memory (I9).
 */
#ifndef CERTQ_BROKER_JOBS_H
#define CERTQ_BROKER_JOBS_H

#include "item.h"
#include "keeper.h"
#include "task.h"

/* A store batch came back (struct store_batch). */
void jobs_stored(struct task *task, struct broker *b);
/* An item that is committed or needs no commit waits for dispatch; it may be forgotten at once. */
void jobs_put(struct broker *b, struct item *item);
/* A row somebody read or committed, unknown here: taken in when its slot is ours. Takes the content
 * of job; kind may be one we do not know. */
void jobs_adopt(struct broker *b, struct job *job);
/* The same for a follow-up in a report, whose pointers are borrowed. */
void jobs_follow_up(struct broker *b, const struct job *job, struct bytes kind);
/* The job ended: waiters hear, counters count, the item is freed. */
void jobs_end(struct broker *b, struct item *item, enum job_state state, struct bytes result);
/* Out of memory without a word. */
void jobs_drop(struct broker *b, struct item *item);
/* The same, but its waiters go on waiting: it is in the database. */
void jobs_forget(struct broker *b, struct item *item);

/* Who leases what, after a round of the keeper. */
void jobs_lease(struct broker *b, const struct keeper_note *note);
/* At the end of a turn: keeps the bound, reads on where there is room. */
void jobs_turn(struct broker *b);

#endif

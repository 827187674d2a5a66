/*
 * What the reactor asks the clerk about jobs, collected during a turn and asked in bulk at its end:
 * what became of a job (both tables), its row as it is now, a page of a slot, a change of its state
 * (retry, crash, dead, cancel). An item one of these is under way for is ASKING.
 */
#ifndef CERTQ_BROKER_QUESTIONS_H
#define CERTQ_BROKER_QUESTIONS_H

#include "backlog.h"
#include "item.h"
#include "task.h"

struct questions;

struct questions *questions_new(void);
void questions_free(struct questions *q);

/* A task for the clerk; false when too many wait already. */
bool questions_ask(struct broker *b, struct task *task);

/* What became of it? Ended: waiters and follow-ups are served; waiting: its row is read again;
 * gone: it is dropped. For items out of RUNNING, and for ids not in memory that somebody waits for.
 */
void ask_fate(struct broker *b, const struct uuid *id);
/* Rows of ids unknown here: taken in when they wait in a slot of ours. */
void ask_rows(struct broker *b, const struct uuid *ids, size_t n);
/* A page of the backlog; the head of a slot, for what we do not know. */
void ask_page(struct broker *b, uint16_t slot, size_t most);
void ask_head(struct broker *b, uint16_t slot, size_t most);
/* Hands over what was collected. */
void questions_turn(struct broker *b);

#endif

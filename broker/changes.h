/*
 * Changes of a job's state that the broker makes itself (I2: each guarded by the attempt): another
 * attempt, dead, cancelled. Collected during a turn and made in one bulk statement by the clerk.
 * The item is ASKING until then; a change that does not apply is followed by a look (ask_fate).
 */
#ifndef CERTQ_BROKER_CHANGES_H
#define CERTQ_BROKER_CHANGES_H

#include "item.h"

struct broker;
struct changes;

struct changes *changes_new(void);
void changes_free(struct changes *c);
/* An attempt failed with this error ({"code","message"} JSON): again later, or dead. */
void change_failed(struct broker *b, struct item *item, struct bytes error);
/* It was alone in a group that was lost: again, or dead. */
void change_crashed(struct broker *b, struct item *item);
/* Hands over what was collected. */
void changes_turn(struct broker *b);

#endif

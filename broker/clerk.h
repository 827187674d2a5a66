/*
 * The clerk: a thread with a database connection that runs the reactor's tasks (task.h) in order:
 * look-ups, pages of the backlog, retries, an operator's lists. A task fails at once while the
 * database is away, but a patient one is kept and run again until it succeeds, in its order, with
 * the others going on failing behind its back.
 */
#ifndef CERTQ_BROKER_CLERK_H
#define CERTQ_BROKER_CLERK_H

#include "task.h"

struct clerk;

/* Takes the connection. The name (a literal, under 16 bytes) is the thread's. */
struct clerk *clerk_new(const char *name, struct db *db, struct inbox *inbox);
/* Ends the thread after what it has now; patient tasks get one more try. */
void clerk_stop(struct clerk *c);
void clerk_free(struct clerk *c);
void clerk_ask(struct clerk *c, struct task *task);
/* Tasks not done yet. */
size_t clerk_load(struct clerk *c);

#endif

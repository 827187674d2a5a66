/*
 * Work that blocks (the database) is a task: `run` on another thread with that thread's connection,
 * then `done` back on the reactor, through the inbox. A task is embedded as the first member of the
 * asker's own struct; `done` frees it. The inbox is the one way into the reactor from other
 * threads: a list under a mutex and an eventfd that is readable while there is something.
 */
#ifndef CERTQ_BROKER_TASK_H
#define CERTQ_BROKER_TASK_H

#include "base/err.h"
#include "db/db.h"

struct broker;

struct task {
    struct task *next;
    /* -1 with *err: `temporary` ones of a patient task are run again until they succeed. */
    int (*run)(struct task *task, struct db *db, struct err *err);
    /* On the reactor. task->err.kind says whether run failed. Frees the task. */
    void (*done)(struct task *task, struct broker *broker);
    bool patient;
    struct err err;
};

struct inbox;
struct inbox *inbox_new(void);
void inbox_free(struct inbox *inbox);
int inbox_fd(const struct inbox *inbox);
/* From any thread. */
void inbox_post(struct inbox *inbox, struct task *task);
/* All there is, oldest first, linked by next; makes the eventfd quiet. */
struct task *inbox_take(struct inbox *inbox);
DEFINE_AUTO_STRUCT(inbox);

#endif

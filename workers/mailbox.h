/*
 * Two queues of groups between the link thread and the job thread. Groups to run: urgent ones
 * first, else in order of arrival. Groups that ran: announced through a file descriptor that the
 * link thread polls. Thread-safe; owns the groups in it.
 */
#ifndef CERTQ_WORKERS_MAILBOX_H
#define CERTQ_WORKERS_MAILBOX_H

#include "group.h"

struct mailbox;

struct mailbox *mailbox_new(void);
void mailbox_free(struct mailbox *m);
/* Link thread: hands a group over. */
void mailbox_put(struct mailbox *m, struct group *g);
/* Job thread: waits for a group; NULL once closed and empty. */
struct group *mailbox_wait(struct mailbox *m);
/* Job thread: the group ran. */
void mailbox_done(struct mailbox *m, struct group *g);
/* Link thread: the next group that ran, NULL when there is none. */
struct group *mailbox_take_done(struct mailbox *m);
/* Link thread: the next group that has waited too long to be run, NULL when there is none. */
struct group *mailbox_take_overdue(struct mailbox *m);
/* Readable while groups that ran are waiting. */
int mailbox_fd(const struct mailbox *m);
/* No more groups come: mailbox_wait returns NULL when the rest has been taken. */
void mailbox_close(struct mailbox *m);
DEFINE_AUTO_STRUCT(mailbox);

#endif

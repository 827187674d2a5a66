/*
 * A group of jobs from a broker on its way through this process: the link thread makes it from a
 * JOBS frame (which it keeps, the jobs borrow from it), the job thread runs it and leaves a REPORT
 * body in it, the link thread sends that and frees the group. Exactly one thread has it at a time.
 */
#ifndef CERTQ_WORKERS_GROUP_H
#define CERTQ_WORKERS_GROUP_H

#include "base/err.h"
#include "kind_ops.h"
#include "wire/worker.h"

struct group {
    struct uuid id;
    const struct kind *kind;
    const struct kind_ops *ops;
    bool urgent, durable;
    size_t link;         /* which broker it came from */
    struct uuid broker;  /* that broker's life then */
    int64_t received_ms; /* monotonic: the deadline runs from here */
    struct buf frame;    /* the JOBS body */
    struct worker_jobs message;
    struct task *tasks; /* one for each job */
    size_t n;
    struct buf report;  /* REPORT body once it ran */
    struct group *next; /* in a queue */
};

/* Takes over the frame's content on success. Input error when it is no JOBS or an unserved kind. */
int group_new(struct buf *frame, const bool serves[static KINDS], struct group **ret,
    struct err *err) MUST_USE;
/*
 * Frees what only running it needed, but the report: by the thread that ran it, because memory goes
 * back cheaply only where it came from.
 */
void group_release(struct group *g);
void group_free(struct group *g);
/* Its deadline is past: the broker has given it up, and its jobs go elsewhere. */
bool group_is_late(const struct group *g);
/*
 * It has waited so long behind others that another worker should have it: ten seconds, or half of
 * its deadline. After the whole of it the broker would take it for lost, and a job that was alone
 * for one that takes workers down.
 */
bool group_is_overdue(const struct group *g);
DEFINE_AUTO_STRUCT(group);

#endif

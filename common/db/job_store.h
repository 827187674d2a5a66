/*
 * The rows of job and job_history. Functions take an open connection; those marked (tx) are called
 * inside a transaction the caller began and commits; the others run their own. Rules behind the
 * order of look-ups and locks: docs/architecture.md, "The life of a job" (I1–I4).
 */
#ifndef CERTQ_DB_JOB_STORE_H
#define CERTQ_DB_JOB_STORE_H

#include "base/err.h"
#include "base/job.h"
#include "db/db.h"

/* ---- accept (broker) ---- */

enum accept_verdict {
    ACCEPT_NEW,      /* inserted by this batch */
    ACCEPT_SAME,     /* known with the same fingerprint (job or history) */
    ACCEPT_CONFLICT, /* known with another fingerprint or client */
    ACCEPT_REJECTED, /* the server refuses this very row; error says why */
};
struct accept {
    const struct job *job; /* in */
    enum accept_verdict verdict;
    bool foreign;     /* SAME or CONFLICT: another client's job */
    bool finished;    /* SAME: it is in history */
    struct err error; /* REJECTED */
};

/*
 * One group commit: inserts the jobs in bulk, but for those whose ids are known, then reads history
 * for the ids just inserted and takes back those it finds, commits. Duplicates within the batch are
 * judged against the first. Reruns itself on duplicate or lock conflicts (bounded) and after an
 * unsure commit; a batch that loses the connection twice is split until the guilty row stands alone
 * and, when it goes on like that, is ACCEPT_REJECTED. ERR_TEMPORARY: the database is away; call again with the same batch. What
 * an earlier call stored all the same is found by its slot and created_ms and is ACCEPT_NEW. Opens
 * the connection when it is closed, which may be a transactional one, and changes its lock wait.
 */
int job_accept(struct db *db, struct accept *batch, size_t n, struct err *err) MUST_USE;

/* ---- transitions (broker), each guarded by attempt; bulk; own transaction ---- */

struct job_change {
    struct uuid id;
    uint32_t attempt; /* the row must still have it */
    enum { JOB_CHANGE_RETRY, JOB_CHANGE_CRASH, JOB_CHANGE_DEAD, JOB_CHANGE_CANCEL } what;
    int64_t run_at_ms, rank; /* RETRY, CRASH: new times */
    struct bytes error;      /* JSON {"code","message"}; RETRY keeps it in job.error */
    bool applied;            /* out: false when the row was gone, locked or of another attempt */
};
/* RETRY: failures+1, attempt+1. CRASH: crashes+1, attempt+1. DEAD, CANCEL: into history. */
int job_change(
    struct db *db, struct job_change *changes, size_t n, int64_t now_ms, struct err *err) MUST_USE;
/*
 * Puts a dead job (history) back as ready with failures and crashes 0; not done when there is no
 * such dead job (of that client), or it was closed.
 */
int job_retry_dead(struct db *db, const struct uuid *id, uint16_t slot, int64_t now_ms,
    const char *client_or_null, bool *ret_done, struct err *err) MUST_USE;

/* ---- reading (broker) ---- */

/*
 * Called for each job read: client and args (malloc) are the callee's from now on, kind is lent for
 * the call. The connection must not be used from it. After an error some jobs may have been given.
 */
typedef void job_each(void *context, struct job *job);

/*
 * Up to `most` jobs of a slot in (rank, id) order, strictly after (rank, id) when after_id is not
 * NULL else from the head, with rank <= most_rank.
 */
int job_read_slot(struct db *db, uint16_t slot, const int64_t *after_rank,
    const struct uuid *after_id, int64_t most_rank, size_t most, job_each *each, void *context,
    struct err *err) MUST_USE;
/* Whole rows for ids still in job. */
int job_read_ids(struct db *db, const struct uuid *ids, size_t n, job_each *each, void *context,
    struct err *err) MUST_USE;

struct job_record { /* everything known about one id, from either table */
    struct uuid id;
    bool in_job, in_history;
    enum job_state state;
    bool closed;
    char kind[JOB_KIND_MAX + 1], client[JOB_CLIENT_MAX + 1];
    uint8_t priority;
    uint16_t slot; /* of a waiting job */
    uint32_t attempt, failures, crashes;
    int64_t created_ms, run_at_ms, finished_ms;
    struct uuid group, parent;
    struct buf result;    /* JSON, may be empty; freed by job_record_clear */
    struct buf followups; /* ids, 16 bytes each */
    struct buf error;     /* last error of a waiting job */
};
/* The buffers are the callee's (job_record_clear). The connection must not be used from it. */
typedef void job_record_each(void *context, struct job_record *record);
/*
 * Reads records for ids from job and job_history (both; an id in neither is not called). A waiting
 * job is JOB_READY here whatever its run_at: the caller has the clock.
 */
int job_read_records(struct db *db, const struct uuid *ids, size_t n, job_record_each *each,
    void *context, struct err *err) MUST_USE;
struct job_filter {
    const char *kind;   /* or NULL */
    const char *client; /* or NULL: any */
    bool has_state;
    enum job_state state;
    int64_t since_ms; /* created since, 0: any */
    size_t most;
};
/*
 * Newest id first, waiting jobs before finished ones, at most `most` together. Waiting ones are
 * JOB_READY or JOB_SCHEDULED by `now_ms`; nothing is JOB_RUNNING here, only the broker knows that.
 */
int job_list(struct db *db, const struct job_filter *filter, int64_t now_ms, job_record_each *each,
    void *context, struct err *err) MUST_USE;
void job_record_clear(struct job_record *r);

/*
 * titanic.close: empties result and args of a finished job (and marks it
 * closed). False when unknown; a waiting job is known and is not changed.
 */
int job_close(struct db *db, const struct uuid *id, bool mark_closed, bool *ret_known,
    struct err *err) MUST_USE;
/*
 * One step of a walk over history in the order of ids: looks at the next `most` rows after *cursor
 * (zero at first) and deletes those finished before before_ms. *ret_rows: looked at; 0 when
 * through.
 */
int job_purge(struct db *db, int64_t before_ms, size_t most, struct uuid *cursor, size_t *ret_rows,
    struct err *err) MUST_USE;
/*
 * Empties result and args of jobs that ended before before_ms, of the kinds named (words between
 * commas), with ids after *after up to *last: the range a job_purge walked over.
 */
int job_empty(struct db *db, int64_t before_ms, const char *kinds, const struct uuid *after,
    const struct uuid *last, struct err *err) MUST_USE;
/* Counts waiting jobs by kind: calls each(kind, count, oldest run_at). Bounded by a full scan. */
typedef void job_count_each(void *context, const char *kind, int64_t count, int64_t oldest_ms);
int job_count(struct db *db, job_count_each *each, void *context, struct err *err) MUST_USE;

/* ---- effect (worker), all (tx) ---- */

struct job_lock {
    struct uuid id;
    uint32_t attempt;
    enum { JOB_LOCK_HELD, JOB_LOCK_BUSY, JOB_LOCK_UNSEEN, JOB_LOCK_FINISHED, JOB_LOCK_STALE } state;
};
/* Locks the rows in id order (SKIP LOCKED, VALUES-like join) and classifies each id. Sorts locks.
 */
int job_lock_rows(struct db *db, struct job_lock *locks, size_t n, struct err *err) MUST_USE;

struct job_completion {
    const struct job *job;
    enum job_state state; /* DONE or REFUSED (CANCELLED for a superseded follow-up) */
    struct bytes result;
    struct bytes followups; /* ids */
};
/* Deletes the job rows and writes their history, both set-based. Every row must be locked. */
int job_complete(struct db *db, const struct job_completion *done, size_t n,
    const struct uuid *group, int64_t now_ms, struct err *err) MUST_USE;
/*
 * Cancels follow-ups that wait: their rows go to history as cancelled, without args. Those that are
 * not there any more are passed over. Waits for one that runs at this moment; a deadlock with it
 * is ERR_CONFLICT, and by the next try it has finished. n <= DB_IDS_MOST.
 */
int job_cancel(
    struct db *db, const struct uuid *ids, size_t n, int64_t now_ms, struct err *err) MUST_USE;
/* Inserts follow-up jobs. */
int job_insert(struct db *db, const struct job *const *jobs, size_t n, struct err *err) MUST_USE;
/*
 * After an unsure commit: true when history has these ids with this group. Own transaction; waits
 * for the lost one to end, up to the lock timeout (ERR_CONFLICT: ask again).
 */
int job_group_won(struct db *db, const struct uuid *ids, size_t n, const struct uuid *group,
    bool *ret_won, struct err *err) MUST_USE;

#endif

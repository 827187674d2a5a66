/*
 * A group's mails on their way, and the two transactions they go through: marked *sending* before
 * SMTP (mail_mark.c), and what came of it after (mail_fate.c). Both are run again after a lost race
 * or a commit without an answer; neither sends anything.
 */
#ifndef CERTQ_WORKERS_KINDS_MAIL_BATCH_H
#define CERTQ_WORKERS_KINDS_MAIL_BATCH_H

#include "db/job_store.h"
#include "kinds/mail_text.h"
#include "mail/smtp.h"

/* What a transaction does with one mail. */
enum mail_step {
    MAIL_LEAVE,    /* nothing: it has its outcome */
    MAIL_WAIT,     /* its job's row is locked by somebody: again later */
    MAIL_WRITE,    /* writes its row */
    MAIL_COMPLETE, /* writes its row and completes its job */
};

struct outgoing {
    struct task *task;
    struct mail_row row;
    struct mail_code code;
    struct buf message;   /* composed once */
    struct job_lock lock; /* of the transaction under way */
    enum mail_step step;  /* likewise */
    enum smtp_fate fate;
    bool is_unbegun; /* our time was up before its turn */
    uint64_t lot;    /* random: its place among those tried as often */
};

struct batch {
    struct worker *worker;
    const struct uuid *group;
    struct outgoing **mails; /* those still to do, sorted by id but while they are being sent */
    size_t n;
    int64_t marked_ms; /* monotonic: a little before the marks were made, which hold from then */
    int64_t held_until_ms; /* what they say; one for all, so that their rows are alike */
};

/* From the moment of marking: others keep off, no mail is begun, the session is broken off. */
enum { MAIL_HOLD_MS = 170000, MAIL_BEGIN_MS = 60000, MAIL_END_MS = 120000 };

/*
 * Runs work in a transaction, with the life's lock held by the connection it uses (a connection
 * that was made again has lost it). Tries again when it may have failed by chance.
 */
int mail_transaction(
    struct batch *b, int (*work)(struct batch *b, struct err *err), struct err *err) MUST_USE;
/* (tx) Locks the jobs' rows: each mail's `lock`. */
int mail_lock_jobs(struct batch *b, struct err *err) MUST_USE;
/* (tx) Writes the rows and completes the jobs of those whose step says so. */
int mail_store_batch(struct batch *b, struct err *err) MUST_USE;
/* Keeps the mails of which `keep` is true, in their order. */
void mail_keep(struct batch *b, bool (*keep)(const struct outgoing *m));
void mail_sort_by_id(struct batch *b);

/* Sent, rejected or superseded; or refused without a row. */
bool mail_is_final(const struct outgoing *m);
/* Its job failed: tried again after a pause. */
void mail_fail(struct outgoing *m, const char *code, const char *text);

/* Marks the batch; what is left in it is ours to send. -1: nothing was marked. */
int mail_mark(struct batch *b, struct err *err) MUST_USE;
/* Takes over what SMTP said; `code` is the error that ended the session, or "". */
void mail_take_fates(struct batch *b, const struct smtp_item *items, const char *code);
/*
 * Stores what came of it; every mail then has its outcome. Waits for a database that is away, since
 * what is not stored goes out again.
 */
void mail_store_fates(struct batch *b);

#endif

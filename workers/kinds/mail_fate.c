/* After SMTP: what came of each mail, stored with the completion of its job (I5). */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kinds/mail_batch.h"
#include "report.h"
#include "worker.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { STORE_TRIES = 60, PAUSE_MS = 200, WAIT_LOG_TRIES = 50 };

/* --- what SMTP said --- */

static void take_fate(struct outgoing *m, const struct smtp_item *item, int64_t now_ms)
{
    m->fate = item->fate;
    if (item->code)
        snprintf(m->row.reply, sizeof m->row.reply, "%d %s", item->code, item->reply);
    else
        snprintf(m->row.reply, sizeof m->row.reply, "%s", item->reply);
    m->row.holder = (struct uuid){0};
    switch (item->fate) {
    case SMTP_DELIVERED:
        m->row.state = MAIL_IS_SENT;
        m->row.sent_ms = now_ms;
        return;
    case SMTP_REJECTED:
        m->row.state = MAIL_IS_REJECTED;
        plan_audit(&m->task->plan, "mail.rejected", &m->row.id,
            json_pack("{s:s, s:s}", "recipient", m->row.recipient, "reply", m->row.reply));
        log_warn("mail.rejected", "mail=%s to=%s reply=%s", uuid_s(&m->row.id),
            log_q(m->row.recipient), log_q(m->row.reply));
        return;
    case SMTP_TEMPORARY:
    case SMTP_NOT_SENT:
    case SMTP_IN_DOUBT:
        m->row.state = MAIL_IS_DEFERRED;
        return;
    }
}

void mail_take_fates(struct batch *b, const struct smtp_item *items, const char *code)
{
    const int64_t now_ms = clock_now_ms();
    bool has_decided = false;
    for (size_t i = 0; i < b->n; i++) {
        take_fate(b->mails[i], &items[i], now_ms);
        has_decided |= items[i].fate != SMTP_NOT_SENT && items[i].fate != SMTP_IN_DOUBT;
    }
    /* Without any progress it is the server that fails, and each of them must pause. */
    const bool was_short = has_decided && strcmp(code, "smtp-slow") == 0;
    for (size_t i = 0; i < b->n; i++) {
        struct outgoing *m = b->mails[i];
        m->is_unbegun = was_short && m->fate == SMTP_NOT_SENT;
        m->row.tries -= m->is_unbegun;
    }
}

/* --- storing it --- */

/* Is the row as we marked it? Not after our mark ran out and another worker took the mail. */
static bool is_still_marked(const struct batch *b, const struct mail_row *row)
{
    return row->exists && row->state == MAIL_IS_SENDING &&
           uuid_equal(&row->holder, &b->worker->life);
}

/*
 * A job that another attempt or worker has now, or that was cancelled, is not ours to complete, but
 * its mail was sent all the same: the row says so, and the next attempt finds it.
 */
static enum mail_step step_of(const struct outgoing *m, bool is_marked)
{
    if (m->lock.state == JOB_LOCK_BUSY)
        return MAIL_WAIT;
    if (m->lock.state != JOB_LOCK_HELD)
        return is_marked ? MAIL_WRITE : MAIL_LEAVE;
    if (mail_is_final(m))
        return MAIL_COMPLETE;
    return is_marked ? MAIL_WRITE : MAIL_LEAVE;
}

/* Does step_of ask nothing about the row? As of nearly all. */
static bool is_plain(const struct outgoing *m)
{
    return m->lock.state == JOB_LOCK_BUSY || (m->lock.state == JOB_LOCK_HELD && mail_is_final(m));
}

static bool all_are_plain(const struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (!is_plain(b->mails[i]))
            return false;
    return true;
}

static int store(struct batch *b, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(b->n, sizeof(struct mail_row));
    struct mail_row *rows = (struct mail_row *)(void *)memory;
    for (size_t i = 0; i < b->n; i++)
        rows[i] = b->mails[i]->row;
    if (mail_lock_jobs(b, err) ||
        (!all_are_plain(b) && mail_store_read(b->worker->db, rows, b->n, err)))
        return -1;
    for (size_t i = 0; i < b->n; i++)
        b->mails[i]->step = step_of(b->mails[i], is_still_marked(b, &rows[i]));
    return mail_store_batch(b, err);
}

/* A refusal of a deferred one is its job's, not the mail's: the broker pauses and tries again. */
static void settle(struct outgoing *m)
{
    struct task *task = m->task;
    if (m->lock.state != JOB_LOCK_HELD)
        task->outcome = job_lock_outcome(&m->lock);
    else if (m->step == MAIL_COMPLETE)
        task->outcome = task->plan.refused ? OUTCOME_REFUSED : OUTCOME_DONE;
    else if (m->is_unbegun || m->step == MAIL_LEAVE)
        task->outcome = OUTCOME_BUSY;
    else
        mail_fail(m, smtp_fate_name(m->fate), m->row.reply);
}

static bool is_waiting(const struct outgoing *m)
{
    return m->step == MAIL_WAIT;
}

/* One commit: those whose rows nobody has locked get their outcome and leave the batch. */
static int store_some(struct batch *b, struct err *err)
{
    if (mail_transaction(b, store, err))
        return -1;
    for (size_t i = 0; i < b->n; i++)
        if (!is_waiting(b->mails[i]))
            settle(b->mails[i]);
    mail_keep(b, is_waiting);
    return 0;
}

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

void mail_store_fates(struct batch *b)
{
    struct err err = {0};
    mail_sort_by_id(b);
    for (int tries = 0, waits = 0; b->n && tries < STORE_TRIES;) {
        int failed = store_some(b, &err);
        if (!b->n)
            return;
        tries += db_is_open(b->worker->db);
        if (failed && waits++ % WAIT_LOG_TRIES == 0)
            log_warn("mail.unmarked", "mails=%zu error=%s", b->n, log_q(err.text));
        pause_ms(PAUSE_MS);
    }
    for (size_t i = 0; i < b->n; i++) {
        struct outgoing *m = b->mails[i];
        log_error("mail.unstored", "mail=%s fate=%s error=%s", uuid_s(&m->row.id),
            smtp_fate_name(m->fate), log_q(err.text));
        mail_fail(m, "unavailable", "what became of the mail could not be stored");
    }
}

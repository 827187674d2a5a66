/* Before SMTP: who may be sent what, marked and committed (I5). */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "kinds/mail_batch.h"
#include "report.h"
#include "worker.h"

#include <stdio.h>
#include <string.h>

/* Marks are leases between workers: the test clock, which jumps, must not end or stretch them. */
static int64_t real_now_ms(void)
{
    return clock_now_ms() - clock_shift_ms();
}

static int read_rows(struct batch *b, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(b->n, sizeof(struct mail_row));
    struct mail_row *rows = (struct mail_row *)(void *)memory;
    for (size_t i = 0; i < b->n; i++)
        rows[i] = b->mails[i]->row;
    if (mail_store_read(b->worker->db, rows, b->n, err))
        return -1;
    for (size_t i = 0; i < b->n; i++)
        b->mails[i]->row = rows[i];
    return 0;
}

static int compare_code(const void *id, const void *code)
{
    return uuid_compare(id, &((const struct mail_code *)code)->certificate);
}

static int read_codes(struct batch *b, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(b->n, sizeof(struct mail_code));
    struct mail_code *codes = (struct mail_code *)(void *)memory;
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        if (!uuid_is_zero(&b->mails[i]->row.certificate))
            codes[n++].certificate = b->mails[i]->row.certificate;
    if (n && mail_store_codes(b->worker->db, codes, n, err))
        return -1;
    for (size_t i = 0; i < b->n; i++) {
        const struct mail_code *c =
            bsearch(&b->mails[i]->row.certificate, codes, n, sizeof *codes, compare_code);
        if (c)
            b->mails[i]->code = *c;
    }
    return 0;
}

/* Is another worker, which still lives, in the middle of sending this very mail? */
static int is_elsewhere(struct batch *b, const struct mail_row *row, bool *ret, struct err *err)
{
    *ret = false;
    if (!row->exists || row->state != MAIL_IS_SENDING || row->until_ms <= real_now_ms() ||
        uuid_equal(&row->holder, &b->worker->life))
        return 0;
    char name[64];
    mail_life_lock(&row->holder, name);
    return db_is_held(b->worker->db, name, ret, err);
}

static bool is_superseded(const struct batch *b, const struct outgoing *m)
{
    const struct mail_request *r = m->task->request;
    return mail_request_has_code(b->worker, r) &&
           (!m->code.found || m->code.is_dead || m->code.generation != r->generation);
}

/* Composes it. False: it has its outcome, or a final state. */
static bool compose(const struct batch *b, struct outgoing *m)
{
    struct err why = {0};
    if (m->message.length || mail_compose(b->worker, m->task, &m->code, &m->message, &why) == 0)
        return true;
    if (why.kind != ERR_INPUT) { /* a key that is missing here: the others must not wait for it */
        log_warn("mail.uncomposed", "mail=%s error=%s", uuid_s(&m->row.id), log_q(why.text));
        mail_fail(m, why.code, why.text);
        m->step = MAIL_LEAVE;
        return false;
    }
    plan_refuse(&m->task->plan, "bad-mail", "%s", why.text);
    m->row.state = MAIL_IS_REJECTED;
    m->row.holder = (struct uuid){0};
    snprintf(m->row.reply, sizeof m->row.reply, "not composed: %s", why.text);
    utf8_mend(m->row.reply);
    return false;
}

/* Decides what becomes of one mail: ours to send, not to be sent, or somebody else's. */
static int take(struct batch *b, struct outgoing *m, struct err *err)
{
    bool elsewhere;
    m->step = MAIL_LEAVE;
    if (!m->task->refused) /* what an earlier try of the transaction planned */
        plan_clear(&m->task->plan);
    m->task->outcome = OUTCOME_BUSY;
    if (m->lock.state != JOB_LOCK_HELD) {
        m->task->outcome = job_lock_outcome(&m->lock);
        return 0;
    }
    if (is_elsewhere(b, &m->row, &elsewhere, err))
        return -1;
    if (elsewhere)
        return 0;
    m->step = MAIL_COMPLETE;
    if (m->row.exists && m->row.state != MAIL_IS_SENDING && m->row.state != MAIL_IS_DEFERRED)
        return 0; /* sent by an earlier attempt, which could not complete its job */
    if (m->task->refused)
        return 0;
    if (is_superseded(b, m)) {
        m->row.state = MAIL_IS_SUPERSEDED;
        m->row.holder = (struct uuid){0};
        return 0;
    }
    if (!compose(b, m))
        return 0;
    m->step = MAIL_WRITE;
    /* Marked by us already: by a commit whose answer was lost. */
    m->row.tries += !m->row.exists || !uuid_equal(&m->row.holder, &b->worker->life);
    m->row.state = MAIL_IS_SENDING;
    m->row.holder = b->worker->life;
    m->row.until_ms = b->held_until_ms;
    return 0;
}

static int mark(struct batch *b, struct err *err)
{
    b->marked_ms = clock_monotonic_ms();
    b->held_until_ms = real_now_ms() + MAIL_HOLD_MS;
    if (mail_lock_jobs(b, err) || read_rows(b, err) || read_codes(b, err))
        return -1;
    for (size_t i = 0; i < b->n; i++)
        if (take(b, b->mails[i], err))
            return -1;
    return mail_store_batch(b, err);
}

static bool is_marked(const struct outgoing *m)
{
    return m->step == MAIL_WRITE;
}

int mail_mark(struct batch *b, struct err *err)
{
    if (mail_transaction(b, mark, err))
        return -1;
    for (size_t i = 0; i < b->n; i++) {
        struct outgoing *m = b->mails[i];
        if (m->step == MAIL_COMPLETE)
            m->task->outcome = m->task->plan.refused ? OUTCOME_REFUSED : OUTCOME_DONE;
        m->row.exists = true;
    }
    mail_keep(b, is_marked);
    return 0;
}

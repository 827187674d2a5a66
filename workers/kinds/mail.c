/*
 * mail: hands messages to the SMTP server, each at least once and a repeat with the same
 * Message-ID, Date and text (I5, X1). Three steps: mark *sending* and commit; send; mark what came
 * of it and complete, and commit. Between the first and the last commit the row says who has the
 * mail and until when, so another worker leaves it alone until this life is gone or the time is up.
 * What the server said "later" to, and what got no answer, goes back to the queue with its row
 * *deferred*.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/job_store.h"
#include "kinds/kinds.h"
#include "kinds/mail_text.h"
#include "mail/message.h"
#include "mail/smtp.h"
#include "report.h"
#include "store/audit_store.h"
#include "store/mail_store.h"
#include "worker.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HOLD_MS = 170000, MARK_TRIES = 60 };

/* One mail of the group on its way. */
struct outgoing {
    struct task *task;
    struct mail_row row;
    struct mail_code code;
    struct buf message;
    bool is_ours; /* marked sending by us in this run */
    enum smtp_fate fate;
};

struct batch {
    struct worker *worker;
    const struct uuid *group;
    struct outgoing **mails; /* those still to do, sorted by id as rows are locked */
    size_t n;
};

static void prepare(struct worker *w, struct task *task)
{
    task->request = mail_request_read(w, task->job, task->args, &task->plan);
}

static void release(struct task *task)
{
    mail_request_free(task->request);
    task->request = NULL;
}

static int compare_outgoing(const void *a, const void *b)
{
    return uuid_compare(
        &(*(struct outgoing *const *)a)->row.id, &(*(struct outgoing *const *)b)->row.id);
}

static void start_rows(struct batch *b, struct outgoing *all, struct task **tasks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct outgoing *m = &all[i];
        const struct job *job = tasks[i]->job;
        b->mails[b->n++] = m;
        m->task = tasks[i];
        m->row.id = job->id;
        m->row.date_ms = job->created_ms;
        m->row.created_ms = job->created_ms;
        const struct mail_request *r = tasks[i]->request;
        if (!r) /* refused in prepare */
            continue;
        m->row.certificate = r->certificate;
        m->row.subscriber = r->subscriber;
        m->row.template = r->template;
        m->row.language = r->language;
        m->row.recipient = r->recipient;
        m->row.generation = r->generation;
        m->row.message_id = r->message_id;
    }
    qsort(b->mails, b->n, sizeof *b->mails, compare_outgoing);
}

/* Locks the jobs' rows; those not held get their outcome and leave the batch. */
static int lock_rows(struct batch *b, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(b->n, sizeof(struct job_lock));
    struct job_lock *locks = (struct job_lock *)(void *)memory;
    for (size_t i = 0; i < b->n; i++)
        locks[i] = (struct job_lock){
            .id = b->mails[i]->row.id, .attempt = b->mails[i]->task->job->attempt};
    if (job_lock_rows(b->worker->db, locks, b->n, err))
        return -1;
    size_t held = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct outgoing *m = b->mails[i];
        if (locks[i].state == JOB_LOCK_HELD) {
            b->mails[held++] = m;
            continue;
        }
        m->task->outcome = job_lock_outcome(&locks[i]);
    }
    b->n = held;
    return 0;
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
    if (!row->exists || row->state != MAIL_SENDING || row->until_ms <= clock_now_ms() ||
        uuid_equal(&row->holder, &b->worker->life))
        return 0;
    char name[64];
    mail_life_lock(&row->holder, name);
    return db_is_held(b->worker->db, name, ret, err);
}

/* Decides what becomes of one mail before sending: ours to send, not to be sent, or busy. */
static int take(struct batch *b, struct outgoing *m, struct err *err)
{
    bool elsewhere;
    if (is_elsewhere(b, &m->row, &elsewhere, err))
        return -1;
    if (elsewhere) {
        m->task->outcome = OUTCOME_BUSY;
        return 0;
    }
    m->is_ours = true;
    if (m->task->plan.refused)
        return 0;
    const struct mail_request *r = m->task->request;
    if (mail_request_has_code(b->worker, r) &&
        (!m->code.found || m->code.is_dead || m->code.generation != r->generation)) {
        m->row.state = MAIL_SUPERSEDED;
        return 0;
    }
    struct err why = {0};
    if (!m->message.length && mail_compose(b->worker, m->task, &m->code, &m->message, &why)) {
        if (why.kind != ERR_INPUT) {
            *err = why;
            return err_context(err, "mail %s", uuid_s(&m->row.id));
        }
        plan_refuse(&m->task->plan, "bad-mail", "%s", why.text);
        m->row.state = MAIL_REJECTED;
        snprintf(m->row.reply, sizeof m->row.reply, "not composed: %s", why.text);
        return 0;
    }
    m->row.state = MAIL_SENDING;
    m->row.holder = b->worker->life;
    m->row.until_ms = clock_now_ms() + HOLD_MS;
    m->row.tries++;
    return 0;
}

static bool is_final(const struct outgoing *m)
{
    return m->task->plan.refused || m->row.state == MAIL_SENT || m->row.state == MAIL_REJECTED ||
           m->row.state == MAIL_SUPERSEDED;
}

/* Drops from the batch what is not ours. */
static void keep_ours(struct batch *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->mails[i]->is_ours)
            b->mails[kept++] = b->mails[i];
    b->n = kept;
}

static int write_rows(struct batch *b, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(b->n, sizeof(struct mail_row));
    struct mail_row *rows = (struct mail_row *)(void *)memory;
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->mails[i]->task->request)
            rows[n++] = b->mails[i]->row;
    return n ? mail_store_write(b->worker->db, rows, n, err) : 0;
}

static void give_result(struct outgoing *m)
{
    if (m->task->plan.refused || m->task->plan.result)
        return;
    plan_result(&m->task->plan, json_pack("{s:s, s:s, s:s}", "state", mail_state_name(m->row.state),
                                    "message_id", m->row.message_id, "smtp_reply", m->row.reply));
}

static int write_audit(struct batch *b, struct task *const *done, size_t n, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(n, sizeof(struct audit_source));
    struct audit_source *sources = (struct audit_source *)(void *)memory;
    for (size_t i = 0; i < n; i++)
        sources[i] = (struct audit_source){done[i]->job, &done[i]->plan};
    return audit_insert(b->worker->db, sources, n, clock_now_ms(), err);
}

/* Completes the final ones in the open transaction. */
static int complete(struct batch *b, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(b->n, sizeof(struct task *));
    struct task **done = (struct task **)(void *)memory;
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (!is_final(b->mails[i]))
            continue;
        give_result(b->mails[i]);
        done[n++] = b->mails[i]->task;
    }
    if (!n)
        return 0;
    if (write_audit(b, done, n, err))
        return -1;
    AUTO(completion) c = completion_new(done, n, clock_now_ms());
    return job_complete(b->worker->db, completion_rows(c), n, b->group, clock_now_ms(), err);
}

static void settle(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (is_final(b->mails[i]))
            b->mails[i]->task->outcome =
                b->mails[i]->task->plan.refused ? OUTCOME_REFUSED : OUTCOME_DONE;
}

static int mark_sending(struct batch *b, struct err *err)
{
    if (lock_rows(b, err) || read_rows(b, err) || read_codes(b, err))
        return -1;
    for (size_t i = 0; i < b->n; i++)
        if (take(b, b->mails[i], err))
            return -1;
    keep_ours(b);
    return write_rows(b, err) || complete(b, err) ? -1 : 0;
}

/* Both commits of a batch go this way: retried on lost races, looked up when unsure. */
static int in_transaction(
    struct batch *b, int (*work)(struct batch *, struct err *), struct err *err)
{
    struct db *db = b->worker->db;
    for (int races = 0;; races++) {
        err_clear(err);
        if (db_open(db, err))
            return -1;
        if (db_begin(db, err) == 0) {
            if (work(b, err))
                db_rollback(db);
            else if (db_commit(db, err) == 0)
                return 0;
        }
        /* Marking and completing again what an unsure commit may have done is harmless: a finished
         * job is no longer held, a row marked by this life is ours. */
        bool again = err->kind == ERR_CONFLICT || err->kind == ERR_UNSURE;
        if (!again || races >= 5)
            return -1;
    }
}

/* What is left is marked, and goes out. */
static void keep_marked(struct batch *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        if (!is_final(b->mails[i]))
            b->mails[kept++] = b->mails[i];
    b->n = kept;
    for (size_t i = 0; i < b->n; i++)
        b->mails[i]->row.exists = true; /* the mark is committed */
}

static void apply_fate(struct outgoing *m, const struct smtp_item *item)
{
    m->fate = item->fate;
    if (item->code)
        snprintf(m->row.reply, sizeof m->row.reply, "%d %s", item->code, item->reply);
    else
        snprintf(m->row.reply, sizeof m->row.reply, "%s", item->reply);
    m->row.holder = (struct uuid){0};
    switch (item->fate) {
    case SMTP_DELIVERED:
        m->row.state = MAIL_SENT;
        m->row.sent_ms = clock_now_ms();
        return;
    case SMTP_REJECTED:
        m->row.state = MAIL_REJECTED;
        plan_audit(&m->task->plan, "mail.rejected", &m->row.id,
            json_pack("{s:s, s:s}", "recipient", m->row.recipient, "reply", m->row.reply));
        log_warn("mail.rejected", "mail=%s to=%s reply=%s", uuid_s(&m->row.id),
            log_q(m->row.recipient), log_q(m->row.reply));
        return;
    case SMTP_TEMPORARY:
    case SMTP_NOT_SENT:
    case SMTP_IN_DOUBT:
        m->row.state = MAIL_DEFERRED;
        return;
    }
}

static int send_all(struct batch *b, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(b->n, sizeof(struct smtp_item));
    struct smtp_item *items = (struct smtp_item *)(void *)memory;
    for (size_t i = 0; i < b->n; i++)
        items[i] = (struct smtp_item){
            .recipient = b->mails[i]->row.recipient, .message = buf_bytes(&b->mails[i]->message)};
    int result = smtp_send(b->worker->smtp, items, b->n, err);
    for (size_t i = 0; i < b->n; i++)
        apply_fate(b->mails[i], &items[i]);
    return result;
}

/* A refusal here is the job's outcome, not the mail's: the broker backs off and sends it again. */
static void defer(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct outgoing *m = b->mails[i];
        if (m->row.state != MAIL_DEFERRED)
            continue;
        plan_refuse(&m->task->plan, smtp_fate_name(m->fate), "%s", m->row.reply);
        m->task->outcome = OUTCOME_FAILED;
    }
}

static int store_fates(struct batch *b, struct err *err)
{
    if (lock_rows(b, err))
        return -1;
    return write_rows(b, err) || complete(b, err) ? -1 : 0;
}

/*
 * The mails are out: what came of them must be written, or they go out again. So a database that
 * is away is waited for, as long as our mark holds.
 */
static int store_patiently(struct batch *b, struct err *err)
{
    for (int i = 0; i < MARK_TRIES; i++) {
        if (in_transaction(b, store_fates, err) == 0)
            return 0;
        log_warn("mail.unmarked", "mails=%zu try=%d error=%s", b->n, i + 1, log_q(err->text));
        const struct timespec second = {1, 0};
        nanosleep(&second, NULL);
    }
    return -1;
}

static int deliver(struct batch *b, struct err *err)
{
    char name[64];
    mail_life_lock(&b->worker->life, name);
    if (db_open(b->worker->db, err) || db_hold(b->worker->db, name, err) ||
        in_transaction(b, mark_sending, err))
        return -1;
    settle(b);
    keep_marked(b);
    if (!b->n)
        return 0;
    struct err smtp_err = {0};
    if (send_all(b, &smtp_err))
        log_warn("smtp.failed", "mails=%zu error=%s", b->n, log_q(smtp_err.text));
    if (store_patiently(b, err))
        return -1;
    settle(b);
    defer(b);
    return 0;
}

static int run(
    struct worker *w, struct task **tasks, size_t n, const struct uuid *group, struct err *err)
{
    struct outgoing *all = mem_zero(n, sizeof *all);
    struct batch b = {.worker = w, .group = group};
    b.mails = mem_zero(n, sizeof *b.mails);
    start_rows(&b, all, tasks, n);
    int result = deliver(&b, err);
    for (size_t i = 0; i < n; i++)
        message_wipe(&all[i].message);
    free(all);
    free(b.mails);
    return result;
}

const struct kind_ops mail_ops = {
    .id = KIND_MAIL, .prepare = prepare, .release = release, .run = run};

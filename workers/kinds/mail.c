/*
 * mail: hands messages to the SMTP server, each at least once and a repeat with the same
 * Message-ID, Date and text (I5, X1). Three steps: mark *sending* and commit; send; store what came
 * of it with the completion, and commit. Between the two commits the row says who has the mail and
 * until when, so another worker leaves it alone until this life is gone or the time is up; sending
 * ends well before. What the server said "later" to, and what got no answer, goes back to the queue
 * with its row *deferred*.
 *
 * A kill before the first commit loses nothing; between the two it repeats, when this life is gone,
 * what had been sent and not stored; after the second the job is finished, reported or not.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "kinds/kinds.h"
#include "kinds/mail_batch.h"
#include "mail/message.h"
#include "worker.h"

static void prepare(struct worker *w, struct task *task)
{
    task->request = mail_request_read(w, task->job, task->args, &task->plan);
}

static void release(struct task *task)
{
    mail_request_free(task->request);
    task->request = NULL;
}

static void start_one(struct outgoing *m, struct task *task)
{
    const struct job *job = task->job;
    const struct mail_request *r = task->request;
    m->task = task;
    m->lot = random_below(UINT32_MAX);
    m->row =
        (struct mail_row){.id = job->id, .date_ms = job->created_ms, .created_ms = job->created_ms};
    if (!r) /* refused in prepare */
        return;
    m->row.certificate = r->certificate;
    m->row.subscriber = r->subscriber;
    m->row.template = r->template;
    m->row.language = r->language;
    m->row.recipient = r->recipient;
    m->row.generation = r->generation;
    m->row.message_id = r->message_id;
}

/* --- sending --- */

static int64_t place(const struct outgoing *m)
{
    return m->row.tries > 1 ? (int64_t)m->lot : -1;
}

/*
 * A mail that makes the server hang up takes those behind it along. So fresh ones go first in their
 * order, and the others in a new order each time.
 */
static int by_turn(const void *a, const void *b)
{
    const struct outgoing *one = *(struct outgoing *const *)a, *two = *(struct outgoing *const *)b;
    if (one->row.tries != two->row.tries && (one->row.tries < 2 || two->row.tries < 2))
        return one->row.tries < two->row.tries ? -1 : 1;
    if (place(one) != place(two))
        return place(one) < place(two) ? -1 : 1;
    return uuid_compare(&one->row.id, &two->row.id);
}

static void send_all(struct batch *b)
{
    struct err err = {0};
    CLEANUP(text_auto_free) char *memory = mem_zero(b->n, sizeof(struct smtp_item));
    struct smtp_item *items = (struct smtp_item *)(void *)memory;
    qsort(b->mails, b->n, sizeof *b->mails, by_turn);
    for (size_t i = 0; i < b->n; i++)
        items[i] = (struct smtp_item){
            .recipient = b->mails[i]->row.recipient, .message = buf_bytes(&b->mails[i]->message)};
    const int64_t gone_ms = clock_monotonic_ms() - b->marked_ms;
    if (smtp_send_within(
            b->worker->smtp, items, b->n, MAIL_BEGIN_MS - gone_ms, MAIL_END_MS - gone_ms, &err))
        log_warn("smtp.failed", "mails=%zu code=%s error=%s", b->n, err.code, log_q(err.text));
    mail_take_fates(b, items, err.code);
}

/* --- the group --- */

/* -1: nothing of it was marked, or sent. */
static int deliver(
    struct worker *w, struct outgoing *mails, size_t n, const struct uuid *group, struct err *err)
{
    struct batch b = {.worker = w, .group = group, .n = n};
    CLEANUP(text_auto_free) char *memory = mem_zero(n, sizeof *b.mails);
    b.mails = (struct outgoing **)(void *)memory;
    for (size_t i = 0; i < n; i++)
        b.mails[i] = &mails[i];
    mail_sort_by_id(&b);
    if (mail_mark(&b, err))
        return -1;
    if (b.n) {
        send_all(&b);
        mail_store_fates(&b);
    }
    return 0;
}

/* By halves, so that one that cannot be marked does not hold up the others. */
static int deliver_range(
    struct worker *w, struct outgoing *mails, size_t n, const struct uuid *group, struct err *err)
{
    if (deliver(w, mails, n, group, err) == 0)
        return 0;
    if (!db_is_open(w->db)) /* away: the runner hands back what has no outcome */
        return -1;
    log_warn("mail.unmarked", "mails=%zu error=%s", n, log_q(err->text));
    if (n == 1) {
        mail_fail(mails, err->code, err->text);
        return 0;
    }
    return deliver_range(w, mails, n / 2, group, err) ||
                   deliver_range(w, mails + n / 2, n - n / 2, group, err)
               ? -1
               : 0;
}

static int run(
    struct worker *w, struct task **tasks, size_t n, const struct uuid *group, struct err *err)
{
    struct outgoing *mails = mem_zero(n, sizeof *mails);
    for (size_t i = 0; i < n; i++) {
        start_one(&mails[i], tasks[i]);
        tasks[i]->outcome = OUTCOME_BUSY;
    }
    int result = deliver_range(w, mails, n, group, err);
    for (size_t i = 0; i < n; i++)
        message_wipe(&mails[i].message);
    free(mails);
    return result;
}

const struct kind_ops mail_ops = {
    .id = KIND_MAIL, .prepare = prepare, .release = release, .run = run};

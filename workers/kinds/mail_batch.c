#include "kinds/mail_batch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "report.h"
#include "store/audit_store.h"
#include "worker.h"

#include <string.h>
#include <time.h>

enum { RACES_MOST = 5, LOSSES_MOST = 2 };

/* --- transactions --- */

/*
 * Our own connection of before may still hold the lock, as long as the server has not missed it:
 * then this life is taken for alive all the same.
 */
static int connect_alive(struct worker *w, struct err *err)
{
    char name[64];
    mail_life_lock(&w->life, name);
    if (db_open(w->db, err))
        return -1;
    return db_hold(w->db, name, err) && err->kind != ERR_CONFLICT ? -1 : 0;
}

static int try_once(struct batch *b, int (*work)(struct batch *b, struct err *err), struct err *err)
{
    struct db *db = b->worker->db;
    if (connect_alive(b->worker, err) || db_begin(db, err))
        return -1;
    if (work(b, err)) {
        db_rollback(db);
        return -1;
    }
    return db_commit(db, err);
}

/*
 * Marking and completing again what an unsure commit may have done is harmless: a finished job is
 * no longer held, a row marked by this life is ours.
 */
int mail_transaction(
    struct batch *b, int (*work)(struct batch *b, struct err *err), struct err *err)
{
    for (int races = 0, losses = 0;;) {
        err_clear(err);
        if (try_once(b, work, err) == 0)
            return 0;
        bool again = err->kind == ERR_CONFLICT || err->kind == ERR_UNSURE ? ++races <= RACES_MOST
                     : db_is_open(b->worker->db)                          ? false
                                                                          : ++losses < LOSSES_MOST;
        if (!again)
            return -1;
        const struct timespec pause = {0, (long)random_below(10000000)};
        nanosleep(&pause, NULL);
    }
}

int mail_lock_jobs(struct batch *b, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(b->n, sizeof(struct job_lock));
    struct job_lock *locks = (struct job_lock *)(void *)memory;
    for (size_t i = 0; i < b->n; i++)
        locks[i] = (struct job_lock){
            .id = b->mails[i]->row.id, .attempt = b->mails[i]->task->job->attempt};
    if (job_lock_rows(b->worker->db, locks, b->n, err))
        return -1;
    for (size_t i = 0; i < b->n; i++) /* both are sorted by id */
        b->mails[i]->lock = locks[i];
    return 0;
}

/* --- storing --- */

static int write_rows(struct batch *b, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(b->n, sizeof(struct mail_row));
    struct mail_row *rows = (struct mail_row *)(void *)memory;
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->mails[i]->step >= MAIL_WRITE && b->mails[i]->task->request)
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

static int complete(struct batch *b, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(b->n, sizeof(struct task *));
    struct task **done = (struct task **)(void *)memory;
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (b->mails[i]->step != MAIL_COMPLETE)
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

int mail_store_batch(struct batch *b, struct err *err)
{
    return write_rows(b, err) || complete(b, err) ? -1 : 0;
}

/* --- the list --- */

void mail_keep(struct batch *b, bool (*keep)(const struct outgoing *m))
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        if (keep(b->mails[i]))
            b->mails[kept++] = b->mails[i];
    b->n = kept;
}

static int by_id(const void *a, const void *b)
{
    return uuid_compare(
        &(*(struct outgoing *const *)a)->row.id, &(*(struct outgoing *const *)b)->row.id);
}

void mail_sort_by_id(struct batch *b)
{
    qsort(b->mails, b->n, sizeof *b->mails, by_id);
}

bool mail_is_final(const struct outgoing *m)
{
    return m->task->plan.refused || m->row.state == MAIL_IS_SENT ||
           m->row.state == MAIL_IS_REJECTED || m->row.state == MAIL_IS_SUPERSEDED;
}

void mail_fail(struct outgoing *m, const char *code, const char *text)
{
    plan_clear(&m->task->plan);
    plan_refuse(&m->task->plan, code, "%s", text);
    m->task->outcome = OUTCOME_FAILED;
}

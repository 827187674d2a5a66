/*
 * crl: makes the next certificate revocation list of an issuer. First, in a commit of its own, it
 * stops being the job that revocations count on (store/crl_store.h, crl_wanted): whoever revokes
 * from then on asks for another. Then number, content and completion are one transaction. One maker
 * at a time: the turn is taken before the first fact is read, so the list with the higher number
 * never knows less. The file is written after the commit (pki/crl_file.h); brokers do it too.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/job_store.h"
#include "kinds/kinds.h"
#include "pki/crl_file.h"
#include "pki/issuer.h"
#include "report.h"
#include "store/crl_store.h"
#include "worker.h"

enum { RACES_MOST = 5 };

static const struct config_issuer *issuer_of(const struct worker *w, struct task *task)
{
    const json_t *given = json_object_get(task->args, "issuer");
    const char *name = json_string_value(given);
    if (given && !name && !json_is_null(given)) {
        plan_bad_field(&task->plan, "issuer", "must be a text");
        return NULL;
    }
    const struct config *c = w->config;
    if (!name && c->issuer_count == 1)
        return &c->issuers[0];
    const struct config_issuer *issuer = name ? config_issuer(c, name) : NULL;
    if (!issuer)
        plan_bad_field(&task->plan, "issuer",
            name ? "no issuer of that name is configured" : "missing: there are several issuers");
    return issuer;
}

static void prepare(struct worker *w, struct task *task)
{
    issuer_of(w, task);
}

/* The issuer's own end bounds nextUpdate (RFC 5280 says nothing of a CRL that outlives it). */
static struct crl_facts next_facts(
    const struct config_issuer *issuer, const struct issuer *signer, const struct crl_row *last)
{
    const int64_t now_ms = clock_now_ms() / 1000 * 1000, end_ms = issuer_not_after_ms(signer);
    const int64_t next_ms = now_ms + issuer->crl_validity_ms;
    return (struct crl_facts){last->number + 1, now_ms, next_ms < end_ms ? next_ms : end_ms};
}

static int build(struct worker *w, const struct config_issuer *issuer, const struct task *task,
    struct crl_facts *facts, size_t *ret_entries, struct buf *der, struct err *err)
{
    struct issuer *signer = worker_issuer(w, issuer->name);
    struct crl_row last;
    if (crl_store_turn(w->db, issuer->name, err) || crl_store_last(w->db, issuer->name, &last, err))
        return -1;
    *facts = next_facts(issuer, signer, &last);
    AUTO(crl) crl = NULL;
    if (crl_new(signer, facts, last.entries + last.entries / 16, &crl, err) ||
        crl_store_feed(w->db, issuer->name, last.this_update_ms, crl, err))
        return -1;
    *ret_entries = crl_count(crl);
    if (crl_finish(crl, der, err))
        return -1;
    return crl_store_add(
        w->db, issuer->name, facts, *ret_entries, buf_bytes(der), &task->job->id, err);
}

static int complete(struct worker *w, struct task *task, const struct uuid *group, struct err *err)
{
    AUTO(completion) c = completion_new(&task, 1, clock_now_ms());
    return job_complete(w->db, completion_rows(c), 1, group, clock_now_ms(), err);
}

/* The transaction's content. */
static int make(
    struct worker *w, struct task *task, const struct uuid *group, struct buf *der, struct err *err)
{
    struct job_lock lock = {.id = task->job->id, .attempt = task->job->attempt};
    if (job_lock_rows(w->db, &lock, 1, err))
        return -1;
    if (lock.state != JOB_LOCK_HELD) {
        task->outcome = job_lock_outcome(&lock);
        return 0;
    }
    if (!task->refused) {
        const struct config_issuer *issuer = issuer_of(w, task);
        struct crl_facts facts;
        size_t entries;
        if (build(w, issuer, task, &facts, &entries, der, err))
            return err_context(err, "CRL of %s", issuer->name);
        plan_result(&task->plan,
            json_pack("{s:s, s:I, s:I, s:s, s:s}", "issuer", issuer->name, "number",
                (json_int_t)facts.number, "entries", (json_int_t)entries, "this_update",
                clock_s(facts.this_update_ms), "next_update", clock_s(facts.next_update_ms)));
    }
    task->outcome = task->refused ? OUTCOME_REFUSED : OUTCOME_DONE;
    return complete(w, task, group, err);
}

/*
 * A file that cannot be written is told, not failed: the CRL exists and brokers serve it. That a
 * newer one is there already may just mean that this process was held up.
 */
static void publish(const struct worker *w, const char *issuer, struct bytes der)
{
    struct err err = {0};
    if (crl_file_write(w->config->crl_folder, issuer, der, &err))
        log_event(err.kind == ERR_CONFLICT ? LOG_WARN_ : LOG_ERROR_, "crl.unpublished",
            "issuer=%s error=%s", issuer, log_q(err.text));
    else
        log_info("crl.published", "issuer=%s folder=%s bytes=%zu", issuer,
            log_q(w->config->crl_folder), der.length);
}

/* Both commits may have to wait for others, and be tried again. */
static int begin(
    struct worker *w, const struct config_issuer *issuer, const struct task *task, struct err *err)
{
    if (issuer && crl_wanted_clear(w->db, issuer->name, &task->job->id, err))
        return -1;
    return db_begin(w->db, err);
}

static int run_one(struct worker *w, struct task *task, const struct uuid *group, struct err *err)
{
    AUTO_BUF der = {0};
    const struct config_issuer *issuer = task->refused ? NULL : issuer_of(w, task);
    for (int races = 0; races < RACES_MOST; races++) {
        err_clear(err);
        buf_clear(&der);
        if (!task->refused)
            plan_clear(&task->plan);
        if (db_open(w->db, err))
            return -1;
        if (begin(w, issuer, task, err) || make(w, task, group, &der, err))
            db_rollback(w->db);
        else if (db_commit(w->db, err) == 0) {
            if (task->outcome == OUTCOME_DONE)
                publish(w, issuer->name, buf_bytes(&der));
            return 0;
        }
        task->outcome = OUTCOME_FAILED;
        /* Unsure: the next round finds the job finished, or still there and makes the CRL. */
        if (err->kind != ERR_CONFLICT && err->kind != ERR_UNSURE)
            break;
    }
    return -1;
}

static int run(
    struct worker *w, struct task **tasks, size_t n, const struct uuid *group, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (run_one(w, tasks[i], group, err) == 0)
            continue;
        if (!db_is_open(w->db))
            return -1;
        plan_clear(&tasks[i]->plan);
        plan_refuse(&tasks[i]->plan, err->code, "%s", err->text);
        tasks[i]->outcome = OUTCOME_FAILED;
        err_clear(err);
    }
    return 0;
}

const struct kind_ops crl_ops = {.id = KIND_CRL, .prepare = prepare, .run = run};

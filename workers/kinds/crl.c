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
#include "kinds/alone.h"
#include "kinds/kinds.h"
#include "pki/crl_file.h"
#include "pki/issuer.h"
#include "store/crl_store.h"
#include "worker.h"

struct making {
    struct worker *worker;
    struct task *task;
    const struct uuid *group;
    const struct config_issuer *issuer; /* NULL: the task is refused */
    struct buf der;
};

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

/* Fills m->der and gives the job its result. */
static int build(struct making *m, struct err *err)
{
    struct db *db = m->worker->db;
    const char *name = m->issuer->name;
    struct issuer *signer = worker_issuer(m->worker, name);
    struct crl_row last;
    if (crl_store_turn(db, name, err) || crl_store_last(db, name, &last, err))
        return -1;
    const struct crl_facts facts = next_facts(m->issuer, signer, &last);
    /* The last one may have been made by a clock that was ahead: what has not expired stays. */
    const int64_t since_ms =
        last.this_update_ms < facts.this_update_ms ? last.this_update_ms : facts.this_update_ms;
    AUTO(crl) crl = NULL;
    if (crl_new(signer, &facts, last.entries + last.entries / 16, &crl, err) ||
        crl_store_feed(db, name, since_ms, crl, err))
        return -1;
    const size_t entries = crl_count(crl);
    if (crl_finish(crl, &m->der, err) ||
        crl_store_add(db, name, &facts, entries, buf_bytes(&m->der), &m->task->job->id, err))
        return -1;
    plan_result(&m->task->plan,
        json_pack("{s:s, s:I, s:I, s:s, s:s}", "issuer", name, "number", (json_int_t)facts.number,
            "entries", (json_int_t)entries, "this_update", clock_s(facts.this_update_ms),
            "next_update", clock_s(facts.next_update_ms)));
    return 0;
}

static int stop_waiting(void *arg, struct err *err)
{
    const struct making *m = arg;
    return crl_wanted_clear(m->worker->db, m->issuer->name, &m->task->job->id, err);
}

/* An unsure commit: run again, it finds the job finished, or still there and makes the CRL. */
static int make(void *arg, struct err *err)
{
    struct making *m = arg;
    int result = alone_hold(m->worker->db, m->task, err);
    if (result)
        return result;
    if (m->issuer) {
        buf_clear(&m->der);
        plan_clear(&m->task->plan);
        if (build(m, err))
            return err_context(err, "CRL of %s", m->issuer->name);
    }
    m->task->outcome = m->task->refused ? OUTCOME_REFUSED : OUTCOME_DONE;
    return alone_complete(m->worker->db, m->task, m->group, err);
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

static int run_one(struct worker *w, struct task *task, const struct uuid *group, struct err *err)
{
    struct making m = {.worker = w, .task = task, .group = group};
    m.issuer = task->refused ? NULL : issuer_of(w, task);
    int result = m.issuer ? alone_commit(w->db, stop_waiting, &m, err) : 0;
    if (result == 0)
        result = alone_commit(w->db, make, &m, err);
    if (result == 0 && m.issuer)
        publish(w, m.issuer->name, buf_bytes(&m.der));
    buf_free(&m.der);
    return result < 0 ? -1 : 0;
}

static int run(
    struct worker *w, struct task **tasks, size_t n, const struct uuid *group, struct err *err)
{
    return alone_each(w, tasks, n, group, run_one, err);
}

const struct kind_ops crl_ops = {.id = KIND_CRL, .prepare = prepare, .run = run};

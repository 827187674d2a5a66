#include "crl_ask.h"

#include "base/clock.h"
#include "db/job_store.h"
#include "kind_ops.h"
#include "store/crl_store.h"
#include "unit.h"
#include "worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ISSUERS_MOST 64 /* of the configuration */

struct wish {
    const char *issuer; /* borrowed from a certificate */
    struct task *task;  /* that revoked one of its certificates */
    bool is_urgent;
};
struct wishes {
    struct task *const *tasks;
    size_t task_count;
    struct wish all[ISSUERS_MOST];
    size_t count;
};

static struct task *task_of(const struct wishes *w, const struct uuid *job)
{
    for (size_t i = 0; i < w->task_count; i++)
        if (uuid_equal(&w->tasks[i]->job->id, job))
            return w->tasks[i];
    return NULL;
}

/* A refused plan has no follow-ups, and never revokes. */
static void add_wish(void *arg, const struct certificate *c)
{
    struct wishes *w = arg;
    struct task *task = task_of(w, &c->revoked_by);
    assert(task && !task->plan.refused);
    size_t i = 0;
    while (i < w->count && strcmp(w->all[i].issuer, c->issuer) != 0)
        i++;
    assert(i < ISSUERS_MOST);
    if (i == w->count)
        w->all[w->count++] = (struct wish){.issuer = c->issuer, .task = task};
    w->all[i].is_urgent |=
        task->job->priority == JOB_PRIORITY_URGENT || c->reason == REASON_KEY_COMPROMISE;
}

static int by_issuer(const void *a, const void *b)
{
    return strcmp(((const struct wish *)a)->issuer, ((const struct wish *)b)->issuer);
}

static struct uuid plan_crl(const struct worker *w, const struct wish *wish, int64_t now_ms)
{
    const struct config_issuer *issuer = config_issuer(w->config, wish->issuer);
    const int64_t soon_ms = wish->is_urgent || !issuer ? 0 : issuer->crl_soon_ms;
    return plan_followup(&wish->task->plan, KIND_CRL,
        wish->is_urgent ? JOB_PRIORITY_URGENT : JOB_PRIORITY_DEFAULT, now_ms + soon_ms,
        json_pack("{s:s}", "issuer", wish->issuer));
}

/*
 * A job that waits has not begun: to begin it needs the row we hold. One that is not urgent is
 * replaced by one that is.
 */
static int ask_one(struct worker *w, const struct wish *wish, struct err *err)
{
    const int64_t now_ms = clock_now_ms();
    struct crl_wanted wanted = {0};
    if (crl_wanted_lock(w->db, wish->issuer, &wanted, err))
        return -1;
    const bool waits = wanted.is_there;
    if (waits && (wanted.is_urgent || !wish->is_urgent))
        return 0;
    if (waits && job_cancel(w->db, &wanted.job, 1, now_ms, err))
        return -1;
    wanted = (struct crl_wanted){plan_crl(w, wish, now_ms), wish->is_urgent, true};
    return crl_wanted_set(w->db, wish->issuer, &wanted, err);
}

int crl_ask(
    struct worker *w, const struct unit *unit, struct task *const *tasks, size_t n, struct err *err)
{
    struct wishes wishes = {.tasks = tasks, .task_count = n};
    unit_each_revoked(unit, add_wish, &wishes);
    qsort(wishes.all, wishes.count, sizeof *wishes.all, by_issuer); /* all lock in one order */
    for (size_t i = 0; i < wishes.count; i++)
        if (ask_one(w, &wishes.all[i], err))
            return -1;
    return 0;
}

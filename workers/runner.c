#include "runner.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "crl_ask.h"
#include "db/job_store.h"
#include "kinds/csr.h"
#include "lifecycle/args_shape.h"
#include "report.h"
#include "store/certificate_store.h"
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/*
 * A transaction that lost a race is run again this often before the group is halved; sooner when
 * that takes long, since what it waits for belongs to one of them only.
 */
enum { RACES_MOST = 8, RACES_MS = 4000, LOSSES_MOST = 2 };

static void pause_ms(int64_t ms)
{
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

/* Parses args and lets the kind prepare; what is refused here stays refused. */
static void prepare(struct worker *w, struct group *g)
{
    for (size_t i = 0; i < g->n; i++) {
        struct task *t = &g->tasks[i];
        struct err err = {0};
        const struct bytes args = {t->job->args, t->job->args_length};
        if (json_parse_object(args, &t->args, &err))
            plan_refuse(&t->plan, "bad-request", "args: %s", err.text);
        if (!t->plan.refused)
            args_shape(t->args);
        if (!t->plan.refused && g->ops->prepare)
            g->ops->prepare(w, t);
    }
    csr_check_all(w, g->tasks, g->n);
    for (size_t i = 0; i < g->n; i++)
        g->tasks[i].refused = g->tasks[i].plan.refused;
}

/* Those of tasks[0..n) that nothing has refused so far; `ret` has room for n. */
static size_t undecided(struct task **tasks, size_t n, struct task **ret)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (!tasks[i]->plan.refused)
            ret[m++] = tasks[i];
    return m;
}

/* Forgets what an earlier try of the transaction planned. */
static void start_over(struct task **tasks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (tasks[i]->refused)
            continue;
        plan_clear(&tasks[i]->plan);
        tasks[i]->aggregate_count = 0;
        tasks[i]->contract = (struct uuid){{0}};
    }
}

static int compare_locks(const void *id, const void *lock)
{
    return uuid_compare(id, &((const struct job_lock *)lock)->id);
}

/* Locks the jobs' rows. Leaves the tasks whose row is ours in `ret` and sets the others' outcome.
 */
static int lock_jobs(struct worker *w, struct group *g, struct task **tasks, size_t n,
    struct task **ret, size_t *ret_n, struct err *err)
{
    *ret_n = n;
    memcpy(ret, tasks, n * sizeof *ret);
    if (!g->durable)
        return 0;
    CLEANUP(text_auto_free) char *memory = mem_zero(n, sizeof(struct job_lock));
    struct job_lock *locks = (struct job_lock *)(void *)memory;
    for (size_t i = 0; i < n; i++)
        locks[i] = (struct job_lock){.id = tasks[i]->job->id, .attempt = tasks[i]->job->attempt};
    if (job_lock_rows(w->db, locks, n, err))
        return -1;
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct job_lock *l =
            bsearch(&tasks[i]->job->id, locks, n, sizeof *locks, compare_locks);
        if (l->state == JOB_LOCK_HELD)
            ret[(*ret_n)++] = tasks[i];
        else
            tasks[i]->outcome = job_lock_outcome(l);
    }
    return 0;
}

static int lock_aggregates(struct unit *unit, struct task **tasks, size_t n, struct err *err)
{
    size_t total = n;
    for (size_t i = 0; i < n; i++)
        total += tasks[i]->aggregate_count;
    CLEANUP(text_auto_free) char *memory = mem_zero(total, sizeof(struct uuid));
    CLEANUP(text_auto_free) char *more = mem_zero(n, sizeof(struct key_hash));
    struct uuid *contracts = (struct uuid *)(void *)memory, *subscribers = contracts + n;
    struct key_hash *keys = (struct key_hash *)(void *)more;
    struct unit_wanted wanted = {.subscribers = subscribers, .contracts = contracts, .keys = keys};
    for (size_t i = 0; i < n; i++) {
        if (tasks[i]->csr)
            memcpy(keys[wanted.key_count++].b, tasks[i]->csr->key.spki_sha256, sizeof keys->b);
        if (!uuid_is_zero(&tasks[i]->contract))
            contracts[wanted.contract_count++] = tasks[i]->contract;
        for (size_t k = 0; k < tasks[i]->aggregate_count; k++)
            subscribers[wanted.subscriber_count++] = tasks[i]->aggregates[k];
    }
    return unit_lock_and_load(unit, &wanted, err);
}

static int complete(
    struct worker *w, struct group *g, struct task **tasks, size_t n, struct err *err)
{
    AUTO(completion) c = completion_new(tasks, n, clock_now_ms());
    if (completion_followup_count(c) &&
        job_insert(w->db, completion_followups(c), completion_followup_count(c), err))
        return -1;
    if (!g->durable)
        return 0;
    return job_complete(w->db, completion_rows(c), n, &g->id, clock_now_ms(), err);
}

/* Everything between BEGIN and COMMIT. The caller rolls back on error. */
static int effect(struct worker *w, struct group *g, struct task **tasks, size_t n,
    struct task **held, size_t *ret_held, struct err *err)
{
    if (lock_jobs(w, g, tasks, n, held, ret_held, err))
        return -1;
    if (*ret_held == 0)
        return 0;
    AUTO(unit) unit = unit_new(w->db);
    CLEANUP(text_auto_free) char *memory = mem_zero(*ret_held, sizeof(struct task *));
    struct task **open = (struct task **)(void *)memory;
    size_t open_n = undecided(held, *ret_held, open);
    if (lock_aggregates(unit, open, open_n, err))
        return -1;
    for (size_t i = 0; i < open_n; i++)
        g->ops->decide(w, open[i], unit);
    if (unit_conflict(unit, err))
        return -1;
    if (unit_store(unit, held, *ret_held, err) || crl_ask(w, unit, held, *ret_held, err))
        return -1;
    return complete(w, g, held, *ret_held, err);
}

static void settle(struct task **held, size_t n)
{
    for (size_t i = 0; i < n; i++)
        held[i]->outcome = held[i]->plan.refused ? OUTCOME_REFUSED : OUTCOME_DONE;
}

/* I2: after a commit without an answer, the group id in history says whose commit won. */
static int look_who_won(
    struct worker *w, struct group *g, struct task **held, size_t n, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(n, sizeof(struct uuid));
    struct uuid *ids = (struct uuid *)(void *)memory;
    for (size_t i = 0; i < n; i++)
        ids[i] = held[i]->job->id;
    bool won = false;
    if (db_open(w->db, err) || (g->durable && job_group_won(w->db, ids, n, &g->id, &won, err)))
        return -1;
    log_warn("commit.unsure", "group=%s kind=%s won=%d", uuid_s(&g->id), g->kind->name, won);
    if (won) {
        settle(held, n);
        return 0;
    }
    return err_set(err, ERR_CONFLICT, NULL, "the commit's answer was lost and it did not happen");
}

/* One try of the whole: reads outside, transaction, commit. 0: every task has its outcome. */
static int attempt(
    struct worker *w, struct group *g, struct task **tasks, size_t n, struct err *err)
{
    CLEANUP(text_auto_free) char *memory = mem_zero(n, sizeof(struct task *));
    struct task **held = (struct task **)(void *)memory;
    size_t held_n = 0;
    start_over(tasks, n);
    size_t open_n = undecided(tasks, n, held);
    if (g->ops->resolve && open_n && g->ops->resolve(w, held, open_n, err))
        return -1;
    if (db_begin(w->db, err))
        return -1;
    if (effect(w, g, tasks, n, held, &held_n, err)) {
        db_rollback(w->db);
        return -1;
    }
    if (db_commit(w->db, err) == 0) {
        settle(held, held_n);
        return 0;
    }
    return err->kind == ERR_UNSURE ? look_who_won(w, g, held, held_n, err) : -1;
}

static void all_outcome(struct task **tasks, size_t n, enum outcome outcome)
{
    for (size_t i = 0; i < n; i++)
        tasks[i]->outcome = outcome;
}

static void fail_alone(struct group *g, struct task *t, const struct err *err)
{
    log_warn("job.failed", "job=%s kind=%s attempt=%u error=%s", uuid_s(&t->job->id), g->kind->name,
        t->job->attempt, log_q(err->text));
    plan_clear(&t->plan);
    plan_refuse(&t->plan, err->code[0] ? err->code : "failed", "%s", err->text);
    t->outcome = OUTCOME_FAILED;
}

/*
 * What the database will never store is refused for good (base/err.h: the kind is the job's fate).
 * False: it is refused already.
 */
static bool refuse_alone(struct group *g, struct task *t, const struct err *err)
{
    if (t->refused || (err->kind != ERR_INPUT && err->kind != ERR_DENIED))
        return false;
    log_error("job.unfit", "job=%s kind=%s error=%s", uuid_s(&t->job->id), g->kind->name,
        log_q(err->text));
    plan_clear(&t->plan);
    plan_refuse(&t->plan, err->code, "it cannot be stored: %s", err->text);
    t->refused = true;
    return true;
}

/* Tries until it is done (true) or it is no use to try again with these tasks. */
static bool keep_trying(
    struct worker *w, struct group *g, struct task **tasks, size_t n, struct err *err)
{
    const int64_t started_ms = clock_monotonic_ms();
    for (int races = 0, losses = 0;;) {
        err_clear(err);
        if (group_is_late(g) || db_open(w->db, err)) {
            /* Given up by the broker, or the server is away: nobody's fault, hand it all back. */
            log_warn("group.returned", "group=%s jobs=%zu error=%s", uuid_s(&g->id), n,
                log_q(err->kind ? err->text : "its deadline is past"));
            if (err->kind)
                pause_ms(200);
            all_outcome(tasks, n, OUTCOME_BUSY);
            return true;
        }
        if (attempt(w, g, tasks, n, err) == 0)
            return true;
        const bool has_time = n == 1 || clock_monotonic_ms() - started_ms < RACES_MS;
        if (err->kind == ERR_CONFLICT && has_time && ++races <= RACES_MOST)
            pause_ms((int64_t)random_below((uint64_t)races * 4 + 1));
        else if (db_is_open(w->db) || ++losses >= LOSSES_MOST)
            return false;
    }
}

/* Runs tasks[0..n) until each has an outcome, halving what keeps failing. */
static void run_range(struct worker *w, struct group *g, struct task **tasks, size_t n)
{
    struct err err = {0};
    if (keep_trying(w, g, tasks, n, &err))
        return;
    if (n == 1) {
        if (!refuse_alone(g, tasks[0], &err) || !keep_trying(w, g, tasks, 1, &err))
            fail_alone(g, tasks[0], &err);
        return;
    }
    log_warn("group.halved", "group=%s kind=%s jobs=%zu error=%s", uuid_s(&g->id), g->kind->name, n,
        log_q(err.text));
    run_range(w, g, tasks, n / 2);
    run_range(w, g, tasks + n / 2, n - n / 2);
}

/*
 * What has no outcome afterwards is handed back when the server is away, which is nobody's fault;
 * else it failed, and must pause, or it would come round twice a second.
 */
static void run_whole(struct worker *w, struct group *g, struct task **tasks)
{
    struct err err = {0};
    if (db_open(w->db, &err) == 0 && g->ops->run(w, tasks, g->n, &g->id, &err) == 0)
        return;
    log_warn("group.failed", "group=%s kind=%s jobs=%zu error=%s", uuid_s(&g->id), g->kind->name,
        g->n, log_q(err.text));
    for (size_t i = 0; i < g->n; i++) {
        if (tasks[i]->outcome != OUTCOME_FAILED || tasks[i]->plan.refused)
            continue;
        if (db_is_open(w->db))
            fail_alone(g, tasks[i], &err);
        else
            tasks[i]->outcome = OUTCOME_BUSY;
    }
}

/* It waited behind others until the broker gave it up: its jobs are on their way elsewhere. */
static void hand_back(struct group *g, struct task **tasks)
{
    log_warn("group.late", "group=%s kind=%s jobs=%zu", uuid_s(&g->id), g->kind->name, g->n);
    all_outcome(tasks, g->n, OUTCOME_BUSY);
}

void runner_run(struct worker *w, struct group *g)
{
    int64_t started = clock_monotonic_ms();
    CLEANUP(text_auto_free) char *memory = mem_zero(g->n, sizeof(struct task *));
    struct task **tasks = (struct task **)(void *)memory;
    for (size_t i = 0; i < g->n; i++)
        tasks[i] = &g->tasks[i];
    if (group_is_late(g)) {
        hand_back(g, tasks);
    } else {
        prepare(w, g);
        if (g->ops->run)
            run_whole(w, g, tasks);
        else
            run_range(w, g, tasks, g->n);
    }
    report_write(g);
    log_debug("group.ran", "group=%s kind=%s jobs=%zu ms=%lld", uuid_s(&g->id), g->kind->name, g->n,
        (long long)(clock_monotonic_ms() - started));
}

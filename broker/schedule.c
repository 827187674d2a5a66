#include "schedule.h"

#include "broker.h"
#include "jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/job_store.h"
#include "lifecycle/schedule.h"

#include <string.h>

enum { LOOK_EVERY_MS = 200, AGAIN_MS = 5000 };

struct state {
    int64_t tick_ms;  /* the last one known to be run; 0: none */
    int64_t again_ms; /* monotonic: not asked before */
    bool is_asked;
};
struct schedules {
    int64_t due_ms; /* monotonic: when to look again */
    size_t count;
    struct state states[];
};

struct tick_task {
    struct task task;
    size_t at; /* which schedule */
    const struct config_schedule *schedule;
    struct uuid broker;
    int64_t tick_ms, now_ms;
    struct job job; /* client and args are the task's */
    bool is_ours;   /* this broker ran it */
};

struct schedules *schedules_new(size_t count)
{
    struct schedules *s = mem_zero(1, sizeof *s + count * sizeof *s->states);
    s->count = count;
    return s;
}

void schedules_free(struct schedules *s)
{
    free(s);
}

/* ---- on the desk's thread ---- */

static const struct statement insert_tick = {"schedule.insert",
    "INSERT INTO schedule (schedule, tick_ms, job, broker, created_ms) VALUES (?,?,?,?,?)", "tibbi",
    ""};

static int insert_both(const struct tick_task *t, struct db *db, struct err *err)
{
    const struct db_value params[] = {db_text(t->schedule->name), db_int(t->tick_ms),
        db_uuid(&t->job.id), db_uuid(&t->broker), db_int(t->now_ms)};
    const struct job *job = &t->job;
    return db_run(db, &insert_tick, params, NULL, err) || job_insert(db, &job, 1, err) ? -1 : 0;
}

/* A duplicate is another broker's, or our own from a commit whose answer was lost. */
static int run_tick(struct task *task, struct db *db, struct err *err)
{
    struct tick_task *t = (struct tick_task *)task;
    if (db_begin(db, err))
        return -1;
    if (insert_both(t, db, err) == 0) {
        t->is_ours = db_commit(db, err) == 0;
        return t->is_ours ? 0 : -1;
    }
    db_rollback(db);
    if (err->kind != ERR_CONFLICT || strcmp(err->code, "duplicate") != 0)
        return -1;
    err_clear(err);
    return 0;
}

/* ---- on the reactor ---- */

static void done_tick(struct task *task, struct broker *b)
{
    struct tick_task *t = (struct tick_task *)task;
    struct state *s = &b->schedules->states[t->at];
    s->is_asked = false;
    if (!task->err.kind)
        s->tick_ms = t->tick_ms;
    else
        s->again_ms = b->tick_ms + AGAIN_MS;
    if (task->err.kind && strcmp(task->err.code, "unavailable") != 0) /* the clerk says that */
        log_warn("schedule.failed", "schedule=%s tick=%s error=%s", log_q(t->schedule->name),
            clock_s(t->tick_ms), log_q(task->err.text));
    if (t->is_ours) {
        log_info("schedule.ran", "schedule=%s tick=%s job=%s kind=%s late_ms=%lld",
            log_q(t->schedule->name), clock_s(t->tick_ms), uuid_s(&t->job.id), t->job.kind,
            (long long)(t->now_ms - t->tick_ms));
        jobs_adopt(b, &t->job);
    } else {
        free(t->job.client);
        free(t->job.args);
    }
    free(t);
}

/* The job is certq's own, like a follow-up: nobody's key has that name (I12). */
static void ask(struct broker *b, size_t at, int64_t tick_ms)
{
    const struct config_schedule *schedule = &b->config->schedules[at];
    struct tick_task *t = MEM_NEW(struct tick_task);
    t->task = (struct task){.run = run_tick, .done = done_tick};
    t->at = at;
    t->schedule = schedule;
    t->broker = b->life;
    t->tick_ms = tick_ms;
    t->now_ms = b->now_ms;
    t->job = (struct job){.id = uuid_new(),
        .slot = b->next_slot,
        .priority = JOB_PRIORITY_DEFAULT,
        .rank = job_rank(b->now_ms, JOB_PRIORITY_DEFAULT),
        .run_at_ms = b->now_ms,
        .kind = schedule->kind,
        .client = mem_text("certq"),
        .args = (uint8_t *)mem_text(schedule->args),
        .args_length = strlen(schedule->args),
        .created_ms = b->now_ms};
    b->schedules->states[at].is_asked = true;
    clerk_ask(b->desk, &t->task);
}

void schedules_turn(struct broker *b)
{
    struct schedules *s = b->schedules;
    if (b->is_draining || !b->note || b->tick_ms < s->due_ms)
        return;
    s->due_ms = b->tick_ms + LOOK_EVERY_MS;
    for (size_t i = 0; i < s->count; i++) {
        int64_t tick_ms = schedule_last_tick_ms(&b->config->schedules[i], b->now_ms);
        if (!s->states[i].is_asked && s->states[i].tick_ms != tick_ms &&
            b->tick_ms >= s->states[i].again_ms)
            ask(b, i, tick_ms);
    }
}

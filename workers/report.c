#include "report.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

/* Client name of certq's own follow-ups: nobody's key has it, so nobody may touch them (I12). */
static char followup_client[] = "certq";

struct completion {
    struct job_completion *rows;
    struct job *followups;
    const struct job **followup_list;
    uint8_t *ids; /* all follow-ups' ids, 16 bytes each */
    size_t followup_count;
};

static struct job followup_job(const struct task *t, const struct plan_followup *f)
{
    return (struct job){
        .id = f->id,
        .slot = t->job->slot,
        .priority = (uint8_t)f->priority,
        .rank = job_rank(f->run_at_ms, f->priority),
        .run_at_ms = f->run_at_ms,
        .kind = kind_name(f->kind),
        .client = followup_client,
        .args = (uint8_t *)f->args_text,
        .args_length = strlen(f->args_text),
        .parent = t->job->id,
        .created_ms = f->created_ms,
    };
}

struct completion *completion_new(struct task **tasks, size_t n, int64_t now_ms)
{
    struct completion *c = MEM_NEW(struct completion);
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        plan_write(&tasks[i]->plan, now_ms);
        total += tasks[i]->plan.followup_count;
    }
    c->rows = mem_zero(n, sizeof *c->rows);
    c->followups = mem_zero(total, sizeof *c->followups);
    c->followup_list = mem_zero(total, sizeof *c->followup_list);
    c->ids = mem_zero(total, sizeof(struct uuid));
    for (size_t i = 0; i < n; i++) {
        const struct plan *p = &tasks[i]->plan;
        const uint8_t *ids = c->ids + 16 * c->followup_count;
        for (size_t k = 0; k < p->followup_count; k++) {
            size_t at = c->followup_count++;
            memcpy(c->ids + 16 * at, p->followups[k].id.b, 16);
            c->followups[at] = followup_job(tasks[i], &p->followups[k]);
            c->followup_list[at] = &c->followups[at];
        }
        c->rows[i] = (struct job_completion){
            .job = tasks[i]->job,
            .state = p->refused ? JOB_REFUSED : JOB_DONE,
            .result = bytes_of_text(p->answer),
            .followups = {ids, 16 * p->followup_count},
        };
    }
    return c;
}

void completion_free(struct completion *c)
{
    if (!c)
        return;
    free(c->rows);
    free(c->followups);
    free(c->followup_list);
    free(c->ids);
    free(c);
}

const struct job_completion *completion_rows(const struct completion *c)
{
    return c->rows;
}

const struct job *const *completion_followups(const struct completion *c)
{
    return c->followup_list;
}

size_t completion_followup_count(const struct completion *c)
{
    return c->followup_count;
}

enum outcome job_lock_outcome(const struct job_lock *lock)
{
    switch (lock->state) {
    case JOB_LOCK_BUSY:
        return OUTCOME_BUSY;
    case JOB_LOCK_UNSEEN:
        return OUTCOME_UNSEEN;
    case JOB_LOCK_FINISHED:
        return OUTCOME_FINISHED;
    default:
        return OUTCOME_STALE;
    }
}

static bool is_committed(const struct task *t)
{
    return t->outcome == OUTCOME_DONE || t->outcome == OUTCOME_REFUSED;
}

void report_write(struct group *g)
{
    int64_t now_ms = clock_now_ms();
    size_t total = 0;
    for (size_t i = 0; i < g->n; i++)
        if (is_committed(&g->tasks[i]))
            total += g->tasks[i].plan.followup_count;
    struct worker_report r = {.group = g->id, .count = (uint32_t)g->n};
    r.results = mem_zero(g->n, sizeof *r.results);
    r.followups = mem_zero(total, sizeof *r.followups);
    r.followup_kinds = mem_zero(total, sizeof *r.followup_kinds);
    for (size_t i = 0; i < g->n; i++) {
        struct task *t = &g->tasks[i];
        if (is_committed(t) || t->outcome == OUTCOME_FAILED)
            plan_write(&t->plan, now_ms);
        r.results[i] = (struct worker_result){t->job->id, t->outcome,
            t->plan.answer ? bytes_of_text(t->plan.answer) : (struct bytes){0}};
        for (size_t k = 0; is_committed(t) && k < t->plan.followup_count; k++) {
            const struct plan_followup *f = &t->plan.followups[k];
            r.followups[r.followup_count] = followup_job(t, f);
            r.followup_kinds[r.followup_count++] = bytes_of_text(kind_name(f->kind));
        }
    }
    worker_report_write(&r, &g->report);
    worker_report_free(&r);
}

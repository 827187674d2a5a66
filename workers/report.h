/*
 * What a group's plans become: follow-up jobs with their ids and ranks, history rows, and the
 * REPORT. A completion borrows from the tasks and lives inside one try of the transaction; what the
 * report needs of it is kept in each plan, so a redone group reports what was committed.
 */
#ifndef CERTQ_WORKERS_REPORT_H
#define CERTQ_WORKERS_REPORT_H

#include "db/job_store.h"
#include "group.h"

struct completion;

/* Rows for tasks that are done or refused; now_ms becomes the follow-ups' creation time. */
struct completion *completion_new(struct task **tasks, size_t n, int64_t now_ms);
void completion_free(struct completion *c);
const struct job_completion *completion_rows(const struct completion *c);
const struct job *const *completion_followups(const struct completion *c);
size_t completion_followup_count(const struct completion *c);
DEFINE_AUTO_STRUCT(completion);

/* The outcome of a job whose row is not ours to complete. */
enum outcome job_lock_outcome(const struct job_lock *lock);

/* Writes g->report from outcomes and plans. */
void report_write(struct group *g);

#endif

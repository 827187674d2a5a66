/*
 * audit-seal: seals the lines of the audit that no seal covers (audit/sealing.h), each some
 * thousand in a transaction of its own, writes the new seals to the file outside the database, and
 * only then completes. So a job that is done says that the file has them; one that is killed,
 * repeated or run twice at once does what is left. A file that cannot be written, or that knows of
 * a seal which the database lacks, fails the job loudly: somebody must look.
 */
#include "audit/seal_file.h"
#include "audit/sealing.h"
#include "base/clock.h"
#include "base/log.h"
#include "kinds/alone.h"
#include "kinds/kinds.h"
#include "lifecycle/decide.h"
#include "worker.h"

struct sealing {
    struct worker *worker;
    struct task *task;
    const struct uuid *group;
    bool is_all; /* nothing was left to seal */
    int64_t seals, lines;
    uint64_t last;
};

static void prepare(struct worker *w UNUSED, struct task *task)
{
    static const char *const known[] = {"by", NULL};
    args_known(task->args, known, &task->plan);
}

static int seal_some(void *arg, struct err *err)
{
    struct sealing *s = arg;
    AUTO_SEAL made = {0};
    int result = alone_hold(s->worker->db, s->task, err);
    if (result)
        return result;
    if (audit_seal_next(
            s->worker->db, s->worker->audit, clock_now_ms(), &s->task->job->id, &made, err))
        return -1;
    s->is_all = made.number == 0;
    s->seals += !s->is_all;
    s->lines += made.count;
    return 0;
}

static int complete(void *arg, struct err *err)
{
    const struct sealing *s = arg;
    struct task *task = s->task;
    int result = alone_hold(s->worker->db, task, err);
    if (result)
        return result;
    if (!task->refused)
        plan_result(&task->plan, json_pack("{s:I, s:I, s:I}", "seals", (json_int_t)s->seals,
                                     "lines", (json_int_t)s->lines, "last", (json_int_t)s->last));
    return alone_complete(s->worker->db, task, s->group, err);
}

static int seal_all(struct sealing *s, struct err *err)
{
    const char *file = s->worker->config->audit.seals;
    int result = 0;
    /* The file first: a backup that was restored must not be sealed on as if nothing had been. */
    if (db_open(s->worker->db, err) || audit_file_sync(s->worker->db, file, &s->last, err))
        return -1;
    while (result == 0 && !s->is_all)
        result = alone_commit(s->worker->db, seal_some, s, err);
    if (result == 0 && s->seals)
        result = audit_file_sync(s->worker->db, file, &s->last, err);
    return result;
}

static int run_one(struct worker *w, struct task *task, const struct uuid *group, struct err *err)
{
    struct sealing s = {.worker = w, .task = task, .group = group};
    int result = task->refused ? 0 : seal_all(&s, err);
    task->outcome = task->refused ? OUTCOME_REFUSED : OUTCOME_DONE;
    if (result == 0)
        result = alone_commit(w->db, complete, &s, err);
    if (result == 0 && s.seals)
        log_info("audit.sealed", "seals=%lld lines=%lld last=%llu", (long long)s.seals,
            (long long)s.lines, (unsigned long long)s.last);
    if (result < 0 && db_is_open(w->db))
        log_error("audit.unsealed", "job=%s error=%s", uuid_s(&task->job->id), log_q(err->text));
    return result < 0 ? -1 : 0;
}

static int run(
    struct worker *w, struct task **tasks, size_t n, const struct uuid *group, struct err *err)
{
    return alone_each(w, tasks, n, group, run_one, err);
}

const struct kind_ops audit_seal_ops = {.id = KIND_AUDIT_SEAL, .prepare = prepare, .run = run};

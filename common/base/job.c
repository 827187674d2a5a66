#include "base/job.h"

#include <string.h>

int64_t job_rank(int64_t run_at_ms, int priority)
{
    if (priority >= JOB_PRIORITY_URGENT)
        return run_at_ms - (INT64_C(1) << 52);
    return run_at_ms - (int64_t)priority * 60000;
}

static const char *const states[JOB_STATES] = {
    [JOB_READY] = "ready",
    [JOB_SCHEDULED] = "scheduled",
    [JOB_RUNNING] = "running",
    [JOB_DONE] = "done",
    [JOB_REFUSED] = "refused",
    [JOB_DEAD] = "dead",
    [JOB_CANCELLED] = "cancelled",
};

const char *job_state_name(enum job_state state)
{
    return states[state];
}

bool job_state_parse(const char *name, enum job_state *ret)
{
    for (int i = 0; i < JOB_STATES; i++) {
        if (strcmp(name, states[i]) == 0) {
            *ret = (enum job_state)i;
            return true;
        }
    }
    return false;
}

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[OUTCOMES] = {
        "done", "refused", "failed", "busy", "unseen", "finished", "stale"};
    return names[outcome];
}

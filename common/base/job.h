/*
 * A job as broker, wire, workers and store see it, and the outcome a worker reports. Public plain
 * structs; who fills one owns its pointers, job_free frees a heap one with all it holds.
 */
#ifndef CERTQ_BASE_JOB_H
#define CERTQ_BASE_JOB_H

#include "base/auto.h"
#include "base/buf.h"
#include "base/uuid.h"

#include <stdbool.h>
#include <stdint.h>

#define JOB_PRIORITY_DEFAULT 5
#define JOB_PRIORITY_URGENT 9
#define JOB_KIND_MAX 32
#define JOB_CLIENT_MAX 64

struct job {
    struct uuid id;
    uint16_t slot;
    uint8_t priority;
    int64_t rank;
    int64_t run_at_ms;
    uint32_t attempt, failures, crashes;
    const char *kind; /* interned: one of kind_name(), or a name the store keeps */
    char *client;
    uint8_t *args; /* args_length bytes of JSON */
    size_t args_length;
    uint8_t fingerprint[32];
    struct uuid parent; /* zero: none */
    int64_t created_ms; /* durable acceptance: the day a rule counts (I7) */
};

/*
 * Rank (I9): the order of dispatch, lowest first, fixed when a job is inserted or retried: run_at
 * less a head start for its priority, one minute a step, so waiting jobs age by themselves;
 * priority 9 goes before everything.
 */
int64_t job_rank(int64_t run_at_ms, int priority);

enum job_state {
    JOB_READY,
    JOB_SCHEDULED,
    JOB_RUNNING,
    JOB_DONE,
    JOB_REFUSED,
    JOB_DEAD,
    JOB_CANCELLED,
    JOB_STATES
};
const char *job_state_name(enum job_state state);
bool job_state_parse(const char *name, enum job_state *ret);

/* What a worker says of each job of a group (docs/protocol.md, REPORT). */
enum outcome {
    OUTCOME_DONE,     /* committed; result is the result object */
    OUTCOME_REFUSED,  /* committed; result is {"code","message","fields"} */
    OUTCOME_FAILED,   /* rolled back; result is {"code","message"}: try again later */
    OUTCOME_BUSY,     /* row locked by somebody else: dispatch again soon */
    OUTCOME_UNSEEN,   /* in neither table (yet): dispatch again soon */
    OUTCOME_FINISHED, /* history has it already: read the history row */
    OUTCOME_STALE,    /* row there with another attempt: read the row again */
    OUTCOMES
};
const char *outcome_name(enum outcome outcome);

#endif

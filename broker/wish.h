/*
 * What somebody wants to hear about a job, and in which form: the answers of job requests (MDP 0.1
 * and 0.2), of titanic.request and of the operators' services, docs/protocol.md.
 */
#ifndef CERTQ_BROKER_WISH_H
#define CERTQ_BROKER_WISH_H

#include "clients.h"

#include "base/job.h"

enum wish_style {
    WISH_JOB,     /* a job request: accepted (0.2 only), then the end */
    WISH_TITANIC, /* titanic.request: 200 and the id once accepted, and no more */
    WISH_OP,      /* certq.job wait: the end, in the operators' envelope */
    WISH_INSPECT, /* certq.inspect: the job's result in the operators' envelope */
};
struct wish {
    struct asker asker;
    enum wish_style style;
    bool accept_only; /* MDP 0.1 with `at` far ahead: accepted is the last answer */
    struct bytes tag; /* OP, INSPECT: the tag's JSON text, or empty */
};
#define WISH_FAR_AHEAD_MS 60000

/* Is `accepted` said to this one, and is it the last thing said? */
bool wish_says_accepted(const struct wish *wish);
bool wish_ends_accepted(const struct wish *wish);
void wish_accepted(struct broker *b, const struct wish *wish, const struct uuid *id);
/* The job ended; result is JSON or empty. */
void wish_end(struct broker *b, const struct wish *wish, const struct uuid *id,
    enum job_state state, struct bytes result);
/* It came to nothing; counted by code. */
void wish_reject(struct broker *b, const struct wish *wish, const struct uuid *id_or_null,
    const struct err *err);

/* The operators' envelope: {"ok":true,"result":…,"tag"?} and {"error":{…},"tag"?}. */
void wish_op_done(
    struct broker *b, const struct wish *wish, enum client_answer answer, struct bytes result);
void wish_op_failed(struct broker *b, const struct wish *wish, const char *code, const char *text);

#endif

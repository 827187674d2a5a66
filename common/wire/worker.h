/*
 * CQW/1, the protocol between worker and broker (docs/protocol.md gives grammar, states and
 * timers). A message is two frames behind the identity: "CQW1" and one binary body whose first byte
 * is the command. Structs here borrow from the frame they were parsed from, but for the arrays,
 * which the
 * *_free function frees. Parsing bytes from outside never asserts: it gives ERR_INPUT.
 */
#ifndef CERTQ_WIRE_WORKER_H
#define CERTQ_WIRE_WORKER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/job.h"

#define WORKER_PROTOCOL "CQW1"
#define WORKER_HEARTBEAT_MS 1000 /* both ways */
#define WORKER_SILENCE_MS 5000   /* the other side is taken for dead */
#define WORKER_GROUP_MAX 1000
#define WORKER_KINDS_MAX 64

enum worker_command {
    WORKER_READY = 1,     /* worker: life, name, kinds, credit, group limit */
    WORKER_WELCOME = 2,   /* broker: its life, settings, the clock's shift */
    WORKER_JOBS = 3,      /* broker: a group */
    WORKER_REPORT = 4,    /* worker: a group's outcomes and follow-ups */
    WORKER_HEARTBEAT = 5, /* both: groups held; broker adds the clock */
    WORKER_DRAIN = 6,     /* worker: no more groups; broker: please drain */
    WORKER_BYE = 7,       /* either: gone */
    WORKER_ERROR = 8,     /* broker: why a message was refused */
};

/* READY. One credit is one group; `urgent` more are kept for priority 9. */
struct worker_ready {
    struct uuid life; /* this process's life: identities are reused, lives are not */
    struct bytes name, host;
    uint32_t pid;
    uint16_t credit, urgent, group; /* group: most jobs it wants at once */
    uint16_t kind_count;
    struct bytes kinds[WORKER_KINDS_MAX];
};
struct worker_welcome {
    struct uuid life; /* the broker's */
    struct bytes name;
    int64_t shift_ms; /* test clock */
    int64_t clock_epoch;
};
struct worker_jobs {
    struct uuid group;
    struct bytes kind;
    bool urgent;
    bool durable;
    int32_t deadline_ms; /* from receipt */
    uint32_t count;
    struct job *jobs; /* pointers inside borrow from the frame; kind is not set */
};
struct worker_result {
    struct uuid id;
    enum outcome outcome;
    struct bytes result; /* JSON object; may be empty */
};
/* A follow-up job committed with the group: the broker may dispatch it without reading it. */
struct worker_report {
    struct uuid group;
    uint32_t count, followup_count;
    struct worker_result *results;
    struct job *followups; /* complete jobs; client, args borrow; kind is kinds[i] */
    struct bytes *followup_kinds;
};
struct worker_heartbeat {
    int64_t shift_ms; /* broker: to take; worker: taken */
    int64_t clock_epoch;
    uint32_t count;
    struct uuid *groups; /* groups the sender believes this worker holds */
};
struct worker_error {
    struct bytes code, text;
};

void worker_ready_write(const struct worker_ready *m, struct buf *ret);
void worker_welcome_write(const struct worker_welcome *m, struct buf *ret);
void worker_report_write(const struct worker_report *m, struct buf *ret);
void worker_heartbeat_write(const struct worker_heartbeat *m, struct buf *ret);
void worker_error_write(const struct worker_error *m, struct buf *ret);
/* DRAIN and BYE have no fields. */
void worker_plain_write(enum worker_command command, struct buf *ret);
/* JOBS from pointers to whole jobs, so that the broker copies each job's bytes once. */
void worker_jobs_write(const struct worker_jobs *head, struct job *const *jobs, struct buf *ret);

/* Body's command; input error when it is none of the above. */
int worker_command_of(struct bytes body, enum worker_command *ret, struct err *err) MUST_USE;
int worker_ready_parse(struct bytes body, struct worker_ready *ret, struct err *err) MUST_USE;
int worker_welcome_parse(struct bytes body, struct worker_welcome *ret, struct err *err) MUST_USE;
int worker_jobs_parse(struct bytes body, struct worker_jobs *ret, struct err *err) MUST_USE;
int worker_report_parse(struct bytes body, struct worker_report *ret, struct err *err) MUST_USE;
int worker_heartbeat_parse(
    struct bytes body, struct worker_heartbeat *ret, struct err *err) MUST_USE;
int worker_error_parse(struct bytes body, struct worker_error *ret, struct err *err) MUST_USE;
void worker_jobs_free(struct worker_jobs *m);
void worker_report_free(struct worker_report *m);
void worker_heartbeat_free(struct worker_heartbeat *m);

#endif

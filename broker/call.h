/*
 * One call of an operators' service on its way: who asked, the parsed body, the answer. A call is
 * finished at once on the reactor, or goes to the desk (the operators' clerk) as a task and is
 * finished when it comes back; one that takes longer than CALL_MS is answered `unavailable` and
 * freed when it comes back. See docs/protocol.md section 5.
 */
#ifndef CERTQ_BROKER_CALL_H
#define CERTQ_BROKER_CALL_H

#include "task.h"
#include "wish.h"

#include "base/json.h"

#define CALL_MS 10000
#define CALL_IDS_MOST 100
#define CALLS_MOST 1000 /* at the desk; more are `busy` */

struct call;
/* An op: a row of its service's table. */
struct op {
    const char *service, *name;
    const char *members; /* allowed ones besides op and tag, separated by blanks */
    bool by_owner;       /* also for the client whose job it is (I12) */
    /*
     * On the reactor. CALL_DONE: call->result is the answer; CALL_ASK: to the desk (`run`);
     * CALL_KEPT: somebody else finishes it; CALL_FAILED: *err.
     */
    enum call_step {
        CALL_DONE,
        CALL_ASK,
        CALL_KEPT,
        CALL_FAILED
    } (*begin)(struct broker *b, struct call *call, struct err *err);
    /* At the desk: fills call->result. */
    int (*run)(struct call *call, struct db *db, struct err *err);
    /* Back on the reactor after run; NULL: CALL_DONE. */
    enum call_step (*finish)(struct broker *b, struct call *call, struct err *err);
    /* Back on the reactor when run failed; may be NULL. */
    void (*undo)(struct broker *b, struct call *call);
};

struct call {
    struct task task;
    const struct op *op;
    struct wish wish; /* tag owned */
    json_t *body;
    json_t *result;
    int64_t since_ms; /* monotonic */
    bool is_answered, is_at_desk;
    struct call *next, *before; /* all calls */
    /* For the ops. */
    int64_t now_ms;     /* domain time when it began */
    const char *client; /* whose jobs it may see; NULL: an operator's, all */
    uint16_t slot;      /* where a job put back goes */
    uint64_t epoch;     /* clock: to be taken by all */
    size_t id_count;
    struct uuid ids[CALL_IDS_MOST];
    bool is_running[CALL_IDS_MOST]; /* here, when the call began */
};

/* Sends the answer (once) and, unless it is at the desk, frees the call. */
void call_finish(struct broker *b, struct call *call);
void call_fail(struct broker *b, struct call *call, const char *code, const char *text);

/* Members, with errors that name them. Missing optional ones leave *ret alone. */
int call_text(const struct call *call, const char *name, bool is_needed, const char **ret,
    struct err *err) MUST_USE;
int call_number(const struct call *call, const char *name, int least, int most, int *ret,
    struct err *err) MUST_USE;
int call_time(const struct call *call, const char *name, bool is_needed, int64_t *ret_ms,
    struct err *err) MUST_USE;
/* Into call->ids: `id`, one; or `ids`, 1..CALL_IDS_MOST. */
int call_id(struct call *call, struct err *err) MUST_USE;
int call_ids(struct call *call, struct err *err) MUST_USE;

/* JSON values: an id, a time; and the tables of the services. */
json_t *json_of_id(const struct uuid *id);
json_t *json_of_time(int64_t ms);
extern const struct op job_ops[], place_ops[], clock_ops[];
extern const size_t job_op_count, place_op_count, clock_op_count;

#endif

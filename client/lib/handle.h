/*
 * Inside a certq handle: its links to brokers, and the requests that wait for an answer. A request
 * is a job's submission or a call of a service; both are bytes that may be sent any number of
 * times, to any broker, until the answer that belongs to their id (a call's: its tag) is there.
 */
#ifndef CERTQ_CLIENT_HANDLE_H
#define CERTQ_CLIENT_HANDLE_H

#include "certq.h"
#include "link.h"

#include "base/json.h"
#include "base/map.h"
#include "crypto/seal.h"

#define LINKS_MAX 16
#define NO_LINK SIZE_MAX

struct request {
    struct uuid id; /* the job's, or what the call's tag says */
    bool is_call;
    char *service;
    struct buf body;
    void *context;
    bool wants_end, is_accepted;
    size_t link; /* where it was sent last, or NO_LINK when it must be sent */
    unsigned link_breaks;
    int64_t act_ms;     /* when to send it again */
    int64_t give_up_ms; /* INT64_MAX: never */
    int64_t connect_ms; /* as give_up_ms, for what was never sent */
    bool was_sent;
    int64_t backoff_ms;
    struct err refusal; /* the last busy or unavailable */
    /* A call's end: its answer (an object) stays here until the caller takes it. */
    bool has_ended;
    json_t *answer;
    struct request *previous, *next; /* in the handle's list */
};

struct certq {
    void *zmq;
    struct link *links[LINKS_MAX];
    size_t link_count, current; /* the link tried first */
    bool has_remote_plain;      /* some broker is neither local nor CURVE */
    struct sealer *sealer;
    int64_t silence_ms, again_ms, give_up_ms, connect_ms;
    size_t in_flight_most, submissions;
    certq_answer_fn *on_answer;
    void *user;
    struct map *requests;         /* by id */
    struct request *first, *last; /* in the order they came */
    struct buf text;              /* the answer being delivered */
    int64_t next_tick_ms;
    size_t delivered; /* events, counted */
};

/* Takes the request over, sends it if anybody listens. conflict: its id is in flight already. */
int handle_add(struct certq *c, struct request *r, struct err *err) MUST_USE;
/* Unlinks and frees. */
void handle_remove(struct certq *c, struct request *r);
/* Does not try this link first any more. */
void handle_avoid(struct certq *c, size_t link);
/* One turn: sends what is due, waits up to wait_ms (-1: for ever) for input, takes it in. */
void handle_turn(struct certq *c, int64_t wait_ms);

/* Takes in what a link got: events for submissions, the end of a call. (answers.c) */
void handle_answer(struct certq *c, const struct client_reply *reply, int64_t now_ms);
/* Ends a request that was not accepted in time. (answers.c) */
void handle_give_up(struct certq *c, struct request *r);

struct request *request_new(const char *service);
void request_free(struct request *r);
DEFINE_AUTO_STRUCT(request);

/* struct err as the public header has it; error may be NULL. Always -1. */
int error_give(struct certq_error *error, enum certq_fault fault, const struct err *err);
/* The fault of a code that an answer carries. */
enum certq_fault error_fault(const char *code);

#endif

/*
 * What clients send (docs/protocol.md): the Majordomo client protocol 0.1 (RFC 7) and 0.2 (RFC 18)
 * and, inside either, Titanic (RFC 9) and MMI (RFC 8). Pure codecs: frames in, frames out, no
 * sockets. A parsed request borrows from its frames.
 */
#ifndef CERTQ_WIRE_CLIENT_H
#define CERTQ_WIRE_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"

#define CLIENT_FRAMES_MAX 8
#define CLIENT_SERVICE_MAX 64

enum client_version { CLIENT_MDP01, CLIENT_MDP02 };

/* A client's message without the routing identity. */
struct client_request {
    enum client_version version;
    bool empty_frame; /* a leading empty frame that the answer mirrors */
    struct bytes service;
    struct bytes body[CLIENT_FRAMES_MAX]; /* frames after the service */
    size_t body_count;
};

/*
 * Input error names the frame and what is wrong with it. *ret is as complete as it got: with a
 * service the error can be answered, without one there is nobody to answer.
 */
int client_request_parse(
    const struct bytes *frames, size_t count, struct client_request *ret, struct err *err) MUST_USE;

enum client_answer { CLIENT_PARTIAL, CLIENT_FINAL };

/*
 * The envelope frames that go in front of the answer's body frames: at most 4, written to `frames`;
 * returns how many. 0.1 knows no PARTIAL (do not send one). For 0.1 request, `answer` is ignored.
 */
size_t client_envelope(enum client_version version, bool empty_frame, enum client_answer answer,
    struct bytes service, struct bytes frames[static 4]);

/* The client's side of 0.2: what goes in front of a request's body; always 3 frames. */
size_t client_request_envelope(struct bytes service, struct bytes frames[static 3]);
/* A broker's answer as a 0.2 client gets it, without a routing identity. Borrows from its frames.
 */
struct client_reply {
    enum client_answer answer;
    struct bytes service, body; /* body: the first body frame, empty when there is none */
};
int client_reply_parse(
    const struct bytes *frames, size_t count, struct client_reply *ret, struct err *err) MUST_USE;

/*
 * A job request's body: {"id": UUID, "at": TIME?, "priority": 0..9?, "args": {…}}. On error *ret
 * has the id when one could be read, so that the rejection can carry it, and nothing to clear.
 * Code too-large when the args are longer than args_most, else bad-request: not UTF-8, cut off, a
 * duplicate key, an unknown member, a bad value (the text says which, and begins with the member).
 */
struct job_request {
    bool has_id, has_at, has_priority;
    struct uuid id;
    int64_t at_ms;
    int priority;
    struct json_t *args; /* owned; json_decref frees; an empty object when there was none */
    /* Args as they were sent, borrowed from the body. Empty when there were none, or when their key
     * was written with escapes: then `args` is to be written anew. */
    struct bytes args_text;
};
int job_request_parse(
    struct bytes body, size_t args_most, struct job_request *ret, struct err *err) MUST_USE;
void job_request_clear(struct job_request *r);
/* The id of a body that is not taken, whatever else is wrong with it: for its rejection. */
bool job_request_id(struct bytes body, struct uuid *ret) MUST_USE;

/*
 * Answers as JSON, appended: {"id","state"} plus `result`, JSON text that may be empty, as "error"
 * when the state is refused or dead, else as "result". state is a word: accepted, rejected, done,
 * refused, dead, cancelled, ready, scheduled, running.
 */
void answer_write(const struct uuid *id, const char *state, struct bytes result, struct buf *ret);
void answer_error_write(const struct uuid *id_or_null, const char *state, const char *code,
    const char *message, struct buf *ret);

#endif

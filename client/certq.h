/*
 * certq for C programs: submits jobs to one or several brokers, pipelined and safe to repeat, waits
 * for results, and calls the operators' services (docs/protocol.md). Speaks MDP 0.2 over ZeroMQ.
 *
 * Delivery: every submission has an id. What gets no answer, or `busy` or `unavailable`, is sent
 * again with the same id, to another broker if there is one; certq does one id once, however often
 * it arrives. A program that must survive its own crash keeps its ids and submits them again.
 *
 * Threads: a handle is used by one thread at a time; different handles share nothing (each has its
 * own ZeroMQ context). Nothing runs in the background but ZeroMQ's own threads: answers are taken
 * in, and timers act, inside certq_poll and the calls that say they block. The library writes
 * nothing to stdout or stderr and changes no signal handling.
 *
 * Secrets (password, old, new, code) are sealed for the workers when an intake certificate is
 * given. Without one they travel as they are, and only over loopback, IPC or CURVE.
 */
#ifndef CERTQ_H
#define CERTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CERTQ_ID_TEXT 37 /* 36 characters and a NUL */

struct certq;

enum certq_fault {
    CERTQ_FAULT_NONE,
    CERTQ_FAULT_USAGE,       /* the call is wrong: bad id, bad JSON, bad option, unreadable key */
    CERTQ_FAULT_REFUSED,     /* certq said no: code and text are its answer's */
    CERTQ_FAULT_UNREACHABLE, /* no broker answered, or its database is away */
    CERTQ_FAULT_TIMED_OUT,   /* waited long enough; the job goes on */
};
struct certq_error {
    enum certq_fault fault;
    char code[32];  /* a word of docs/protocol.md: bad-request, conflict, unavailable, … */
    char text[480]; /* a sentence in UTF-8, without secrets */
};

struct certq_broker {
    const char *endpoint; /* tcp://127.0.0.1:7101 */
    const char *key;      /* its CURVE public key, 40 characters of Z85; NULL: plain */
};

/* How a submission goes on. `json` and the texts live until the callback returns. */
enum certq_event {
    CERTQ_ACCEPTED, /* durable: it will be done. The last event unless the end was asked for */
    CERTQ_ENDED,    /* last event: done, refused, dead, cancelled, or rejected (never accepted) */
    CERTQ_GAVE_UP,  /* last event: no answer in give_up_ms. It may exist: submit the id again */
};
struct certq_answer {
    const char *id; /* 36 characters */
    void *context;  /* the submission's */
    enum certq_event event;
    const char *state;      /* accepted, done, refused, dead, cancelled, rejected; GAVE_UP: "" */
    const char *error_code; /* "" when there is none */
    const char *error_text;
    const char *json; /* the whole answer, NUL-terminated; GAVE_UP: "" */
    size_t json_length;
};
/* Called inside certq_poll, certq_submit, certq_wait and certq_call; must not call the handle. */
typedef void certq_answer_fn(void *user, const struct certq_answer *answer);

/* Zeros and NULLs mean the defaults in brackets. Everything is copied. */
struct certq_options {
    const struct certq_broker *brokers; /* at least one */
    size_t broker_count;
    const char *curve_key_file;     /* our own key pair (certq key generate curve); needed by key */
    const char *intake_certificate; /* PEM file to seal secrets to [none] */
    int silence_ms;                 /* no answer for so long: send again elsewhere [3000] */
    int again_ms;                   /* ask again for the end of an accepted job [10000] */
    int give_up_ms;                 /* not accepted for so long: GAVE_UP [30000] */
    int connect_ms;                 /* no broker to send it to for so long: GAVE_UP [give_up_ms] */
    size_t in_flight;               /* submissions without their last event [1000] */
    certq_answer_fn *on_answer;     /* NULL: answers to submissions are not wanted */
    void *user;
};

/*
 * Makes a handle; connecting goes on in the background, so a broker that is away is no error here.
 * Reads the key and certificate files. 0, or -1 and *error (which may be NULL here and below).
 */
int certq_open(const struct certq_options *options, struct certq **ret, struct certq_error *error);
/* Drops whatever has not had its last event; does not block. NULL is allowed. */
void certq_close(struct certq *c);

/* A new id (UUID version 7: inserts fastest). */
void certq_make_id(char ret[CERTQ_ID_TEXT]);

struct certq_secret {
    const char *path;  /* dotted, from args: "password" */
    const char *value; /* UTF-8 */
    size_t length;
};
struct certq_job {
    const char *kind;
    const char *id;                     /* 36 characters or 32 hex digits; NULL: a new one */
    const char *args;                   /* a JSON object, NUL-terminated; NULL: {} */
    const struct certq_secret *secrets; /* put into args, sealed when there is a certificate */
    size_t secret_count;
    int64_t at_ms;  /* not before: UTC ms since 1970; 0: at once */
    int priority;   /* 0..9, -1: the broker's default */
    bool wants_end; /* events until the job has ended, not only until it is accepted */
    void *context;  /* comes back in its answers */
};
/*
 * Sends a job and goes on. Blocks (taking answers in) only while in_flight submissions wait for
 * their last event. ret_id, when not NULL, gets the id. -1: not sent, no event will come (USAGE:
 * also an id that is in flight already).
 */
int certq_submit(struct certq *c, const struct certq_job *job, char ret_id[CERTQ_ID_TEXT],
    struct certq_error *error);

/*
 * Takes answers in and sends again what is due, for up to timeout_ms (0: what is there; -1: until
 * something happens). Returns how many events it delivered.
 */
int certq_poll(struct certq *c, int timeout_ms);
/* Submissions that wait for their last event. */
size_t certq_in_flight(const struct certq *c);

/*
 * Blocks until the job has ended, whoever submitted it, at most timeout_ms (-1: for ever). *ret is
 * the answer as JSON (free() it): {"id","state","result" or "error"}. -1: REFUSED (not-found,
 * forbidden), UNREACHABLE when no broker answers at all, TIMED_OUT when the job has not ended.
 */
int certq_wait(
    struct certq *c, const char *id, int timeout_ms, char **ret, struct certq_error *error);

/*
 * Calls an operators' service (certq.job, certq.queue, …) with a JSON object that has `op`. Blocks
 * up to timeout_ms (0: give_up_ms). *ret is the result object as JSON (free() it).
 */
int certq_call(struct certq *c, const char *service, const char *request, int timeout_ms,
    char **ret, struct certq_error *error);

/* What went wrong on the way, for a person: one line per broker, newline-terminated (free() it). */
char *certq_describe(const struct certq *c);

#ifdef __cplusplus
}
#endif

#endif

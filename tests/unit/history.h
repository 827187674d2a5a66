/*
 * Random histories: requests of all kinds, by all actors, against one product, with a clock that
 * shifts; decisions are taken by lifecycle/decide_*.h and applied to a small store in memory, as a
 * worker would commit them. After each step history_check() looks for what must never be. A step is
 * a seed of its own, so that steps can be left out of a history without changing the others.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "decide_fixture.h"

#include "lifecycle/decide_contract.h"
#include "lifecycle/decide_succession.h"
#include "lifecycle/notice.h"
#include "mail/template.h"

#include "base/utf8.h"

enum { HISTORY_PEOPLE = 6, HISTORY_CERTIFICATES = 120, HISTORY_STEPS = 60, HISTORY_FAILURE = 4000 };

/* What a password and a code are written with, so that they are found wherever they leak (X5). */
#define PASSWORD_MARK "correct-horse-"
#define CODE_MARK "code-as-typed"

struct history_random {
    uint64_t state;
};
uint64_t draw_next(struct history_random *r);
unsigned draw_below(struct history_random *r, unsigned n);
bool draw_chance(struct history_random *r, unsigned percent);

/* A deferred revocation, or its reminder. */
struct history_job {
    struct uuid id, certificate;
    int64_t at_ms;
    json_t *args;
    bool is_cancelled, is_done;
};

/* What is remembered of a certificate beside its row. */
struct history_memory {
    struct uuid id;
    int64_t revoked_ms; /* 0: not yet */
    enum reason reason;
    bool is_on_crl; /* there is a row of revocation */
    bool was_given; /* it was valid once */
    char request;   /* letter of the request it was given for */
    int noticed_days;
};

struct history_notice {
    struct uuid certificate;
    int days;
    char recipient[128];
};

struct history {
    struct world w; /* first: the ports' arg */
    const struct policy *policy;
    const struct template_set *texts;
    struct history_random random;
    struct aggregate *people[HISTORY_PEOPLE];
    size_t people_count;
    struct contract *contracts[HISTORY_PEOPLE];
    size_t contract_count;
    struct history_job *jobs;
    size_t job_count;
    struct history_memory *memory;
    size_t memory_count;
    struct history_notice *notices;
    size_t notice_count;
    bool is_compromised[256]; /* by letter */
    uint8_t keys;             /* letters drawn so far */
    unsigned jobs_drawn;
    int64_t latest_ms;
    size_t mails, answers_done, answers_refused;
    /* Of the present step: */
    char what[400];     /* the request, for people */
    char *before;       /* snapshot */
    struct uuid job;    /* whose decision it is */
    int64_t decided_ms; /* its time */
    bool is_deferral;
    bool is_proper;                  /* ask as one should: no wrong words, actors or secrets */
    char request;                    /* letter of the request that came along */
    const struct certificate *asked; /* whose code was typed; NULL: none's */
    bool was_right;                  /* the credentials */
    struct buf *trace;               /* NULL: nobody reads it */
    char failure[HISTORY_FAILURE];   /* "": nothing was found */
};

/* What all histories share. */
struct history_setting {
    struct world base;
    struct template_set *texts;
};
void history_setting_init(struct history_setting *s);
void history_setting_clear(struct history_setting *s);

void history_init(struct history *h, const struct history_setting *s, const struct policy *policy);
void history_clear(struct history *h);
void history_fail(struct history *h, const char *format, ...) PRINTF_LIKE(2, 3);
struct history_memory *history_remember(struct history *h, const struct certificate *c);

/* --- one request (history.c) --- */

/* Begins a decision: at `at_ms`, by a job of this id (NULL: a new one). */
struct decision history_decision(struct history *h, const struct uuid *job, int64_t at_ms);
/* The decision was taken (`result` as it returned): checks the plan, applies it. */
void history_apply(struct history *h, int result);
/* Everything that is stored; `with_tries`: also counters of wrong tries and what they lock. */
char *history_snapshot(const struct history *h, bool with_tries);

/* --- what requests are made of (history_args.c) --- */

/* A mistake, unless one asks as one should. */
bool history_errs(struct history *h, unsigned percent);
/* args.PATH, with its objects; takes the value. */
void args_put(json_t *args, const char *path, json_t *value);
/* Somebody who may do this (mostly) as `by`, with the evidence for it. */
struct actor args_by(struct history *h, enum policy_procedure procedure, json_t *args);
/* A value of this field, of person number `who`; unit fields always the same one. */
json_t *args_value(struct history *h, const struct policy_field *field, unsigned who, bool is_new);
struct request_key args_key(struct history *h);
/* Credentials as the procedure wants them, and the code of this certificate. */
void args_credentials(
    struct history *h, enum policy_procedure procedure, const struct aggregate *a, json_t *args);
const char *args_reason(struct history *h, const struct policy_reasons *reasons);

/* --- requests (history_ask.c) --- */

void ask_issue(struct history *h);
void ask_retrieve(struct history *h, struct aggregate *a, struct certificate *c);
void ask_lookup(struct history *h, struct aggregate *a, struct certificate *c);
void ask_reissue(struct history *h, struct aggregate *a, struct certificate *c);
void ask_renew(struct history *h, struct aggregate *a, struct certificate *c);
void ask_change(struct history *h, struct aggregate *a);
void ask_revoke(struct history *h, struct aggregate *a, struct certificate *c);
void ask_decide(
    struct history *h, struct aggregate *a, const struct application *row, bool approve);

/* --- at the counter (history_counter.c) --- */

void ask_withdraw(struct history *h, struct aggregate *a);
void ask_password(struct history *h, struct aggregate *a, enum policy_procedure procedure);
void ask_records(struct history *h, struct aggregate *a, enum policy_procedure procedure);
void ask_scan(struct history *h);

/* --- one step (history_step.c) --- */

void history_step(struct history *h, uint64_t seed);
/* From every state something leads on: ends whatever is open, by requests that somebody may make.
 */
void history_end(struct history *h);

/* Deferred revocations that are due by now; with `may_be_late`, some wait for the next time. */
void history_wake(struct history *h, bool may_be_late);

/* --- what must hold (history_check.c) --- */

void history_check(struct history *h);
/* The plan of the present decision. */
void history_check_plan(struct history *h);

#endif

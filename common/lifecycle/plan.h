/*
 * What a decision wants done, and the answer it gives. A plan is filled by pure functions and
 * stored by the worker in one transaction with the completion of its job. It owns everything put
 * into it; plan_clear frees. A refused plan has no result and no follow-ups but those that are
 * wanted regardless, and may have audit lines (five wrong passwords are written down).
 */
#ifndef CERTQ_LIFECYCLE_PLAN_H
#define CERTQ_LIFECYCLE_PLAN_H

#include "base/json.h"
#include "base/kind.h"
#include "base/uuid.h"

struct plan_audit {
    const char *event; /* a word of the list in docs/security.md, a literal */
    struct uuid subject;
    json_t *detail; /* object or NULL */
};

/* A follow-up job: mails are jobs of kind mail. */
struct plan_followup {
    struct uuid id;
    enum kind_id kind;
    int priority;
    int64_t run_at_ms;  /* 0: now */
    int64_t created_ms; /* fixed by the first plan_write: the row and the report say the same */
    bool is_regardless; /* it stays when the plan is refused */
    json_t *args;
    char *args_text; /* args as stored, once plan_write made it */
};

struct plan {
    bool refused;
    char code[32]; /* of the refusal, docs/protocol.md */
    char *message;
    json_t *fields;             /* {path: message} or NULL */
    json_t *result;             /* of a plan that is not refused */
    const char *role, *channel; /* who asked, for the audit; literals, NULL: not known */
    char *actor;                /* their name; NULL: none */
    json_t *by; /* more of them for every audit line (D10): {name?, evidence?}; NULL */
    struct plan_audit *audits;
    size_t audit_count;
    struct plan_followup *followups;
    size_t followup_count;
    struct uuid *cancels; /* follow-ups of earlier jobs that are not wanted any more */
    size_t cancel_count;
    char *answer; /* result or refusal as stored, once plan_write made it */
};

void plan_clear(struct plan *p);
/* Drops result and follow-ups; the first refusal stays. */
void plan_refuse(struct plan *p, const char *code, const char *format, ...) PRINTF_LIKE(3, 4);
/* Adds a bad field (path -> message); the plan becomes refused with code "bad-request". */
void plan_bad_field(struct plan *p, const char *path, const char *format, ...) PRINTF_LIKE(3, 4);
/* References to detail, args and result are taken. A refused plan takes no result and no follow-up.
 */
void plan_result(struct plan *p, json_t *result);
void plan_by(struct plan *p, const char *role, const char *channel, const char *actor);
/* What every audit line of the plan says of the requester as `by` in its detail: a reference that
 * is taken; NULL and an empty object are nothing. */
void plan_by_more(struct plan *p, json_t *by);
void plan_audit(struct plan *p, const char *event, const struct uuid *subject, json_t *detail);
/* Its id; zero for a refused plan. */
struct uuid plan_followup(
    struct plan *p, enum kind_id kind, int priority, int64_t run_at_ms, json_t *args);
/* One that is wanted even of a refused plan: who was locked out hears of it (D7). */
struct uuid plan_followup_regardless(
    struct plan *p, enum kind_id kind, int priority, int64_t run_at_ms, json_t *args);
/* A follow-up that waits, by its id; what has run meanwhile is passed over. */
void plan_cancel(struct plan *p, const struct uuid *job);
/* The refusal as {"code","message","fields"?}; new reference. */
json_t *plan_error(const struct plan *p);
/* Makes answer and args_text, and gives follow-ups without a time `now_ms`; idempotent. */
void plan_write(struct plan *p, int64_t now_ms);

#endif

#include "lifecycle/decide_succession.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/job.h"
#include "lifecycle/decide_certificate.h"
#include "lifecycle/decide_mail.h"

#include <string.h>

/* --- the terms in an application --- */

static bool read_id(const json_t *terms, const char *name, struct uuid *ret)
{
    const char *text = json_text_at(terms, name);
    *ret = (struct uuid){{0}};
    return text && uuid_parse(text, strlen(text), ret);
}

bool succession_read(const struct application *a, struct succession *ret)
{
    const bool succeeds =
        strcmp(a->kind, KIND_WORD_REISSUE) == 0 || strcmp(a->kind, KIND_WORD_RENEW) == 0;
    if (!succeeds || !a->request)
        return false;
    AUTO_TYPE(json, json_t) *request = json_loads(a->request, 0, NULL);
    const json_t *terms = json_object_get(request, "reissue");
    const char *timing = json_text_at(terms, "timing");
    int word = timing ? policy_word_find(policy_timing_words, timing) : -1;
    int reason = (int)json_integer_value(json_object_get(terms, "crl"));
    if (word < 0 || !reason_is_code(reason))
        return false;
    *ret = (struct succession){.timing = (enum policy_timing)word,
        .reason = (enum reason)reason,
        .is_urgent = json_is_true(json_object_get(terms, "urgent")),
        .revoke_ms = json_integer_value(json_object_get(terms, "revoke_ms"))};
    read_id(terms, "revokes", &ret->revokes);
    read_id(terms, "job", &ret->job);
    read_id(terms, "reminder", &ret->reminder);
    return true;
}

json_t *succession_json(const struct succession *s)
{
    json_t *terms = json_pack("{s:s, s:i, s:b, s:s?}", "timing", policy_word(timing, s->timing),
        "crl", (int)s->reason, "urgent", s->is_urgent, "reason", s->word);
    if (!uuid_is_zero(&s->revokes))
        json_object_set_new(terms, "revokes", json_uuid(&s->revokes));
    return terms;
}

static bool is_scheduled(
    const struct application *a, const struct certificate *c, struct succession *ret)
{
    return succession_read(a, ret) && uuid_equal(&ret->revokes, &c->id) && !uuid_is_zero(&ret->job);
}

/* The newest counts: a successor before it may have been revoked, and its job came to nothing. */
const struct application *succession_pending(
    const struct aggregate *a, const struct certificate *c, struct succession *ret)
{
    for (size_t i = a->application_count; c->state == CERTIFICATE_VALID && i > 0; i--)
        if (is_scheduled(a->applications[i - 1], c, ret))
            return a->applications[i - 1];
    return NULL;
}

/* --- revoking --- */

/* X4: whatever would have revoked it later. */
static void unschedule(const struct decision *d, const struct aggregate *a,
    const struct certificate *c, struct plan *plan)
{
    for (size_t i = 0; i < a->application_count; i++) {
        struct succession s;
        if (!is_scheduled(a->applications[i], c, &s) || uuid_equal(&s.job, &d->job))
            continue;
        plan_cancel(plan, &s.job);
        if (!uuid_is_zero(&s.reminder))
            plan_cancel(plan, &s.reminder);
        plan_audit(
            plan, "revocation.unscheduled", &c->id, json_pack("{s:o}", "job", json_uuid(&s.job)));
    }
}

static void revoke_one(const struct decision *d, struct aggregate *a, struct certificate *c,
    enum reason reason, const char *word, const char *note, struct plan *plan)
{
    unschedule(d, a, c, plan);
    certificate_revoke(c, reason, d->now_ms, &d->job);
    plan_audit(plan, "certificate.revoked", &c->id,
        json_pack("{s:o, s:s, s:s, s:s?}", "serial", json_serial(c), "reason", reason_name(reason),
            "word", word, "note", note));
}

static bool same_key(const struct certificate *a, const struct certificate *b)
{
    return a->has_request && b->has_request &&
           memcmp(a->spki_sha256, b->spki_sha256, sizeof a->spki_sha256) == 0;
}

/* What falls with a compromised key; `c` itself is revoked already. */
static void collapse(
    const struct decision *d, struct aggregate *a, const struct certificate *c, struct plan *plan)
{
    for (size_t i = 0; i < a->certificate_count; i++) {
        struct certificate *other = a->certificates[i];
        struct succession s;
        if (other->state != CERTIFICATE_VALID || certificate_is_expired(other, d->now_ms))
            continue;
        if (same_key(other, c))
            revoke_one(d, a, other, REASON_KEY_COMPROMISE, "same-key", NULL, plan);
        else if (uuid_equal(&other->root, &c->root) && succession_pending(a, other, &s))
            revoke_one(d, a, other, s.reason, "key-compromise-in-chain", NULL, plan);
    }
}

void key_report(
    const struct decision *d, struct aggregate *a, struct certificate *c, struct plan *plan)
{
    char hex[2 * sizeof c->spki_sha256 + 1];
    c->reported_by = d->job;
    c->reported_ms = d->now_ms;
    hex_encode(c->spki_sha256, sizeof c->spki_sha256, hex);
    plan_audit(plan, "key.compromised", &c->id, json_pack("{s:s}", "spki_sha256", hex));
    collapse(d, a, c, plan);
}

void revocation_apply(const struct decision *d, struct aggregate *a, struct certificate *c,
    enum reason reason, const char *word, const char *note, struct plan *plan)
{
    revoke_one(d, a, c, reason, word, note, plan);
    if (reason == REASON_KEY_COMPROMISE && c->has_request)
        key_report(d, a, c, plan);
}

void revocation_mails(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, int priority, struct plan *plan)
{
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *c = a->certificates[i];
        const struct application *application = aggregate_application(a, &c->application);
        AUTO_PERSON person = {0};
        struct err err = {0};
        if (!uuid_equal(&c->revoked_by, &d->job) || !application ||
            person_of_rows(a, application, &person, &err))
            continue;
        struct mail_order mail = {.event = MAIL_REVOKED,
            .policy = policy,
            .aggregate = a,
            .application = application,
            .certificate = c,
            .person = &person,
            .priority = priority};
        mail_plan(d, &mail, plan);
    }
}

void certificate_cancel(const struct decision *d UNUSED, struct certificate *c, struct plan *plan)
{
    certificate_move(c, CERTIFICATE_CANCELLED);
    plan_audit(plan, "certificate.cancelled", &c->id, json_pack("{s:o}", "serial", json_serial(c)));
}

/* --- the successor is issued --- */

static void set_member(json_t *terms, const char *name, json_t *value)
{
    json_object_set_new(terms, name, value);
}

static json_t *deferral_args(const struct application *a, const struct succession *s)
{
    json_t *args = json_object();
    set_member(args, "certificate", json_uuid(&s->revokes));
    set_member(args, "successor", json_uuid(&a->certificate));
    return args;
}

/* The mail that it is near. */
static void announce(const struct policy *policy, const struct application *a,
    const struct succession *s, int64_t at_ms, json_t *terms, struct plan *plan)
{
    if (!policy->mails[MAIL_DEFERRED_DUE].count ||
        policy->reissue.defer_days <= DEFERRED_NOTICE_DAYS)
        return;
    struct uuid job = plan_followup(plan, KIND_REVOKE, JOB_PRIORITY_DEFAULT,
        at_ms - DEFERRED_NOTICE_DAYS * DAY_MS, deferral_args(a, s));
    set_member(terms, "reminder", json_uuid(&job));
}

/* To the second from the successor's issuance (C5). */
static void defer(const struct decision *d, const struct policy *policy, struct application *a,
    const struct succession *s, struct plan *plan)
{
    const int64_t at_ms = d->now_ms + policy->reissue.defer_days * DAY_MS;
    AUTO_TYPE(json, json_t) *request = json_loads(a->request, 0, NULL);
    json_t *terms = json_object_get(request, "reissue");
    struct uuid job = plan_followup(plan, KIND_REVOKE,
        s->is_urgent ? JOB_PRIORITY_URGENT : JOB_PRIORITY_DEFAULT, at_ms, deferral_args(a, s));
    set_member(terms, "job", json_uuid(&job));
    set_member(terms, "revoke_ms", json_integer(at_ms));
    announce(policy, a, s, at_ms, terms, plan);
    free(a->request);
    a->request = json_compact(request);
    row_touch(&a->row);
    plan_audit(plan, "revocation.scheduled", &s->revokes,
        json_pack("{s:o, s:o, s:o}", "job", json_uuid(&job), "at", json_time(at_ms), "successor",
            json_uuid(&a->certificate)));
}

void succession_complete(const struct decision *d, const struct policy *policy, struct aggregate *a,
    struct application *application, struct plan *plan)
{
    struct succession s;
    if (!succession_read(application, &s) || uuid_is_zero(&s.revokes))
        return;
    struct certificate *old = aggregate_certificate(a, &s.revokes);
    if (!old || old->state != CERTIFICATE_VALID || certificate_is_expired(old, d->now_ms))
        return;
    if (s.timing == TIMING_DEFERRED)
        defer(d, policy, application, &s, plan);
    else if (s.timing == TIMING_ON_RETRIEVAL || s.timing == TIMING_IMMEDIATE)
        revocation_apply(d, a, old, s.reason, policy_word(timing, s.timing), NULL, plan);
}

/* --- a deferral wakes --- */

/* Does the chain of predecessors lead from `c` to `to`? */
static bool descends(const struct aggregate *a, const struct certificate *c, const struct uuid *to)
{
    for (size_t i = 0; c && i <= a->certificate_count; i++) {
        if (uuid_equal(&c->id, to))
            return true;
        c = aggregate_certificate(a, &c->predecessor);
    }
    return false;
}

const struct certificate *succession_heir(
    const struct decision *d, const struct aggregate *a, const struct uuid *successor)
{
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *c = a->certificates[i];
        if (c->state == CERTIFICATE_VALID && !certificate_is_expired(c, d->now_ms) &&
            descends(a, c, successor))
            return c;
    }
    return NULL;
}

/* Is this the job that the successor's application names? Nobody else can have its id (I3). */
static bool find_terms(const struct decision *d, const struct aggregate *a,
    const struct certificate *c, const struct uuid *successor, struct succession *ret)
{
    const struct certificate *next = aggregate_certificate(a, successor);
    const struct application *application =
        next ? aggregate_application(a, &next->application) : NULL;
    return application && succession_read(application, ret) &&
           (uuid_equal(&ret->job, &d->job) || uuid_equal(&ret->reminder, &d->job)) &&
           uuid_equal(&ret->revokes, &c->id);
}

static void remind(const struct decision *d, const struct policy *policy, const struct aggregate *a,
    const struct certificate *c, const struct uuid *successor, struct plan *plan)
{
    const struct application *own = aggregate_application(a, &c->application);
    const struct certificate *next = aggregate_certificate(a, successor);
    AUTO_PERSON person = {0};
    struct err err = {0};
    if (!own || person_of_rows(a, own, &person, &err))
        return;
    const struct mail_order mail = {.event = MAIL_DEFERRED_DUE,
        .policy = policy,
        .aggregate = a,
        .application = aggregate_application(a, &next->application),
        .certificate = c,
        .person = &person};
    mail_plan(d, &mail, plan);
}

void decide_deferral(const struct decision *d, const struct policy *policy, struct aggregate *a,
    struct certificate *c, const struct uuid *successor, struct plan *plan)
{
    struct succession s;
    if (!find_terms(d, a, c, successor, &s)) {
        plan_refuse(plan, "forbidden", "successor: only certq itself revokes for a successor");
        return;
    }
    const bool is_reminder = uuid_equal(&s.reminder, &d->job);
    plan_by(plan, "certq", "deferred", NULL);
    const char *kept = NULL;
    if (c->state != CERTIFICATE_VALID)
        kept = "it is no longer valid";
    else if (certificate_is_expired(c, d->now_ms))
        kept = "it has expired";
    else if (!succession_heir(d, a, successor))
        kept = "no valid certificate supersedes it any more";
    if (kept && !is_reminder) {
        plan_audit(plan, "revocation.dropped", &c->id, json_pack("{s:s}", "why", kept));
    } else if (!kept && is_reminder) {
        remind(d, policy, a, c, successor, plan);
    } else if (!kept) {
        revocation_apply(d, a, c, s.reason, "deferred", NULL, plan);
        revocation_mails(d, policy, a, 0, plan);
    }
    json_t *result = json_object();
    set_member(result, "certificate", json_uuid(&c->id));
    set_member(result, "serial", json_serial(c));
    set_member(result, "state", json_string(certificate_state_word(c->state)));
    if (kept)
        set_member(result, "kept", json_string(kept));
    else
        set_member(result, "revoke_at", json_time(is_reminder ? s.revoke_ms : c->revoked_ms));
    plan_result(plan, result);
}

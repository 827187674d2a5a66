#include "lifecycle/decide_reissue_rules.h"

#include "base/clock.h"
#include "lifecycle/decide_revoke.h"
#include "lifecycle/decide_state.h"
#include "lifecycle/decide_succession.h"

#include <string.h>

/* C6: the key that is reported here is refused from now on, this request's not excepted. */
static bool is_compromised(const struct reissue_case *k, struct plan *plan)
{
    const struct certificate *c = k->certificate;
    if (k->reason->crl == REASON_KEY_COMPROMISE && c->has_request &&
        memcmp(c->spki_sha256, k->r->key->spki_sha256, sizeof c->spki_sha256) == 0)
        plan_refuse(plan, "key-compromised",
            "csr: this is the key that is reported compromised; make another");
    return plan->refused;
}

/* The request comes with it, or with the retrieval. */
static bool has_csr(const struct reissue_case *k, struct plan *plan)
{
    const bool wants = k->policy->reissue.csr == CSR_AT_REQUEST;
    const json_t *csr = json_object_get(k->r->args, "csr");
    if (wants && !k->r->key)
        plan_bad_field(plan, "csr", "is missing: %s issues from the request that comes with it",
            k->policy->name);
    else if (!wants && csr && !json_is_null(csr))
        plan_bad_field(plan, "csr", "is given at the retrieval, not here");
    else if (wants && key_check(k->policy, k->r->key, plan))
        (void)is_compromised(k, plan);
    return !plan->refused;
}

/* --- the certificate's state --- */

/* B2: to who has credentials, the date is no other reason than a wrong password. */
static void refuse_date(
    const struct reissue_case *k, const char *code, const char *why, struct plan *plan)
{
    const struct certificate *c = k->certificate;
    plan_audit(plan, "reissue.refused", &c->id, json_pack("{s:s}", "why", why));
    if (k->is_operator || !k->policy->reissue.min_days_left)
        plan_refuse(plan, code, "certificate %s %s: it ends on %s", uuid_s(&c->id), why,
            clock_s(c->not_after_ms));
    else
        plan_refuse(plan, "credentials", "%s", REISSUE_REFUSAL);
}

static bool has_time_left(const struct reissue_case *k, struct plan *plan)
{
    const struct certificate *c = k->certificate;
    const int least = k->policy->reissue.min_days_left;
    if (!c->not_after_ms)
        return true;
    if (k->d->now_ms / 1000 > c->not_after_ms / 1000)
        refuse_date(k, "expired", "has expired", plan);
    else if (days_between(k->d->now_ms, c->not_after_ms, k->policy->zone) < least)
        refuse_date(k, "too-late", "has too few days left", plan);
    return !plan->refused;
}

static bool is_open(const struct reissue_case *k, struct plan *plan)
{
    const struct certificate *c = k->certificate;
    switch (c->state) {
    case CERTIFICATE_VALID:
        return has_time_left(k, plan);
    case CERTIFICATE_AWAITING_RETRIEVAL:
        if (k->policy->reissue.takes_unretrieved)
            return has_time_left(k, plan);
        plan_refuse(plan, "not-retrieved", "a certificate of %s is reissued once it is retrieved",
            k->policy->name);
        return false;
    case CERTIFICATE_REVOKED:
        plan_refuse(plan, "revoked", "certificate %s was revoked on %s (%s)", uuid_s(&c->id),
            clock_s(c->revoked_ms), reason_name(c->reason));
        return false;
    case CERTIFICATE_CANCELLED:
        plan_refuse(plan, "cancelled", "certificate %s was cancelled before it was retrieved",
            uuid_s(&c->id));
        return false;
    case CERTIFICATE_AWAITING_APPROVAL:
        plan_refuse(plan, "awaiting-approval", "the application has not been approved yet");
        return false;
    case CERTIFICATE_NEW:
    case CERTIFICATE_STATE_COUNT:
        break;
    }
    plan_refuse(plan, "not-found", "there is no certificate %s", uuid_s(&c->id));
    return false;
}

/* What the new certificate supersedes: the one in question, or what that one was to supersede. */
static struct certificate *find_old(const struct reissue_case *k)
{
    struct certificate *c = k->certificate;
    const struct application *a = aggregate_application(k->aggregate, &c->application);
    struct succession s;
    if (c->state == CERTIFICATE_VALID)
        return c;
    if (!a || !succession_read(a, &s))
        return NULL;
    struct certificate *old = aggregate_certificate(k->aggregate, &s.revokes);
    bool lives =
        old && old->state == CERTIFICATE_VALID && !certificate_is_expired(old, k->d->now_ms);
    return lives ? old : NULL;
}

/* --- how often, and how soon (C4) --- */

static bool is_waiting(const struct application *a)
{
    return strcmp(a->kind, KIND_WORD_REISSUE) == 0 && a->state == APPLICATION_AWAITING_APPROVAL;
}

static size_t count_waiting(const struct aggregate *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->application_count; i++)
        n += is_waiting(a->applications[i]);
    return n;
}

/* Of a contract those done and those that wait; of a subscriber likewise. */
static size_t count_before(const struct reissue_case *k)
{
    const struct contract *contract = k->aggregate->contract;
    size_t n = 0;
    if (contract && k->policy->reissue.most_of == COUNTED_CONTRACT) {
        for (size_t i = 0; i < contract->member_count; i++)
            n += count_waiting(contract->members[i]);
        return n + contract->reissues;
    }
    for (size_t i = 0; i < k->aggregate->application_count; i++) {
        const struct application *a = k->aggregate->applications[i];
        n += strcmp(a->kind, KIND_WORD_REISSUE) == 0 && a->state == APPLICATION_APPROVED;
    }
    return n + count_waiting(k->aggregate);
}

/* One request for one certificate at a time: what was sent stands until it is decided (B7). */
static bool is_first(const struct reissue_case *k, struct plan *plan)
{
    for (size_t i = 0; i < k->aggregate->certificate_count; i++) {
        const struct certificate *c = k->aggregate->certificates[i];
        const struct application *a = aggregate_application(k->aggregate, &c->application);
        if (c->state == CERTIFICATE_AWAITING_APPROVAL && a && is_waiting(a) &&
            uuid_equal(&c->predecessor, &k->certificate->id)) {
            plan_refuse(plan, "already-requested",
                "a reissue of this certificate was asked for on %s and waits: application %s",
                clock_s(a->created_ms), uuid_s(&a->id));
            return false;
        }
    }
    return true;
}

/*
 * What has a successor already, and only lives until its time comes (C5), is not replaced a second
 * time: there would be two in its place, and nothing to end one of them.
 */
static bool is_superseded(const struct reissue_case *k, struct plan *plan)
{
    for (size_t i = 0; i < k->aggregate->application_count; i++) {
        const struct application *a = k->aggregate->applications[i];
        const struct certificate *heir = NULL;
        struct succession s;
        if (succession_read(a, &s) && uuid_equal(&s.revokes, &k->certificate->id))
            heir = succession_heir(k->d, k->aggregate, &a->certificate);
        if (!heir)
            continue;
        plan_refuse(plan, "already-reissued",
            "certificate %s was reissued, and %s is valid in its place: reissue that one, or "
            "revoke the old one",
            uuid_s(&k->certificate->id), uuid_s(&heir->id));
        return true;
    }
    return false;
}

/* "25日以内" takes day 25 in, "25日以降" begins with it. */
static bool is_in_window(const struct reissue_case *k)
{
    const struct policy_window *w = &k->policy->reissue.window;
    const struct certificate *c = k->certificate;
    const int days = w->days - (w->takes_last_day ? 0 : 1);
    const struct length length = {LENGTH_DAYS, days};
    if (!w->is_set || !c->issued_ms)
        return true;
    return days > 0 ? period_includes(c->issued_ms, length, (enum first_day)w->first_day,
                          k->policy->zone, k->d->now_ms)
                    : days_between(c->issued_ms, k->d->now_ms, k->policy->zone) == 0;
}

static bool is_within_limits(const struct reissue_case *k, struct plan *plan)
{
    const struct policy_reissue *n = &k->policy->reissue;
    const bool is_late = !is_in_window(k);
    if (!is_late && !(n->most && count_before(k) >= (size_t)n->most))
        return true;
    if (n->outside == OUTSIDE_OPERATOR_REQUEST && k->is_operator)
        return true;
    const char *code = n->outside == OUTSIDE_OPERATOR_REQUEST  ? "contact-us"
                       : n->outside == OUTSIDE_NEW_APPLICATION ? "new-application"
                       : is_late                               ? "too-late"
                                                               : "too-many";
    plan_refuse(plan, code, "%s reissues %s", k->policy->name,
        is_late ? "only within its days from the issue" : "not so often");
    return false;
}

/* --- reason and timing --- */

static bool find_reason(struct reissue_case *k, struct plan *plan)
{
    const struct policy_reasons *reasons = &k->policy->reissue.reasons;
    k->reason = reason_choose(reasons, k->r->reason, plan);
    if (k->reason && k->reason->is_emergency && !k->is_operator)
        plan_refuse(plan, "contact-us", "%s: a reissue for %s is an operator's to make",
            k->policy->name, k->reason->word);
    return !plan->refused;
}

/* A compromised key is revoked when the policy says, whatever was asked for (C6). */
static bool find_timing(struct reissue_case *k, struct plan *plan)
{
    const struct policy_reissue *n = &k->policy->reissue;
    const int asked = k->r->timing, forced = k->reason->force;
    const bool is_compromise = k->reason->crl == REASON_KEY_COMPROMISE;
    if (forced >= 0 && (asked < 0 || asked == forced || is_compromise))
        k->timing = (enum policy_timing)forced;
    else if (forced >= 0)
        plan_bad_field(
            plan, "revocation", "must be %s for %s", policy_word(timing, forced), k->reason->word);
    else if (asked >= 0 && !(n->choices & POLICY_BIT(asked)))
        plan_bad_field(plan, "revocation", "%s does not offer %s", k->policy->name,
            policy_word(timing, asked));
    else if (asked < 0 && n->fallback < 0)
        plan_bad_field(plan, "revocation", "is missing: when is the old certificate revoked?");
    else
        k->timing = (enum policy_timing)(asked >= 0 ? asked : n->fallback);
    return !plan->refused;
}

bool rules_allow(struct reissue_case *k, struct plan *plan)
{
    if (!state_is_open(k->d, k->aggregate, plan) || !is_open(k, plan) ||
        !actor_may(k->d, k->policy, PROC_REISSUE, k->r->args, plan) || !is_first(k, plan) ||
        !is_within_limits(k, plan) || is_superseded(k, plan) || !find_reason(k, plan) ||
        !find_timing(k, plan) || !has_csr(k, plan))
        return false;
    k->old = find_old(k);
    return true;
}

static enum policy_review review_of(const struct reissue_case *k)
{
    const struct policy_reissue *n = &k->policy->reissue;
    return (enum policy_review)(k->reason->is_emergency ? n->emergency_review : n->review);
}

bool rules_want_review(const struct reissue_case *k)
{
    return review_of(k) == REVIEW_ALWAYS;
}

bool rules_want_later_review(const struct reissue_case *k)
{
    return review_of(k) == REVIEW_AFTER;
}

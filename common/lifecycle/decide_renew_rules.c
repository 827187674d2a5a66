/* Whether a certificate may be renewed, when, by whom and with what. */
#include "base/clock.h"
#include "lifecycle/decide_change.h"
#include "lifecycle/decide_device.h"
#include "lifecycle/decide_renew.h"
#include "lifecycle/decide_state.h"
#include "lifecycle/decide_succession.h"

#include <string.h>

/* A2: told before anything else, whoever asks. */
static bool is_by_renewal(const struct renew_case *k, struct plan *plan)
{
    if (k->policy->renew.mode == RENEW_NEW_APPLICATION)
        plan_refuse(plan, "new-application",
            "%s is renewed by a fresh application: issue with renews: %s, before %s",
            k->policy->name, uuid_s(&k->old->id), clock_s(k->old->not_after_ms));
    return !plan->refused;
}

static bool is_signed(const struct renew_case *k, struct plan *plan)
{
    if (k->d->actor.how == CHANNEL_SIGNATURE && !uuid_equal(&k->d->signed_by, &k->old->id))
        plan_refuse(
            plan, "bad-signature", "certificate %s's key did not sign this", uuid_s(&k->old->id));
    return !plan->refused;
}

/* A certificate's id is no secret: naming one proves nothing. */
static bool is_asked_properly(const struct renew_case *k, struct plan *plan)
{
    if (k->d->actor.how == CHANNEL_CREDENTIALS && !k->is_proven)
        plan_bad_field(plan, "email", "is missing: give the credentials, or say how (by)");
    return !plan->refused && is_signed(k, plan);
}

static void refuse_expired(const struct renew_case *k, struct plan *plan)
{
    const char *end = clock_s(k->old->not_after_ms);
    switch ((enum policy_after_expiry)k->policy->renew.after_expiry) {
    case AFTER_FIRST_RETRIEVAL:
        plan_refuse(plan, "expired",
            "the certificate expired on %s: retrieve another one, which is no renewal", end);
        break;
    case AFTER_NEW_APPLICATION:
        plan_refuse(plan, "new-application", "the certificate expired on %s: apply anew", end);
        break;
    case AFTER_REFUSE:
    case AFTERS:
        plan_refuse(plan, "expired", "the certificate expired on %s", end);
    }
}

static bool is_in_time(const struct renew_case *k, struct plan *plan)
{
    const int open = k->policy->renew.open_days;
    const int64_t left = days_between(k->d->now_ms, k->old->not_after_ms, k->policy->zone);
    if (certificate_is_expired(k->old, k->d->now_ms))
        refuse_expired(k, plan);
    else if (open && left > open)
        plan_refuse(plan, "too-early",
            "the certificate ends on %s, in %lld days; %s renews from %d days before",
            clock_s(k->old->not_after_ms), (long long)left, k->policy->name, open);
    return !plan->refused;
}

static bool is_valid(const struct renew_case *k, struct plan *plan)
{
    const struct certificate *c = k->old;
    switch (c->state) {
    case CERTIFICATE_VALID:
        return is_in_time(k, plan);
    case CERTIFICATE_REVOKED:
        plan_refuse(plan, "revoked", "certificate %s was revoked on %s (%s)", uuid_s(&c->id),
            clock_s(c->revoked_ms), reason_name(c->reason));
        return false;
    case CERTIFICATE_CANCELLED:
        plan_refuse(
            plan, "cancelled", "certificate %s was cancelled before it was issued", uuid_s(&c->id));
        return false;
    case CERTIFICATE_AWAITING_RETRIEVAL:
        plan_refuse(
            plan, "not-retrieved", "certificate %s has not been retrieved yet", uuid_s(&c->id));
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

static bool is_same_request(const struct renew_case *k, const struct certificate *c)
{
    return k->r->key && c->state == CERTIFICATE_VALID && c->has_request &&
           memcmp(c->request_sha256, k->r->key->request_sha256, sizeof c->request_sha256) == 0;
}

/*
 * One renewal of a certificate lives at a time; one that was rejected or revoked does not count.
 * Who lost the answer and asks again with the same CSR gets the same one (X6).
 */
static bool is_first(struct renew_case *k, struct plan *plan)
{
    for (size_t i = 0; i < k->aggregate->certificate_count; i++) {
        struct certificate *c = k->aggregate->certificates[i];
        const struct application *a = aggregate_application(k->aggregate, &c->application);
        if (!uuid_equal(&c->predecessor, &k->old->id) || !a ||
            strcmp(a->kind, KIND_WORD_RENEW) != 0 || c->state == CERTIFICATE_CANCELLED ||
            c->state == CERTIFICATE_REVOKED)
            continue;
        if (is_same_request(k, c)) {
            k->again = c;
            return true;
        }
        plan_refuse(plan, "already-renewed", "certificate %s was renewed on %s: %s, which is %s",
            uuid_s(&k->old->id), clock_s(c->created_ms), uuid_s(&c->id),
            certificate_state_word(c->state));
        return false;
    }
    return true;
}

/* --- with what: all that is wrong at once --- */

static void check_csr(const struct renew_case *k, struct plan *plan)
{
    const bool is_needed =
        k->policy->renew.csr == CSR_AT_REQUEST || k->policy->issue.path == PATH_DIRECT;
    if (is_needed && !k->r->has_csr)
        plan_bad_field(plan, "csr", "is missing: %s renews with a request", k->policy->name);
    else if (!is_needed && k->r->has_csr)
        plan_bad_field(plan, "csr", "is given at the retrieval, not here");
    else if (k->r->key)
        key_check(k->policy, k->r->key, plan);
}

static void check_term(struct renew_case *k, const struct person *before, struct plan *plan)
{
    k->term = k->r->term ? policy_term(k->policy, k->r->term) : person_term(before, k->policy);
    if (!k->term)
        plan_bad_field(plan, "term", "%s has no such term", k->policy->name);
}

static void check_changes(const struct renew_case *k, struct plan *plan)
{
    if (!k->r->changes)
        return;
    if (!k->aggregate->contract)
        plan_bad_field(plan, "changes", "%s has no contacts to change", k->policy->name);
    else
        change_check_riding(k->policy, k->r->changes, plan);
}

bool renew_rules_allow(struct renew_case *k, const struct person *before, struct plan *plan)
{
    if (!is_by_renewal(k, plan) || !actor_may(k->d, k->policy, PROC_RENEW, k->r->args, plan) ||
        !is_asked_properly(k, plan) || !state_is_open(k->d, k->aggregate, plan) ||
        !is_valid(k, plan) || !is_first(k, plan))
        return false;
    if (k->again)
        return true;
    check_csr(k, plan);
    check_term(k, before, plan);
    check_changes(k, plan);
    k->device = device_read(k->r->args, k->policy, plan);
    return !plan->refused;
}

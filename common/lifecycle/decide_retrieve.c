#include "lifecycle/decide_retrieve.h"

#include "base/clock.h"
#include "lifecycle/decide_device.h"
#include "lifecycle/decide_grant.h"
#include "lifecycle/decide_mail.h"
#include "lifecycle/decide_succession.h"

#include <string.h>

static const char *const credential_args[] = {
    "email", "user_id", "company_code", "product", "password", "code", "by", "csr", NULL};

bool retrieve_read(const json_t *args, struct plan *plan)
{
    args_known(args, credential_args, plan);
    const json_t *csr = json_object_get(args, "csr");
    if (!csr || json_is_null(csr))
        plan_bad_field(plan, "csr", "is missing");
    else if (!json_is_string(csr))
        plan_bad_field(plan, "csr", "must be a text: PEM, or DER in base64");
    return !plan->refused;
}

/* --- which certificate --- */

static bool same_request(const struct certificate *c, const struct request_key *key)
{
    return c->has_request &&
           memcmp(c->request_sha256, key->request_sha256, sizeof key->request_sha256) == 0;
}

/*
 * Without codes (E5): the one this very request got before (X6), else the newest that awaits
 * retrieval, else the newest there is. Ids rise with time, and rows come in their order.
 */
static struct certificate *choose(
    const struct decision *d, const struct aggregate *a, const struct request_key *key)
{
    struct certificate *again = NULL, *awaiting = NULL, *newest = NULL;
    for (size_t i = 0; i < a->certificate_count; i++) {
        struct certificate *c = a->certificates[i];
        if (c->state == CERTIFICATE_VALID && same_request(c, key) &&
            !certificate_is_expired(c, d->now_ms))
            again = c;
        if (c->state == CERTIFICATE_AWAITING_RETRIEVAL)
            awaiting = c;
        newest = c;
    }
    return again ? again : awaiting ? awaiting : newest;
}

/* --- retrieving --- */

/* What became of the certificate this one replaces, as it stands in the rows: a repeated retrieval
 * (X6) is told the same. */
static void add_predecessor(const struct aggregate *a, const struct certificate *c, json_t *result)
{
    const struct application *application = aggregate_application(a, &c->application);
    struct succession s;
    if (!application || !succession_read(application, &s))
        return;
    const struct certificate *old = aggregate_certificate(a, &s.revokes);
    if (!old)
        return;
    const int64_t at_ms = old->state == CERTIFICATE_REVOKED ? old->revoked_ms : s.revoke_ms;
    json_object_set_new(result, "predecessor", json_uuid(&old->id));
    json_object_set_new(result, "predecessor_serial", json_serial(old));
    json_object_set_new(result, "revoke_at", at_ms ? json_time(at_ms) : json_null());
}

static void finish(const struct decision *d, const struct aggregate *a, const struct certificate *c,
    const char *event, struct plan *plan)
{
    json_t *result = json_object();
    json_object_set_new(result, "certificate", json_uuid(&c->id));
    result_add_certificate(d, c, result);
    add_predecessor(a, c, result);
    plan_audit(plan, event, &c->id, json_pack("{s:o}", "serial", json_serial(c)));
    plan_result(plan, result);
}

static bool code_is_alive(const struct decision *d, const struct policy *policy,
    const struct certificate *c, struct plan *plan)
{
    const struct length days = {LENGTH_DAYS, policy->code.days};
    if (!c->code_key[0] || !policy->code.days ||
        period_includes(c->code_issued_ms, days, FIRST_DAY_EXCLUDED, policy->zone, d->now_ms))
        return true;
    plan_refuse(plan, "code-expired", "the certificate code of %s was good for %d days",
        clock_s(c->code_issued_ms), policy->code.days);
    return false;
}

static void mail_issued(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, const struct application *application, const struct certificate *c,
    const struct person *person, struct plan *plan)
{
    struct mail_order mail = {.event = mail_of_issue(policy, application),
        .policy = policy,
        .aggregate = a,
        .application = application,
        .certificate = c,
        .person = person};
    mail_plan(d, &mail, plan);
}

static int issue(const struct decision *d, const struct proven *who, struct certificate *c,
    const struct request_key *key, struct plan *plan, struct err *err)
{
    const struct policy *policy = who->candidate->policy;
    struct aggregate *a = who->candidate->aggregate;
    struct application *application = aggregate_application(a, &c->application);
    AUTO_PERSON person = {0};
    struct issuance issuance = {0};
    if (!application)
        return err_set(
            err, ERR_TEMPORARY, "damaged", "certificate %s has no application", uuid_s(&c->id));
    if (!code_is_alive(d, policy, c, plan) || !key_check(policy, key, plan))
        return 0;
    if (person_of_rows(a, application, &person, err) ||
        issuance_make(d, policy, &person, c, key, &issuance, plan, err))
        return -1;
    if (!plan->refused) {
        issuance_apply(d, c, &issuance, key);
        succession_complete(d, policy, a, application, plan);
        device_supersede(d, policy, a, c, plan);
        finish(d, a, c, "certificate.issued", plan);
        mail_issued(d, policy, a, application, c, &person, plan);
    }
    issuance_clear(&issuance);
    return 0;
}

/*
 * E5: after expiry the holder obtains a certificate anew, which is a first retrieval and no
 * renewal. No application came before it, so this job makes one.
 */
static bool begins_anew(
    const struct decision *d, const struct policy *policy, const struct certificate *newest)
{
    return !policy->code.is_used && policy->renew.after_expiry == AFTER_FIRST_RETRIEVAL &&
           newest->state == CERTIFICATE_VALID && certificate_is_expired(newest, d->now_ms);
}

static int issue_anew(const struct decision *d, const struct proven *who,
    const struct request_key *key, struct plan *plan, struct err *err)
{
    const struct policy *policy = who->candidate->policy;
    struct aggregate *a = who->candidate->aggregate;
    struct draft draft = draft_of(
        d, policy, &a->subscriber.id, "retrieve", (enum policy_charge)policy->renew.charge);
    AUTO_PERSON person = {0};
    struct issuance issuance = {0};
    if (!key_check(policy, key, plan))
        return 0;
    if (person_of_rows(a, &draft.application, &person, err) ||
        issuance_make(d, policy, &person, &draft.certificate, key, &issuance, plan, err))
        return -1;
    if (!plan->refused) {
        struct application *application = aggregate_add_application(a);
        *application = draft.application;
        struct certificate *c = aggregate_add_certificate(a);
        *c = draft.certificate;
        issuance_apply(d, c, &issuance, key);
        finish(d, a, c, "certificate.issued", plan);
        struct mail_order mail = {.event = MAIL_ISSUED,
            .policy = policy,
            .aggregate = a,
            .application = application,
            .certificate = c,
            .person = &person};
        mail_plan(d, &mail, plan);
    }
    issuance_clear(&issuance);
    return 0;
}

static int give_again(const struct decision *d, const struct aggregate *a, struct certificate *c,
    const struct request_key *key, struct plan *plan, struct err *err)
{
    if (certificate_is_expired(c, d->now_ms)) {
        plan_refuse(plan, "expired", "the certificate expired on %s", clock_s(c->not_after_ms));
        return 0;
    }
    if (!same_request(c, key)) {
        plan_refuse(plan, "already-retrieved",
            "the certificate was retrieved on %s with another request", clock_s(c->issued_ms));
        return 0;
    }
    if (d->ports->load_der(d->ports->arg, c, err))
        return -1;
    finish(d, a, c, "certificate.given-again", plan);
    return 0;
}

static void refuse_state(const struct certificate *c, struct plan *plan)
{
    if (c->state == CERTIFICATE_REVOKED)
        plan_refuse(plan, "revoked", "the certificate was revoked on %s (%s)",
            clock_s(c->revoked_ms), reason_name(c->reason));
    else if (c->state == CERTIFICATE_CANCELLED)
        plan_refuse(plan, "cancelled", "the certificate was cancelled before it was retrieved");
    else
        plan_refuse(plan, "awaiting-approval", "the application has not been approved yet");
}

int decide_retrieve(const struct decision *d, const struct credentials *c,
    const struct request_key *key, const struct candidate *candidates, size_t n, struct plan *plan,
    struct err *err)
{
    struct proven who = {0};
    bool is_right = false;
    actor_record(d, plan);
    if (credentials_prove(d, c, candidates, n, &who, &is_right, plan, err))
        return -1;
    if (!is_right) {
        plan_refuse(plan, "credentials", CREDENTIALS_REFUSAL);
        return 0;
    }
    struct certificate *certificate =
        who.certificate ? who.certificate : choose(d, who.candidate->aggregate, key);
    if (!certificate)
        plan_refuse(plan, "none", "there is no certificate to retrieve");
    else if (certificate->state == CERTIFICATE_AWAITING_RETRIEVAL)
        return issue(d, &who, certificate, key, plan, err);
    else if (begins_anew(d, who.candidate->policy, certificate))
        return issue_anew(d, &who, key, plan, err);
    else if (certificate->state == CERTIFICATE_VALID)
        return give_again(d, who.candidate->aggregate, certificate, key, plan, err);
    else
        refuse_state(certificate, plan);
    return 0;
}

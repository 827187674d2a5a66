#include "lifecycle/decide_renew.h"

#include "base/clock.h"
#include "lifecycle/decide_change.h"
#include "lifecycle/decide_device.h"
#include "lifecycle/decide_state.h"
#include "lifecycle/decide_successor.h"

#include <stdio.h>
#include <string.h>

bool renew_read(const json_t *args, struct renew_request *ret, struct plan *plan)
{
    static const char *const known[] = {"email", "user_id", "company_code", "product", "password",
        "code", "certificate", "csr", "term", "device", "changes", "signature", "by", NULL};
    const json_t *csr = json_object_get(args, "csr");
    *ret = (struct renew_request){.args = args, .has_csr = csr && !json_is_null(csr)};
    args_known(args, known, plan);
    ret->has_certificate = args_uuid(args, "certificate", &ret->certificate, plan);
    ret->term = args_text(args, "term", 32, plan);
    if (ret->has_csr && !json_is_string(csr))
        plan_bad_field(plan, "csr", "must be a text: PEM, or DER in base64");
    const json_t *changes = json_object_get(args, "changes");
    if (changes && !json_is_null(changes) && !json_is_object(changes))
        plan_bad_field(plan, "changes", "must be an object of field paths and values");
    if (json_object_size(changes))
        ret->changes = changes;
    return !plan->refused;
}

/* --- which certificate, and whose word it is --- */

/* The one that ends last, valid before others; NULL: nothing was ever issued. */
static struct certificate *choose(const struct aggregate *a)
{
    struct certificate *found = NULL;
    for (size_t i = 0; i < a->certificate_count; i++) {
        struct certificate *c = a->certificates[i];
        const bool is_valid = c->state == CERTIFICATE_VALID;
        const bool was_valid = found && found->state == CERTIFICATE_VALID;
        if (!c->issued_ms)
            continue;
        if (!found || (is_valid && !was_valid) ||
            (is_valid == was_valid && c->not_after_ms >= found->not_after_ms))
            found = c;
    }
    return found;
}

/* 0 with the case filled, or with the plan refused. */
static int find_by_credentials(
    const struct claimants *by, struct renew_case *k, struct plan *plan, struct err *err)
{
    struct proven who = {0};
    bool is_right = false;
    if (credentials_prove(
            k->d, by->credentials, by->candidates, by->count, &who, &is_right, plan, err))
        return -1;
    if (!is_right) {
        plan_refuse(plan, "credentials", CREDENTIALS_REFUSAL);
        return 0;
    }
    k->policy = who.candidate->policy;
    k->aggregate = who.candidate->aggregate;
    k->old = k->r->has_certificate ? aggregate_certificate(k->aggregate, &k->r->certificate)
             : who.certificate     ? who.certificate
                                   : choose(k->aggregate);
    return 0;
}

static int find(
    const struct claimants *by, struct renew_case *k, struct plan *plan, struct err *err)
{
    if (by->credentials) {
        if (find_by_credentials(by, k, plan, err))
            return -1;
    } else if (by->count) {
        k->policy = by->candidates[0].policy;
        k->aggregate = by->candidates[0].aggregate;
        k->old = aggregate_certificate(k->aggregate, &k->r->certificate);
    }
    if (!k->old)
        plan_refuse(plan, "not-found", "there is no certificate to renew");
    else if (!k->policy)
        return err_set(err, ERR_TEMPORARY, "damaged", "there is no policy of %s here",
            k->aggregate->subscriber.product);
    return 0;
}

/* --- what is to be made --- */

/* `carry_over`: the term begins where the old one ends, and the certificate is good at once. */
static int64_t carried_end(const struct renew_case *k)
{
    const struct validity_rule rule = policy_validity_rule(k->policy, k->term);
    const int64_t from_ms = k->old->not_after_ms + (rule.first_day == FIRST_DAY_COUNTED ? 1000 : 0);
    return k->policy->validity.carries_over
               ? period_end_ms(from_ms, rule.length, rule.first_day, rule.zone)
               : 0;
}

static struct draft draft_next(const struct renew_case *k)
{
    struct draft draft = draft_of(k->d, k->policy, &k->aggregate->subscriber.id, KIND_WORD_RENEW,
        (enum policy_charge)k->policy->renew.charge);
    draft.certificate.predecessor = k->old->id;
    draft.certificate.not_after_ms = carried_end(k);
    if (k->policy->renew.review == REVIEW_ALWAYS)
        draft.application.state = APPLICATION_AWAITING_APPROVAL;
    return draft;
}

/* Names as they are recorded now; what the old one had beyond them; how the old one ends. */
static struct person person_next(const struct renew_case *k, const struct person *before)
{
    const struct succession terms = {.revokes = k->old->id,
        .timing = (enum policy_timing)k->policy->renew.predecessor,
        .reason = REASON_SUPERSEDED,
        .word = KIND_WORD_RENEW};
    struct person p = {.profile = json_loads(k->aggregate->subscriber.profile, 0, NULL)};
    memcpy(p.id, before->id, sizeof p.id);
    p.request = successor_request(before->request, terms.timing == TIMING_KEEP ? NULL : &terms);
    if (k->r->term)
        json_object_set_new(p.request, "term", json_string(k->r->term));
    if (k->policy->renew.review == REVIEW_AFTER)
        json_object_set_new(p.request, "review", json_string("after"));
    if (k->r->changes)
        json_object_set(p.request, "changes", (json_t *)(uintptr_t)k->r->changes);
    return p;
}

/* --- doing it; nothing can fail from here on --- */

static void add_predecessor(
    const struct certificate *old, const struct policy *policy, json_t *result)
{
    json_object_set_new(result, "predecessor", json_uuid(&old->id));
    json_object_set_new(result, "predecessor_serial", json_serial(old));
    json_object_set_new(
        result, "revocation", json_string(policy_word(timing, policy->renew.predecessor)));
    json_object_set_new(
        result, "revoke_at", old->revoked_ms ? json_time(old->revoked_ms) : json_null());
}

/* Reissues are counted from here on anew (C4), and the contacts are as it brought them (C2). */
static void renew_contract(const struct decision *d, const struct policy *policy,
    struct aggregate *a, struct application *application, const json_t *changes, struct plan *plan)
{
    if (!a->contract)
        return;
    if (a->contract->reissues) {
        a->contract->reissues = 0;
        row_touch(&a->contract->row);
    }
    if (changes)
        change_ride(d, policy, a, application, changes, plan);
}

static struct certificate *attach(const struct renew_case *k, const struct draft *draft,
    const struct person *person, struct application **ret)
{
    struct certificate *c = draft_attach(k->aggregate, draft, json_incref(person->request), ret);
    text_set(&c->device, k->device ? k->device : k->old->device);
    return c;
}

static json_t *wait(const struct renew_case *k, const struct draft *draft, struct person *person)
{
    struct application *application = NULL;
    if (k->r->key)
        json_object_set_new(person->request, "key", key_to_json(k->r->key));
    struct certificate *c = attach(k, draft, person, &application);
    certificate_move(c, CERTIFICATE_AWAITING_APPROVAL);
    return json_pack("{s:s}", "state", "awaiting-approval");
}

static json_t *grant(struct renew_case *k, const struct draft *draft, struct person *person,
    struct grant *grant, struct plan *plan)
{
    struct application *application = NULL;
    json_t *result = json_object();
    struct certificate *c = attach(k, draft, person, &application);
    struct granted to = {k->policy, k->aggregate, application, c, person, k->r->key, 0};
    grant_apply(k->d, grant, &to, result, plan);
    device_supersede(k->d, k->policy, k->aggregate, c, plan);
    renew_contract(k->d, k->policy, k->aggregate, application, k->r->changes, plan);
    return result;
}

static int accept(struct renew_case *k, struct person *person, struct plan *plan, struct err *err)
{
    AUTO_GRANT made = {0};
    struct draft draft = draft_next(k);
    const bool waits = draft.application.state == APPLICATION_AWAITING_APPROVAL;
    if (!waits &&
        grant_prepare(k->d, k->policy, person, &draft.certificate, k->r->key, &made, plan, err))
        return -1;
    if (plan->refused)
        return 0;
    json_t *result = waits ? wait(k, &draft, person) : grant(k, &draft, person, &made, plan);
    json_object_set_new(result, "application", json_uuid(&draft.application.id));
    json_object_set_new(result, "certificate", json_uuid(&draft.certificate.id));
    add_predecessor(k->old, k->policy, result);
    result_add_charge(&draft.application, result);
    plan_audit(plan, "renewal.accepted", &draft.certificate.id,
        json_pack("{s:o, s:o, s:O}", "application", json_uuid(&draft.application.id), "predecessor",
            json_uuid(&k->old->id), "state", json_object_get(result, "state")));
    plan_result(plan, result);
    return 0;
}

/* The same certificate; nothing is made. */
static int give_again(const struct renew_case *k, struct plan *plan, struct err *err)
{
    const struct certificate *c = k->again;
    const struct application *application = aggregate_application(k->aggregate, &c->application);
    if (k->d->ports->load_der(k->d->ports->arg, k->again, err))
        return -1;
    json_t *result = json_pack("{s:s}", "state", "issued");
    json_object_set_new(result, "application", json_uuid(&application->id));
    json_object_set_new(result, "certificate", json_uuid(&c->id));
    result_add_certificate(k->d, c, result);
    add_predecessor(k->old, k->policy, result);
    result_add_charge(application, result);
    plan_audit(
        plan, "certificate.given-again", &c->id, json_pack("{s:o}", "serial", json_serial(c)));
    plan_result(plan, result);
    return 0;
}

static int decide_case(struct renew_case *k, struct plan *plan, struct err *err)
{
    AUTO_PERSON before = {0};
    AUTO_PERSON next = {0};
    const struct application *application =
        aggregate_application(k->aggregate, &k->old->application);
    if (!application)
        return err_set(err, ERR_TEMPORARY, "damaged", "certificate %s has no application",
            uuid_s(&k->old->id));
    if (person_of_rows(k->aggregate, application, &before, err))
        return -1;
    if (!renew_rules_allow(k, &before, plan))
        return 0;
    if (k->again)
        return give_again(k, plan, err);
    next = person_next(k, &before);
    if (!next.profile)
        return err_set(err, ERR_TEMPORARY, "damaged", "subscriber %s has a damaged profile",
            uuid_s(&k->aggregate->subscriber.id));
    return subject_check(k->d, k->policy, &next, plan) ? accept(k, &next, plan, err) : 0;
}

int decide_renew(const struct decision *d, const struct renew_request *r,
    const struct claimants *by, struct plan *plan, struct err *err)
{
    struct renew_case k = {.d = d, .r = r, .is_proven = by->credentials != NULL};
    actor_record(d, plan);
    if (find(by, &k, plan, err))
        return -1;
    return plan->refused ? 0 : decide_case(&k, plan, err);
}

/* --- an operator's word (C2) --- */

/* Who lost the old one meanwhile, and not for the sake of its key, gets no other. */
static bool still_stands(const struct approval *a, struct plan *plan)
{
    const struct certificate *old =
        aggregate_certificate(a->aggregate, &a->certificate->predecessor);
    if (old && old->state == CERTIFICATE_REVOKED && successor_falls(old))
        plan_refuse(plan, "revoked",
            "certificate %s, which is to be renewed, was revoked on %s (%s): reject the request",
            uuid_s(&old->id), clock_s(old->revoked_ms), reason_name(old->reason));
    return !plan->refused;
}

static int approve(const struct approval *a, struct plan *plan, struct err *err)
{
    AUTO_PERSON person = {0};
    AUTO_GRANT made = {0};
    AUTO_BUF spki = {0};
    struct request_key key = {0};
    if (!state_is_open(a->d, a->aggregate, plan) || !still_stands(a, plan))
        return 0;
    if (person_of_rows(a->aggregate, a->application, &person, err))
        return -1;
    const json_t *stored = json_object_get(person.request, "key");
    if (stored && key_of_json(stored, &spki, &key, err))
        return -1;
    if (!stored && a->policy->issue.path == PATH_DIRECT)
        return approval_damaged(a, "key any more", err);
    const struct request_key *with = stored ? &key : NULL;
    if (grant_prepare(a->d, a->policy, &person, a->certificate, with, &made, plan, err))
        return -1;
    if (plan->refused)
        return 0;
    json_t *result = json_object();
    struct granted to = {a->policy, a->aggregate, a->application, a->certificate, &person, with, 0};
    approval_record(a);
    grant_apply(a->d, &made, &to, result, plan);
    device_supersede(a->d, a->policy, a->aggregate, a->certificate, plan);
    renew_contract(a->d, a->policy, a->aggregate, a->application,
        json_object_get(person.request, "changes"), plan);
    const struct certificate *old =
        aggregate_certificate(a->aggregate, &a->certificate->predecessor);
    if (old)
        add_predecessor(old, a->policy, result);
    result_add_charge(a->application, result);
    approval_finish(a, result, plan);
    return 0;
}

int renew_decided(const struct approval *a, struct plan *plan, struct err *err)
{
    if (!a->certificate || a->certificate->state != CERTIFICATE_AWAITING_APPROVAL)
        return approval_damaged(a, "certificate that waits for it", err);
    if (a->r->is_approved)
        return approve(a, plan, err);
    AUTO_TYPE(json, json_t) *request =
        a->application->request ? json_loads(a->application->request, 0, NULL) : NULL;
    const json_t *changes = json_object_get(request, "changes");
    approval_record(a);
    certificate_cancel(a->d, a->certificate, plan);
    if (changes && a->aggregate->contract)
        change_ride(a->d, a->policy, a->aggregate, a->application, changes, plan);
    approval_finish(a, json_pack("{s:s}", "state", "rejected"), plan);
    return 0;
}

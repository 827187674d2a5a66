#include "lifecycle/decide_reissue.h"

#include "base/clock.h"
#include "base/job.h"
#include "lifecycle/decide_mail.h"
#include "lifecycle/decide_reissue_form.h"
#include "lifecycle/decide_reissue_review.h"
#include "lifecycle/decide_reissue_rules.h"
#include "lifecycle/decide_successor.h"

#include <string.h>

/* --- reading --- */

static void read_timing(const json_t *args, struct reissue_request *r, struct plan *plan)
{
    const char *word = args_text(args, "revocation", 32, plan);
    r->timing = word ? policy_word_find(policy_timing_words, word) : -1;
    if (word && r->timing < 0)
        plan_bad_field(plan, "revocation", "is no such time; see reissue.predecessor.choices");
}

bool reissue_is_named(const struct actor *actor)
{
    return actor->role == ACTOR_OPERATOR || actor->how != CHANNEL_CREDENTIALS;
}

bool reissue_read(const json_t *args, struct reissue_request *ret, struct plan *plan)
{
    static const char *const known[] = {"email", "user_id", "company_code", "product", "password",
        "code", "certificate", "reason", "revocation", "changes", "csr", "by", NULL};
    *ret = (struct reissue_request){.args = args, .timing = -1};
    args_known(args, known, plan);
    ret->has_certificate = args_uuid(args, "certificate", &ret->certificate, plan);
    ret->reason = args_text(args, "reason", 64, plan);
    read_timing(args, ret, plan);
    const json_t *changes = json_object_get(args, "changes");
    if (changes && !json_is_null(changes) && !json_is_object(changes))
        plan_bad_field(plan, "changes", "must be an object of field paths and values");
    if (json_object_size(changes))
        ret->changes = changes;
    return !plan->refused;
}

/* --- which certificate, and whose word it is --- */

static bool refuse_credentials(struct plan *plan)
{
    plan_refuse(plan, "credentials", "%s", REISSUE_REFUSAL);
    return false;
}

/* 0 with the case filled, or with the plan refused. */
static int find_by_credentials(
    const struct claimants *by, struct reissue_case *k, struct plan *plan, struct err *err)
{
    struct proven who = {0};
    bool is_right = false;
    if (credentials_prove(
            k->d, by->credentials, by->candidates, by->count, &who, &is_right, plan, err))
        return -1;
    if (!is_right) {
        refuse_credentials(plan);
        return 0;
    }
    k->policy = who.candidate->policy;
    k->aggregate = who.candidate->aggregate;
    k->certificate = who.certificate;
    if (!k->certificate && k->r->has_certificate)
        k->certificate = aggregate_certificate(k->aggregate, &k->r->certificate);
    if (!k->certificate ||
        (k->r->has_certificate && !uuid_equal(&k->certificate->id, &k->r->certificate)))
        refuse_credentials(plan);
    return 0;
}

static void find_by_id(const struct claimants *by, struct reissue_case *k, struct plan *plan)
{
    if (by->count) {
        k->policy = by->candidates[0].policy;
        k->aggregate = by->candidates[0].aggregate;
        k->certificate = aggregate_certificate(k->aggregate, &k->r->certificate);
    }
    if (!k->certificate)
        plan_refuse(plan, "not-found", "there is no such certificate");
}

/* --- what is to be made --- */

static struct succession terms_of(const struct reissue_case *k)
{
    return (struct succession){
        .revokes = k->old && k->timing != TIMING_KEEP ? k->old->id : (struct uuid){{0}},
        .timing = k->timing,
        .reason = (enum reason)k->reason->crl,
        .word = k->reason->word,
        .is_urgent = k->reason->is_urgent};
}

/* --- doing it; nothing can fail from here on --- */

/* When the old one goes: known once it is revoked, or its time is set (X4). */
static json_t *revoke_at(const struct reissue_case *k, const struct application *a)
{
    struct succession s;
    if (k->old && k->old->state == CERTIFICATE_REVOKED)
        return json_time(k->old->revoked_ms);
    return succession_read(a, &s) && s.revoke_ms ? json_time(s.revoke_ms) : json_null();
}

static void finish(const struct reissue_case *k, const struct application *a,
    const struct certificate *next, json_t *result, struct plan *plan)
{
    json_object_set_new(result, "application", json_uuid(&a->id));
    json_object_set_new(result, "certificate", json_uuid(&next->id));
    json_object_set_new(result, "predecessor", json_uuid(&k->certificate->id));
    json_object_set_new(
        result, "revocation", k->old ? json_string(policy_word(timing, k->timing)) : json_null());
    json_object_set_new(result, "revoke_at", revoke_at(k, a));
    json_object_set_new(
        result, "not_after", next->not_after_ms ? json_time(next->not_after_ms) : json_null());
    result_add_charge(a, result);
    plan_audit(plan, "reissue.accepted", &next->id,
        json_pack("{s:o, s:o, s:s, s:O, s:o, s:O}", "application", json_uuid(&a->id), "predecessor",
            json_uuid(&k->certificate->id), "reason", k->reason->word, "revocation",
            json_object_get(result, "revocation"), "changed", form_changed(k), "state",
            json_object_get(result, "state")));
    plan_result(plan, result);
}

static void mail_old_address(
    const struct reissue_case *k, const struct granted *to, int priority, struct plan *plan)
{
    struct mail_order mail = {.event = MAIL_EMAIL_CHANGED,
        .policy = k->policy,
        .aggregate = k->aggregate,
        .application = to->application,
        .certificate = to->certificate,
        .person = to->person,
        .before = &k->before,
        .priority = priority};
    if (form_changes_email(k))
        mail_plan(k->d, &mail, plan);
}

static void revoke_at_request(const struct reissue_case *k, struct plan *plan)
{
    if (k->old && k->timing == TIMING_AT_REQUEST)
        revocation_apply(
            k->d, k->aggregate, k->old, (enum reason)k->reason->crl, k->reason->word, NULL, plan);
}

/* What an operator has to know later, and what nobody asks for again. */
static void complete_request(struct reissue_case *k, bool waits)
{
    if (waits && k->r->key)
        json_object_set_new(k->after.request, "key", key_to_json(k->r->key));
    if (rules_want_later_review(k))
        json_object_set_new(k->after.request, "review", json_string("after"));
}

static void accept(
    struct reissue_case *k, struct draft *draft, struct grant *grant, struct plan *plan)
{
    const int priority = k->reason->is_urgent ? JOB_PRIORITY_URGENT : 0;
    const bool waits = draft->application.state == APPLICATION_AWAITING_APPROVAL;
    json_t *result = json_object();
    successor_cancel_rivals(k->d, k->aggregate, k->certificate, k->old, plan);
    revoke_at_request(k, plan);
    form_apply(k);
    complete_request(k, waits);
    struct application *application = NULL;
    struct certificate *next =
        draft_attach(k->aggregate, draft, json_incref(k->after.request), &application);
    struct granted to = {
        k->policy, k->aggregate, application, next, &k->after, k->r->key, priority};
    if (waits) {
        certificate_move(next, CERTIFICATE_AWAITING_APPROVAL);
        json_object_set_new(result, "state", json_string("awaiting-approval"));
    } else {
        grant_apply(k->d, grant, &to, result, plan);
        reissue_count(k->aggregate);
    }
    mail_old_address(k, &to, priority, plan);
    if (k->timing == TIMING_AT_REQUEST) /* now that there is a new one to be told of */
        revocation_mails(k->d, k->policy, k->aggregate, priority, plan);
    finish(k, application, next, result, plan);
}

static int decide_case(struct reissue_case *k, struct plan *plan, struct err *err)
{
    AUTO_GRANT grant = {0};
    if (!rules_allow(k, plan))
        return 0;
    struct draft draft = successor_draft(k->d, k->policy, k->aggregate, k->certificate,
        (enum policy_charge)k->policy->reissue.charge);
    struct succession terms = terms_of(k);
    if (form_fill(k, &terms, plan, err))
        return -1;
    if (plan->refused)
        return 0;
    if (rules_want_review(k))
        draft.application.state = APPLICATION_AWAITING_APPROVAL;
    else if (grant_prepare(
                 k->d, k->policy, &k->after, &draft.certificate, k->r->key, &grant, plan, err))
        return -1;
    if (!plan->refused)
        accept(k, &draft, &grant, plan);
    return 0;
}

int decide_reissue(const struct decision *d, const struct reissue_request *r,
    const struct claimants *by, struct plan *plan, struct err *err)
{
    struct reissue_case k = {.d = d, .r = r, .is_operator = d->actor.role == ACTOR_OPERATOR};
    actor_record(d, plan);
    if (!by->credentials)
        find_by_id(by, &k, plan);
    else if (find_by_credentials(by, &k, plan, err))
        return -1;
    if (!plan->refused && !k.policy)
        return err_set(err, ERR_TEMPORARY, "damaged", "there is no policy of %s here",
            k.aggregate->subscriber.product);
    int result = plan->refused ? 0 : decide_case(&k, plan, err);
    person_clear(&k.before);
    person_clear(&k.after);
    free(k.unit_key);
    return result;
}

#include "lifecycle/decide_revoke_confirm.h"

#include "base/job.h"
#include "lifecycle/decide_approval.h"
#include "lifecycle/decide_grant.h"
#include "lifecycle/decide_mail.h"
#include "lifecycle/decide_successor.h"

#include <string.h>

bool confirmation_is_due(
    const struct decision *d, const struct revoke_request *r, const struct policy *policy)
{
    const struct policy_reason *reason =
        r->reason ? policy_reason(&policy->revoke.reasons, r->reason) : NULL;
    if (policy->revoke.confirm == CONFIRM_NONE)
        return false;
    return !(d->actor.role == ACTOR_OPERATOR && reason && reason->crl == REASON_KEY_COMPROMISE);
}

/* C8: a reason is mandatory; in the requester's words where the policy takes free text. */
static bool has_reason(
    const struct revoke_request *r, const struct policy *policy, struct plan *plan)
{
    const struct policy_reasons *reasons = &policy->revoke.reasons;
    if (!reasons->is_free_text)
        return reason_choose(reasons, r->reason, plan) != NULL;
    if (!r->reason)
        plan_bad_field(plan, "reason", "is missing: why is it to be revoked?");
    return !plan->refused;
}

static bool is_waiting(const struct aggregate *a, const struct certificate *c, struct plan *plan)
{
    for (size_t i = 0; i < a->application_count; i++) {
        const struct application *row = a->applications[i];
        if (strcmp(row->kind, KIND_WORD_REVOKE) != 0 ||
            row->state != APPLICATION_AWAITING_APPROVAL || !uuid_equal(&row->certificate, &c->id))
            continue;
        plan_refuse(plan, "already-waiting",
            "the revocation of certificate %s waits for its confirmation already: application %s",
            uuid_s(&c->id), uuid_s(&row->id));
        return true;
    }
    return false;
}

static void mail_accepted(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, const struct application *row, const struct certificate *c,
    struct plan *plan)
{
    const struct application *own = aggregate_application(a, &c->application);
    AUTO_PERSON person = {0};
    struct err err = {0};
    if (!own || person_of_rows(a, own, &person, &err))
        return;
    const struct mail_order mail = {.event = MAIL_REVOCATION_ACCEPTED,
        .policy = policy,
        .aggregate = a,
        .application = row,
        .certificate = c,
        .person = &person};
    mail_plan(d, &mail, plan);
}

void confirmation_ask(const struct decision *d, const struct revoke_request *r,
    const struct policy *policy, struct aggregate *a, struct certificate *c, struct plan *plan)
{
    if (!has_reason(r, policy, plan) || !revoke_is_possible(d, c, plan) || is_waiting(a, c, plan))
        return;
    struct application *row = aggregate_add_application(a);
    *row = application_of(d, &a->subscriber.id, KIND_WORD_REVOKE, CHARGE_FREE);
    row->state = APPLICATION_AWAITING_APPROVAL;
    row->certificate = c->id;
    AUTO_TYPE(json, json_t) *request =
        json_pack("{s:s, s:s?}", "reason", r->reason, "note", r->note);
    row->request = json_compact(request);
    json_t *result = json_object();
    json_object_set_new(result, "application", json_uuid(&row->id));
    json_object_set_new(result, "certificate", json_uuid(&c->id));
    json_object_set_new(result, "serial", json_serial(c));
    json_object_set_new(result, "state", json_string("awaiting-confirmation"));
    plan_audit(plan, "revocation.requested", &c->id,
        json_pack("{s:o, s:s, s:s?}", "application", json_uuid(&row->id), "reason", r->reason,
            "note", r->note));
    plan_result(plan, result);
    mail_accepted(d, policy, a, row, c, plan);
}

/* The operator's word for what was asked; the requester's own where it is one of the policy's. */
static const struct policy_reason *mapped(
    const struct approval *a, const json_t *request, struct plan *plan)
{
    const struct policy_reasons *reasons = &a->policy->revoke.reasons;
    const char *asked = json_text_at(request, "reason");
    const char *word = a->r->reason                             ? a->r->reason
                       : asked && policy_reason(reasons, asked) ? asked
                                                                : NULL;
    return reason_choose(reasons, word, plan);
}

static int approve(const struct approval *a, struct plan *plan, struct err *err)
{
    AUTO_TYPE(json, json_t) *request =
        a->application->request ? json_loads(a->application->request, 0, NULL) : NULL;
    if (!request)
        return approval_damaged(a, "reason", err);
    if (!revoke_is_possible(a->d, a->certificate, plan))
        return 0;
    const struct policy_reason *reason = mapped(a, request, plan);
    bool is_confirmed = approval_confirmed(
        a, (enum policy_confirm)a->policy->revoke.confirm, a->policy->revoke.confirm_with, plan);
    if (!reason || !is_confirmed)
        return 0;
    approval_record(a);
    if (a->certificate->state == CERTIFICATE_VALID) {
        revocation_apply(a->d, a->aggregate, a->certificate, (enum reason)reason->crl, reason->word,
            json_text_at(request, "reason"), plan);
        successor_cancel_all(a->d, a->aggregate, a->certificate, plan);
    } else {
        certificate_cancel(a->d, a->certificate, plan);
    }
    json_t *result = json_object();
    json_object_set_new(
        result, "state", json_string(certificate_state_word(a->certificate->state)));
    json_object_set_new(result, "serial", json_serial(a->certificate));
    json_object_set_new(result, "reason", json_string(reason_name((enum reason)reason->crl)));
    if (a->certificate->revoked_ms)
        json_object_set_new(result, "revoke_at", json_time(a->certificate->revoked_ms));
    revoke_end_contract(a->d, a->policy, a->aggregate, result, plan);
    approval_finish(a, result, plan);
    revocation_mails(
        a->d, a->policy, a->aggregate, reason->is_urgent ? JOB_PRIORITY_URGENT : 0, plan);
    return 0;
}

int revoke_decided(const struct approval *a, struct plan *plan, struct err *err)
{
    if (!a->certificate)
        return approval_damaged(a, "certificate", err);
    if (a->r->is_approved)
        return approve(a, plan, err);
    approval_record(a);
    approval_finish(a, json_pack("{s:s}", "state", "rejected"), plan);
    return 0;
}

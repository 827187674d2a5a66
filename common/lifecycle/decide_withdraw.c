#include "lifecycle/decide_withdraw.h"

#include "base/job.h"
#include "lifecycle/decide_contract.h"
#include "lifecycle/decide_grant.h"
#include "lifecycle/decide_mail.h"
#include "lifecycle/decide_revoke.h"
#include "lifecycle/decide_state.h"
#include "lifecycle/decide_succession.h"

#include <string.h>

bool withdraw_read(
    struct decision *d, const json_t *args, struct withdraw_request *ret, struct plan *plan)
{
    static const char *const known[] = {"subscriber", "reason", "note", "by", NULL};
    *ret = (struct withdraw_request){.args = args};
    if (!actor_read(d, args, plan))
        return false;
    args_known(args, known, plan);
    if (!args_uuid(args, "subscriber", &ret->subscriber, plan) && !plan->refused)
        plan_bad_field(plan, "subscriber", "is missing: who withdraws?");
    ret->reason = args_text(args, "reason", 64, plan);
    ret->note = args_text(args, "note", NOTE_MOST, plan);
    return !plan->refused;
}

/* One withdrawal, whoever brought it about. */
struct withdrawal {
    const struct decision *d;
    const struct policy *policy;
    struct aggregate *aggregate;
    struct application *application; /* its own */
    const struct policy_reason *reason;
    const char *note;
    const struct person *person; /* as recorded now */
};

/* --- what ends --- */

static void end_applications(const struct withdrawal *w, struct plan *plan)
{
    for (size_t i = 0; i < w->aggregate->application_count; i++) {
        struct application *a = w->aggregate->applications[i];
        if (a == w->application || a->state != APPLICATION_AWAITING_APPROVAL)
            continue;
        a->state = APPLICATION_WITHDRAWN;
        row_touch(&a->row);
        plan_audit(plan, "application.withdrawn", &a->id, json_pack("{s:s}", "kind", a->kind));
    }
}

static json_t *ended(const struct certificate *c)
{
    json_t *told = json_object();
    json_object_set_new(told, "certificate", json_uuid(&c->id));
    json_object_set_new(told, "serial", json_serial(c));
    json_object_set_new(told, "state", json_string(certificate_state_word(c->state)));
    if (c->revoked_ms)
        json_object_set_new(told, "revoke_at", json_time(c->revoked_ms));
    return told;
}

static json_t *end_certificates(const struct withdrawal *w, struct plan *plan)
{
    json_t *list = json_array();
    for (size_t i = 0; i < w->aggregate->certificate_count; i++) {
        struct certificate *c = w->aggregate->certificates[i];
        const bool is_in_use =
            c->state == CERTIFICATE_VALID && !certificate_is_expired(c, w->d->now_ms);
        if (is_in_use)
            revocation_apply(
                w->d, w->aggregate, c, (enum reason)w->reason->crl, w->reason->word, w->note, plan);
        else if (c->state == CERTIFICATE_AWAITING_RETRIEVAL ||
                 c->state == CERTIFICATE_AWAITING_APPROVAL)
            certificate_cancel(w->d, c, plan);
        else if (!uuid_equal(&c->revoked_by, &w->d->job)) /* with another one's key */
            continue;
        json_array_append_new(list, ended(c));
    }
    return list;
}

static bool mail(const struct withdrawal *w, enum policy_mail event, struct plan *plan)
{
    struct mail_order order = {.event = event,
        .policy = w->policy,
        .aggregate = w->aggregate,
        .application = w->application,
        .person = w->person,
        .note = w->application->note,
        .spares_subscriber = w->reason->is_silent};
    const size_t before = plan->followup_count;
    mail_plan(w->d, &order, plan);
    return plan->followup_count > before;
}

/* From here on nothing can fail. */
static void apply(const struct withdrawal *w, json_t *result, struct plan *plan)
{
    struct subscriber *s = &w->aggregate->subscriber;
    json_object_set_new(result, "certificates", end_certificates(w, plan));
    end_applications(w, plan);
    s->is_withdrawn = true;
    row_touch(&s->row);
    if (w->policy->withdraw.ends_contract && w->aggregate->contract &&
        !w->aggregate->contract->has_ended &&
        !contract_is_used(w->aggregate->contract, w->d->now_ms)) {
        contract_end(w->aggregate->contract, w->d->now_ms);
        plan_audit(plan, "contract.ended", &w->aggregate->contract->id, NULL);
    }
    plan_audit(plan, "subscriber.withdrawn", &s->id,
        json_pack("{s:o, s:s, s:s?}", "application", json_uuid(&w->application->id), "reason",
            w->reason->word, "note", w->note));
    if (!w->reason->is_silent)
        revocation_mails(
            w->d, w->policy, w->aggregate, w->reason->is_urgent ? JOB_PRIORITY_URGENT : 0, plan);
    mail(w, MAIL_WITHDRAWN, plan);
}

/* --- receiving --- */

static struct application *attach(struct withdrawal *w)
{
    struct application *row = aggregate_add_application(w->aggregate);
    *row = application_of(w->d, &w->aggregate->subscriber.id, KIND_WORD_WITHDRAW, CHARGE_FREE);
    AUTO_TYPE(json, json_t) *request =
        json_pack("{s:s, s:s?}", "reason", w->reason->word, "note", w->note);
    row->request = json_compact(request);
    return row;
}

/* To the organisation (the policy's recipients); a silent reason never reaches the subscriber. */
static bool acknowledge(const struct withdrawal *w, struct plan *plan)
{
    return w->policy->withdraw.acknowledge == ACKNOWLEDGE_MAIL &&
           mail(w, MAIL_REQUEST_RECEIVED, plan);
}

static void receive(struct withdrawal *w, struct plan *plan)
{
    const bool waits = w->policy->withdraw.confirm != CONFIRM_NONE;
    json_t *result = json_object();
    w->application = attach(w);
    json_object_set_new(result, "application", json_uuid(&w->application->id));
    json_object_set_new(result, "subscriber", json_uuid(&w->aggregate->subscriber.id));
    json_object_set_new(result, "state", json_string("received"));
    json_object_set_new(result, "acknowledged", json_boolean(acknowledge(w, plan)));
    plan_audit(plan, "withdrawal.received", &w->aggregate->subscriber.id,
        json_pack("{s:o, s:s, s:s?}", "application", json_uuid(&w->application->id), "reason",
            w->reason->word, "note", w->note));
    if (waits)
        w->application->state = APPLICATION_AWAITING_APPROVAL;
    else
        apply(w, result, plan);
    plan_result(plan, result);
}

static bool is_waiting(const struct aggregate *a, struct plan *plan)
{
    for (size_t i = 0; i < a->application_count; i++) {
        const struct application *row = a->applications[i];
        if (strcmp(row->kind, KIND_WORD_WITHDRAW) != 0 ||
            row->state != APPLICATION_AWAITING_APPROVAL)
            continue;
        plan_refuse(plan, "already-waiting", "withdrawal %s waits for an operator's word already",
            uuid_s(&row->id));
        return true;
    }
    return false;
}

static int person_now(const struct aggregate *a, struct person *ret, struct err *err)
{
    const struct application none = {0};
    return person_of_rows(a, &none, ret, err);
}

int decide_withdraw(const struct decision *d, const struct withdraw_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan, struct err *err)
{
    struct withdrawal w = {.d = d, .policy = policy, .aggregate = aggregate, .note = r->note};
    AUTO_PERSON person = {0};
    actor_record(d, plan);
    if (!aggregate) {
        plan_refuse(plan, "not-found", "there is no such subscriber");
        return 0;
    }
    if (!policy)
        return err_set(err, ERR_TEMPORARY, "damaged", "there is no policy of %s here",
            aggregate->subscriber.product);
    if (!actor_may(d, policy, PROC_WITHDRAW, r->args, plan) || !state_is_open(d, aggregate, plan) ||
        is_waiting(aggregate, plan))
        return 0;
    w.reason = reason_choose(&policy->withdraw.reasons, r->reason, plan);
    if (!w.reason)
        return 0;
    if (person_now(aggregate, &person, err))
        return -1;
    w.person = &person;
    receive(&w, plan);
    return 0;
}

/* --- an operator's word --- */

static void approve(struct withdrawal *w, const struct approval *a, struct plan *plan)
{
    if (!state_is_open(a->d, a->aggregate, plan) ||
        !approval_confirmed(a, (enum policy_confirm)a->policy->withdraw.confirm, -1, plan))
        return;
    json_t *result = json_pack("{s:s}", "state", "withdrawn");
    approval_record(a);
    apply(w, result, plan);
    approval_finish(a, result, plan);
}

static void reject(const struct approval *a, struct plan *plan)
{
    approval_record(a);
    approval_finish(a, json_pack("{s:s}", "state", "rejected"), plan);
}

int withdraw_decided(const struct approval *a, struct plan *plan, struct err *err)
{
    AUTO_PERSON person = {0};
    AUTO_TYPE(json, json_t) *request =
        a->application->request ? json_loads(a->application->request, 0, NULL) : NULL;
    const char *word = json_text_at(request, "reason");
    struct withdrawal w = {.d = a->d,
        .policy = a->policy,
        .aggregate = a->aggregate,
        .application = a->application,
        .reason = word ? policy_reason(&a->policy->withdraw.reasons, word) : NULL,
        .note = json_text_at(request, "note"),
        .person = &person};
    if (!w.reason)
        return approval_damaged(a, "reason that the policy knows", err);
    if (person_now(a->aggregate, &person, err))
        return -1;
    if (a->r->is_approved)
        approve(&w, a, plan);
    else
        reject(a, plan);
    return 0;
}

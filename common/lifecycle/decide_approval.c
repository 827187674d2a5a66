#include "lifecycle/decide_approval.h"

#include "base/clock.h"
#include "lifecycle/decide_grant.h"

#include <string.h>

static void read_verdict(const json_t *args, struct approval_request *r, struct plan *plan)
{
    const char *word = args_text(args, "decision", 32, plan);
    r->is_approved = word && strcmp(word, "approve") == 0;
    if (!r->is_approved && (!word || strcmp(word, "reject") != 0))
        plan_bad_field(plan, "decision", "must be approve or reject");
}

/* Without `by` the operator that args name decides, on their own key (docs/protocol.md). */
static bool read_actor(struct decision *d, const json_t *args, struct plan *plan)
{
    const json_t *by = json_object_get(args, "by");
    if (by && !json_is_null(by))
        return actor_read(d, args, plan);
    const char *who = args_text(args, "operator", ACTOR_NAME_MOST, plan);
    d->actor = (struct actor){ACTOR_OPERATOR, CHANNEL_RECORDED, who ? who : ""};
    actor_record(d, plan);
    return !plan->refused;
}

/* Who decides: args.operator and by.operator are the same person, said once or twice. */
static void read_operator(
    const struct decision *d, const json_t *args, struct approval_request *r, struct plan *plan)
{
    r->who = args_text(args, "operator", ACTOR_NAME_MOST, plan);
    if (!r->who && d->actor.name[0])
        r->who = d->actor.name;
    if (!r->who)
        plan_bad_field(plan, "operator", "is missing: who decides?");
    else if (d->actor.name[0] && strcmp(d->actor.name, r->who) != 0)
        plan_bad_field(plan, "operator", "is not the operator of by");
}

bool approval_read(
    struct decision *d, const json_t *args, struct approval_request *ret, struct plan *plan)
{
    static const char *const known[] = {
        "subject", "decision", "operator", "note", "confirmation", "reason", "by", NULL};
    *ret = (struct approval_request){0};
    if (!read_actor(d, args, plan))
        return false;
    if (d->actor.role != ACTOR_OPERATOR) {
        plan_refuse(plan, "forbidden",
            "only an operator decides: say by: {\"role\": \"operator\", \"operator\": NAME}");
        return false;
    }
    args_known(args, known, plan);
    if (!args_uuid(args, "subject", &ret->application, plan) && !plan->refused)
        plan_bad_field(plan, "subject", "is missing: the id of what is decided");
    read_verdict(args, ret, plan);
    read_operator(d, args, ret, plan);
    ret->note = args_text(args, "note", NOTE_MOST, plan);
    return !plan->refused;
}

static bool waits(const struct application *a, const struct approval_request *r, struct plan *plan)
{
    if (!a)
        plan_refuse(plan, "not-found", "there is no application %s", uuid_s(&r->application));
    else if (a->state == APPLICATION_AWAITING_APPROVAL)
        return true;
    else if (a->decided_ms)
        plan_refuse(plan, "not-awaiting", "application %s was %s on %s by %s",
            uuid_s(&r->application), application_state_word(a->state), clock_s(a->decided_ms),
            a->decided_by ? a->decided_by : "somebody");
    else
        plan_refuse(plan, "not-awaiting", "application %s waits for no decision: it is %s",
            uuid_s(&r->application), application_state_word(a->state));
    return false;
}

static void record(const struct decision *d, const struct approval_request *r,
    struct application *a, enum application_state state)
{
    a->state = state;
    a->decided_ms = d->now_ms;
    text_set(&a->decided_by, r->who);
    text_set(&a->note, r->note);
    row_touch(&a->row);
}

static void finish(const struct decision *d UNUSED, const struct application *a,
    const struct approval_request *r, json_t *result, struct plan *plan)
{
    json_object_set_new(result, "application", json_uuid(&a->id));
    json_object_set_new(result, "certificate", json_uuid(&a->certificate));
    plan_audit(plan, r->is_approved ? "application.approved" : "application.rejected",
        &a->certificate,
        json_pack("{s:o, s:s, s:s?, s:O}", "application", json_uuid(&a->id), "operator", r->who,
            "note", r->note, "state", json_object_get(result, "state")));
    plan_result(plan, result);
}

static void reject(const struct decision *d, const struct approval_request *r,
    struct application *application, struct certificate *certificate, struct plan *plan)
{
    record(d, r, application, APPLICATION_REJECTED);
    certificate_move(certificate, CERTIFICATE_CANCELLED);
    finish(d, application, r, json_pack("{s:s}", "state", "rejected"), plan);
}

static int approve(const struct decision *d, const struct approval_request *r,
    const struct policy *policy, struct aggregate *a, struct application *application,
    struct certificate *certificate, struct plan *plan, struct err *err)
{
    AUTO_PERSON person = {0};
    AUTO_GRANT grant = {0};
    AUTO_BUF spki = {0};
    struct request_key key = {0};
    if (person_of_rows(a, application, &person, err))
        return -1;
    const json_t *stored = json_object_get(person.request, "key");
    if (stored && key_of_json(stored, &spki, &key, err))
        return -1;
    const struct request_key *with = stored ? &key : NULL;
    if (policy->issue.path == PATH_DIRECT && !with)
        return err_set(err, ERR_TEMPORARY, "damaged", "application %s has lost its key",
            uuid_s(&application->id));
    if (grant_prepare(d, policy, &person, certificate, with, &grant, plan, err))
        return -1;
    if (plan->refused)
        return 0;
    record(d, r, application, APPLICATION_APPROVED);
    struct granted to = {policy, a, application, certificate, &person, with, 0};
    json_t *result = json_object();
    grant_apply(d, &grant, &to, result, plan);
    finish(d, application, r, result, plan);
    return 0;
}

int decide_approval(const struct decision *d, const struct approval_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan, struct err *err)
{
    actor_record(d, plan);
    struct application *application =
        aggregate ? aggregate_application(aggregate, &r->application) : NULL;
    if (!waits(application, r, plan))
        return 0;
    struct certificate *certificate = aggregate_certificate(aggregate, &application->certificate);
    if (!policy || !certificate || certificate->state != CERTIFICATE_AWAITING_APPROVAL)
        return err_set(err, ERR_TEMPORARY, "damaged", "application %s has no %s",
            uuid_s(&application->id), policy ? "certificate that waits for it" : "policy here");
    if (r->is_approved)
        return approve(d, r, policy, aggregate, application, certificate, plan, err);
    reject(d, r, application, certificate, plan);
    return 0;
}

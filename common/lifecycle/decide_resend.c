#include "lifecycle/decide_resend.h"

#include "base/clock.h"
#include "lifecycle/decide_mail.h"
#include "lifecycle/decide_state.h"

bool resend_read(
    struct decision *d, const json_t *args, struct resend_request *ret, struct plan *plan)
{
    static const char *const known[] = {"mail", "operator", "by", NULL};
    *ret = (struct resend_request){.args = args};
    if (!actor_read_operator(d, args, plan))
        return false;
    if (d->actor.role != ACTOR_OPERATOR) {
        plan_refuse(plan, "forbidden", "only an operator sends a mail once more");
        return false;
    }
    args_known(args, known, plan);
    if (!args_uuid(args, "mail", &ret->mail, plan) && !plan->refused)
        plan_bad_field(plan, "mail", "is missing: the id of the mail to send once more");
    return !plan->refused;
}

static bool code_counts(const struct decision *d, const struct resend_request *r,
    const struct policy *policy, const struct certificate *c, struct plan *plan)
{
    const struct length days = {LENGTH_DAYS, policy->code.days};
    const bool waits = c->state == CERTIFICATE_AWAITING_RETRIEVAL;
    if (c->code_generation != r->generation)
        plan_refuse(
            plan, "superseded", "certificate %s has been given another code since", uuid_s(&c->id));
    else if (!waits && c->state != CERTIFICATE_VALID)
        plan_refuse(plan, certificate_state_word(c->state),
            "certificate %s is %s: its code is dead", uuid_s(&c->id),
            certificate_state_word(c->state));
    else if (!waits && certificate_is_expired(c, d->now_ms))
        plan_refuse(plan, "expired", "certificate %s expired on %s: its code is dead",
            uuid_s(&c->id), clock_s(c->not_after_ms));
    else if (waits && policy->code.days &&
             !period_includes(c->code_issued_ms, days, FIRST_DAY_EXCLUDED, policy->zone, d->now_ms))
        plan_refuse(plan, "code-expired", "the certificate code of %s was good for %d days",
            clock_s(c->code_issued_ms), policy->code.days);
    return !plan->refused;
}

/* Name and address as they are now, the rest as it was applied for. */
static int person_now(const struct aggregate *a, const struct application *application,
    struct person *ret, struct err *err)
{
    AUTO_PERSON then = {0};
    const struct application none = {0};
    if (person_of_rows(a, application, &then, err) || person_of_rows(a, &none, ret, err))
        return -1;
    json_decref(ret->request);
    ret->request = json_incref(then.request);
    return 0;
}

static int send_again(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, const struct certificate *c, const struct resend_request *r,
    struct plan *plan, struct err *err)
{
    const struct application *application = aggregate_application(a, &c->application);
    AUTO_PERSON person = {0};
    if (!application)
        return err_set(
            err, ERR_TEMPORARY, "damaged", "certificate %s has no application", uuid_s(&c->id));
    if (person_now(a, application, &person, err))
        return -1;
    const struct mail_order mail = {.event = MAIL_CODE,
        .policy = policy,
        .aggregate = a,
        .application = application,
        .certificate = c,
        .person = &person,
        .is_resent = true};
    mail_plan(d, &mail, plan);
    if (!plan->followup_count)
        return err_set(err, ERR_TEMPORARY, "damaged", "there is no address to send it to");
    const struct plan_followup *sent = &plan->followups[0];
    plan_audit(plan, "mail.resent", &c->id,
        json_pack("{s:o, s:o, s:O}", "mail", json_uuid(&r->mail), "as", json_uuid(&sent->id),
            "recipient", json_object_get(sent->args, "recipient")));
    plan_result(
        plan, json_pack("{s:o, s:o, s:O}", "mail", json_uuid(&sent->id), "certificate",
                  json_uuid(&c->id), "recipient", json_object_get(sent->args, "recipient")));
    return 0;
}

int decide_resend(const struct decision *d, const struct resend_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan, struct err *err)
{
    actor_record(d, plan);
    const struct certificate *c =
        aggregate ? aggregate_certificate(aggregate, &r->certificate) : NULL;
    if (!r->is_found)
        plan_refuse(plan, "not-found",
            "there is no mail %s (one that waits is a job, and still goes out)", uuid_s(&r->mail));
    else if (!r->has_code)
        plan_refuse(plan, "not-offered",
            "mail %s has no certificate code: only such are sent again", uuid_s(&r->mail));
    else if (!c)
        plan_refuse(plan, "not-found", "the certificate of mail %s is not there any more",
            uuid_s(&r->mail));
    if (plan->refused)
        return 0;
    if (!policy)
        return err_set(err, ERR_TEMPORARY, "damaged", "there is no policy of %s here", c->product);
    if (!policy->code.has_resend)
        plan_refuse(plan, "not-offered", "%s sends no code twice (code.resend)", policy->name);
    if (plan->refused || !state_is_open(d, aggregate, plan) || !code_counts(d, r, policy, c, plan))
        return 0;
    return send_again(d, policy, aggregate, c, r, plan, err);
}

#include "lifecycle/decide_grant.h"

#include "lifecycle/decide_mail.h"
#include "lifecycle/decide_succession.h"

#include <stdio.h>

static enum charged charged_of(enum policy_charge charge)
{
    if (charge == CHARGE_UPSTREAM)
        return CHARGED_UPSTREAM;
    return charge == CHARGE_FREE ? CHARGED_NO : CHARGED_YES;
}

struct application application_of(const struct decision *d, const struct uuid *subscriber,
    const char *kind, enum policy_charge charge)
{
    struct application a = {.row = ROW_NEW,
        .id = d->ports->draw_id(d->ports->arg),
        .subscriber = *subscriber,
        .state = APPLICATION_APPROVED,
        .job = d->job,
        .charged = charged_of(charge),
        .created_ms = d->now_ms};
    snprintf(a.kind, sizeof a.kind, "%s", kind);
    snprintf(a.charge_reason, sizeof a.charge_reason, "%s", policy_word(charge, charge));
    return a;
}

struct draft draft_of(const struct decision *d, const struct policy *policy,
    const struct uuid *subscriber, const char *kind, enum policy_charge charge)
{
    struct application a = application_of(d, subscriber, kind, charge);
    a.certificate = d->ports->draw_id(d->ports->arg);
    struct certificate c = {.row = ROW_NEW,
        .id = a.certificate,
        .subscriber = *subscriber,
        .application = a.id,
        .serial_length = SERIAL_BYTES,
        .root = a.certificate,
        .created_ms = d->now_ms};
    snprintf(c.product, sizeof c.product, "%s", policy->name);
    snprintf(c.issuer, sizeof c.issuer, "%s", policy->certificate.issuer);
    d->ports->draw_serial(d->ports->arg, c.serial);
    return (struct draft){a, c};
}

void grant_clear(struct grant *g)
{
    issuance_clear(&g->issuance);
}

int grant_prepare(const struct decision *d, const struct policy *policy, const struct person *p,
    const struct certificate *certificate, const struct request_key *key, struct grant *ret,
    struct plan *plan, struct err *err)
{
    struct grant g = {.is_direct = policy->issue.path == PATH_DIRECT || key};
    if (g.is_direct) {
        if (issuance_make(d, policy, p, certificate, key, &g.issuance, plan, err))
            return -1;
    } else if (policy->code.is_used) {
        if (d->ports->code_key(d->ports->arg, &g.code_key, err))
            return -1;
    }
    *ret = g;
    return 0;
}

/* A new generation makes every code given before worthless (I5). */
static void give_code(const struct decision *d, struct certificate *c, const char *key)
{
    snprintf(c->code_key, sizeof c->code_key, "%s", key);
    c->code_generation++;
    d->ports->draw_nonce(d->ports->arg, c->code_nonce);
    c->code_issued_ms = d->now_ms;
}

void grant_apply(const struct decision *d, struct grant *g, const struct granted *to,
    json_t *result, struct plan *plan)
{
    struct certificate *c = to->certificate;
    struct mail_order mail = {.event = MAIL_CODE,
        .policy = to->policy,
        .aggregate = to->aggregate,
        .application = to->application,
        .certificate = c,
        .person = to->person,
        .priority = to->priority};
    const char *state = "awaiting-retrieval";
    if (g->is_direct) {
        issuance_apply(d, c, &g->issuance, to->key);
        succession_complete(d, to->policy, to->aggregate, to->application, plan);
        result_add_certificate(d, c, result);
        mail.event = mail_of_issue(to->policy, to->application);
        mail_plan(d, &mail, plan);
        state = "issued";
    } else {
        certificate_move(c, CERTIFICATE_AWAITING_RETRIEVAL);
        if (g->code_key) {
            give_code(d, c, g->code_key);
            mail_plan(d, &mail, plan);
            state = "code-queued";
        }
    }
    json_object_set_new(result, "state", json_string(state));
}

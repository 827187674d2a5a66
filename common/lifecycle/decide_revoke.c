#include "lifecycle/decide_revoke.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/job.h"
#include "lifecycle/decide_certificate.h"
#include "lifecycle/decide_contract.h"
#include "lifecycle/decide_receipt.h"
#include "lifecycle/decide_revoke_confirm.h"
#include "lifecycle/decide_successor.h"

#include <string.h>

/* Hex, in either case, with or without colons. */
static bool parse_serial(const char *text, uint8_t ret[static SERIAL_MOST], size_t *ret_length)
{
    char digits[2 * SERIAL_MOST + 1];
    size_t n = 0;
    for (; *text; text++) {
        if (*text == ':' && n && n % 2 == 0)
            continue;
        if (n == sizeof digits - 1)
            return false;
        digits[n++] = *text;
    }
    *ret_length = n / 2;
    return n && n % 2 == 0 && hex_decode(digits, n, ret);
}

static void read_which(const json_t *args, struct revoke_request *r, struct plan *plan)
{
    const char *serial = args_text(args, "serial", 3 * SERIAL_MOST, plan);
    r->issuer = args_text(args, "issuer", MODEL_WORD - 1, plan);
    r->has_certificate = args_uuid(args, "certificate", &r->certificate, plan);
    if (r->has_certificate && serial)
        plan_bad_field(plan, "serial", "name the certificate or its serial, not both");
    else if (serial && !parse_serial(serial, r->serial, &r->serial_length))
        plan_bad_field(plan, "serial", "must be 1 to %d bytes in hex", SERIAL_MOST);
    else if (!serial && !r->has_certificate && !plan->refused)
        plan_bad_field(plan, "certificate", "is missing: name the certificate or its serial");
}

bool revoke_read(
    struct decision *d, const json_t *args, struct revoke_request *ret, struct plan *plan)
{
    static const char *const known[] = {
        "certificate", "serial", "issuer", "reason", "note", "successor", "by", "signature", NULL};
    *ret = (struct revoke_request){.args = args};
    if (!actor_read(d, args, plan))
        return false;
    args_known(args, known, plan);
    read_which(args, ret, plan);
    ret->reason = args_text(args, "reason", NOTE_MOST, plan);
    ret->note = args_text(args, "note", NOTE_MOST, plan);
    ret->has_successor = args_uuid(args, "successor", &ret->successor, plan);
    return !plan->refused;
}

static void refuse_reason(const struct policy_reasons *reasons, const char *word, struct plan *plan)
{
    AUTO_BUF list = {0};
    for (size_t i = 0; i < reasons->count; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", reasons->items[i].word);
    plan_bad_field(plan, "reason", "%s; it must be one of: %s",
        word ? "is not known" : "is missing", buf_text(&list));
}

const struct policy_reason *reason_choose(
    const struct policy_reasons *reasons, const char *word, struct plan *plan)
{
    const char *chosen = word ? word : reasons->fallback;
    const struct policy_reason *reason = chosen ? policy_reason(reasons, chosen) : NULL;
    if (!reason)
        refuse_reason(reasons, word, plan);
    return reason;
}

/* The reason by the policy's word or its fallback; NULL: the plan is refused. */
static const struct policy_reason *find_reason(const struct decision *d,
    const struct revoke_request *r, const struct policy *policy, struct plan *plan)
{
    const struct policy_reason *reason = reason_choose(&policy->revoke.reasons, r->reason, plan);
    if (reason && reason->channels && !(reason->channels & POLICY_BIT(d->actor.how)))
        plan_refuse(plan, "forbidden", "%s does not take a revocation for %s by %s", policy->name,
            reason->word, policy_word(channel, d->actor.how));
    return plan->refused ? NULL : reason;
}

bool revoke_is_possible(const struct decision *d, const struct certificate *c, struct plan *plan)
{
    switch (c->state) {
    case CERTIFICATE_VALID:
        if (!certificate_is_expired(c, d->now_ms))
            return true;
        plan_refuse(plan, "expired", "certificate %s expired on %s", uuid_s(&c->id),
            clock_s(c->not_after_ms));
        return false;
    case CERTIFICATE_AWAITING_RETRIEVAL:
        return true;
    case CERTIFICATE_REVOKED:
        plan_refuse(plan, "already-revoked", "certificate %s was revoked on %s (%s)",
            uuid_s(&c->id), clock_s(c->revoked_ms), reason_name(c->reason));
        return false;
    case CERTIFICATE_CANCELLED:
        plan_refuse(
            plan, "cancelled", "certificate %s was cancelled before it was issued", uuid_s(&c->id));
        return false;
    case CERTIFICATE_AWAITING_APPROVAL:
        plan_refuse(plan, "awaiting-approval",
            "certificate %s is not issued: reject application %s instead", uuid_s(&c->id),
            uuid_s(&c->application));
        return false;
    case CERTIFICATE_NEW:
    case CERTIFICATE_STATE_COUNT:
        break;
    }
    plan_refuse(plan, "not-found", "there is no certificate %s", uuid_s(&c->id));
    return false;
}

void revoke_end_contract(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, json_t *result, struct plan *plan)
{
    struct contract *contract = a->contract;
    if (!contract || !policy->revoke.ends_contract)
        return;
    const bool ends = !contract->has_ended && !contract_is_used(contract, d->now_ms);
    if (ends) {
        contract_end(contract, d->now_ms);
        plan_audit(plan, "contract.ended", &contract->id, NULL);
    }
    json_object_set_new(result, "contract", json_uuid(&contract->id));
    json_object_set_new(result, "contract_ended", json_boolean(ends));
}

/* By its holder, from where the device is, and not over the counter (D8). */
static bool is_online(const struct decision *d)
{
    return d->actor.how == CHANNEL_SIGNATURE || d->actor.how == CHANNEL_SESSION ||
           d->actor.how == CHANNEL_CREDENTIALS;
}

/* How it stands, for the result. */
static json_t *standing(const struct certificate *c)
{
    json_t *result = json_object();
    json_object_set_new(result, "certificate", json_uuid(&c->id));
    json_object_set_new(result, "serial", json_serial(c));
    json_object_set_new(result, "state", json_string(certificate_state_word(c->state)));
    if (c->state == CERTIFICATE_REVOKED) {
        json_object_set_new(result, "revoke_at", json_time(c->revoked_ms));
        json_object_set_new(result, "reason", json_string(reason_name(c->reason)));
    }
    return result;
}

static json_t *apply(const struct decision *d, struct aggregate *a, struct certificate *c,
    const struct policy_reason *reason, const struct revoke_request *r, struct plan *plan)
{
    const char *word = reason_name((enum reason)reason->crl);
    if (c->state == CERTIFICATE_VALID) {
        revocation_apply(d, a, c, (enum reason)reason->crl, reason->word, r->note, plan);
        c->was_revoked_online = is_online(d);
        successor_cancel_all(d, a, c, plan);
    } else {
        certificate_move(c, CERTIFICATE_CANCELLED);
        plan_audit(plan, "certificate.cancelled", &c->id,
            json_pack("{s:o, s:s, s:s, s:s?}", "serial", json_serial(c), "reason", word, "word",
                reason->word, "note", r->note));
    }
    return standing(c);
}

/*
 * A compromise that is told too late to revoke anything (D3, X4): the certificate stays as it was
 * revoked, or expired, and its key is refused from now on. Told a second time it is no news. 0 with
 * *ret, or -1.
 */
static int is_late_report(const struct decision *d, const struct certificate *c,
    const struct policy_reason *reason, bool *ret, struct err *err)
{
    const bool is_over = c->state == CERTIFICATE_REVOKED ||
                         (c->state == CERTIFICATE_VALID && certificate_is_expired(c, d->now_ms));
    bool is_known = false;
    *ret = false;
    if (!is_over || reason->crl != REASON_KEY_COMPROMISE || !c->has_request)
        return 0;
    if (d->ports->key_is_compromised(d->ports->arg, c->spki_sha256, &is_known, err))
        return -1;
    *ret = !is_known;
    return 0;
}

static json_t *report(
    const struct decision *d, struct aggregate *a, struct certificate *c, struct plan *plan)
{
    key_report(d, a, c, plan);
    json_t *result = standing(c);
    if (c->state != CERTIFICATE_REVOKED)
        json_object_set_new(result, "state", json_string("expired"));
    json_object_set_new(result, "key_refused", json_true());
    return result;
}

int decide_revoke(const struct decision *d, const struct revoke_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct certificate *certificate,
    struct plan *plan, struct err *err)
{
    AUTO_PERSON person = {0};
    actor_record(d, plan);
    if (!aggregate || !certificate) {
        plan_refuse(plan, "not-found", "there is no such certificate");
        return 0;
    }
    if (!policy)
        return err_set(
            err, ERR_TEMPORARY, "damaged", "there is no policy of %s here", certificate->product);
    if (r->has_successor) {
        decide_deferral(d, policy, aggregate, certificate, &r->successor, plan);
        return 0;
    }
    if (!actor_may(d, policy, PROC_REVOKE, r->args, plan) || !actor_signed(d, certificate, plan))
        return 0;
    if (confirmation_is_due(d, r, policy)) {
        confirmation_ask(d, r, policy, aggregate, certificate, plan);
        return 0;
    }
    const struct policy_reason *reason = find_reason(d, r, policy, plan);
    bool is_late = false;
    if (!reason)
        return 0;
    if (is_late_report(d, certificate, reason, &is_late, err))
        return -1;
    if (!is_late && !revoke_is_possible(d, certificate, plan))
        return 0;
    const struct application *application =
        aggregate_application(aggregate, &certificate->application);
    if (!application)
        return err_set(err, ERR_TEMPORARY, "damaged", "certificate %s has no application",
            uuid_s(&certificate->id));
    if (person_of_rows(aggregate, application, &person, err))
        return -1;
    json_t *document = NULL;
    if (receipt_make(
            d, policy, &person, certificate, (enum reason)reason->crl, r->args, &document, err))
        return -1;
    json_t *result = is_late ? report(d, aggregate, certificate, plan)
                             : apply(d, aggregate, certificate, reason, r, plan);
    if (document)
        json_object_set_new(result, "document", document);
    revoke_end_contract(d, policy, aggregate, result, plan);
    plan_result(plan, result);
    revocation_mails(d, policy, aggregate, reason->is_urgent ? JOB_PRIORITY_URGENT : 0, plan);
    return 0;
}

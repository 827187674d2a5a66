/*
 * What a change of a subscriber leads to. A4: every certificate in use is revoked and has a
 * successor with a new code and the same end; a code that was not used yet is replaced by another.
 * A5: all of them end, and one new application takes their place. The change bears the charge, the
 * certificates it makes are free.
 */
#include "lifecycle/decide_change.h"

#include "base/mem.h"
#include "lifecycle/decide_profile.h"
#include "lifecycle/decide_successor.h"

#include <string.h>

#define WORD "change" /* of the revocation, in the audit */

/* --- whom it concerns --- */

static bool is_live(const struct change_case *k, const struct certificate *c)
{
    return c->state == CERTIFICATE_AWAITING_RETRIEVAL ||
           (c->state == CERTIFICATE_VALID && !certificate_is_expired(c, k->d->now_ms));
}

/* Its successor is in use already, or waits to be retrieved: that one is replaced. */
static bool has_successor(const struct change_case *k, const struct certificate *c)
{
    for (size_t i = 0; i < k->aggregate->certificate_count; i++) {
        const struct certificate *next = k->aggregate->certificates[i];
        const struct application *a = aggregate_application(k->aggregate, &next->application);
        struct succession s;
        if (is_live(k, next) && a && succession_read(a, &s) && uuid_equal(&s.revokes, &c->id))
            return true;
    }
    return false;
}

static const struct certificate *newest_live(const struct change_case *k)
{
    const struct certificate *newest = NULL;
    for (size_t i = 0; i < k->aggregate->certificate_count; i++)
        if (is_live(k, k->aggregate->certificates[i]))
            newest = k->aggregate->certificates[i];
    return newest;
}

static bool is_grave(const struct change_case *k)
{
    return k->rule && (k->effect == EFFECT_REISSUE || k->effect == EFFECT_NEW_APPLICATION) &&
           !k->is_of_contract && newest_live(k);
}

const char *change_follow_up(const struct change_case *k)
{
    return is_grave(k) ? policy_word(effect, k->effect) : "none";
}

enum policy_charge change_charge(const struct change_case *k)
{
    const bool is_record = k->effect != EFFECT_REISSUE && k->effect != EFFECT_NEW_APPLICATION;
    return k->rule && (is_record || is_grave(k)) ? (enum policy_charge)k->rule->charge
                                                 : CHARGE_FREE;
}

/* Where the certificate needs a request (CSR) with it, upstream asks for it itself. */
static bool makes_certificates(const struct change_case *k)
{
    return is_grave(k) && k->policy->issue.path == PATH_RETRIEVE;
}

static bool waits_for_approval(const struct change_case *k)
{
    return k->effect == EFFECT_NEW_APPLICATION && !k->was_reviewed &&
           k->policy->issue.approval != APPROVAL_NONE;
}

int change_prepare(struct change_case *k, struct plan *plan, struct err *err)
{
    if (!makes_certificates(k) || waits_for_approval(k))
        return 0;
    return grant_prepare(k->d, k->policy, &k->after, NULL, NULL, &k->grant, plan, err);
}

/* --- what ends --- */

static json_t *end_present(const struct change_case *k, struct plan *plan)
{
    json_t *revoked = json_array();
    for (size_t i = 0; i < k->aggregate->certificate_count; i++) {
        struct certificate *c = k->aggregate->certificates[i];
        if (!is_live(k, c))
            continue;
        if (c->state == CERTIFICATE_AWAITING_RETRIEVAL) {
            certificate_cancel(k->d, c, plan);
        } else if (k->rule->revokes) {
            revocation_apply(k->d, k->aggregate, c, REASON_AFFILIATION_CHANGED, WORD, NULL, plan);
            json_array_append_new(revoked, json_uuid(&c->id));
        }
    }
    return revoked;
}

/* --- what takes its place --- */

/* Of a code that was not used yet, those it was given on. */
static struct succession terms_of(const struct change_case *k, const struct certificate *c)
{
    const struct application *a = aggregate_application(k->aggregate, &c->application);
    struct succession s = {.timing = TIMING_KEEP, .reason = REASON_AFFILIATION_CHANGED};
    if (c->issued_ms && k->rule->revokes)
        s.revokes = c->id;
    else if (!c->issued_ms && a)
        succession_read(a, &s);
    s.job = (struct uuid){{0}};
    s.word = WORD;
    if (k->rule->revokes)
        s.timing = TIMING_AT_REQUEST;
    return s;
}

static json_t *before_of(const struct change_case *k, const struct certificate *c)
{
    const struct application *a = aggregate_application(k->aggregate, &c->application);
    return a && a->request ? json_loads(a->request, 0, NULL) : NULL;
}

static json_t *grant(struct change_case *k, struct draft *draft, json_t *request, struct plan *plan)
{
    struct application *application = NULL;
    json_t *result = json_object();
    AUTO_PERSON person = {.profile = json_incref(k->after.profile), .request = request};
    memcpy(person.id, k->after.id, sizeof person.id);
    if (waits_for_approval(k))
        draft->application.state = APPLICATION_AWAITING_APPROVAL;
    struct certificate *c = draft_attach(k->aggregate, draft, json_incref(request), &application);
    json_object_set_new(result, "application", json_uuid(&application->id));
    json_object_set_new(result, "certificate", json_uuid(&c->id));
    json_object_set_new(
        result, "not_after", c->not_after_ms ? json_time(c->not_after_ms) : json_null());
    if (waits_for_approval(k)) {
        certificate_move(c, CERTIFICATE_AWAITING_APPROVAL);
        json_object_set_new(result, "state", json_string("awaiting-approval"));
    } else {
        struct granted to = {k->policy, k->aggregate, application, c, &person, NULL, 0};
        grant_apply(k->d, &k->grant, &to, result, plan);
    }
    return result;
}

static json_t *replace(struct change_case *k, const struct certificate *c, struct plan *plan)
{
    const struct succession terms = terms_of(k, c);
    struct draft draft = successor_draft(k->d, k->policy, k->aggregate, c, CHARGE_FREE);
    AUTO_TYPE(json, json_t) *before = before_of(k, c);
    json_t *result = grant(k, &draft, successor_request(before, &terms), plan);
    json_object_set_new(result, "predecessor", json_uuid(&c->id));
    return result;
}

static json_t *apply_anew(struct change_case *k, const struct certificate *c, struct plan *plan)
{
    struct draft draft =
        draft_of(k->d, k->policy, &k->aggregate->subscriber.id, "issue", CHARGE_FREE);
    AUTO_TYPE(json, json_t) *before = before_of(k, c);
    return grant(k, &draft, successor_request(before, NULL), plan);
}

/* --- all of it --- */

void change_subscriber(struct change_case *k, json_t *result, struct plan *plan)
{
    const bool makes = makes_certificates(k), is_reissue = k->effect == EFFECT_REISSUE;
    struct certificate **concerned =
        mem_zero(k->aggregate->certificate_count + 1, sizeof(struct certificate *));
    size_t n = 0;
    for (size_t i = 0; makes && i < k->aggregate->certificate_count; i++) {
        struct certificate *c = k->aggregate->certificates[i];
        bool is_concerned =
            is_reissue ? is_live(k, c) && !has_successor(k, c) : c == newest_live(k);
        if (is_concerned)
            concerned[n++] = c;
    }
    if (is_grave(k))
        json_object_set_new(result, "revoked", end_present(k, plan));
    profile_set(k->policy, k->aggregate, k->after.profile, &k->unit_key);
    json_t *made = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            made, is_reissue ? replace(k, concerned[i], plan) : apply_anew(k, concerned[i], plan));
    revocation_mails(k->d, k->policy, k->aggregate, 0, plan); /* they tell of the new ones */
    if (n)
        json_object_set_new(result, "certificates", made);
    else
        json_decref(made);
    free(concerned);
}

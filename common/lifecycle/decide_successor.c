#include "lifecycle/decide_successor.h"

#include <string.h>

static void continue_chain(const struct policy *policy, const struct aggregate *a,
    const struct certificate *c, struct certificate *next)
{
    const struct certificate *root = aggregate_certificate(a, &c->root);
    next->predecessor = c->id;
    if (!c->not_after_ms)
        return;
    next->root = c->root;
    if (policy->reissue.expiry == EXPIRY_ROOT)
        next->not_after_ms = root && root->issued_ms ? root->not_after_ms : c->not_after_ms;
}

struct draft successor_draft(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, const struct certificate *c, enum policy_charge charge)
{
    struct draft draft = draft_of(d, policy, &a->subscriber.id, KIND_WORD_REISSUE, charge);
    continue_chain(policy, a, c, &draft.certificate);
    return draft;
}

void successor_cancel_rivals(const struct decision *d, struct aggregate *a, struct certificate *c,
    const struct certificate *old, struct plan *plan)
{
    for (size_t i = 0; i < a->certificate_count; i++) {
        struct certificate *rival = a->certificates[i];
        const struct application *application = aggregate_application(a, &rival->application);
        struct succession s;
        if (rival->state != CERTIFICATE_AWAITING_RETRIEVAL)
            continue;
        if (rival == c || (application && old && succession_read(application, &s) &&
                              uuid_equal(&s.revokes, &old->id)))
            certificate_cancel(d, rival, plan);
    }
}

static bool is_to_follow(
    const struct aggregate *a, const struct certificate *next, const struct certificate *c)
{
    const struct application *application = aggregate_application(a, &next->application);
    struct succession s;
    if (!application || (strcmp(application->kind, KIND_WORD_REISSUE) != 0 &&
                            strcmp(application->kind, KIND_WORD_RENEW) != 0))
        return false;
    return uuid_equal(&next->predecessor, &c->id) ||
           (succession_read(application, &s) && uuid_equal(&s.revokes, &c->id));
}

bool successor_falls(const struct certificate *c)
{
    return c->reason != REASON_KEY_COMPROMISE && c->reason != REASON_SUPERSEDED;
}

void successor_cancel_all(
    const struct decision *d, struct aggregate *a, const struct certificate *c, struct plan *plan)
{
    if (!successor_falls(c))
        return;
    for (size_t i = 0; i < a->certificate_count; i++)
        if (a->certificates[i]->state == CERTIFICATE_AWAITING_RETRIEVAL &&
            is_to_follow(a, a->certificates[i], c))
            certificate_cancel(d, a->certificates[i], plan);
}

json_t *successor_request(const json_t *before, const struct succession *terms)
{
    static const char *const kept[] = {"term", "dns"};
    json_t *request = json_object();
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++) {
        json_t *value = json_object_get(before, kept[i]);
        if (value)
            json_object_set(request, kept[i], value);
    }
    if (terms)
        json_object_set_new(request, "reissue", succession_json(terms));
    return request;
}

struct certificate *draft_attach(
    struct aggregate *a, const struct draft *draft, json_t *request, struct application **ret)
{
    struct application *application = aggregate_add_application(a);
    *application = draft->application;
    if (request)
        application->request = json_compact(request);
    json_decref(request);
    struct certificate *certificate = aggregate_add_certificate(a);
    *certificate = draft->certificate;
    *ret = application;
    return certificate;
}

void result_add_charge(const struct application *a, json_t *result)
{
    json_object_set_new(result, "chargeable",
        a->charged == CHARGED_UPSTREAM ? json_null() : json_boolean(a->charged == CHARGED_YES));
    json_object_set_new(result, "charge_reason", json_string(a->charge_reason));
}

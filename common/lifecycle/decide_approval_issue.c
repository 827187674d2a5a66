/* The word on an application for a certificate: it gets what it asked for, or nothing. */
#include "lifecycle/decide_approval.h"
#include "lifecycle/decide_device.h"
#include "lifecycle/decide_grant.h"
#include "lifecycle/decide_state.h"

static void reject(const struct approval *a, struct plan *plan)
{
    approval_record(a);
    certificate_move(a->certificate, CERTIFICATE_CANCELLED);
    approval_finish(a, json_pack("{s:s}", "state", "rejected"), plan);
}

static int approve(const struct approval *a, struct plan *plan, struct err *err)
{
    AUTO_PERSON person = {0};
    AUTO_GRANT grant = {0};
    AUTO_BUF spki = {0};
    struct request_key key = {0};
    if (!state_is_open(a->d, a->aggregate, plan))
        return 0;
    if (person_of_rows(a->aggregate, a->application, &person, err))
        return -1;
    const json_t *stored = json_object_get(person.request, "key");
    if (stored && key_of_json(stored, &spki, &key, err))
        return -1;
    const struct request_key *with = stored ? &key : NULL;
    if (a->policy->issue.path == PATH_DIRECT && !with)
        return approval_damaged(a, "key any more", err);
    if (!device_is_free(a->d, a->policy, a->aggregate, a->certificate->device, plan))
        return 0;
    if (grant_prepare(a->d, a->policy, &person, a->certificate, with, &grant, plan, err))
        return -1;
    if (plan->refused)
        return 0;
    approval_record(a);
    struct granted to = {a->policy, a->aggregate, a->application, a->certificate, &person, with, 0};
    json_t *result = json_object();
    grant_apply(a->d, &grant, &to, result, plan);
    device_supersede(a->d, a->policy, a->aggregate, a->certificate, plan);
    approval_finish(a, result, plan);
    return 0;
}

int issue_decided(const struct approval *a, struct plan *plan, struct err *err)
{
    if (!a->certificate || a->certificate->state != CERTIFICATE_AWAITING_APPROVAL)
        return approval_damaged(a, "certificate that waits for it", err);
    if (a->r->is_approved)
        return approve(a, plan, err);
    reject(a, plan);
    return 0;
}

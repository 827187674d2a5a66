#include "lifecycle/decide_device.h"

#include "base/clock.h"
#include "lifecycle/decide_succession.h"

#include <string.h>

const char *device_read(const json_t *args, const struct policy *policy, struct plan *plan)
{
    const char *device = args_text(args, "device", DEVICE_MOST, plan);
    const json_t *given = json_object_get(args, "device");
    const bool is_given = given && !json_is_null(given);
    if (policy->unit.device == DEVICE_NONE && is_given)
        plan_bad_field(plan, "device", "%s knows no devices", policy->name);
    return device;
}

static bool is_on(const struct certificate *c, const char *device)
{
    return c->device && device && strcmp(c->device, device) == 0;
}

static bool is_alive(const struct decision *d, const struct certificate *c)
{
    return c->state == CERTIFICATE_VALID && !certificate_is_expired(c, d->now_ms);
}

bool device_is_free(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, const char *device, struct plan *plan)
{
    if (!policy->issue.supersedes_other_device)
        return true;
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *c = a->certificates[i];
        if (!is_alive(d, c) || !is_on(c, device))
            continue;
        plan_refuse(plan, "has-certificate",
            "certificate %s on this %s is valid until %s: renew it, or revoke it first",
            uuid_s(&c->id), policy_word(device, policy->unit.device), clock_s(c->not_after_ms));
        return false;
    }
    return true;
}

void device_supersede(const struct decision *d, const struct policy *policy, struct aggregate *a,
    const struct certificate *c, struct plan *plan)
{
    bool has_any = false;
    if (!policy->issue.supersedes_other_device || c->state != CERTIFICATE_VALID)
        return;
    for (size_t i = 0; i < a->certificate_count; i++) {
        struct certificate *other = a->certificates[i];
        if (other == c || !is_alive(d, other) || is_on(other, c->device))
            continue;
        revocation_apply(d, a, other, REASON_SUPERSEDED, "other-device", NULL, plan);
        has_any = true;
    }
    if (has_any)
        revocation_mails(d, policy, a, 0, plan);
}

/* Did a later one go onto another device? */
static bool has_moved(const struct aggregate *a, const struct certificate *c)
{
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *next = a->certificates[i];
        if (next != c && next->issued_ms && next->device && !is_on(next, c->device) &&
            (next->issued_ms > c->issued_ms ||
                (next->issued_ms == c->issued_ms && uuid_compare(&next->id, &c->id) > 0)))
            return true;
    }
    return false;
}

int device_erasable(
    const struct policy *policy, const struct aggregate *a, const struct certificate *c)
{
    const unsigned offered = policy->records.erasable;
    if (c->state != CERTIFICATE_REVOKED || !c->device)
        return -1;
    if (offered & POLICY_BIT(ERASABLE_REVOKED_ONLINE) && c->was_revoked_online)
        return ERASABLE_REVOKED_ONLINE;
    if (offered & POLICY_BIT(ERASABLE_SUPERSEDED_ON_OTHER_DEVICE) && has_moved(a, c))
        return ERASABLE_SUPERSEDED_ON_OTHER_DEVICE;
    return -1;
}

#include "lifecycle/decide_reissue_review.h"

#include "base/clock.h"
#include "lifecycle/decide_certificate.h"
#include "lifecycle/decide_succession.h"

#include <string.h>

void reissue_count(const struct aggregate *a)
{
    if (!a->contract)
        return;
    a->contract->reissues++;
    row_touch(&a->contract->row);
}

/* What became of the old one meanwhile: nothing is made for a certificate that has gone. */
static bool still_stands(const struct approval *a, struct plan *plan)
{
    const struct certificate *old =
        aggregate_certificate(a->aggregate, &a->certificate->predecessor);
    if (!old || !a->r->is_approved)
        return true;
    if (old->state == CERTIFICATE_REVOKED || old->state == CERTIFICATE_CANCELLED)
        plan_refuse(plan, certificate_state_word(old->state),
            "certificate %s, which is to be reissued, is %s: reject the request", uuid_s(&old->id),
            certificate_state_word(old->state));
    else if (certificate_is_expired(old, a->d->now_ms))
        plan_refuse(plan, "expired",
            "certificate %s, which is to be reissued, expired on %s: reject the request",
            uuid_s(&old->id), clock_s(old->not_after_ms));
    return !plan->refused;
}

int reissue_decided(const struct approval *a, struct plan *plan, struct err *err)
{
    if (!a->certificate || a->certificate->state != CERTIFICATE_AWAITING_APPROVAL)
        return approval_damaged(a, "certificate that waits for it", err);
    if (!still_stands(a, plan))
        return 0;
    if (issue_decided(a, plan, err))
        return -1;
    struct succession s;
    if (plan->refused || !a->r->is_approved)
        return 0;
    reissue_count(a->aggregate);
    if (plan->result && succession_read(a->application, &s)) {
        const struct certificate *old = aggregate_certificate(a->aggregate, &s.revokes);
        const int64_t at_ms =
            old && old->state == CERTIFICATE_REVOKED ? old->revoked_ms : s.revoke_ms;
        json_object_set_new(plan->result, "predecessor", json_uuid(&a->certificate->predecessor));
        json_object_set_new(plan->result, "revoke_at", at_ms ? json_time(at_ms) : json_null());
    }
    return 0;
}

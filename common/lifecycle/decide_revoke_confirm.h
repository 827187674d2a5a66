/*
 * Revocations that an operator confirms first, by telephone with the registered contact (C8): the
 * request waits, and the operator's word maps its free text to a reason of the CRL.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_REVOKE_CONFIRM_H
#define CERTQ_LIFECYCLE_DECIDE_REVOKE_CONFIRM_H

#include "lifecycle/decide_revoke.h"

/* Not for a compromised key that an operator reports (C6). */
bool confirmation_is_due(
    const struct decision *d, const struct revoke_request *r, const struct policy *policy);
/* Makes the application that waits. */
void confirmation_ask(const struct decision *d, const struct revoke_request *r,
    const struct policy *policy, struct aggregate *a, struct certificate *c, struct plan *plan);

#endif

/*
 * Withdrawal (退会, kind withdraw, A10): asked for by the organisation, which gets the receipt. The
 * certificates are revoked, codes die, what waits for a decision is withdrawn, and the subscriber
 * is asked for nothing any more. Where the reason is a silent one nothing is mailed to them.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_WITHDRAW_H
#define CERTQ_LIFECYCLE_DECIDE_WITHDRAW_H

#include "lifecycle/decide_approval.h"

#define KIND_WORD_WITHDRAW "withdraw" /* application.kind */

struct withdraw_request {
    const json_t *args; /* borrowed, as are the texts */
    struct uuid subscriber;
    const char *reason, *note;
};

bool withdraw_read(
    struct decision *d, const json_t *args, struct withdraw_request *ret, struct plan *plan);
/*
 * aggregate NULL: there is no such subscriber. Refusals: not-found, forbidden, not-offered,
 * bad-request, withdrawn, contract-ended, already-waiting.
 */
int decide_withdraw(const struct decision *d, const struct withdraw_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan,
    struct err *err) MUST_USE;

#endif

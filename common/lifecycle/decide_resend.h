/*
 * Sending a certificate code once more (kind mail-resend, A11): by an operator, a new mail with the
 * same code to the subscriber's present address, where the product allows it and the code of that
 * mail still counts.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_RESEND_H
#define CERTQ_LIFECYCLE_DECIDE_RESEND_H

#include "lifecycle/decide.h"

struct resend_request {
    const json_t *args;
    struct uuid mail;
    const char *who; /* the operator, borrowed from args; "" */
    /* What is known of that mail, filled by the caller before the decision: */
    bool is_found, has_code;
    struct uuid certificate, subscriber;
    uint32_t generation;
};

bool resend_read(
    struct decision *d, const json_t *args, struct resend_request *ret, struct plan *plan);
/* aggregate NULL: the mail is about no subscriber. */
int decide_resend(const struct decision *d, const struct resend_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan,
    struct err *err) MUST_USE;

#endif

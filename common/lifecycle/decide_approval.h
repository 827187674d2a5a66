/*
 * An operator's word on an application that waits for it (kind decide). Approval does what the
 * application asked for: a code mail, a certificate to be retrieved, or a certificate.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_APPROVAL_H
#define CERTQ_LIFECYCLE_DECIDE_APPROVAL_H

#include "lifecycle/decide.h"

struct approval_request {
    struct uuid application;
    bool is_approved;
    const char *who, *note; /* borrowed from args; note NULL: none */
};

bool approval_read(
    struct decision *d, const json_t *args, struct approval_request *ret, struct plan *plan);
/* aggregate NULL: there is no such application. */
int decide_approval(const struct decision *d, const struct approval_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan,
    struct err *err) MUST_USE;

#endif

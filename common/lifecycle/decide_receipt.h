/* The document that a request for revocation was accepted (D2), handed over at the counter. */
#ifndef CERTQ_LIFECYCLE_DECIDE_RECEIPT_H
#define CERTQ_LIFECYCLE_DECIDE_RECEIPT_H

#include "lifecycle/decide_certificate.h"

/*
 * Before anything changes: *ret stays NULL where the policy acknowledges otherwise. It says that
 * the card was handed in where by.evidence.device tells of one.
 */
int receipt_make(const struct decision *d, const struct policy *policy, const struct person *person,
    const struct certificate *certificate, enum reason reason, const json_t *args, json_t **ret,
    struct err *err) MUST_USE;

#endif

/*
 * Revocation (kind revoke) by certificate id or serial: of a valid certificate, for good (B4); of
 * one that was never retrieved, whose code dies. Where the product wants it confirmed first (C8)
 * the request waits as an application for an operator's word, unless an operator reports a
 * compromised key, which waits for nothing (C6).
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_REVOKE_H
#define CERTQ_LIFECYCLE_DECIDE_REVOKE_H

#include "lifecycle/decide.h"

#define KIND_WORD_REVOKE "revoke" /* application.kind */

struct revoke_request {
    const json_t *args;
    bool has_certificate; /* else by serial */
    struct uuid certificate;
    uint8_t serial[SERIAL_MOST];
    size_t serial_length;
    const char *issuer; /* of the serial; NULL: any */
    const char *reason, *note;
    bool has_successor; /* certq's own deferred revocation (X4) */
    struct uuid successor;
};

/* The reason of that word, or the fallback where there is none; NULL: `reason` is a bad field. */
const struct policy_reason *reason_choose(
    const struct policy_reasons *reasons, const char *word, struct plan *plan);

bool revoke_read(
    struct decision *d, const json_t *args, struct revoke_request *ret, struct plan *plan);
/* Can it be revoked as it stands? Else the plan is refused. */
bool revoke_is_possible(const struct decision *d, const struct certificate *c, struct plan *plan);
/* Its last certificate went: the contract is over where the policy says so (C8). */
void revoke_end_contract(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, json_t *result, struct plan *plan);
/* certificate NULL (or aggregate NULL): there is no such certificate. */
int decide_revoke(const struct decision *d, const struct revoke_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct certificate *certificate,
    struct plan *plan, struct err *err) MUST_USE;

#endif

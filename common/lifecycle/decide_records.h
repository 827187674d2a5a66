/*
 * The records held about a subscriber (D4): issue records, revocation records and the file that
 * tells of revocations (the CRL), or the confirmation that there are none; and which certificates
 * may be erased from a device (D8). A disclosure is written down as an application of kind
 * `disclose`, since a correction follows one (D5).
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_RECORDS_H
#define CERTQ_LIFECYCLE_DECIDE_RECORDS_H

#include "lifecycle/decide_whom.h"

#define KIND_WORD_DISCLOSE "disclose" /* application.kind */

/* The newest revocation file of an issuer. */
struct record_file {
    char issuer[MODEL_WORD];
    uint64_t number;
    int64_t this_update_ms, next_update_ms;
};

struct records_request {
    const json_t *args;
    struct whom whom;
    /* Of a disclosure, filled by the caller before the decision: */
    const struct record_file *files;
    size_t file_count;
};
bool records_read(struct decision *d, const struct policy_set *policies, const json_t *args,
    struct records_request *ret, struct plan *plan);
void records_request_clear(struct records_request *r);

/*
 * aggregate NULL: there is no such subscriber, which is confirmed where the policy does that. The
 * policy is the subscriber's, or the one the request names (NULL: neither is known).
 */
typedef int records_decide(const struct decision *d, const struct records_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan,
    struct err *err) MUST_USE;
records_decide decide_disclose, decide_erasable;

#endif

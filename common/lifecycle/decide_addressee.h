/*
 * Whom a document is for (D2, D4, D5): the facts its head needs, and what is recorded of the
 * subscriber now, whatever their applications said.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_ADDRESSEE_H
#define CERTQ_LIFECYCLE_DECIDE_ADDRESSEE_H

#include "lifecycle/decide_certificate.h"

/* The subscriber as recorded now. ERR_TEMPORARY "damaged" when the profile is no JSON. */
int person_of_subscriber(const struct aggregate *a, struct person *ret, struct err *err) MUST_USE;
/*
 * name, agent, holder_id and applied_on; new reference. `agent` is NULL for who asked themselves;
 * the request was accepted at `applied_ms`.
 */
json_t *addressee_facts(const struct decision *d, const struct policy *policy,
    const struct person *person, const char *agent, int64_t applied_ms,
    enum policy_language language);
/* The agent's name in args.by, borrowed; NULL: no agent asks. */
const char *agent_of(const struct decision *d, const json_t *args);

#endif

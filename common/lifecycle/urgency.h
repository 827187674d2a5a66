/*
 * Which requests go ahead of everything (D3, C6), told by their args before anybody looks at them:
 * those for a reason that some product calls urgent, from an actor and on a channel that it takes
 * them from. Whether it is true, and may be done, is for the decision.
 */
#ifndef CERTQ_LIFECYCLE_URGENCY_H
#define CERTQ_LIFECYCLE_URGENCY_H

#include "base/kind.h"
#include "lifecycle/policy_set.h"

/* Could requests of this kind be urgent at all? */
bool urgency_concerns(enum kind_id kind);
/*
 * Never by credentials, which anybody may guess at: comparing them costs more than it would cost to
 * ask.
 */
bool urgency_of(const struct policy_set *policies, enum kind_id kind, const json_t *args);

#endif

/* Whether a subscriber, or a contract, can be asked for anything at all. */
#ifndef CERTQ_LIFECYCLE_DECIDE_STATE_H
#define CERTQ_LIFECYCLE_DECIDE_STATE_H

#include "lifecycle/decide.h"

/*
 * Refuses with `withdrawn`, `contract-ended`, or `locked`: wrong passwords lock what a
 * subscriber or holder asks for by password or login, never what others ask for, nor a signature.
 */
bool state_is_open(const struct decision *d, const struct aggregate *a, struct plan *plan);

#endif

/*
 * What upstream may reasonably write in more than one way, made into the one way the rules read:
 * a term as a number of months, {"months": 12} or P1Y; changes as objects within objects. What is
 * none of these stays as it is and is refused where it is read. Pure.
 */
#ifndef CERTQ_LIFECYCLE_ARGS_SHAPE_H
#define CERTQ_LIFECYCLE_ARGS_SHAPE_H

#include "base/json.h"

struct policy;

/* Changes args: `term` becomes a text such as "12 months", `changes` a map of dotted paths. */
void args_shape(json_t *args);

/*
 * The args of an application, owned by the caller, without the members of the subscriber
 * and the contacts that other products have and this one does not record (upstream may send one
 * form for all products; what is not needed is not kept, D9). Their paths are appended to
 * `ret_ignored`, a list.
 */
json_t *args_own_fields(const struct policy *policy, const json_t *args, json_t *ret_ignored);

#endif

/*
 * All products of an installation: every *.yaml of a folder, read at start. A file is named
 * after its product (association.yaml holds `product: association`), so that `extends` finds it.
 */
#ifndef CERTQ_LIFECYCLE_POLICY_SET_H
#define CERTQ_LIFECYCLE_POLICY_SET_H

#include "lifecycle/policy.h"

struct config;

struct policy_set {
    struct policy **items; /* sorted by name */
    size_t count;
};

/* Input error "FILE:LINE: KEY: what" (X7); not-found without the folder or any product in it. */
int policy_set_load(const char *folder, struct policy_set **ret, struct err *err) MUST_USE;
void policy_set_free(struct policy_set *set);
/* NULL when there is none. */
const struct policy *policy_set_find(const struct policy_set *set, const char *name);
/* Input error when a product names an issuer the configuration lacks. */
int policy_set_check(
    const struct policy_set *set, const struct config *config, struct err *err) MUST_USE;
/* One file; `extends` is looked up beside it. */
int policy_load_file(const char *path, struct policy **ret, struct err *err) MUST_USE;
DEFINE_AUTO_STRUCT(policy_set);

#endif

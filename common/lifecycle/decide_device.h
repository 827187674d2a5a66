/*
 * The device a certificate sits on, as upstream names it: a card's number, a computer's name (D8).
 * Args of issue and renew say `device`; a certificate keeps it for good.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_DEVICE_H
#define CERTQ_LIFECYCLE_DECIDE_DEVICE_H

#include "lifecycle/decide.h"

#define DEVICE_MOST 64 /* characters */

/*
 * args.device, borrowed; NULL: none was given. A bad field where the product knows no devices.
 */
const char *device_read(const json_t *args, const struct policy *policy, struct plan *plan);

/*
 * Where a certificate supersedes those on other devices: refuses with `has-certificate` while a
 * valid one sits on the very device, which is what renewing or revoking is for.
 */
bool device_is_free(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, const char *device, struct plan *plan);
/*
 * `c` has just become valid: where the policy says so, the subscriber's valid certificates on other
 * devices, or on none that is known, are revoked as superseded, with their mails.
 */
void device_supersede(const struct decision *d, const struct policy *policy, struct aggregate *a,
    const struct certificate *c, struct plan *plan);

/* May this certificate and its keys be erased from its device (D8)? The first reason of the policy
 * that holds; -1: no. */
int device_erasable(
    const struct policy *policy, const struct aggregate *a, const struct certificate *c);

#endif

/*
 * A subscriber's password (D6, D7): changed by who knows the old one, reset where it was forgotten
 * or locked, set anew after that. Hashing and comparing are slow and happen before, outside the
 * transaction.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_PASSWORD_H
#define CERTQ_LIFECYCLE_DECIDE_PASSWORD_H

#include "lifecycle/decide_whom.h"

struct password_request {
    enum policy_procedure procedure; /* PROC_PASSWORD_CHANGE, _RESET or _SET */
    const json_t *args;
    struct whom whom;
    /* Filled by the caller before the decision: */
    const char *hash;  /* the new one, scrypt text; NULL of a reset */
    const char *tried; /* the stored hash that `old` was compared with; NULL: there was none */
    bool fits;
};

/* `old` and `new` are only looked at for being there, where the procedure has them. */
bool password_request_read(struct decision *d, const struct policy_set *policies,
    enum policy_procedure procedure, const json_t *args, struct password_request *ret,
    struct plan *plan);
void password_request_clear(struct password_request *r);

/*
 * aggregate NULL: there is no such subscriber. A wrong old password counts as any wrong one and may
 * lock (`credentials`, then `locked`). A reset lifts the lock; where the policy sets a new password
 * afterwards it takes the old one away. ERR_CONFLICT: the password is no longer the one tried.
 */
int decide_password(const struct decision *d, const struct password_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan,
    struct err *err) MUST_USE;

#endif

/*
 * Who knows the credentials (A7, B1, B10): an e-mail address or user id, a password, a certificate
 * code, as the product's policy wants them. Whatever is wrong, the answer is the same (B2), and the
 * wrong tries are counted (D7). Password hashing is slow and happens before, outside the
 * transaction: a candidate carries the hash that was tried and whether it fitted.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_CREDENTIALS_H
#define CERTQ_LIFECYCLE_DECIDE_CREDENTIALS_H

#include "lifecycle/decide.h"
#include "lifecycle/policy_set.h"

struct credentials {
    enum policy_procedure procedure;
    unsigned given;                     /* mask of CREDENTIAL_* */
    char *email;                        /* folded, owned */
    const char *user_id, *company_code; /* borrowed from args */
    const char *product;                /* only subscribers of this one; NULL: of any */
    /* Filled by the caller before the decision: */
    const struct secret *code; /* as code_parse gives it; NULL: none */
};

/*
 * Reads email, user_id, company_code, product, password and code; the two secrets are only looked
 * at for being there. Bad fields are told by the args alone, never by what is in the database: a
 * credential is missing when no product would take the request without it.
 */
bool credentials_read(struct decision *d, const struct policy_set *policies,
    enum policy_procedure procedure, const json_t *args, struct credentials *ret,
    struct plan *plan);
void credentials_clear(struct credentials *c);
/* Could these credentials, asked for in this way, open anything of this product? */
bool credentials_suit(
    const struct decision *d, const struct credentials *c, const struct policy *policy);

/*
 * The unit key of the subscriber they name, where the product tells its subscribers apart by
 * nothing else; NULL otherwise. The caller frees.
 */
char *credentials_unit_key(const struct credentials *c, const struct policy *policy) MUST_USE;

/* A subscriber the e-mail address or user id fits. */
struct candidate {
    struct aggregate *aggregate;
    const struct policy *policy;
    const char *tried; /* the stored hash the password was compared with; NULL: it had none */
    bool fits;
};

/* Who asks about a certificate: who has its credentials, or may name it. */
struct claimants {
    /* NULL credentials: it is named, and candidates[0], if any, holds it. */
    const struct credentials *credentials;
    const struct candidate *candidates;
    size_t count;
};

/* Whom the credentials are right for, and the certificate whose code was given (NULL without). */
struct proven {
    const struct candidate *candidate;
    struct certificate *certificate;
};

#define CREDENTIALS_REFUSAL                                                                        \
    "the credentials do not fit: address or user id, password or certificate code is wrong, or "   \
    "there were too many wrong tries"

/*
 * True and *ret when they are right, which takes wrong tries off the record. Otherwise false, with
 * the wrong try counted and written down, and the subscriber locked after
 * policy.password.lock_after of them; the plan is not refused yet, as that is for the caller to
 * word. ERR_CONFLICT when a candidate's password is no longer the one that was tried.
 */
int credentials_prove(const struct decision *d, const struct credentials *c,
    const struct candidate *candidates, size_t n, struct proven *ret, bool *ret_right,
    struct plan *plan, struct err *err) MUST_USE;
/* One more wrong try, written down, and the lock where it was one too many. */
void credentials_count_wrong(
    const struct decision *d, const struct candidate *candidate, struct plan *plan);

#endif

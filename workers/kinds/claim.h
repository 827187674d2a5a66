/*
 * Credentials in a job, as retrieve, lookup, reissue and renew share them: read and unsealed in
 * prepare, the subscribers they may mean found in resolve, where the password is compared with each
 * one's hash outside any transaction (and once with nobody's when there is none, so that the time
 * is the same, B2), and handed to the decision once these subscribers are locked. Or the
 * certificate is named instead; whose it is never changes, so that is looked up in resolve too.
 */
#ifndef CERTQ_WORKERS_KINDS_CLAIM_H
#define CERTQ_WORKERS_KINDS_CLAIM_H

#include "kind_ops.h"
#include "lifecycle/decide_credentials.h"

struct claim_hit {
    struct uuid subscriber;
    const struct policy *policy;
    char *tried;      /* the hash to compare with */
    bool is_compared; /* only then fits says something */
    bool fits;
};
struct claim {
    struct decision decision;
    bool is_named;
    struct uuid certificate; /* it names */
    struct credentials credentials;
    struct secret *password, *code;
    struct claim_hit hits[TASK_AGGREGATES_MAX];
    size_t hit_count;
    struct claim_hit
        before[TASK_AGGREGATES_MAX]; /* of an earlier try, while it is resolved again */
    size_t before_count;
};

/* Instead of claim_prepare, and of credentials. */
void claim_name(struct claim *c, const struct uuid *certificate);
/* False: the plan is refused. */
bool claim_prepare(
    struct worker *w, struct task *task, enum policy_procedure procedure, struct claim *c);
/*
 * For a group: those who are told apart by what was given are looked for with one query a product,
 * and passwords are hashed two at a time (a hash takes 32 MB). `of` gives a task's claim; NULL: it
 * has none.
 */
int claim_resolve_all(struct worker *w, struct task **tasks, size_t n,
    struct claim *(*of)(struct task *task), struct err *err) MUST_USE;
/* The candidates that are in the unit; borrowed from claim and unit. */
size_t claim_candidates(const struct claim *c, const struct unit *unit,
    struct candidate ret[static TASK_AGGREGATES_MAX]);
/* The same, or the subscriber of the certificate it names; borrowed from claim, unit and memory. */
struct claimants claim_find(const struct worker *w, const struct task *task,
    const struct unit *unit, const struct claim *c,
    struct candidate memory[static TASK_AGGREGATES_MAX]);
void claim_clear(struct claim *c);

#endif

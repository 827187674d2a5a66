/*
 * Applications (kind issue): for a new subscriber or one the product has already. Leads to a
 * certificate code by mail (A8), a certificate to be retrieved with user id and password (E5), a
 * certificate at once (direct issuance), or a wait for an operator's approval.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_ISSUE_H
#define CERTQ_LIFECYCLE_DECIDE_ISSUE_H

#include "lifecycle/decide.h"
#include "lifecycle/policy_set.h"

struct issue_request {
    const json_t *args; /* `own` once the product is known; borrowed, as is all below but these: */
    json_t *own;        /* the args without fields of other products */
    json_t *ignored;    /* their paths */
    const json_t *subscriber;
    const struct policy *policy;
    const struct length *term;
    const char *device; /* NULL: none */
    char *unit_key;
    char *email; /* folded; NULL: none */
    bool has_renews;
    struct uuid renews;
    bool names_contract;  /* one that may be there already, by args.contract.id */
    struct uuid contract; /* that, or the id of the one to be made; zero: the product has none */
    /* Filled by the caller before the decision: */
    const char *password; /* scrypt text; NULL where the product has none */
    const struct request_key *key;
    struct contract *under; /* the contract of that id; NULL: there is none yet */
};

/*
 * Reads and checks the args against the product's policy, all bad fields at once (B6). What is a
 * secret or a CSR is only looked at for being there. False: the plan is refused.
 */
bool issue_read(struct decision *d, const struct policy_set *policies, const json_t *args,
    struct issue_request *ret, struct plan *plan);
void issue_request_clear(struct issue_request *r);

/*
 * Services C (C1): an application names a contract that is there, or brings the contacts of a new
 * one, which hangs on *aggregate afterwards as the subscriber itself does.
 *
 * *aggregate is the subscriber with this product and unit key, or NULL: then a new one is made,
 * which the caller owns. The password of a subscriber there already is replaced by the one given,
 * unless the policy keeps that of the first application (B10).
 */
int decide_issue(const struct decision *d, const struct issue_request *r,
    struct aggregate **aggregate, struct plan *plan, struct err *err) MUST_USE;

#endif

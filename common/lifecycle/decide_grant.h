/*
 * What an accepted application gets: a certificate code by mail (A8), a certificate that waits for
 * its retrieval without one (E5), or a certificate. First what can fail, then what changes records.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_GRANT_H
#define CERTQ_LIFECYCLE_DECIDE_GRANT_H

#include "lifecycle/decide_certificate.h"

/* An application that is approved and about no certificate; `kind` is the kind of job. */
struct application application_of(const struct decision *d, const struct uuid *subscriber,
    const char *kind, enum policy_charge charge);
/* Rows that will be attached to an aggregate once nothing can fail any more. */
struct draft {
    struct application application; /* approved */
    struct certificate certificate; /* new: with its serial (I7) and the root of its own chain */
};
/* `kind` is the kind of job that makes the application. */
struct draft draft_of(const struct decision *d, const struct policy *policy,
    const struct uuid *subscriber, const char *kind, enum policy_charge charge);

struct grant {
    const char *code_key; /* NULL: no code */
    bool is_direct;
    struct issuance issuance; /* of a direct one */
};
void grant_clear(struct grant *g);
#define AUTO_GRANT CLEANUP(grant_clear) struct grant

/* With a `key` it is issued directly, whatever the product's first ones are (E4). The plan may be
 * refused afterwards. */
int grant_prepare(const struct decision *d, const struct policy *policy, const struct person *p,
    const struct certificate *certificate, const struct request_key *key, struct grant *ret,
    struct plan *plan, struct err *err) MUST_USE;

struct granted {
    const struct policy *policy;
    struct aggregate *aggregate;
    struct application *application;
    struct certificate *certificate;
    const struct person *person;
    const struct request_key *key;
    int priority; /* of its mails; 0: as any */
};
/*
 * Moves the certificate on, plans the mail, and says in `result` what became of it (its state). A
 * reissue that is issued so settles what becomes of its predecessor (C5).
 */
void grant_apply(const struct decision *d, struct grant *g, const struct granted *to,
    json_t *result, struct plan *plan);

#endif

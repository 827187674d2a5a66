/*
 * What a worker process holds for its life and hands to the kinds: configuration, policies, its
 * database connection (one for each job thread), keys as its kinds need them (I10: CA keys only
 * with a signing kind, SMTP credentials and code keys as documented in docs/security.md),
 * templates.
 */
#ifndef CERTQ_WORKERS_WORKER_H
#define CERTQ_WORKERS_WORKER_H

#include "base/err.h"
#include "base/kind.h"
#include "config/config.h"
#include "db/db.h"

struct audit_signer;
struct keyring;
struct seal_opener;
struct issuer;
struct policy_set;
struct template_set;
struct smtp;
struct message_signer;
struct signer;

struct worker {
    const struct config *config;
    struct uuid life; /* this process's life */
    char *name;
    bool serves[KINDS];
    size_t group_most; /* --group */
    size_t lanes;      /* job threads; more than one in mail workers only */
    struct db *db;     /* of the job thread */
    struct policy_set *policies;
    struct keyring *codes;              /* NULL when no kind needs codes */
    struct audit_signer *audit;         /* seals the audit; NULL when that kind is not served */
    struct seal_opener *opener;         /* intake keys; NULL when no kind unseals */
    struct issuer **issuers;            /* as config->issuers; NULL when no kind signs */
    struct template_set *templates;     /* of mails and documents */
    struct smtp *smtp;                  /* mail workers only */
    struct message_signer *mail_signer; /* likewise; NULL: mails go out unsigned */
    struct signer *signer;              /* of certificates; reads CSRs */
};

/* Loads what the kinds need. Errors are configuration errors (exit 78 material). */
int worker_new(const struct config *config, const char *name_or_null,
    const bool serves[static KINDS], size_t group_most, struct worker **ret,
    struct err *err) MUST_USE;
void worker_free(struct worker *w);
/*
 * For one more job thread of `w`: a life, a connection and mail sessions of its own. All else is
 * borrowed from `w`, where it is only read, and which must outlive it.
 */
int worker_lane_new(const struct worker *w, struct worker **ret, struct err *err) MUST_USE;
void worker_lane_free(struct worker *lane);
struct issuer *worker_issuer(const struct worker *w, const char *name);
DEFINE_AUTO_STRUCT(worker);
DEFINE_AUTO(worker_lane, struct worker, worker_lane_free);

#endif

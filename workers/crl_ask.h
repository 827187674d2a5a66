/*
 * Every revocation asks for a CRL of its issuer, so that it is published soon: at most one job of
 * kind crl waits for each issuer, however many revocations, workers and brokers there are. It runs
 * config_issuer.crl_soon_ms later, with all that came meanwhile; a compromised key, and what a job
 * of priority 9 revoked, are published at once (D3). See crl_wanted in schema/003_services.sql.
 */
#ifndef CERTQ_WORKERS_CRL_ASK_H
#define CERTQ_WORKERS_CRL_ASK_H

#include "base/err.h"

#include <stddef.h>

struct task;
struct unit;
struct worker;

/*
 * (tx) For the certificates that the group's tasks revoked: adds the follow-up to the plan of one
 * of them where none waits yet. Last before the completion, so that the lock on the issuer's row,
 * which all who revoke share, is short.
 */
int crl_ask(struct worker *w, const struct unit *unit, struct task *const *tasks, size_t n,
    struct err *err) MUST_USE;

#endif

/* Revocations as a CRL wants them, and the CRLs made (I7, X4). In the caller's transaction. */
#ifndef CERTQ_WORKERS_CRL_STORE_H
#define CERTQ_WORKERS_CRL_STORE_H

#include "base/err.h"
#include "base/uuid.h"
#include "db/db.h"
#include "pki/crl.h"

struct crl_row {
    uint64_t number; /* 0: there is none yet */
    int64_t this_update_ms;
};

/* The newest CRL of an issuer. */
int crl_store_last(
    struct db *db, const char *issuer, struct crl_row *ret, struct err *err) MUST_USE;
/* Entries that a CRL after one of `since_ms` must have: kept until one CRL after expiry. */
int crl_store_count(
    struct db *db, const char *issuer, int64_t since_ms, size_t *ret, struct err *err) MUST_USE;
/* Adds them to the CRL in the order of their serials. */
int crl_store_feed(
    struct db *db, const char *issuer, int64_t since_ms, struct crl *crl, struct err *err) MUST_USE;
/* A number that is taken gives ERR_CONFLICT "duplicate": another maker was first; start over. */
int crl_store_add(struct db *db, const char *issuer, const struct crl_facts *facts, size_t entries,
    struct bytes der, const struct uuid *job, struct err *err) MUST_USE;

#endif

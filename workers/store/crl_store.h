/*
 * Revocations as a CRL wants them, the CRLs made, and the one that is asked for (I7, X4). All in
 * the caller's transaction but crl_wanted_clear.
 */
#ifndef CERTQ_WORKERS_CRL_STORE_H
#define CERTQ_WORKERS_CRL_STORE_H

#include "base/err.h"
#include "base/uuid.h"
#include "db/db.h"
#include "pki/crl.h"

struct crl_row {
    uint64_t number; /* 0: there is none yet */
    int64_t this_update_ms;
    size_t entries;
};

/*
 * Takes the issuer's turn until the transaction ends: one maker at a time. ERR_CONFLICT when
 * another one has it for longer than a lock may be waited for.
 */
int crl_store_turn(struct db *db, const char *issuer, struct err *err) MUST_USE;
/* The newest CRL of an issuer. */
int crl_store_last(
    struct db *db, const char *issuer, struct crl_row *ret, struct err *err) MUST_USE;
/* Adds the entries that a CRL after one of `since_ms` must have, in the order of their serials:
 * they are kept until one CRL after expiry. */
int crl_store_feed(
    struct db *db, const char *issuer, int64_t since_ms, struct crl *crl, struct err *err) MUST_USE;
/*
 * Writes it in pieces and removes the pieces of all but the newest CRL_STORE_KEPT. A number that is
 * taken gives ERR_CONFLICT "duplicate": another maker was first; start over.
 */
#define CRL_STORE_KEPT 3
int crl_store_add(struct db *db, const char *issuer, const struct crl_facts *facts, size_t entries,
    struct bytes der, const struct uuid *job, struct err *err) MUST_USE;

/* --- the CRL asked for --- */

struct crl_wanted {
    struct uuid job; /* that waits; zero: none does */
    bool is_urgent;
    bool is_there; /* the job still stands in the queue: it has not died, and was not cancelled */
};
/*
 * Locks the issuer's row by raising its version, and reads it; makes it when there is none
 * (ERR_CONFLICT "duplicate": somebody else just did, start over). Until this transaction ends the
 * waiting job cannot begin, and so sees what the transaction did.
 */
int crl_wanted_lock(
    struct db *db, const char *issuer, struct crl_wanted *ret, struct err *err) MUST_USE;
/* Locked before. */
int crl_wanted_set(
    struct db *db, const char *issuer, const struct crl_wanted *wanted, struct err *err) MUST_USE;
/*
 * The job begins: whoever revokes from now on asks for another. A commit of its own; waits for the
 * transactions that count on this job. No change when the row names another.
 */
int crl_wanted_clear(
    struct db *db, const char *issuer, const struct uuid *job, struct err *err) MUST_USE;

#endif

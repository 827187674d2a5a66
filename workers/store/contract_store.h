/* The rows of contract and contact. All (tx) but contract_of, which reads outside or before locks.
 */
#ifndef CERTQ_WORKERS_STORE_CONTRACT_STORE_H
#define CERTQ_WORKERS_STORE_CONTRACT_STORE_H

#include "db/db.h"
#include "lifecycle/model.h"

/*
 * The contracts of these subscribers, zero where there is none: a subscriber's never changes, so it
 * may be read before anything is locked. n <= DB_IDS_MOST.
 */
int contract_of(struct db *db, const struct uuid *subscribers, size_t n, struct uuid *ret,
    struct err *err) MUST_USE;
/* Raises the version of each, in the order given (sorted, none twice), n <= DB_IDS_MOST. */
int contract_lock(struct db *db, const struct uuid *ids, size_t n, struct err *err) MUST_USE;
/* Each with its contacts and without members, handed to `take`, who owns it. */
int contract_load(struct db *db, const struct uuid *ids, size_t n,
    void (*take)(void *arg, struct contract *c), void *arg, struct err *err) MUST_USE;
/* The subscribers under these contracts, by their ids. */
int contract_members(struct db *db, const struct uuid *ids, size_t n,
    void (*take)(void *arg, const struct uuid *subscriber), void *arg, struct err *err) MUST_USE;

/* New and changed rows, contacts included. ERR_CONFLICT "duplicate" when another transaction made
 * the same contract. */
int contract_write(struct db *db, struct contract *const *rows, size_t n, struct err *err) MUST_USE;

#endif

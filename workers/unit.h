/*
 * A group's unit of work: the aggregates its jobs decide on, locked and loaded in bulk inside the
 * caller's transaction, changed in memory by the decisions one after another, and written back in
 * bulk. It lives for one try of the transaction and never outlives it. Blocks on the database only
 * in unit_lock_and_load, unit_load_der and unit_store.
 */
#ifndef CERTQ_WORKERS_UNIT_H
#define CERTQ_WORKERS_UNIT_H

#include "base/err.h"
#include "db/db.h"
#include "lifecycle/model.h"

struct key_hash;
struct task;
struct unit;

struct unit *unit_new(struct db *db);
void unit_free(struct unit *u);
DEFINE_AUTO_STRUCT(unit);

/* What a group has to lock: subscribers, and contracts whose subscribers it need not know. */
struct unit_wanted {
    const struct uuid *subscribers;
    size_t subscriber_count;
    const struct uuid *contracts;
    size_t contract_count;
    const struct key_hash *keys; /* of certificates that are asked for: were they reported? */
    size_t key_count;
};
/*
 * (tx) Locks contracts, then subscribers, each in id order, by raising their version (a locking
 * read is not enough on Galera), and loads them with their applications and certificates. A
 * contract comes with all its subscribers, and a subscriber with its contract. Ids and keys may
 * repeat; ids that do not exist are passed over.
 */
int unit_lock_and_load(struct unit *u, const struct unit_wanted *wanted, struct err *err) MUST_USE;
/* Borrowed; NULL when it is not in this unit. */
struct aggregate *unit_find(const struct unit *u, const struct uuid *subscriber);
/* Also those that earlier jobs of the group added. */
struct aggregate *unit_find_key(const struct unit *u, const char *product, const char *unit_key);
/* Takes over an aggregate that a decision made, with its contract if that is new too. */
void unit_add(struct unit *u, struct aggregate *a);
/* Borrowed; NULL when it is not in this unit. */
struct contract *unit_find_contract(const struct unit *u, const struct uuid *id);
/* (tx) Is that unit key somebody's, in this unit or in the table? */
int unit_key_taken(
    struct unit *u, const char *product, const char *unit_key, bool *ret, struct err *err) MUST_USE;
/* (tx) Was this key reported compromised, in this unit or before? */
int unit_key_compromised(
    struct unit *u, const uint8_t spki_sha256[static 32], bool *ret, struct err *err) MUST_USE;
/* (tx) The certificate's DER, which loading leaves out, into c->der. */
int unit_load_der(struct unit *u, struct certificate *c, struct err *err) MUST_USE;

/* Calls back with each certificate that a job of the group revoked (its revoked_by). */
void unit_each_revoked(
    const struct unit *u, void (*each)(void *arg, const struct certificate *c), void *arg);

/*
 * For decisions that could not be taken: the facts changed since `resolve` (conflict: the runner
 * starts over), a key is missing here (temporary). The first one stays; the transaction must not
 * be committed.
 */
void unit_fail(struct unit *u, const struct err *err);
/* That error; 0 when there is none. */
int unit_conflict(const struct unit *u, struct err *err) MUST_USE;

/*
 * (tx) Writes new and changed rows, revocations, compromised keys and the audit lines of all plans,
 * and cancels the follow-ups they do not want any more. A subscriber
 * somebody else added meanwhile gives ERR_CONFLICT, code "duplicate": start over from resolve.
 */
int unit_store(struct unit *u, struct task *const *tasks, size_t n, struct err *err) MUST_USE;

#endif

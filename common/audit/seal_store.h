/*
 * Seals of the audit in the database, and what waits for one. The statements run in the caller's
 * transaction.
 */
#ifndef CERTQ_AUDIT_SEAL_STORE_H
#define CERTQ_AUDIT_SEAL_STORE_H

#include "audit/seal.h"
#include "db/db.h"

/* The event that says a backup was restored: its subject is zero and its detail has
 * {"seals": {"database": N, "file": M}}: seals N+1 to M were lost with it. */
#define AUDIT_RESTORED "database.restored"

/* The newest seal, without members; number 0 when there is none. */
int audit_seal_last(struct db *db, struct audit_seal *ret, struct err *err) MUST_USE;
/* The one after a number: 1, or 0 when there is none. Input error: its row cannot be a seal.
 * Members that are not those it was made with do not fail: is_damaged, or its hash, tells. */
int audit_seal_after(struct db *db, uint64_t number, bool with_members, struct audit_seal *ret,
    struct err *err) MUST_USE;
/* A number that is taken gives ERR_CONFLICT "duplicate": another sealer was first; start over. */
int audit_seal_add(
    struct db *db, const struct audit_seal *s, const struct uuid *job, struct err *err) MUST_USE;

/* {"seals": {"database": N, "file": M}} of a restore's detail; false when it has none. */
bool audit_restored_seals(struct bytes detail, uint64_t *ret_database, uint64_t *ret_file);
/* The highest number that a restore has given up, 0 for none: the next seal goes past it. */
int audit_restored_number(struct db *db, uint64_t *ret, struct err *err) MUST_USE;

#define AUDIT_SEAL_LINES 5000 /* lines of a seal, about */
/*
 * What waits: the ids of notes (at most DB_IDS_MOST) and those of the lines they name, appended to
 * the buffers. Stops after the note that brings the lines to `most`.
 */
int audit_unsealed_read(
    struct db *db, size_t most, struct buf *notes, struct buf *ids, struct err *err) MUST_USE;
int audit_unsealed_delete(struct db *db, const struct buf *notes, struct err *err) MUST_USE;

#endif

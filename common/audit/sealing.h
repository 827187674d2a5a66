/*
 * Making seals: the next one takes every committed line that no seal covers, oldest notes first, at
 * a cost that follows what waits and not what there is. Of two sealers at once one gets
 * ERR_CONFLICT and begins its transaction again.
 */
#ifndef CERTQ_AUDIT_SEALING_H
#define CERTQ_AUDIT_SEALING_H

#include "audit/key.h"
#include "db/db.h"

/* In the caller's transaction. ret->count is 0 when nothing waited, and then nothing was made. */
int audit_seal_next(struct db *db, struct audit_signer *signer, int64_t now_ms,
    const struct uuid *job, struct audit_seal *ret, struct err *err) MUST_USE;

#endif

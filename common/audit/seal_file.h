/*
 * The seals outside the database: a file that is only ever appended to, one seal a line
 * (audit/seal.h), so that a cut tail of seals and lines is seen, and a backup that was restored is
 * told from one. A line that a crash cut short is ended, and its seal written again behind it.
 */
#ifndef CERTQ_AUDIT_SEAL_FILE_H
#define CERTQ_AUDIT_SEAL_FILE_H

#include "audit/seal.h"
#include "db/db.h"

/* The last seal of the file; number 0 when there is no file or nothing in it. */
int audit_file_last(const char *path, struct audit_seal *ret, struct err *err) MUST_USE;
/*
 * Appends, under a lock, the seals of the database that the file lacks, and syncs it. *ret_last is
 * the number it ends with. Fatal, code "audit": the file has a seal that the database lacks, or
 * another one of the same number: rows were taken away, or a backup was restored and
 * `certq db restored` not run.
 */
int audit_file_sync(struct db *db, const char *path, uint64_t *ret_last, struct err *err) MUST_USE;

/* Gets each line: a seal, or NULL for one that is none. */
typedef void audit_file_visit(void *context, size_t line, const struct audit_seal *seal);
int audit_file_each(
    const char *path, audit_file_visit *visit, void *context, struct err *err) MUST_USE;

#endif

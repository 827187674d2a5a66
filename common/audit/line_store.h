/*
 * The rows of audit: appended and read, never changed (D9). What is appended is noted in
 * audit_unsealed in the same transaction, one row for all of it, so that the next seal finds it
 * whatever its ids are and whenever it was committed, without looking through audit.
 */
#ifndef CERTQ_AUDIT_LINE_STORE_H
#define CERTQ_AUDIT_LINE_STORE_H

#include "audit/line.h"
#include "base/err.h"
#include "db/db.h"

/* In the caller's transaction. The ids are the caller's. n == 0 does nothing. */
int audit_append(struct db *db, const struct audit_line *lines, size_t n, struct err *err) MUST_USE;

/* Gets each row, borrowed for the call; it must not use the connection. Non-zero stops. */
typedef int audit_visit(void *context, const struct audit_line *line);
/* The rows of these ids (ascending, at most DB_IDS_MOST) that exist, in that order. */
int audit_read(struct db *db, const struct uuid *ids, size_t n, audit_visit *visit, void *context,
    struct err *err) MUST_USE;

struct audit_filter {                    /* every member optional */
    const struct uuid *subject, *before; /* before: ids below it, for the next page */
    const char *actor, *event;
    int64_t since_ms;
    int64_t limit; /* rows wanted */
};
/* The newest first. `actor` is the actor's or the client's name. */
int audit_list(struct db *db, const struct audit_filter *filter, audit_visit *visit, void *context,
    struct err *err) MUST_USE;
/* The ids of all rows, ascending. */
typedef void audit_id_visit(void *context, const struct uuid *id);
int audit_each_id(struct db *db, audit_id_visit *visit, void *context, struct err *err) MUST_USE;

#endif

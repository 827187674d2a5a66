/*
 * The SQL seam: the only place that includes mysql.h. A struct db is one connection to MariaDB,
 * used by one thread. It opens lazily, never reconnects by itself, and is reopened by db_open after
 * a loss. Sessions are UTC, strict, READ COMMITTED, idle_transaction_timeout=10 s; a lost
 * connection outside COMMIT gives ERR_TEMPORARY (code "unavailable"), inside COMMIT ERR_UNSURE,
 * deadlock and lock timeout (1213, 1205, 1020) ERR_CONFLICT, a duplicate key (1062) ERR_CONFLICT
 * with code "duplicate", a row the server refuses (too long, bad value) ERR_INPUT, the rest
 * ERR_TEMPORARY with the server's number in the text.
 *
 * Statements are named constants: struct statement with the SQL and the parameter and column types.
 * They are prepared once per connection on first use. Text with lists of ids uses one parameter
 * (packed ids) and never a built string.
 */
#ifndef CERTQ_DB_DB_H
#define CERTQ_DB_DB_H

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

struct db_options {
    const char *socket, *host; /* socket wins */
    uint16_t port;
    const char *name;            /* database; NULL for none */
    const char *user, *password; /* password NULL: none */
    const char *tls_ca;
    int lock_wait_s; /* innodb_lock_wait_timeout: 1 for accept, 3 elsewhere */
    int timeout_s;   /* connect, read and write: default 30 */
};

/* Options are copied; no connection is made yet. */
struct db *db_new(const struct db_options *options);
void db_free(struct db *db);
/* Connects when not connected. Temporary error when the server is away. Blocks up to timeout_s. */
int db_open(struct db *db, struct err *err) MUST_USE;
bool db_is_open(const struct db *db);
/* Drops the connection at once; an open transaction is rolled back by the server. */
void db_close(struct db *db);

int db_begin(struct db *db, struct err *err) MUST_USE;
/* ERR_UNSURE: the answer was lost; look before acting. Any other error: rolled back. */
int db_commit(struct db *db, struct err *err) MUST_USE;
/* Never fails: what cannot be rolled back is disconnected. */
void db_rollback(struct db *db);

/*
 * One value going in or out. Integers are 64-bit, bytes and text are borrowed: in, until the call
 * returns; out, until the next db_fetch or db_finish.
 */
enum db_type { DB_NULL, DB_INT, DB_BYTES, DB_TEXT };
struct db_value {
    enum db_type type;
    int64_t integer;
    struct bytes bytes;
};

static inline struct db_value db_int(int64_t v)
{
    return (struct db_value){.type = DB_INT, .integer = v};
}
static inline struct db_value db_bytes(struct bytes b)
{
    return (struct db_value){.type = DB_BYTES, .bytes = b};
}
static inline struct db_value db_uuid(const struct uuid *id)
{
    return (struct db_value){.type = DB_BYTES, .bytes = {id->b, 16}};
}
/* NULL pointer: SQL NULL. */
struct db_value db_text(const char *text);
static inline struct db_value db_null(void)
{
    return (struct db_value){.type = DB_NULL};
}

/*
 * A named statement. params and columns are strings with a letter for each: 'i' integer, 'b' bytes,
 * 't' text (any may be NULL). `id` is the index of the connection's cache and is set on first use.
 */
struct statement {
    const char *name, *sql, *params, *columns;
};

/* Runs one execution; *ret_rows (may be NULL) gets the affected rows, found ones for UPDATE. */
int db_run(struct db *db, const struct statement *s, const struct db_value *params,
    int64_t *ret_rows, struct err *err) MUST_USE;
/*
 * Runs the statement for `rows` rows of parameters in one round trip (bulk binding);
 * params[row * count + column]. rows == 0 is no call at all. The types of a column must be the same
 * in each row, or NULL.
 */
int db_run_bulk(struct db *db, const struct statement *s, const struct db_value *params,
    size_t rows, int64_t *ret_rows, struct err *err) MUST_USE;
/* A query: db_query, then db_fetch until 0, then db_finish (which may be called early). */
int db_query(struct db *db, const struct statement *s, const struct db_value *params,
    struct err *err) MUST_USE;
/* 1: a row is in `columns` (as many as s->columns names); 0: no more; -1: error. */
int db_fetch(struct db *db, struct db_value *columns, struct err *err) MUST_USE;
void db_finish(struct db *db);

/* Text statements of the administrator's tools (migrations): one statement, no parameters. */
int db_execute(struct db *db, struct bytes sql, struct err *err) MUST_USE;
/* GET_LOCK/IS_FREE_LOCK: a named lock this connection holds until it ends. */
int db_hold(struct db *db, const char *name, struct err *err) MUST_USE;
int db_is_held(struct db *db, const char *name, bool *ret, struct err *err) MUST_USE;

DEFINE_AUTO_STRUCT(db);

#endif

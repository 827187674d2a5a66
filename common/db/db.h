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
 * They are prepared once per connection on first use. Lists of ids are joined (DB_JOIN_IDS) and
 * never a built string.
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
    int lock_wait_s; /* innodb_lock_wait_timeout: default 3 */
    int timeout_s;   /* read and write: default 30; connecting 5, a network that is dead 8 */
};

/* Options are copied; no connection is made yet. */
struct db *db_new(const struct db_options *options);
void db_free(struct db *db);
/*
 * Before it is opened: autocommit = 0, so that db_begin is no round trip. For a connection that
 * runs everything between db_begin and db_commit or db_rollback.
 */
void db_make_transactional(struct db *db);
/* Connects when not connected. Temporary error when the server is away. Blocks up to timeout_s. */
int db_open(struct db *db, struct err *err) MUST_USE;
bool db_is_open(const struct db *db);
/* Drops the connection at once; an open transaction is rolled back by the server. */
void db_close(struct db *db);

/* Another innodb_lock_wait_timeout until the connection ends; 0: who would wait fails at once. */
int db_lock_wait(struct db *db, int seconds, struct err *err) MUST_USE;

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
 * A named statement: a static constant, known to the connection's cache by its address. params and
 * columns are strings with a letter for each: 'i' integer, 'b' bytes, 't' text (any may be NULL).
 */
struct statement {
    const char *name, *sql, *params, *columns;
};

/*
 * A list of at most DB_IDS_MOST ids as two parameters, "bi": the ids packed one after another in
 * ascending order, and their count. It drives the join, so rows are visited, and locked, in the
 * list's order and no others are touched:
 *
 *   "SELECT j.attempt FROM " DB_JOIN_IDS("job j", "j.id") " WHERE j.client = ? FOR UPDATE"
 *   "UPDATE " DB_JOIN_IDS("job j", "j.id") " SET j.attempt = j.attempt + 1"
 *   "DELETE j FROM " DB_JOIN_IDS("job j", "j.id")
 *
 * (params "bit", "bi", "bi".) The list's alias is `list`; list.seq is the position, from 0. The
 * table is MariaDB's sequence engine: a user needs SELECT on seq_0_to_1023 (schema/grants.sql).
 * Chosen by experiment on 200 of 200 000 rows, FOR UPDATE SKIP LOCKED: this 0.54 ms; the same as a
 * derived table 0.64; VALUES with a cast parameter each 1.14 (types of parameters are fixed at
 * prepare, hence the cast) and one statement per list length; IN 1.24, which visits rows in an
 * order of the optimiser's and, when the list is long against the table, locks all of it. EXPLAIN
 * says range on the sequence and eq_ref on the primary key for SELECT, UPDATE and DELETE; without
 * the CAST the parameter is converted as text for each row (0.91 ms). Without FORCE INDEX a table
 * of a few rows is scanned, which locks (or skips as locked) rows that are not on the list.
 */
#define DB_IDS_MOST 1024
#define DB_JOIN_IDS(table, id) DB_JOIN_IDS_BY(table, "PRIMARY", id)
/* The same where the ids stand in a column with another index. */
#define DB_JOIN_IDS_BY(table, index, id)                                                           \
    "seq_0_to_1023 list STRAIGHT_JOIN " table " FORCE INDEX (" index ") ON " id                    \
    " = SUBSTR(CAST(? AS BINARY), list.seq * 16 + 1, 16) AND list.seq < ?"

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
/*
 * A query: db_query, then db_fetch until 0, then db_finish (which may be called early, and need not
 * be called after 0 or -1). Rows stream from the server: until the end nothing else may be run on
 * this connection, so a callback per row must not use it.
 */
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

/* An array of values freed at scope end. */
DEFINE_AUTO(db_values, struct db_value, free);
#define AUTO_VALUES CLEANUP(db_values_auto_free) struct db_value *

DEFINE_AUTO_STRUCT(db);

#endif

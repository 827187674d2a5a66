/*
 * What the files of common/db that talk to Connector/C share (connection.c, statement.c, bulk.c,
 * fault.c); nobody else includes it. A connection that fails in a way that leaves doubt about its
 * state is closed on the spot, so that a struct db is always either usable or closed.
 */
#ifndef CERTQ_DB_INSIDE_H
#define CERTQ_DB_INSIDE_H

#include "base/secret.h"
#include "db/db.h"

#include <mysql.h>

#define DB_COLUMNS_MOST 40
#define DB_PREPARED_MOST 256 /* a power of two; statements are constants of the program */

/* Where one column of a result lands. */
struct landing {
    int64_t integer;
    struct buf content;
    unsigned long length;
    my_bool is_null, is_cut;
};

/* A statement prepared on this connection, once for single and once for bulk execution. */
struct prepared {
    const struct statement *statement;
    bool is_bulk;
    MYSQL_STMT *handle;
    size_t params, columns;
    MYSQL_BIND out[DB_COLUMNS_MOST];
    struct landing landings[DB_COLUMNS_MOST];
    struct columns *bulk; /* of the last run in bulk, for the next; NULL: none */
};

struct db {
    MYSQL *mysql; /* NULL: closed */
    bool was_open, transactional;
    char *socket, *host, *name, *user, *tls_ca;
    struct secret *password;
    uint16_t port;
    int lock_wait_s, timeout_s; /* as opened */
    int lock_wait_now_s;
    size_t packet_bytes; /* max_allowed_packet of the server */
    struct prepared *prepared[DB_PREPARED_MOST];
    size_t prepared_count;
    struct prepared *reading; /* a query between db_query and db_finish */
};

/* 0 when statements can be sent; opens a connection that has never been open. */
int db_ready(struct db *db, struct err *err) MUST_USE;
/* From the cache or the server. */
int db_prepare(struct db *db, const struct statement *s, bool is_bulk, struct prepared **ret,
    struct err *err) MUST_USE;
void prepared_free(struct prepared *p);
void columns_free(struct columns *c);
/* Declares one value's type by the statement's letter; the data is bound by the caller. */
void db_bind_type(MYSQL_BIND *bind, char letter);

/*
 * Classifies Connector/C's error number (db.h, top), closing the connection where it must be.
 * Always returns -1.
 */
int db_fault(struct db *db, const char *what, unsigned number, const char *text, struct err *err);
/* The same for COMMIT, where what is not surely rolled back is ERR_UNSURE. */
int db_commit_fault(struct db *db, unsigned number, const char *text, struct err *err);

#endif

/*
 * Schema files schema/NNN_name.sql applied in order, each recorded in schema_version with its
 * SHA-256. Safe to run twice and at once (GET_LOCK). Refuses a database from the future (a version
 * this program does not know) and a recorded file whose content has changed. DDL is not
 * transactional in MariaDB: a version row is written with state 'running' before the file and set
 * 'done' after it, so that a broken run is named and not repeated blindly.
 */
#ifndef CERTQ_DB_MIGRATE_H
#define CERTQ_DB_MIGRATE_H

#include "db/db.h"

struct migration_state {
    int number;
    char name[128];
    enum {
        MIGRATION_MISSING,
        MIGRATION_DONE,
        MIGRATION_BROKEN,
        MIGRATION_CHANGED,
        MIGRATION_FUTURE
    } state;
    int64_t applied_ms;
};
typedef void migration_each(void *context, const struct migration_state *state);

/* Creates the database when it is missing, applies what is missing, then grants.sql with its
 * {names} replaced; each is told to `each` as it is done. */
struct migrate_users {
    const char *broker, *worker, *mail, *reader;
};
int migrate_run(struct db *db, const char *folder, const char *database,
    const struct migrate_users *users, migration_each *each, void *context,
    struct err *err) MUST_USE;
int migrate_status(struct db *db, const char *folder, migration_each *each, void *context,
    struct err *err) MUST_USE;
/* Programs call it at start: error when the database is older or newer than `number`. */
int migrate_check(struct db *db, int number, struct err *err) MUST_USE;
#define SCHEMA_NUMBER 3

#endif

/*
 * A private MariaDB for a test program: made in a temporary folder with scripts/mariadb, gone when
 * the program ends, however it ends (a guardian process waits for that). Anything that goes wrong
 * here ends the program with a message. Functions block until the server has done what they say.
 */
#ifndef CERTQ_TESTS_SUPPORT_MARIADB_H
#define CERTQ_TESTS_SUPPORT_MARIADB_H

#include "db/db.h"

struct mariadb;

/* `option`, `value`: one more argument pair for scripts/mariadb ("--set", "read_only=1"), or NULL.
 */
struct mariadb *mariadb_start(const char *option, const char *value);
void mariadb_free(struct mariadb *m);
const char *mariadb_folder(const struct mariadb *m);
const char *mariadb_socket(const struct mariadb *m);
/* Of certq_admin, certq_broker, certq_worker, certq_mail, certq_reader; the caller frees. */
char *mariadb_password(const struct mariadb *m, const char *user);

/* SIGKILL, SIGTERM, and starting again (a running server is left alone). */
void mariadb_kill(struct mariadb *m);
void mariadb_stop(struct mariadb *m);
void mariadb_again(struct mariadb *m);

/* Migrates `database` with the repository's schema/, creating it when it is missing. */
void mariadb_migrate(struct mariadb *m, const char *database);
/* A connection that is open, as one of the users above. The caller frees. */
struct db *mariadb_open(
    const struct mariadb *m, const char *user, const char *database, int lock_wait_s);
/* One statement of the test's own, which must succeed. */
void mariadb_do(struct db *db, const char *sql);
/* The first column of a query's only row, asked as administrator on a connection of its own; -1 for
 * NULL or no row. */
int64_t mariadb_number(const struct mariadb *m, const char *database, const char *sql);

DEFINE_AUTO_STRUCT(mariadb);

#endif

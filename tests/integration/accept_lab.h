/* job_accept on a MariaDB of its own: as the broker's store has it, on a transactional connection.
 */
#ifndef ACCEPT_LAB_H
#define ACCEPT_LAB_H

#include "support/jobs.h"
#include "support/mariadb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define DATABASE "test_accept"
#define BROKER "certq_broker"

static UNUSED struct mariadb *server;
static UNUSED struct db *broker, *admin;

/* As the broker's store has it. */
static UNUSED struct db *open_acceptor(void)
{
    struct err err;
    struct db *db = mariadb_open(server, BROKER, DATABASE, 1);
    db_close(db);
    db_make_transactional(db);
    must(db_open(db, &err));
    return db;
}

static UNUSED int start(void **state)
{
    (void)state;
    server = mariadb_start(NULL, NULL);
    mariadb_migrate(server, DATABASE);
    broker = open_acceptor();
    admin = mariadb_open(server, "certq_admin", DATABASE, 3);
    return 0;
}

static UNUSED int stop(void **state)
{
    (void)state;
    db_free(broker);
    db_free(admin);
    mariadb_free(server);
    return 0;
}

static UNUSED int empty(void **state)
{
    (void)state;
    struct err err;
    db_close(admin); /* a test may have stopped the server */
    must(db_open(admin, &err));
    must(db_open(broker, &err));
    mariadb_do(admin, "DELETE FROM job");
    mariadb_do(admin, "DELETE FROM job_history");
    return 0;
}

static UNUSED int64_t number(const char *sql)
{
    return mariadb_number(server, DATABASE, sql);
}

static UNUSED struct accept accept_one(struct db *db, const struct job *job)
{
    struct err err;
    struct accept a = accept_of(job);
    must(job_accept(db, &a, 1, &err));
    return a;
}

#endif

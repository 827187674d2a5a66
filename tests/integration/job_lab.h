/* Jobs in a MariaDB of their own, and who reads and writes them. */
#ifndef JOB_LAB_H
#define JOB_LAB_H

#include "support/jobs.h"
#include "support/mariadb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DATABASE "test_jobs"

static UNUSED struct mariadb *server;
static UNUSED struct db *broker, *worker, *other, *admin;

static UNUSED int start(void **state)
{
    (void)state;
    server = mariadb_start(NULL, NULL);
    mariadb_migrate(server, DATABASE);
    broker = mariadb_open(server, "certq_broker", DATABASE, 1);
    worker = mariadb_open(server, "certq_worker", DATABASE, 1);
    other = mariadb_open(server, "certq_worker", DATABASE, 1);
    admin = mariadb_open(server, "certq_admin", DATABASE, 1);
    return 0;
}

static UNUSED int stop(void **state)
{
    (void)state;
    db_free(broker);
    db_free(worker);
    db_free(other);
    db_free(admin);
    mariadb_free(server);
    return 0;
}

static UNUSED int empty(void **state)
{
    (void)state;
    struct err err;
    db_rollback(other);
    must(db_open(worker, &err));
    db_rollback(worker);
    mariadb_do(broker, "DELETE FROM job");
    mariadb_do(broker, "DELETE FROM job_history");
    return 0;
}

static UNUSED int64_t number(const char *sql)
{
    return mariadb_number(server, DATABASE, sql);
}

static UNUSED void insert(const struct job *jobs, size_t n)
{
    struct err err;
    const struct job *list[64];
    for (size_t i = 0; i < n; i++)
        list[i] = &jobs[i];
    must(job_insert(broker, list, n, &err));
}

static UNUSED void samples(struct job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        jobs[i] = job_sample();
    insert(jobs, n);
}

#endif

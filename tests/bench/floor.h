/*
 * Floors F1 to F4 of the bars, and single commits: what MariaDB and Connector/C give on this
 * machine to a program that does nothing else. Raw on purpose: nothing of common/db, so that the
 * two can be compared. A struct rows is a prepared statement with room for many rows of parameters;
 * whatever it is given is borrowed until rows_send returns. Anything that fails ends the program.
 */
#ifndef CERTQ_TESTS_BENCH_FLOOR_H
#define CERTQ_TESTS_BENCH_FLOOR_H

#include "base/uuid.h"
#include "tool.h"

#include <mysql.h>
#include <stdatomic.h>

struct options {
    const char *socket, *user, *database, *schema;
    char *password;
    int floor, group;
    int64_t ms; /* how long */
};

/* ---- floor_sql.c ---- */

struct rows;
/* The file's first line; the caller frees. */
char *floor_password(const char *path);
MYSQL *floor_connect(const struct options *o, const char *database);
void floor_text(MYSQL *m, const char *sql);
/* types: 'i' integer, 'b' bytes, a letter for each `?`. most == 1: plain execution, not bulk. */
struct rows *rows_new(MYSQL *m, const char *sql, const char *types, size_t most);
void rows_free(struct rows *r);
void rows_int(struct rows *r, size_t row, size_t column, int64_t value);
void rows_bytes(struct rows *r, size_t row, size_t column, const void *data, size_t length);
void rows_text(struct rows *r, size_t row, size_t column, const char *text);
void rows_send(struct rows *r, size_t n);
/* For statements with ids packed in the first parameter and their number in the second. */
void rows_send_list(struct rows *r, const struct uuid *ids, size_t n, size_t want);

/* ---- floor_work.c ---- */

enum { ARGS_LENGTH = 300 };
struct rows *job_rows_new(MYSQL *m, size_t most);
void job_row(struct rows *r, size_t row, const struct uuid *id, const char *kind, const char *args);
/* A no-op's whole effect: its row of history, done. */
struct rows *history_new(MYSQL *m, size_t most);
void history_row(struct rows *r, size_t row, const struct uuid *id, const struct uuid *group,
    const char *result);
/* ARGS_LENGTH random letters. */
void job_args(char *args);

/* Ids accepted and not yet done, between the threads. */
struct queue;
struct queue *queue_new(size_t capacity);
void queue_free(struct queue *q);
void queue_stop(struct queue *q);

struct work {
    const struct options *options;
    struct queue *queue; /* NULL: accept only */
    atomic_llong *done;
    atomic_bool *stopping;
};
/* Threads. Accept 500 rows a commit; complete 500 a commit; whole effects, `group` a commit. */
void *work_accept(void *work);
void *work_complete(void *work);
void *work_effect(void *work);

/* ---- floor_commit.c ---- */

/* Inserts job rows, each its own commit, one after the other, for so many seconds. */
void commit_one_by_one(const struct options *o, struct latencies *ret);

#endif

/* What the parts of the job store share: lists of ids, and rows of job going in and coming out. */
#ifndef CERTQ_DB_JOB_ROW_H
#define CERTQ_DB_JOB_ROW_H

#include "db/job_store.h"

/* The first two parameters of a statement with DB_JOIN_IDS. */
void ids_bind(struct db_value params[static 2], const struct uuid *ids, size_t n);
/* Copies and sorts; the caller frees. */
struct uuid *ids_sorted(const struct uuid *ids, size_t n);
/* The id in a column of 16 bytes. */
struct uuid uuid_of(const struct db_value *column);
/* A fixed-size text from a column, cut if it must be; "" for NULL. */
void text_of(const struct db_value *column, char *ret, size_t size);
/* The zero id goes as NULL. */
struct db_value db_uuid_or_null(const struct uuid *id);
/* No data goes as NULL. */
struct db_value db_bytes_or_null(struct bytes b);

/* A whole row, and its values in the order of JOB_COLUMN_TYPES. */
#define JOB_INSERT                                                                                 \
    "INSERT INTO job (id, slot, `rank`, kind, priority, run_at_ms, attempt, failures, crashes, "   \
    "args, fingerprint, client, parent, created_ms) "                                              \
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
void job_row_values(const struct job *job, struct db_value *ret);
/* Inserts whole rows in one statement per 10 MB or so. Duplicate keys are the caller's to judge. */
int job_rows_insert(
    struct db *db, const struct job *const *jobs, size_t n, struct err *err) MUST_USE;

/* The columns of job in the order job_of_row takes them. */
#define JOB_COLUMNS                                                                                \
    "j.id, j.slot, j.`rank`, j.kind, j.priority, j.run_at_ms, j.attempt, j.failures, j.crashes, "  \
    "j.args, j.fingerprint, j.client, j.parent, j.created_ms"
#define JOB_COLUMN_TYPES "biitiiiiibbtbi"
#define JOB_COLUMN_COUNT 14
/* client and args are allocated, kind borrows the column. */
void job_of_row(const struct db_value columns[static JOB_COLUMN_COUNT], struct job *ret);

/* A finished job on its way into job_history. */
struct history_row {
    const struct job *job;
    enum job_state state;
    const struct uuid *group; /* zero id: no group */
    int64_t finished_ms;
    struct bytes result, followups;
    bool keeps_args; /* a dead job can be retried by an operator */
};
int history_rows_insert(
    struct db *db, const struct history_row *rows, size_t n, struct err *err) MUST_USE;
/* Deletes rows of job this transaction has locked; conflict unless all of them were there. */
int job_rows_delete(struct db *db, const struct uuid *sorted, size_t n, struct err *err) MUST_USE;

#endif

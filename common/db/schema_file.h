/*
 * The files of schema/: reading the folder, running the statements of a file one by one (each ends
 * with a semicolon at the end of a line), and the grants with their {names} replaced.
 */
#ifndef CERTQ_DB_SCHEMA_FILE_H
#define CERTQ_DB_SCHEMA_FILE_H

#include "db/migrate.h"

struct schema_file {
    int number;
    char name[128]; /* NNN_name.sql */
    uint8_t sha256[32];
    struct buf content;
};
struct schema_files {
    struct schema_file *items; /* rising numbers from 1 without a gap */
    size_t count;
};

/* Input error for a folder with no file, a gap, or one number twice. */
int schema_files_read(const char *folder, struct schema_files *ret, struct err *err) MUST_USE;
void schema_files_clear(struct schema_files *files);
/* The error names the line the failing statement begins on. */
int schema_run(struct db *db, struct bytes script, struct err *err) MUST_USE;
/*
 * Runs FOLDER/grants.sql: {database} and {broker} … {reader} are replaced, the users by
 * 'name'@'host' for every host the server knows the name at. Lines of users that are NULL are left
 * out; a user the server does not know is an input error.
 */
int schema_grant(struct db *db, const char *folder, const char *database,
    const struct migrate_users *users, struct err *err) MUST_USE;

#endif

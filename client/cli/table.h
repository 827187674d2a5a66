/*
 * Results for people and programs: lists of objects as a table that fits 80 columns or one JSON
 * object a line, and one object as lines of "name: value". Values are cleaned for a terminal; times
 * are turned into a product's zone.
 */
#ifndef CERTQ_CLI_TABLE_H
#define CERTQ_CLI_TABLE_H

#include "cli.h"

struct column {
    const char *title;
    const char *path; /* dotted, into each object */
    enum {
        COLUMN_TEXT,
        COLUMN_TIME, /* to the minute; the zone's mark stands in the title */
        COLUMN_DAY,
        COLUMN_COUNT,  /* right-aligned */
        COLUMN_SQUEEZE /* text that is cut when the table is too wide */
    } kind;
};

/* Columns end with a row without title. `zone` of the times, NULL: PEOPLE_ZONE. Prints a line that
 * says so when there are no rows. */
void table_print(
    const struct cli *cli, const json_t *rows, const struct column *columns, const char *zone);
/*
 * The same into a buffer, for people, in at most `screen` columns: squeezed ones give way as far as
 * their titles allow, then the last columns go.
 */
void table_write(const json_t *rows, const struct column *columns, const char *zone, size_t screen,
    struct buf *ret);

/* One object: JSON, or its members a line each; inner objects dotted, lists indented. */
void record_print(const struct cli *cli, const json_t *object, const char *zone);
void record_write(const json_t *object, const char *zone, struct buf *ret);

#endif

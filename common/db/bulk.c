/*
 * Bulk execution: many rows of parameters in one round trip. Connector/C wants each parameter as a
 * column: an array of values, one of lengths, one of indicators (NULL or not), with one bind layout
 * for the statement's life, so a statement run in bulk is prepared apart from its single form.
 */
#include "base/mem.h"
#include "db/inside.h"

#include <assert.h>
#include <string.h>

#define VALUE_OVERHEAD 10 /* most bytes the protocol adds to a value */

#define ROWS_KEPT 1024 /* room for so many stays with the statement */

struct columns {
    size_t params, room; /* rows that fit */
    MYSQL_BIND *binds;
    union cell {
        int64_t integer;
        const void *data;
    } * cells;
    unsigned long *lengths;
    char *indicators;
};

void columns_free(struct columns *c)
{
    if (!c)
        return;
    free(c->binds);
    free(c->cells);
    free(c->lengths);
    free(c->indicators);
    free(c);
}

static struct columns *columns_new(const struct statement *s, size_t params, size_t room)
{
    struct columns *c = MEM_NEW(struct columns);
    c->params = params;
    c->room = room;
    c->binds = mem_zero(params, sizeof *c->binds);
    c->cells = mem_zero(params * room, sizeof *c->cells);
    c->lengths = mem_zero(params * room, sizeof *c->lengths);
    c->indicators = mem_zero(params * room, 1);
    for (size_t i = 0; i < params; i++) {
        db_bind_type(&c->binds[i], s->params[i]);
        c->binds[i].buffer = &c->cells[i * room];
        c->binds[i].length = &c->lengths[i * room];
        c->binds[i].u.indicator = &c->indicators[i * room];
    }
    return c;
}

/* Those of the statement's last run where they are large enough. */
static struct columns *columns_for(struct prepared *p, size_t rows)
{
    if (p->bulk && rows <= p->bulk->room)
        return p->bulk;
    size_t room = p->bulk ? p->bulk->room : 64;
    columns_free(p->bulk);
    while (room < rows)
        room *= 2;
    return p->bulk = columns_new(p->statement, p->params, room);
}

static void columns_fill(struct columns *c, const struct db_value *params, size_t rows)
{
    _Static_assert(sizeof(union cell) == sizeof(int64_t), "the library steps by the value's size");
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < c->params; i++) {
            const struct db_value *value = &params[row * c->params + i];
            const size_t at = i * c->room + row;
            const bool is_integer = c->binds[i].buffer_type == MYSQL_TYPE_LONGLONG;
            if (value->type == DB_NULL) {
                c->indicators[at] = STMT_INDICATOR_NULL;
                c->cells[at].data = NULL; /* nothing of an earlier run */
                c->lengths[at] = 0;
                continue;
            }
            assert((value->type == DB_INT) == is_integer);
            c->indicators[at] = STMT_INDICATOR_NONE;
            if (is_integer) {
                c->cells[at].integer = value->integer;
            } else {
                c->cells[at].data = value->bytes.data ? (const void *)value->bytes.data : "";
                c->lengths[at] = value->bytes.length;
            }
        }
    }
}

static int run_part(struct db *db, struct prepared *p, const struct db_value *params, size_t rows,
    int64_t *total, struct err *err)
{
    struct columns *c = columns_for(p, rows);
    const unsigned count = (unsigned)rows;
    columns_fill(c, params, rows);
    mysql_stmt_attr_set(p->handle, STMT_ATTR_ARRAY_SIZE, &count);
    if (mysql_stmt_bind_param(p->handle, c->binds) || mysql_stmt_execute(p->handle))
        return db_fault(
            db, p->statement->name, mysql_stmt_errno(p->handle), mysql_stmt_error(p->handle), err);
    *total += (int64_t)mysql_stmt_affected_rows(p->handle);
    if (c->room > ROWS_KEPT)
        columns_free(TAKE(p->bulk));
    return 0;
}

static size_t row_bytes(const struct db_value *row, size_t params)
{
    size_t bytes = 0;
    for (size_t i = 0; i < params; i++)
        bytes += VALUE_OVERHEAD + (row[i].type == DB_INT ? 0 : row[i].bytes.length);
    return bytes;
}

/* How many of the rows go into one message: half of what the server takes, but at least one row. */
static size_t rows_that_fit(
    const struct db *db, const struct db_value *params, size_t count, size_t rows)
{
    size_t bytes = 0, n = 0;
    while (n < rows) {
        bytes += row_bytes(&params[n * count], count);
        if (n && bytes > db->packet_bytes / 2)
            break;
        n++;
    }
    return n;
}

int db_run_bulk(struct db *db, const struct statement *s, const struct db_value *params,
    size_t rows, int64_t *ret_rows, struct err *err)
{
    int64_t total = 0;
    struct prepared *p = NULL;
    assert(!db->reading && (!s->columns || !*s->columns));
    if (rows && (db_ready(db, err) || db_prepare(db, s, true, &p, err)))
        return -1;
    while (rows) {
        const size_t n = rows_that_fit(db, params, p->params, rows);
        if (n == 1 && row_bytes(params, p->params) + 1024 > db->packet_bytes)
            return err_set(err, ERR_INPUT, "too-large",
                "%s: a row is longer than the server takes (max_allowed_packet)", s->name);
        if (run_part(db, p, params, n, &total, err))
            return -1;
        params += n * p->params;
        rows -= n;
    }
    if (ret_rows)
        *ret_rows = total;
    return 0;
}

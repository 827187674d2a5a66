#include "base/file.h"
#include "base/mem.h"
#include "floor.h"

#include <stdio.h>
#include <string.h>

char *floor_password(const char *path)
{
    AUTO_BUF content = {0};
    struct err err;
    if (file_read(path, 256, &content, &err))
        fail("password", err.text);
    char *password = buf_take_text(&content);
    password[strcspn(password, "\r\n")] = '\0';
    return password;
}

MYSQL *floor_connect(const struct options *o, const char *database)
{
    MYSQL *m = mysql_init(NULL);
    mysql_optionsv(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!mysql_real_connect(
            m, NULL, o->user, o->password, database, 0, o->socket, CLIENT_FOUND_ROWS))
        fail(o->socket, mysql_error(m));
    floor_text(m, "SET SESSION tx_isolation = 'READ-COMMITTED', autocommit = 1");
    return m;
}

void floor_text(MYSQL *m, const char *sql)
{
    if (mysql_real_query(m, sql, (unsigned long)strlen(sql)))
        fail(sql, mysql_error(m));
    MYSQL_RES *result = mysql_store_result(m);
    if (result)
        mysql_free_result(result);
}

union cell {
    int64_t integer;
    const void *data;
};
struct rows {
    MYSQL_STMT *handle;
    size_t columns, most;
    MYSQL_BIND *binds;
    union cell *cells; /* column after column */
    unsigned long *lengths;
    char *indicators;
};

struct rows *rows_new(MYSQL *m, const char *sql, const char *types, size_t most)
{
    struct rows *r = MEM_NEW(struct rows);
    r->columns = strlen(types);
    r->most = most;
    r->handle = mysql_stmt_init(m);
    if (mysql_stmt_prepare(r->handle, sql, (unsigned long)strlen(sql)))
        fail(sql, mysql_stmt_error(r->handle));
    r->binds = mem_zero(r->columns, sizeof *r->binds);
    r->cells = mem_zero(r->columns * most, sizeof *r->cells);
    r->lengths = mem_zero(r->columns * most, sizeof *r->lengths);
    r->indicators = mem_zero(r->columns * most, 1);
    for (size_t i = 0; i < r->columns; i++) {
        r->binds[i].buffer_type = types[i] == 'i' ? MYSQL_TYPE_LONGLONG : MYSQL_TYPE_BLOB;
        r->binds[i].buffer = &r->cells[i * most];
        r->binds[i].length = &r->lengths[i * most];
        r->binds[i].u.indicator = &r->indicators[i * most];
    }
    return r;
}

void rows_free(struct rows *r)
{
    mysql_stmt_close(r->handle);
    free(r->binds);
    free(r->cells);
    free(r->lengths);
    free(r->indicators);
    free(r);
}

void rows_int(struct rows *r, size_t row, size_t column, int64_t value)
{
    r->cells[column * r->most + row].integer = value;
}

void rows_bytes(struct rows *r, size_t row, size_t column, const void *data, size_t length)
{
    r->cells[column * r->most + row].data = data;
    r->lengths[column * r->most + row] = length;
}

void rows_text(struct rows *r, size_t row, size_t column, const char *text)
{
    rows_bytes(r, row, column, text, strlen(text));
}

static void execute(struct rows *r)
{
    if (mysql_stmt_bind_param(r->handle, r->binds) || mysql_stmt_execute(r->handle))
        fail("execute", mysql_stmt_error(r->handle));
}

static void bind_plain(struct rows *r)
{
    for (size_t i = 0; i < r->columns; i++) {
        if (r->binds[i].buffer_type == MYSQL_TYPE_BLOB) {
            r->binds[i].buffer = (void *)(uintptr_t)r->cells[i * r->most].data;
            r->binds[i].buffer_length = r->lengths[i * r->most];
        }
        r->binds[i].u.indicator = NULL;
    }
}

void rows_send(struct rows *r, size_t n)
{
    const unsigned count = (unsigned)n;
    if (r->most > 1)
        mysql_stmt_attr_set(r->handle, STMT_ATTR_ARRAY_SIZE, &count);
    else
        bind_plain(r);
    execute(r);
    if (mysql_stmt_affected_rows(r->handle) != n)
        fail("execute", "rows are missing");
}

void rows_send_list(struct rows *r, const struct uuid *ids, size_t n, size_t want)
{
    size_t got = 0;
    rows_bytes(r, 0, 0, ids, n * sizeof *ids);
    rows_int(r, 0, 1, (int64_t)n);
    bind_plain(r);
    execute(r);
    if (mysql_stmt_field_count(r->handle)) {
        int state;
        while ((state = mysql_stmt_fetch(r->handle)) == 0 || state == MYSQL_DATA_TRUNCATED)
            got++;
        mysql_stmt_free_result(r->handle);
    } else {
        got = mysql_stmt_affected_rows(r->handle);
    }
    if (got != want)
        fail("list", "rows are missing");
}

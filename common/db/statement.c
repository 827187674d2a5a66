/* Prepared statements: the cache, one execution, reading a result. */
#include "base/mem.h"
#include "db/inside.h"

#include <assert.h>
#include <string.h>

#define LANDING_FIRST 512 /* bytes a column can take before a value is fetched in full */

void prepared_free(struct prepared *p)
{
    if (!p)
        return;
    if (p->handle)
        mysql_stmt_close(p->handle);
    for (size_t i = 0; i < p->columns; i++)
        buf_free(&p->landings[i].content);
    columns_free(p->bulk);
    free(p);
}
DEFINE_AUTO_STRUCT(prepared);

void db_bind_type(MYSQL_BIND *bind, char letter)
{
    assert(letter == 'i' || letter == 'b' || letter == 't');
    bind->buffer_type = letter == 'i'   ? MYSQL_TYPE_LONGLONG
                        : letter == 'b' ? MYSQL_TYPE_BLOB
                                        : MYSQL_TYPE_STRING;
}

static int stmt_fault(struct db *db, struct prepared *p, struct err *err)
{
    const char *name = p->statement->name;
    if (mysql_stmt_errno(p->handle) == 0) /* while rows stream the connection has it */
        return db_fault(db, name, mysql_errno(db->mysql), mysql_error(db->mysql), err);
    return db_fault(db, name, mysql_stmt_errno(p->handle), mysql_stmt_error(p->handle), err);
}

static void bind_landing(struct prepared *p, size_t i)
{
    struct landing *l = &p->landings[i];
    MYSQL_BIND *bind = &p->out[i];
    db_bind_type(bind, p->statement->columns[i]);
    bind->is_null = &l->is_null;
    bind->length = &l->length;
    bind->error = &l->is_cut;
    if (bind->buffer_type == MYSQL_TYPE_LONGLONG) {
        bind->buffer = &l->integer;
        bind->buffer_length = sizeof l->integer;
    } else {
        bind->buffer = l->content.data;
        bind->buffer_length = l->content.capacity - 1; /* a NUL fits behind */
    }
}

static struct prepared **cache_place(struct db *db, const struct statement *s, bool is_bulk)
{
    size_t at = ((uintptr_t)s / sizeof(void *) * 31 + is_bulk) % DB_PREPARED_MOST;
    struct prepared *p;
    while ((p = db->prepared[at]) && (p->statement != s || p->is_bulk != is_bulk))
        at = (at + 1) % DB_PREPARED_MOST;
    return &db->prepared[at];
}

int db_prepare(
    struct db *db, const struct statement *s, bool is_bulk, struct prepared **ret, struct err *err)
{
    struct prepared **place = cache_place(db, s, is_bulk);
    if (*place) {
        *ret = *place;
        return 0;
    }
    assert(db->prepared_count < DB_PREPARED_MOST - 1);
    AUTO(prepared) p = MEM_NEW(struct prepared);
    p->statement = s;
    p->is_bulk = is_bulk;
    p->params = s->params ? strlen(s->params) : 0;
    p->columns = s->columns ? strlen(s->columns) : 0;
    assert(p->columns <= DB_COLUMNS_MOST);
    p->handle = mysql_stmt_init(db->mysql);
    assert(p->handle);
    if (mysql_stmt_prepare(p->handle, s->sql, (unsigned long)strlen(s->sql)))
        return stmt_fault(db, p, err);
    assert(mysql_stmt_param_count(p->handle) == p->params);
    assert(mysql_stmt_field_count(p->handle) == p->columns);
    for (size_t i = 0; i < p->columns; i++) {
        if (s->columns[i] != 'i')
            buf_reserve(&p->landings[i].content, LANDING_FIRST);
        bind_landing(p, i);
    }
    if (p->columns && mysql_stmt_bind_result(p->handle, p->out))
        return stmt_fault(db, p, err);
    *ret = p;
    *place = TAKE(p);
    db->prepared_count++;
    return 0;
}

static void bind_value(MYSQL_BIND *bind, char letter, const struct db_value *value)
{
    static my_bool is_null = 1;
    db_bind_type(bind, letter);
    if (value->type == DB_NULL) {
        bind->is_null = &is_null;
        return;
    }
    assert((value->type == DB_INT) == (letter == 'i'));
    if (value->type == DB_INT) {
        bind->buffer = (void *)(uintptr_t)&value->integer;
    } else {
        bind->buffer =
            (void *)(uintptr_t)(value->bytes.data ? (const void *)value->bytes.data : "");
        bind->length_value = bind->buffer_length = value->bytes.length;
    }
}

static int execute(
    struct db *db, struct prepared *p, const struct db_value *params, struct err *err)
{
    assert(!db->reading); /* one result at a time: db_finish the query before */
    if (p->params) {
        MYSQL_BIND *in = mem_zero(p->params, sizeof *in);
        size_t total = 0;
        for (size_t i = 0; i < p->params; i++) {
            bind_value(&in[i], p->statement->params[i], &params[i]);
            total += in[i].buffer_length;
        }
        if (db->packet_bytes && total + 1024 > db->packet_bytes) {
            free(in);
            return err_set(err, ERR_INPUT, "too-large",
                "%s: %zu bytes are more than the server takes (max_allowed_packet)",
                p->statement->name, total);
        }
        mysql_stmt_bind_param(p->handle, in);
        free(in); /* the library has copied it */
    }
    return mysql_stmt_execute(p->handle) ? stmt_fault(db, p, err) : 0;
}

int db_run(struct db *db, const struct statement *s, const struct db_value *params,
    int64_t *ret_rows, struct err *err)
{
    struct prepared *p;
    assert(!s->columns || !*s->columns);
    if (db_ready(db, err) || db_prepare(db, s, false, &p, err) || execute(db, p, params, err))
        return -1;
    if (ret_rows)
        *ret_rows = (int64_t)mysql_stmt_affected_rows(p->handle);
    return 0;
}

int db_query(
    struct db *db, const struct statement *s, const struct db_value *params, struct err *err)
{
    struct prepared *p;
    assert(s->columns && *s->columns);
    if (db_ready(db, err) || db_prepare(db, s, false, &p, err) || execute(db, p, params, err))
        return -1;
    db->reading = p;
    return 0;
}

/* A value longer than its landing: makes room and fetches it whole. */
static int fetch_rest(struct db *db, struct prepared *p, size_t i, struct err *err)
{
    struct landing *l = &p->landings[i];
    buf_reserve(&l->content, l->length);
    bind_landing(p, i);
    if (mysql_stmt_fetch_column(p->handle, &p->out[i], (unsigned)i, 0))
        return stmt_fault(db, p, err);
    return 0;
}

static int take_column(struct db *db, struct prepared *p, size_t i, struct db_value *column,
    bool *moved, struct err *err)
{
    struct landing *l = &p->landings[i];
    const char letter = p->statement->columns[i];
    if (l->is_null) {
        *column = db_null();
        return 0;
    }
    if (letter == 'i') {
        *column = db_int(l->integer);
        return 0;
    }
    if (l->length >= l->content.capacity) {
        *moved = true;
        if (fetch_rest(db, p, i, err))
            return -1;
    }
    l->content.data[l->length] = '\0';
    *column = (struct db_value){
        .type = letter == 'b' ? DB_BYTES : DB_TEXT, .bytes = {l->content.data, l->length}};
    return 0;
}

int db_fetch(struct db *db, struct db_value *columns, struct err *err)
{
    struct prepared *p = db->reading;
    if (!p)
        return db_ready(db, err) ? -1 : 0; /* finished, or lost with its connection */
    int state = mysql_stmt_fetch(p->handle);
    if (state == 1) {
        stmt_fault(db, p, err);
        db_finish(db);
        return -1;
    }
    if (state == MYSQL_NO_DATA) {
        db_finish(db);
        return 0;
    }
    bool moved = false;
    for (size_t i = 0; i < p->columns; i++) {
        if (take_column(db, p, i, &columns[i], &moved, err)) {
            db_finish(db);
            return -1;
        }
    }
    if (moved)
        mysql_stmt_bind_result(p->handle, p->out);
    return 1;
}

void db_finish(struct db *db)
{
    if (!db->reading)
        return;
    struct prepared *p = TAKE(db->reading);
    mysql_stmt_free_result(p->handle); /* reads and drops what is left */
}

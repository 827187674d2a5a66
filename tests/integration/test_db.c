/* links: support db */
#include "base/clock.h"
#include "base/mem.h"
#include "db/db.h"
#include "support/jobs.h"
#include "support/mariadb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DATABASE "test_db"

static struct mariadb *server;

static const struct statement add = {.name = "test.add",
    .sql = "INSERT INTO thing (id, number, name, content) VALUES (?, ?, ?, ?)",
    .params = "bitb"};
static const struct statement read_all = {.name = "test.read",
    .sql = "SELECT id, number, name, content FROM thing ORDER BY number, id",
    .columns = "bitb"};
static const struct statement touch = {
    .name = "test.touch", .sql = "UPDATE thing SET number = ? WHERE id = ?", .params = "ib"};

static int start(void **state)
{
    (void)state;
    server = mariadb_start(NULL, NULL);
    AUTO(db) db = mariadb_open(server, "certq_admin", NULL, 0);
    mariadb_do(db, "CREATE DATABASE " DATABASE);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    mariadb_free(server);
    return 0;
}

static struct db *open_empty(int lock_wait_s)
{
    struct db *db = mariadb_open(server, "certq_admin", DATABASE, lock_wait_s);
    mariadb_do(db, "CREATE OR REPLACE TABLE thing (id BINARY(16) PRIMARY KEY, number BIGINT NULL, "
                   "name VARCHAR(20) NULL, content LONGBLOB NULL, UNIQUE KEY (name))");
    return db;
}

static int64_t count(void)
{
    return mariadb_number(server, DATABASE, "SELECT COUNT(*) FROM thing");
}

static void values_come_back_as_they_went(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = open_empty(0);
    static const uint8_t zeros[3] = {0, 'x', 0};
    struct row {
        int64_t number;
        bool null_number;
        const char *name;
        struct bytes content;
        bool null_content;
    };
    AUTO_BUF megabyte = {0};
    memset(buf_reserve(&megabyte, 1 << 20), 'm', 1 << 20);
    megabyte.length = 1 << 20;
    megabyte.data[(1 << 20) - 1] = 'z';
    const struct row rows[] = {
        {.number = INT64_MIN, .name = "least", .content = {zeros, 3}},
        {.number = INT64_MAX, .name = NULL, .content = {NULL, 0}},
        {.null_number = true, .name = "", .null_content = true},
        {.number = 7, .name = "日本語の名前", .content = buf_bytes(&megabyte)},
        {.number = 8, .name = "short after long", .content = {zeros, 2}},
        {.number = 9, .name = "long again", .content = buf_bytes(&megabyte)},
    };
    for (int bulk = 0; bulk < 2; bulk++) {
        mariadb_do(db, "DELETE FROM thing");
        struct db_value params[ARRAY_LENGTH(rows) * 4];
        struct uuid ids[ARRAY_LENGTH(rows)];
        for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
            ids[i] = uuid_new();
            params[4 * i] = db_uuid(&ids[i]);
            params[4 * i + 1] = rows[i].null_number ? db_null() : db_int(rows[i].number);
            params[4 * i + 2] = db_text(rows[i].name);
            params[4 * i + 3] = rows[i].null_content ? db_null() : db_bytes(rows[i].content);
            int64_t n = 0;
            if (!bulk) {
                must(db_run(db, &add, params + 4 * i, &n, &err));
                assert_int_equal(n, 1);
            }
        }
        int64_t n = 0;
        if (bulk) {
            must(db_run_bulk(db, &add, params, ARRAY_LENGTH(rows), &n, &err));
            assert_int_equal(n, ARRAY_LENGTH(rows));
        }
        static const struct statement read_one = {.name = "test.read.one",
            .sql = "SELECT id, number, name, content FROM thing WHERE id = ?",
            .params = "b",
            .columns = "bitb"};
        for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
            struct db_value c[4];
            const struct db_value id = db_uuid(&ids[i]);
            must(db_query(db, &read_one, &id, &err));
            assert_int_equal(db_fetch(db, c, &err), 1);
            assert_memory_equal(c[0].bytes.data, ids[i].b, 16);
            assert_int_equal(c[1].type, rows[i].null_number ? DB_NULL : DB_INT);
            if (!rows[i].null_number)
                assert_true(c[1].integer == rows[i].number);
            assert_int_equal(c[2].type, rows[i].name ? DB_TEXT : DB_NULL);
            if (rows[i].name)
                assert_string_equal((const char *)c[2].bytes.data, rows[i].name);
            assert_int_equal(c[3].type, rows[i].null_content ? DB_NULL : DB_BYTES);
            if (!rows[i].null_content)
                assert_true(bytes_equal(c[3].bytes, rows[i].content));
            assert_int_equal(db_fetch(db, c, &err), 0);
        }
        /* All in one result: landings grow and shrink from row to row. */
        struct db_value c[4];
        must(db_query(db, &read_all, NULL, &err));
        size_t seen = 0;
        while (db_fetch(db, c, &err) > 0)
            seen += c[3].type == DB_BYTES ? c[3].bytes.length : 0;
        assert_int_equal(seen, 3 + 0 + 2 + 2 * megabyte.length);
    }
}

static void a_query_may_be_left_early(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = open_empty(0);
    mariadb_do(db, "INSERT INTO thing SELECT UNHEX(LPAD(HEX(seq), 32, '0')), seq, NULL, "
                   "REPEAT('x', 1000) FROM seq_1_to_5000");
    struct db_value c[4];
    for (int i = 0; i < 3; i++) {
        must(db_query(db, &read_all, NULL, &err));
        assert_int_equal(db_fetch(db, c, &err), 1);
        assert_int_equal(c[1].integer, 1);
        db_finish(db);
        db_finish(db);
    }
    must(db_begin(db, &err));
    must(db_query(db, &read_all, NULL, &err));
    assert_int_equal(db_fetch(db, c, &err), 1);
    db_rollback(db);
    assert_true(db_is_open(db));
}

static void found_rows_are_counted(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = open_empty(0);
    const struct uuid id = uuid_new();
    const struct db_value row[] = {db_uuid(&id), db_int(1), db_null(), db_null()};
    const struct db_value same[] = {db_int(1), db_uuid(&id)};
    int64_t n = 0;
    must(db_run(db, &add, row, NULL, &err));
    must(db_run(db, &touch, same, &n, &err));
    assert_int_equal(n, 1); /* changed nothing, found one */
    must(db_run_bulk(db, &touch, same, 1, &n, &err));
    assert_int_equal(n, 1);
    must(db_run_bulk(db, &touch, NULL, 0, &n, &err));
    assert_int_equal(n, 0);
}

static void the_session_is_strict_and_utc(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = open_empty(2);
    static const struct statement ask = {.name = "test.session",
        .sql = "SELECT @@session.time_zone, @@session.tx_isolation, "
               "@@session.innodb_lock_wait_timeout, @@session.idle_transaction_timeout, "
               "@@session.character_set_client, @@session.sql_mode",
        .columns = "ttiitt"};
    struct db_value c[6];
    must(db_query(db, &ask, NULL, &err));
    assert_int_equal(db_fetch(db, c, &err), 1);
    assert_string_equal((const char *)c[0].bytes.data, "+00:00");
    assert_string_equal((const char *)c[1].bytes.data, "READ-COMMITTED");
    assert_int_equal(c[2].integer, 2);
    assert_int_equal(c[3].integer, 10);
    assert_string_equal((const char *)c[4].bytes.data, "utf8mb4");
    assert_non_null(strstr((const char *)c[5].bytes.data, "STRICT_ALL_TABLES"));
    db_finish(db);
}

static void bad_rows_are_named_and_leave_the_connection(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = open_empty(0);
    const struct uuid id = uuid_new(), other = uuid_new();
    const struct db_value long_name[] = {
        db_uuid(&id), db_int(1), db_text("123456789012345678901"), db_null()};
    const struct db_value bad_text[] = {db_uuid(&id), db_int(1), db_text("\xff\xfe"), db_null()};
    const struct db_value no_id[] = {db_null(), db_int(1), db_null(), db_null()};
    const struct db_value rows[] = {db_uuid(&other), db_int(1), db_text("fine"), db_null(),
        db_uuid(&id), db_int(1), db_text("123456789012345678901"), db_null()};
    fails(db_run(db, &add, long_name, NULL, &err), ERR_INPUT, "bad-request", "'name'");
    fails(db_run(db, &add, bad_text, NULL, &err), ERR_INPUT, "bad-request", "name");
    fails(db_run(db, &add, no_id, NULL, &err), ERR_INPUT, "bad-request", "'id'");
    fails(db_run_bulk(db, &add, rows, 2, NULL, &err), ERR_INPUT, "bad-request", "'name'");
    assert_int_equal(count(), 0); /* a bulk statement is all or nothing */
    const struct db_value named[] = {db_uuid(&id), db_int(1), db_text("x"), db_null()};
    const struct db_value again[] = {db_uuid(&other), db_int(1), db_text("x"), db_null()};
    must(db_run(db, &add, named, NULL, &err));
    fails(db_run(db, &add, again, NULL, &err), ERR_CONFLICT, "duplicate", "1062");
    fails(db_run_bulk(db, &add, again, 1, NULL, &err), ERR_CONFLICT, "duplicate", "1062");
    static const struct statement wrong = {
        .name = "test.wrong", .sql = "SELECT nothing FROM thing"};
    fails(db_run(db, &wrong, NULL, NULL, &err), ERR_TEMPORARY, "unavailable", "1054");
    assert_true(db_is_open(db));
    assert_int_equal(count(), 1);
}

static void a_row_too_long_is_refused_before_it_is_sent(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = open_empty(0);
    AUTO(db) small = NULL;
    mariadb_do(db, "SET GLOBAL max_allowed_packet = 1048576");
    small = mariadb_open(server, "certq_admin", DATABASE, 0);
    AUTO_BUF big = {0};
    memset(buf_reserve(&big, 2 << 20), 'b', 2 << 20);
    big.length = 1 << 20;
    const struct uuid ids[3] = {uuid_new(), uuid_new(), uuid_new()};
    const struct db_value row[] = {
        db_uuid(&ids[0]), db_int(1), db_null(), db_bytes(buf_bytes(&big))};
    fails(db_run(small, &add, row, NULL, &err), ERR_INPUT, "too-large", "max_allowed_packet");
    fails(db_run_bulk(small, &add, row, 1, NULL, &err), ERR_INPUT, "too-large", "test.add");
    /* Rows that do not fit one message together go in several. */
    struct db_value rows[12];
    big.length = 400 << 10;
    for (size_t i = 0; i < 3; i++) {
        rows[4 * i] = db_uuid(&ids[i]);
        rows[4 * i + 1] = db_int(1);
        rows[4 * i + 2] = db_null();
        rows[4 * i + 3] = db_bytes(buf_bytes(&big));
    }
    int64_t n = 0;
    must(db_run_bulk(small, &add, rows, 3, &n, &err));
    assert_int_equal(n, 3);
    mariadb_do(db, "SET GLOBAL max_allowed_packet = 134217728");
    assert_int_equal(
        mariadb_number(server, DATABASE, "SELECT MIN(LENGTH(content)) FROM thing"), 400 << 10);
}

static void locks_end_as_conflicts(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) one = open_empty(1);
    AUTO(db) two = mariadb_open(server, "certq_admin", DATABASE, 1);
    const struct uuid id = uuid_new();
    const struct db_value row[] = {db_uuid(&id), db_int(1), db_null(), db_null()};
    const struct db_value change[] = {db_int(2), db_uuid(&id)};
    must(db_run(one, &add, row, NULL, &err));
    must(db_begin(one, &err));
    must(db_run(one, &touch, change, NULL, &err));
    must(db_begin(two, &err));
    fails(db_run(two, &touch, change, NULL, &err), ERR_CONFLICT, "conflict", "1205");
    db_rollback(two);
    must(db_commit(one, &err));
    must(db_run(two, &touch, change, NULL, &err));
}

static void a_lost_connection_is_closed_and_can_be_reopened(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = open_empty(0);
    AUTO(db) killer = mariadb_open(server, "certq_admin", DATABASE, 0);
    static const struct statement me = {
        .name = "test.me", .sql = "SELECT CONNECTION_ID()", .columns = "i"};
    const struct uuid id = uuid_new();
    const struct db_value row[] = {db_uuid(&id), db_int(1), db_null(), db_null()};
    for (int at_commit = 0; at_commit < 2; at_commit++) {
        struct db_value c;
        must(db_open(db, &err));
        must(db_query(db, &me, NULL, &err));
        assert_int_equal(db_fetch(db, &c, &err), 1);
        const int64_t number = c.integer;
        db_finish(db);
        must(db_begin(db, &err));
        must(db_run(db, &add, row, NULL, &err));
        AUTO_TEXT sql = mem_printf("KILL %lld", (long long)number);
        mariadb_do(killer, sql);
        if (at_commit)
            fails(db_commit(db, &err), ERR_UNSURE, "unavailable", "commit");
        else
            fails(db_run(db, &touch, row, NULL, &err), ERR_TEMPORARY, "unavailable", "test.touch");
        assert_false(db_is_open(db));
        fails(db_begin(db, &err), ERR_TEMPORARY, "unavailable", "lost");
        fails(db_run(db, &add, row, NULL, &err), ERR_TEMPORARY, "unavailable", "lost");
        fails(db_commit(db, &err), ERR_TEMPORARY, "unavailable", "lost");
        db_rollback(db);
        db_finish(db);
    }
    must(db_open(db, &err));
    must(db_run(db, &add, row, NULL, &err)); /* prepared anew; what was killed is rolled back */
    assert_int_equal(count(), 1);
}

static void a_server_that_goes_and_comes(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = open_empty(0);
    const struct uuid id = uuid_new();
    const struct db_value row[] = {db_uuid(&id), db_int(1), db_null(), db_null()};
    must(db_run(db, &add, row, NULL, &err));
    struct db_value c[4];
    must(db_query(db, &read_all, NULL, &err));
    mariadb_kill(server);
    db_finish(db);
    fails(db_run(db, &touch, (struct db_value[]){db_int(1), db_uuid(&id)}, NULL, &err),
        ERR_TEMPORARY, "unavailable", "test.touch");
    fails(db_open(db, &err), ERR_TEMPORARY, "unavailable", "mariadb.sock");
    mariadb_again(server);
    must(db_open(db, &err));
    must(db_query(db, &read_all, NULL, &err));
    assert_int_equal(db_fetch(db, c, &err), 1);
    db_finish(db);
}

static void named_locks_last_as_long_as_the_connection(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) one = open_empty(0);
    AUTO(db) two = mariadb_open(server, "certq_admin", DATABASE, 0);
    bool held = true;
    must(db_is_held(two, "certq.test", &held, &err));
    assert_false(held);
    must(db_hold(one, "certq.test", &err));
    must(db_is_held(two, "certq.test", &held, &err));
    assert_true(held);
    fails(db_hold(two, "certq.test", &err), ERR_CONFLICT, "conflict", "certq.test");
    db_close(one);
    const int64_t until = clock_monotonic_ms() + 10000;
    do
        must(db_is_held(two, "certq.test", &held, &err));
    while (held && clock_monotonic_ms() < until);
    assert_false(held);
}

static void opening_is_lazy_and_refusals_are_told(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) nowhere = db_new(&(struct db_options){.socket = "/nonexistent/sock", .user = "x"});
    assert_false(db_is_open(nowhere));
    fails(db_begin(nowhere, &err), ERR_TEMPORARY, "unavailable", "/nonexistent/sock");
    AUTO(db)
    stranger = db_new(&(struct db_options){
        .socket = mariadb_socket(server), .user = "certq_broker", .password = "wrong"});
    fails(db_open(stranger, &err), ERR_TEMPORARY, "unavailable", "1045");
    AUTO_TEXT password = mariadb_password(server, "certq_admin");
    AUTO(db)
    lazy = db_new(&(struct db_options){.socket = mariadb_socket(server),
        .user = "certq_admin",
        .password = password,
        .name = DATABASE});
    must(db_begin(lazy, &err));
    assert_true(db_is_open(lazy));
    db_close(lazy);
    db_close(lazy);
    fails(db_begin(lazy, &err), ERR_TEMPORARY, "unavailable", "lost");
}

static void lists_lock_their_rows_in_order_and_no_others(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = open_empty(1);
    AUTO(db) other = mariadb_open(server, "certq_admin", DATABASE, 1);
    mariadb_do(db, "INSERT INTO thing SELECT UNHEX(LPAD(HEX(seq), 32, '0')), seq, NULL, NULL "
                   "FROM seq_1_to_100");
    static const struct statement lock = {.name = "test.lock",
        .sql = "SELECT t.number FROM " DB_JOIN_IDS("thing t", "t.id") " FOR UPDATE SKIP LOCKED",
        .params = "bi",
        .columns = "i"};
    static const struct statement raise = {.name = "test.raise",
        .sql = "UPDATE " DB_JOIN_IDS("thing t", "t.id") " SET t.number = t.number + 1000",
        .params = "bi"};
    static const struct statement drop = {.name = "test.drop",
        .sql = "DELETE t FROM " DB_JOIN_IDS("thing t", "t.id"),
        .params = "bi"};
    uint8_t ids[4][16] = {{0}};
    static const uint8_t list[] = {70, 3, 99, 200}; /* not sorted, and one that is not there */
    for (size_t i = 0; i < 4; i++)
        ids[i][15] = list[i];
    const struct db_value params[] = {db_bytes((struct bytes){ids[0], sizeof ids}), db_int(4)};
    struct db_value c;
    must(db_begin(db, &err));
    must(db_query(db, &lock, params, &err));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(db_fetch(db, &c, &err), 1);
        assert_int_equal(c.integer, list[i]);
    }
    assert_int_equal(db_fetch(db, &c, &err), 0);
    assert_int_equal(mariadb_number(server, DATABASE,
                         "SELECT COUNT(*) FROM (SELECT id FROM thing FOR UPDATE SKIP LOCKED) x"),
        97);
    must(db_query(other, &lock, params, &err));
    assert_int_equal(db_fetch(other, &c, &err), 0); /* all locked: skipped */
    int64_t n = 0;
    must(db_run(db, &raise, params, &n, &err));
    assert_int_equal(n, 3);
    must(db_run(db, &drop, params, &n, &err));
    assert_int_equal(n, 3);
    db_rollback(db);
    assert_int_equal(count(), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back_as_they_went),
        cmocka_unit_test(a_query_may_be_left_early),
        cmocka_unit_test(found_rows_are_counted),
        cmocka_unit_test(the_session_is_strict_and_utc),
        cmocka_unit_test(bad_rows_are_named_and_leave_the_connection),
        cmocka_unit_test(a_row_too_long_is_refused_before_it_is_sent),
        cmocka_unit_test(locks_end_as_conflicts),
        cmocka_unit_test(a_lost_connection_is_closed_and_can_be_reopened),
        cmocka_unit_test(a_server_that_goes_and_comes),
        cmocka_unit_test(named_locks_last_as_long_as_the_connection),
        cmocka_unit_test(opening_is_lazy_and_refusals_are_told),
        cmocka_unit_test(lists_lock_their_rows_in_order_and_no_others),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

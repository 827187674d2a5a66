/* links: support db */
#include "base/file.h"
#include "base/mem.h"
#include "db/migrate.h"
#include "support/jobs.h"
#include "support/mariadb.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SCHEMA CERTQ_SOURCE_DIR "/schema"

static struct mariadb *server;
static const struct migrate_users users = {.broker = "certq_broker",
    .worker = "certq_worker",
    .mail = "certq_mail",
    .reader = "certq_reader"};

static int start(void **state)
{
    (void)state;
    server = mariadb_start(NULL, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    mariadb_free(server);
    return 0;
}

static struct db *administrator(const char *database)
{
    return mariadb_open(server, "certq_admin", database, 3);
}

struct told {
    int states[16], numbers[16];
    size_t count;
};

static void tell(void *context, const struct migration_state *state)
{
    struct told *t = context;
    t->numbers[t->count] = state->number;
    t->states[t->count++] = (int)state->state;
}

/* A schema folder of the test's own, below the server's (and gone with it). */
static char *make_folder(const char *name)
{
    char *folder = mem_printf("%s/%s", mariadb_folder(server), name);
    assert_int_equal(mkdir(folder, 0700), 0);
    return folder;
}

static void put(const char *folder, const char *name, const char *content)
{
    struct err err;
    AUTO_TEXT path = mem_printf("%s/%s", folder, name);
    must(file_write(path, bytes_of_text(content), 0600, &err));
}

#define FIRST                                                                                      \
    "-- first\nCREATE TABLE one (\n  id INT, -- a; in a comment\n  note VARCHAR(9));\n\n"          \
    "INSERT INTO one VALUES (1, ';');\n"

static void the_schema_applies_twice(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = administrator(NULL);
    struct told first = {0}, second = {0}, status = {0};
    must(migrate_run(db, SCHEMA, "m_twice", &users, tell, &first, &err));
    assert_int_equal(first.count, SCHEMA_NUMBER);
    must(migrate_run(db, SCHEMA, "m_twice", &users, tell, &second, &err));
    assert_int_equal(second.count, 0);
    must(migrate_status(db, SCHEMA, tell, &status, &err));
    assert_int_equal(status.count, SCHEMA_NUMBER);
    assert_int_equal(status.states[0], MIGRATION_DONE);
    must(migrate_check(db, SCHEMA_NUMBER, &err));
    AUTO(db) broker = mariadb_open(server, "certq_broker", "m_twice", 3);
    must(migrate_check(broker, SCHEMA_NUMBER, &err));
    fails(migrate_check(broker, SCHEMA_NUMBER + 1, &err), ERR_FATAL, "schema", "migrate");
    fails(migrate_check(broker, SCHEMA_NUMBER - 1, &err), ERR_FATAL, "schema", "newer program");
}

static void an_empty_database_is_told(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = administrator(NULL);
    struct told status = {0};
    mariadb_do(db, "CREATE DATABASE m_empty");
    mariadb_do(db, "USE m_empty");
    must(migrate_status(db, SCHEMA, tell, &status, &err));
    assert_int_equal(status.states[0], MIGRATION_MISSING);
    fails(migrate_check(db, SCHEMA_NUMBER, &err), ERR_FATAL, "schema", "has schema 0");
}

static void steps_come_one_by_one(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = administrator(NULL);
    AUTO_TEXT folder = make_folder("steps");
    struct told told = {0};
    put(folder, "001_first.sql", FIRST);
    must(migrate_run(db, folder, "m_steps", NULL, tell, &told, &err));
    put(folder, "002_second.sql", "ALTER TABLE one ADD COLUMN two INT;");
    must(migrate_run(db, folder, "m_steps", NULL, tell, &told, &err));
    assert_int_equal(told.count, 2);
    assert_int_equal(told.numbers[1], 2);
    assert_int_equal(
        mariadb_number(server, "m_steps", "SELECT COUNT(*) FROM one WHERE note = ';'"), 1);
}

static void a_changed_file_is_refused(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = administrator(NULL);
    AUTO_TEXT folder = make_folder("changed");
    struct told status = {0};
    put(folder, "001_first.sql", FIRST);
    must(migrate_run(db, folder, "m_changed", NULL, NULL, NULL, &err));
    put(folder, "001_first.sql", FIRST "-- another word\n");
    put(folder, "002_second.sql", "CREATE TABLE two (id INT);");
    fails(migrate_run(db, folder, "m_changed", NULL, NULL, NULL, &err), ERR_FATAL, "schema",
        "001_first.sql: the file has changed");
    must(migrate_status(db, folder, tell, &status, &err));
    assert_int_equal(status.states[0], MIGRATION_CHANGED);
    assert_int_equal(status.states[1], MIGRATION_MISSING);
}

static void a_database_from_the_future_is_refused(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = administrator(NULL);
    AUTO_TEXT folder = make_folder("future");
    struct told status = {0};
    put(folder, "001_first.sql", FIRST);
    put(folder, "002_second.sql", "CREATE TABLE two (id INT);");
    must(migrate_run(db, folder, "m_future", NULL, NULL, NULL, &err));
    AUTO_TEXT second = mem_printf("%s/002_second.sql", folder);
    assert_int_equal(unlink(second), 0);
    fails(migrate_run(db, folder, "m_future", NULL, NULL, NULL, &err), ERR_FATAL, "schema",
        "002_second.sql: the database has it");
    must(migrate_status(db, folder, tell, &status, &err));
    assert_int_equal(status.states[1], MIGRATION_FUTURE);
    fails(migrate_check(db, 1, &err), ERR_FATAL, "schema", "newer program");
}

static void a_broken_run_is_named_and_not_repeated(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = administrator(NULL);
    AUTO_TEXT folder = make_folder("broken");
    struct told status = {0};
    put(folder, "001_first.sql", FIRST "\nCREATE TABEL two (id INT);\n");
    fails(migrate_run(db, folder, "m_broken", NULL, NULL, NULL, &err), ERR_TEMPORARY, "unavailable",
        "001_first.sql: line 8: ");
    put(folder, "001_first.sql", FIRST);
    fails(migrate_run(db, folder, "m_broken", NULL, NULL, NULL, &err), ERR_FATAL, "schema",
        "begun and not finished");
    must(migrate_status(db, folder, tell, &status, &err));
    assert_int_equal(status.states[0], MIGRATION_BROKEN);
    fails(migrate_check(db, 1, &err), ERR_FATAL, "schema", "001_first.sql");
    /* The way out that the message tells. */
    mariadb_do(db, "DROP TABLE one");
    mariadb_do(db, "DELETE FROM schema_version");
    must(migrate_run(db, folder, "m_broken", NULL, NULL, NULL, &err));
    must(migrate_check(db, 1, &err));
}

static void bad_folders_and_names_are_refused(void **state)
{
    (void)state;
    struct err err;
    AUTO(db) db = administrator(NULL);
    AUTO_TEXT none = make_folder("none");
    AUTO_TEXT gap = make_folder("gap");
    AUTO_TEXT twice = make_folder("twice");
    AUTO_TEXT open_end = make_folder("open");
    put(none, "readme.sql", "");
    fails(migrate_run(db, none, "m_bad", NULL, NULL, NULL, &err), ERR_INPUT, "bad-request",
        "no schema files");
    fails(migrate_run(db, "/nonexistent", "m_bad", NULL, NULL, NULL, &err), ERR_INPUT,
        "bad-request", "no schema files");
    put(gap, "001_a.sql", FIRST);
    put(gap, "003_c.sql", FIRST);
    fails(migrate_run(db, gap, "m_bad", NULL, NULL, NULL, &err), ERR_INPUT, "bad-request",
        "003_c.sql: number 002");
    put(twice, "001_a.sql", FIRST);
    put(twice, "001_b.sql", FIRST);
    fails(migrate_run(db, twice, "m_bad", NULL, NULL, NULL, &err), ERR_INPUT, "bad-request",
        "001_b.sql: number 002");
    put(open_end, "001_a.sql", FIRST "CREATE TABLE two (id INT)\n");
    fails(migrate_run(db, open_end, "m_open", NULL, NULL, NULL, &err), ERR_INPUT, "bad-request",
        "line 7: the statement has no ;");
    static const char *const names[] = {
        "", "a`b", "a b", "a;b", "a_name_of_a_database_that_is_longer_than_48_characters", "日本"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        fails(migrate_run(db, SCHEMA, names[i], NULL, NULL, NULL, &err), ERR_INPUT, "bad-request",
            "database name");
    const struct migrate_users stranger = {.broker = "nobody_like_this"};
    fails(migrate_run(db, SCHEMA, "m_users", &stranger, NULL, NULL, &err), ERR_INPUT, "bad-request",
        "no user 'nobody_like_this'");
}

static atomic_int failures;

static void *migrate_at_once(void *context)
{
    struct err err;
    AUTO(db) db = administrator(NULL);
    if (migrate_run(db, SCHEMA, context, &users, NULL, NULL, &err)) {
        print_error("%s\n", err.text);
        atomic_fetch_add(&failures, 1);
    }
    return NULL;
}

static void several_at_once_take_turns(void **state)
{
    (void)state;
    pthread_t threads[4];
    static char database[] = "m_at_once";
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        pthread_create(&threads[i], NULL, migrate_at_once, database);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&failures), 0);
    assert_int_equal(
        mariadb_number(server, database, "SELECT COUNT(*) FROM schema_version"), SCHEMA_NUMBER);
}

/* I10: what each user may, and more to the point may not. */
static void users_may_what_they_need(void **state)
{
    (void)state;
    struct err err;
    mariadb_migrate(server, "m_grants");
    AUTO(db) db = administrator("m_grants");
    mariadb_do(db, "INSERT INTO audit VALUES (REPEAT('a', 16), 1, REPEAT('b', 16), 'c', 'r', 'h', "
                   "'a', 'e', REPEAT('s', 16), NULL)");
    static const struct {
        const char *user, *sql;
        bool may;
    } rows[] = {
        {"certq_worker",
            "INSERT INTO audit VALUES (REPEAT('c', 16), 1, REPEAT('b', 16), 'c', 'r', 'h', 'a', "
            "'e', REPEAT('s', 16), NULL)",
            true},
        {"certq_worker", "DO (SELECT COUNT(*) FROM audit)", true},
        {"certq_worker", "UPDATE audit SET event = 'x'", false},
        {"certq_worker", "DELETE FROM audit", false},
        {"certq_worker", "TRUNCATE TABLE audit", false},
        {"certq_worker", "UPDATE job_history SET result = ''", false},
        {"certq_worker", "UPDATE job SET kind = 'revoke'", false},
        {"certq_worker", "UPDATE revocation SET reason = 0", false},
        {"certq_worker", "DELETE FROM revocation", false},
        {"certq_worker", "DELETE FROM certificate", false},
        {"certq_worker", "DELETE FROM crl", false},
        {"certq_worker", "DELETE FROM crl_piece", true},
        {"certq_worker", "UPDATE crl_piece SET der = ''", false},
        {"certq_worker", "DELETE FROM crl_wanted", false},
        {"certq_broker", "DO (SELECT COUNT(*) FROM crl_piece)", true},
        {"certq_broker", "UPDATE crl_wanted SET job = NULL", false},
        {"certq_worker", "UPDATE mail SET state = 'sent'", false},
        {"certq_mail", "DO (SELECT COUNT(code_nonce) FROM certificate)", true},
        {"certq_mail", "DO (SELECT COUNT(subject) FROM certificate)", false},
        {"certq_mail", "DO (SELECT COUNT(id) FROM subscriber)", false},
        {"certq_mail", "DO (SELECT COUNT(id) FROM application)", false},
        {"certq_mail", "DO (SELECT COUNT(args) FROM job)", false},
        {"certq_mail", "DO (SELECT COUNT(result) FROM job_history)", false},
        {"certq_mail", "UPDATE job SET kind = 'revoke'", false},
        {"certq_mail",
            "INSERT INTO job (id, slot, `rank`, kind, priority, run_at_ms, args, fingerprint, "
            "client, created_ms) VALUES (REPEAT('j', 16), 0, 0, 'revoke', 9, 0, '{}', "
            "REPEAT('f', 32), 'operator', 0)",
            false},
        {"certq_mail", "UPDATE audit SET event = 'x'", false},
        {"certq_mail", "DELETE FROM audit", false},
        {"certq_mail", "UPDATE certificate SET subject = 'x'", false},
        {"certq_broker", "DO (SELECT COUNT(*) FROM job)", true},
        {"certq_broker", "DO (SELECT COUNT(*) FROM subscriber)", false},
        {"certq_broker", "DO (SELECT COUNT(*) FROM certificate)", false},
        {"certq_broker", "DO (SELECT COUNT(*) FROM audit)", false},
        {"certq_broker", "DO (SELECT COUNT(*) FROM seq_0_to_1023)", true},
        {"certq_broker", "DROP TABLE job", false},
        {"certq_reader", "DO (SELECT COUNT(*) FROM audit)", true},
        {"certq_reader", "DO (SELECT COUNT(email) FROM subscriber)", true},
        {"certq_reader", "DO (SELECT COUNT(password) FROM subscriber)", false},
        {"certq_reader", "DO (SELECT COUNT(code_nonce) FROM certificate)", false},
        {"certq_reader", "DO (SELECT COUNT(args) FROM job)", false},
        {"certq_reader", "DO (SELECT COUNT(args) FROM job_history)", false},
        {"certq_reader", "DELETE FROM job", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(db) user = mariadb_open(server, rows[i].user, "m_grants", 3);
        const bool did = db_execute(user, bytes_of_text(rows[i].sql), &err) == 0;
        if (did != rows[i].may)
            fail_msg("%s: %s: %s", rows[i].user, rows[i].sql, did ? "was let" : err.text);
    }
    assert_int_equal(mariadb_number(server, "m_grants", "SELECT COUNT(*) FROM audit"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_applies_twice),
        cmocka_unit_test(an_empty_database_is_told),
        cmocka_unit_test(steps_come_one_by_one),
        cmocka_unit_test(a_changed_file_is_refused),
        cmocka_unit_test(a_database_from_the_future_is_refused),
        cmocka_unit_test(a_broken_run_is_named_and_not_repeated),
        cmocka_unit_test(bad_folders_and_names_are_refused),
        cmocka_unit_test(several_at_once_take_turns),
        cmocka_unit_test(users_may_what_they_need),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

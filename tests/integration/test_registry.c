/* links: support db */
#include "db/registry_store.h"
#include "support/jobs.h"
#include "support/mariadb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DATABASE "test_registry"

static struct mariadb *server;
static struct db *db;
static const struct uuid nobody;

static int start(void **state)
{
    (void)state;
    server = mariadb_start(NULL, NULL);
    mariadb_migrate(server, DATABASE);
    db = mariadb_open(server, "certq_broker", DATABASE, 3);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    db_free(db);
    mariadb_free(server);
    return 0;
}

static struct slot_row slot(uint16_t id)
{
    struct err err;
    struct slot_row rows[SLOTS_MAX];
    size_t n = 0;
    must(registry_read_slots(db, rows, &n, &err));
    assert_int_equal(n, 16);
    return rows[id];
}

static struct broker_row broker(const char *name)
{
    struct broker_row b = {.life = uuid_new(), .pid = 42, .started_ms = 7, .clock_epoch = 1};
    snprintf(b.name, sizeof b.name, "%s", name);
    snprintf(b.host, sizeof b.host, "host.example.jp");
    snprintf(b.clients, sizeof b.clients, "tcp://127.0.0.1:7101");
    snprintf(b.workers, sizeof b.workers, "tcp://127.0.0.1:7102");
    snprintf(b.kinds, sizeof b.kinds, "issue,mail");
    return b;
}

static bool holds(uint16_t id, const struct uuid *life)
{
    const struct slot_row row = slot(id);
    return uuid_equal(&row.broker, life);
}

struct found {
    struct broker_row rows[8];
    size_t count;
};

static void see(void *context, const struct broker_row *row)
{
    struct found *f = context;
    f->rows[f->count++] = *row;
}

static struct found brokers(void)
{
    struct err err;
    struct found f = {0};
    must(registry_read_brokers(db, see, &f, &err));
    return f;
}

static void slots_are_taken_by_compare_and_set(void **state)
{
    (void)state;
    struct err err;
    const struct broker_row a = broker("a"), b = broker("b");
    bool taken = false;
    const uint64_t epoch = slot(2).epoch;
    must(registry_take_slot(db, 2, epoch, &a.life, &taken, &err));
    assert_true(taken);
    assert_true(holds(2, &a.life) && slot(2).epoch == epoch + 1);
    must(registry_take_slot(db, 2, epoch, &b.life, &taken, &err));
    assert_false(taken); /* of an epoch that has passed */
    must(registry_beat(db, &a, &err));
    assert_true(slot(2).beat == 1 && slot(3).beat == 0);
    must(registry_take_slot(db, 2, epoch + 1, &b.life, &taken, &err));
    assert_true(taken && slot(2).beat == 0);
    const uint16_t both[] = {2, 3};
    must(registry_give_slots(db, &a.life, both, 2, &err));
    assert_true(holds(2, &b.life)); /* not a's to give */
    must(registry_give_slots(db, &b.life, both, 2, &err));
    assert_true(holds(2, &nobody) && slot(2).epoch == epoch + 3);
    fails(registry_give_slots(db, &b.life, both, 65, &err), ERR_INPUT, "bad-request", "65");
    must(registry_leave(db, &a.life, &err));
}

static void brokers_come_beat_and_go(void **state)
{
    (void)state;
    struct err err;
    struct broker_row a = broker("a"), b = broker("b");
    bool taken;
    must(registry_join(db, &a, &err));
    must(registry_join(db, &a, &err));
    must(registry_join(db, &b, &err));
    must(registry_take_slot(db, 5, slot(5).epoch, &a.life, &taken, &err));
    snprintf(a.kinds, sizeof a.kinds, "crl");
    must(registry_beat(db, &a, &err));
    struct found f = brokers();
    assert_int_equal(f.count, 2);
    const struct broker_row *r = uuid_equal(&f.rows[0].life, &a.life) ? &f.rows[0] : &f.rows[1];
    assert_true(r->beat == 1 && r->pid == 42 && r->started_ms == 7 && r->clock_epoch == 1);
    assert_string_equal(r->name, "a");
    assert_string_equal(r->host, "host.example.jp");
    assert_string_equal(r->workers, "tcp://127.0.0.1:7102");
    assert_string_equal(r->kinds, "crl");
    must(registry_leave(db, &a.life, &err));
    assert_int_equal(brokers().count, 1);
    assert_true(holds(5, &nobody));
    must(registry_beat(db, &a, &err)); /* it was not dead after all */
    assert_int_equal(brokers().count, 2);
    must(registry_leave(db, &a.life, &err));
    must(registry_leave(db, &b.life, &err));
}

static void count_paused(void *context, const char *kind, const char *by, int64_t at_ms)
{
    assert_string_equal(kind, "mail");
    assert_string_equal(by, "operator");
    assert_int_equal(at_ms, 99);
    ++*(int *)context;
}

static void kinds_are_paused_and_resumed(void **state)
{
    (void)state;
    struct err err;
    int n = 0;
    must(registry_pause(db, "issue", true, "operator", 1, &err));
    must(registry_pause(db, "issue", false, "operator", 2, &err));
    must(registry_pause(db, "mail", true, "somebody", 1, &err));
    must(registry_pause(db, "mail", true, "operator", 99, &err));
    must(registry_read_paused(db, count_paused, &n, &err));
    assert_int_equal(n, 1);
}

static void the_clock_is_set(void **state)
{
    (void)state;
    struct err err;
    int64_t shift = 1;
    uint64_t epoch = 0, next = 0;
    must(registry_read_clock(db, &shift, &epoch, &err));
    assert_true(shift == 0);
    must(registry_set_clock(db, -86400000, &next, &err));
    assert_true(next == epoch + 1);
    must(registry_set_clock(db, -86400000, &next, &err));
    assert_true(next == epoch + 2); /* the same shift is a new setting as well */
    must(registry_read_clock(db, &shift, &epoch, &err));
    assert_true(shift == -86400000 && epoch == next);
}

static void the_newest_crl_is_read(void **state)
{
    (void)state;
    struct err err;
    uint64_t crl = 0;
    AUTO_BUF der = {0};
    fails(registry_read_crl(db, "none", &crl, &der, &err), ERR_NOT_FOUND, "not-found", "none");
    AUTO(db) admin = mariadb_open(server, "certq_admin", DATABASE, 3);
    mariadb_do(admin, "INSERT INTO crl VALUES ('ca', 9, 0, 0, 0, 'nine', REPEAT('j', 16)), "
                      "('ca', 10, 0, 0, 0, REPEAT('x', 3000000), REPEAT('j', 16))");
    must(registry_read_crl(db, "ca", &crl, &der, &err));
    assert_int_equal(crl, 10);
    assert_int_equal(der.length, 3000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_taken_by_compare_and_set),
        cmocka_unit_test(brokers_come_beat_and_go),
        cmocka_unit_test(kinds_are_paused_and_resumed),
        cmocka_unit_test(the_clock_is_set),
        cmocka_unit_test(the_newest_crl_is_read),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

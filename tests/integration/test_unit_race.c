/* links: workers support */
/* Two units never decide on one subscriber at once (I11), and do not wait for others. */
#include "unit_lab.h"

#include <pthread.h>

/* A table of two rows, which the optimiser would rather scan: only the listed row is locked. */
static void test_locks_nothing_else(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) one = connect_worker(3);
    AUTO(db) two = connect_worker(1);
    AUTO(unit) first = unit_new(one);
    AUTO(unit) second = unit_new(two);
    struct aggregate *both[] = {new_aggregate("left"), new_aggregate("right")};
    struct uuid left = both[0]->subscriber.id, right = both[1]->subscriber.id;
    assert_int_equal(mariadb_number(server, DATABASE, "SELECT COUNT(*) FROM subscriber"), 0);
    add(one, both, 2);
    must(db_begin(one, &err), &err);
    must(lock_and_load(first, &right, 1, &err), &err);
    must(db_begin(two, &err), &err);
    must(lock_and_load(second, &left, 1, &err), &err);
    assert_non_null(unit_find(second, &left));
    db_rollback(two);
    db_rollback(one);
}

static void test_duplicate(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) one = connect_worker(3);
    AUTO(db) two = connect_worker(3);
    AUTO(unit) late = unit_new(two);
    must(db_begin(two, &err), &err);
    unit_add(late, new_aggregate("twins"));
    struct aggregate *first = new_aggregate("twins");
    add(one, &first, 1);
    assert_int_equal(unit_store(late, NULL, 0, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_string_equal(err.code, "duplicate");
    db_rollback(two);
    assert_int_equal(mariadb_number(server, DATABASE,
                         "SELECT COUNT(*) FROM subscriber s JOIN application a ON a.subscriber = "
                         "s.id WHERE s.unit_key = 'twins'"),
        1);
}

static void test_lock_is_waited_for(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) one = connect_worker(3);
    AUTO(db) two = connect_worker(1);
    AUTO(unit) first = unit_new(one);
    AUTO(unit) second = unit_new(two);
    struct aggregate *a = new_aggregate("locked");
    struct uuid id = a->subscriber.id;
    add(one, &a, 1);
    must(db_begin(one, &err), &err);
    must(lock_and_load(first, &id, 1, &err), &err);
    must(db_begin(two, &err), &err);
    assert_int_equal(lock_and_load(second, &id, 1, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_null(unit_find(second, &id));
    db_rollback(two);
    db_rollback(one);
}

#define THREADS 4
#define ROUNDS 30
#define SHARED 6

static struct uuid shared[SHARED];

static int count_once(struct db *db, const struct uuid *ids, size_t n, struct err *err)
{
    AUTO(unit) u = unit_new(db);
    if (db_begin(db, err) || lock_and_load(u, ids, n, err))
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct aggregate *a = unit_find(u, &ids[i]);
        a->subscriber.failures++;
        row_touch(&a->subscriber.row);
    }
    return unit_store(u, NULL, 0, err) || db_commit(db, err) ? -1 : 0;
}

/* Lists in any order: locks are taken in id order, so nobody waits in a circle. */
static void *count_up(void *arg)
{
    const size_t self = (size_t)(uintptr_t)arg;
    struct err err = {0};
    struct db *db = connect_worker(3);
    uintptr_t conflicts = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct uuid ids[3];
        for (size_t i = 0; i < 3; i++)
            ids[i] = shared[(self * 5 + round + i * (self % 2 ? 1 : SHARED - 1)) % SHARED];
        while (count_once(db, ids, 3, &err)) {
            db_rollback(db);
            if (err.kind != ERR_CONFLICT || ++conflicts > 1000)
                abort();
        }
    }
    db_free(db);
    return (void *)conflicts; /* NOLINT */
}

static void test_nobody_decides_on_the_same_version(void **state UNUSED)
{
    AUTO(db) db = connect_worker(3);
    struct aggregate *all[SHARED];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < SHARED; i++) {
        AUTO_TEXT key = mem_printf("counted%zu", i);
        all[i] = new_aggregate(key);
        shared[i] = all[i]->subscriber.id;
    }
    add(db, all, SHARED);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, (void *)(uintptr_t)i), 0);
    uintptr_t conflicts = 0;
    for (size_t i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        conflicts += (uintptr_t)result;
    }
    assert_int_equal(conflicts, 0); /* waits, but never a deadlock */
    assert_int_equal(mariadb_number(server, DATABASE,
                         "SELECT SUM(failures) FROM subscriber WHERE unit_key LIKE 'counted%'"),
        THREADS * ROUNDS * 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locks_nothing_else),
        cmocka_unit_test(test_duplicate),
        cmocka_unit_test(test_lock_is_waited_for),
        cmocka_unit_test(test_nobody_decides_on_the_same_version),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* links: workers support */
/*
 * Groups that meet others in the database: the same jobs on two workers in one instant, a deadlock
 * and a lock time-out in the middle of a transaction. Each job is done once, and nobody is told
 * otherwise (I2).
 */
#include "kinds_lab.h"

#include <pthread.h>
#include <time.h>

#define N 20

static struct worker *worker, *second;
static struct db *second_broker, *outsider;

static int start(void **state)
{
    if (lab_start(state))
        return -1;
    worker = lab_worker();
    second = lab_worker();
    db_free(worker->db);
    worker->db = mariadb_open(lab.server, "certq_worker", LAB_DATABASE, 1);
    second_broker = mariadb_open(lab.server, "certq_broker", LAB_DATABASE, 1);
    outsider = mariadb_open(lab.server, "certq_admin", LAB_DATABASE, 20);
    return 0;
}

static int stop(void **state)
{
    worker_free(worker);
    worker_free(second);
    db_free(second_broker);
    db_free(outsider);
    return lab_stop(state);
}

#define sql(...)                                                                                   \
    __extension__({                                                                                \
        AUTO_TEXT sql_ = mem_printf(__VA_ARGS__);                                                  \
        mariadb_do(outsider, sql_);                                                                \
    })

/* ---- the same jobs, twice ---- */

struct runner {
    struct worker *worker;
    struct db *broker;
    enum kind_id kind;
    const struct ask *asks;
    size_t n;
    const char *answers[N];
};

static void *run(void *arg)
{
    struct runner *r = arg;
    struct ask own[N];
    for (size_t i = 0; i < r->n; i++)
        own[i] = (struct ask){r->asks[i].id, json_deep_copy(r->asks[i].args)};
    AUTO(group) g = run_jobs(r->worker, r->broker, r->kind, own, r->n);
    for (size_t i = 0; i < r->n; i++)
        r->answers[i] = outcome_name(g->tasks[i].outcome);
    return NULL;
}

static void run_twice(enum kind_id kind, const struct ask *asks, size_t n, size_t *ret_both)
{
    struct runner runners[2] = {
        {worker, lab.broker, kind, asks, n, {0}}, {second, second_broker, kind, asks, n, {0}}};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, &runners[i]), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    size_t first = 0;
    for (size_t i = 0; i < n; i++) {
        const bool a = strcmp(runners[0].answers[i], "done") == 0;
        const bool b = strcmp(runners[1].answers[i], "done") == 0;
        const char *other = runners[a].answers[i];
        if (a == b || (strcmp(other, "busy") != 0 && strcmp(other, "finished") != 0))
            fail_msg("job %zu: %s and %s", i, runners[0].answers[i], runners[1].answers[i]);
        first += a;
    }
    *ret_both += first > 0 && first < n;
}

static void two_workers_finish_the_same_jobs_at_once(void **state UNUSED)
{
    enum { ROUNDS = 15 };
    static const enum kind_id kinds[] = {KIND_NOOP, KIND_ISSUE};
    size_t shared = 0, jobs = 0;
    for (size_t round = 0; round < ROUNDS * ARRAY_LENGTH(kinds); round++) {
        const enum kind_id kind = kinds[round % ARRAY_LENGTH(kinds)];
        struct ask asks[N];
        for (size_t i = 0; i < N; i++) {
            AUTO_TEXT email = mem_printf("twice%zu-%zu@example.jp", round, i);
            asks[i] =
                ask_of(kind == KIND_ISSUE ? application("association", email) : json_object());
        }
        run_twice(kind, asks, N, &shared);
        for (size_t i = 0; i < N; i++)
            json_decref(asks[i].args);
        jobs += kind == KIND_ISSUE ? N : 0;
    }
    assert_int_equal(number("SELECT COUNT(*) FROM application"), jobs);
    assert_int_equal(number("SELECT COUNT(*) FROM certificate"), jobs);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'mail'"), jobs);
    assert_int_equal(
        number("SELECT COUNT(*) FROM audit WHERE event = 'application.accepted'"), jobs);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind <> 'mail'"), 0);
    print_message("%zu of %d groups were shared by both\n", shared, 2 * ROUNDS);
}

/* ---- somebody in the way ---- */

/* The newest transaction that waits for a lock; 0: none. Asked inside the outsider's own. */
static int64_t waiting(void)
{
    static const struct statement newest = {.name = "test.waiting",
        .sql = "SELECT CAST(COALESCE(MAX(trx_id), 0) AS SIGNED) FROM information_schema.INNODB_TRX "
               "WHERE trx_state = 'LOCK WAIT'",
        .columns = "i"};
    struct err err = {0};
    struct db_value v;
    must(db_query(outsider, &newest, NULL, &err), &err);
    assert_int_equal(db_fetch(outsider, &v, &err), 1);
    const int64_t id = v.integer;
    db_finish(outsider);
    return id;
}

/* Until one newer than `last` waits. The table is read anew when nobody asked for a tenth of a
 * second.
 */
static int64_t until_waiting(int64_t last)
{
    for (int64_t end = clock_monotonic_ms() + 20000; clock_monotonic_ms() < end;) {
        const struct timespec pause = {0, 110000000};
        const int64_t id = waiting();
        if (id > last)
            return id;
        nanosleep(&pause, NULL);
    }
    fail_msg("nobody waits");
    return 0;
}

static int64_t deadlocks(void)
{
    return number("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME "
                  "= 'Innodb_deadlocks'");
}

/* Two people with a certificate, whose subscribers' ids ascend. */
struct pair {
    char *certificates[2], *subscribers[2];
};

static void pair_make(struct pair *p, const char *name)
{
    for (size_t i = 0; i < 2; i++) {
        AUTO_TEXT email = mem_printf("%s-%zu@example.jp", name, i);
        p->certificates[i] = apply(worker, "association", email);
        p->subscribers[i] = mem_printf(
            "(SELECT subscriber FROM certificate WHERE id = UNHEX(REPLACE('%s', '-', '')))",
            p->certificates[i]);
    }
}

static void pair_check(struct pair *p, const struct runner *r)
{
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(r->answers[i], "done");
        assert_int_equal(number("SELECT COUNT(*) FROM certificate WHERE id = UNHEX(REPLACE('%s', "
                                "'-', '')) AND state = 'cancelled'",
                             p->certificates[i]),
            1);
        json_decref(r->asks[i].args);
        free(p->certificates[i]);
        free(p->subscribers[i]);
    }
}

/* The outsider has the second one, the group the first; each wants the other's. */
static void a_deadlock_in_the_middle_of_a_group(void **state UNUSED)
{
    struct pair p;
    pair_make(&p, "deadlock");
    const struct ask asks[2] = {revocation(p.certificates[0]), revocation(p.certificates[1])};
    struct runner r = {second, lab.broker, KIND_REVOKE, asks, 2, {0}};
    const int64_t before = deadlocks();
    pthread_t thread;
    sql("BEGIN");
    /* Who has changed more is not the one that InnoDB ends. */
    sql("INSERT INTO queue SELECT CONCAT('x', seq), 0, 'test', 0 FROM seq_1_to_500");
    sql("UPDATE subscriber SET version = version + 1 WHERE id = %s", p.subscribers[1]);
    assert_int_equal(pthread_create(&thread, NULL, run, &r), 0);
    until_waiting(0);
    sql("UPDATE subscriber SET version = version + 1 WHERE id = %s", p.subscribers[0]);
    sql("ROLLBACK");
    pthread_join(thread, NULL);
    assert_true(deadlocks() > before);
    pair_check(&p, &r);
}

static void a_lock_time_out_in_the_middle_of_a_group(void **state UNUSED)
{
    struct pair p;
    pair_make(&p, "timeout");
    const struct ask asks[2] = {revocation(p.certificates[0]), revocation(p.certificates[1])};
    struct runner r = {worker, lab.broker, KIND_REVOKE, asks, 2, {0}};
    pthread_t thread;
    sql("BEGIN");
    sql("UPDATE subscriber SET version = version + 1 WHERE id = %s", p.subscribers[1]);
    assert_int_equal(pthread_create(&thread, NULL, run, &r), 0);
    until_waiting(until_waiting(0)); /* its second try */
    sql("ROLLBACK");
    pthread_join(thread, NULL);
    pair_check(&p, &r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_workers_finish_the_same_jobs_at_once),
        cmocka_unit_test(a_deadlock_in_the_middle_of_a_group),
        cmocka_unit_test(a_lock_time_out_in_the_middle_of_a_group),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

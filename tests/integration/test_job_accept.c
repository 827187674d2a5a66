/* links: support db */
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "support/jobs.h"
#include "support/mariadb.h"
#include "support/proxy.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DATABASE "test_accept"
#define BROKER "certq_broker"
#define OPEN_TRANSACTIONS "SELECT COUNT(*) FROM information_schema.innodb_trx"

static struct mariadb *server;
static struct db *broker, *admin;

/* As the broker's store has it. */
static struct db *open_acceptor(void)
{
    struct err err;
    struct db *db = mariadb_open(server, BROKER, DATABASE, 1);
    db_close(db);
    db_make_transactional(db);
    must(db_open(db, &err));
    return db;
}

static int start(void **state)
{
    (void)state;
    server = mariadb_start(NULL, NULL);
    mariadb_migrate(server, DATABASE);
    broker = open_acceptor();
    admin = mariadb_open(server, "certq_admin", DATABASE, 3);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    db_free(broker);
    db_free(admin);
    mariadb_free(server);
    return 0;
}

static int empty(void **state)
{
    (void)state;
    struct err err;
    db_close(admin); /* a test may have stopped the server */
    must(db_open(admin, &err));
    must(db_open(broker, &err));
    mariadb_do(admin, "DELETE FROM job");
    mariadb_do(admin, "DELETE FROM job_history");
    return 0;
}

static int64_t number(const char *sql)
{
    return mariadb_number(server, DATABASE, sql);
}

static struct accept accept_one(struct db *db, const struct job *job)
{
    struct err err;
    struct accept a = accept_of(job);
    must(job_accept(db, &a, 1, &err));
    return a;
}

static void new_then_the_same_then_other_content(void **state)
{
    (void)state;
    struct job job = job_sample();
    assert_int_equal(accept_one(broker, &job).verdict, ACCEPT_NEW);
    job.created_ms += 5; /* a client's retry comes later, to any slot */
    job.slot = 9;
    struct accept a = accept_one(broker, &job);
    assert_int_equal(a.verdict, ACCEPT_SAME);
    assert_false(a.finished || a.foreign);
    job_alter(&job);
    a = accept_one(broker, &job);
    assert_int_equal(a.verdict, ACCEPT_CONFLICT);
    assert_false(a.foreign);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE slot = 3 AND created_ms = 1000000"), 1);
}

static void another_clients_id_is_a_conflict(void **state)
{
    (void)state;
    static char other[] = "other";
    struct job job = job_sample();
    assert_int_equal(accept_one(broker, &job).verdict, ACCEPT_NEW);
    job.client = other;
    struct accept a = accept_one(broker, &job);
    assert_int_equal(a.verdict, ACCEPT_CONFLICT);
    assert_true(a.foreign);
}

static void what_is_finished_is_not_inserted_again(void **state)
{
    (void)state;
    struct err err;
    const struct uuid group = uuid_new();
    struct job job = job_sample();
    assert_int_equal(accept_one(broker, &job).verdict, ACCEPT_NEW);
    AUTO(db) worker = mariadb_open(server, "certq_worker", DATABASE, 3);
    must(job_finish(worker, &job, &group, &err));
    struct accept a = accept_one(broker, &job);
    assert_int_equal(a.verdict, ACCEPT_SAME);
    assert_true(a.finished);
    job_alter(&job);
    a = accept_one(broker, &job);
    assert_int_equal(a.verdict, ACCEPT_CONFLICT);
    assert_false(a.finished || a.foreign);
    assert_int_equal(number("SELECT COUNT(*) FROM job"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history"), 1);
}

static void a_batch_of_everything(void **state)
{
    (void)state;
    struct err err;
    const struct uuid group = uuid_new();
    struct job jobs[8];
    for (size_t i = 0; i < 8; i++)
        jobs[i] = job_sample();
    accept_one(broker, &jobs[1]); /* known */
    accept_one(broker, &jobs[2]);
    accept_one(broker, &jobs[3]); /* to be finished */
    must(job_finish(broker, &jobs[3], &group, &err));
    jobs[1].created_ms = jobs[2].created_ms = 1000001;
    job_alter(&jobs[2]);
    jobs[5] = jobs[4]; /* the same twice in one batch */
    jobs[6] = jobs[4]; /* and with other content */
    job_alter(&jobs[6]);
    jobs[7] = jobs[3]; /* finished, with other content */
    job_alter(&jobs[7]);
    struct accept batch[8];
    for (size_t i = 0; i < 8; i++)
        batch[i] = accept_of(&jobs[i]);
    must(job_accept(broker, batch, 8, &err));
    static const struct {
        enum accept_verdict verdict;
        bool finished;
    } want[8] = {{ACCEPT_NEW, false}, {ACCEPT_SAME, false}, {ACCEPT_CONFLICT, false},
        {ACCEPT_SAME, true}, {ACCEPT_NEW, false}, {ACCEPT_SAME, false}, {ACCEPT_CONFLICT, false},
        {ACCEPT_CONFLICT, false}};
    for (size_t i = 0; i < 8; i++) {
        if (batch[i].verdict != want[i].verdict || batch[i].finished != want[i].finished)
            fail_msg("row %zu: verdict %d finished %d", i, batch[i].verdict, batch[i].finished);
    }
    assert_int_equal(number("SELECT COUNT(*) FROM job"), 4);
}

static void repeats_of_a_conflict_are_judged_by_what_is_stored(void **state)
{
    (void)state;
    struct err err;
    struct job stored = job_sample(), wrong = stored, other;
    job_alter(&wrong);
    other = wrong;
    job_alter(&other);
    accept_one(broker, &stored);
    struct accept batch[] = {
        accept_of(&wrong), accept_of(&wrong), accept_of(&stored), accept_of(&other)};
    must(job_accept(broker, batch, 4, &err));
    assert_int_equal(batch[0].verdict, ACCEPT_CONFLICT);
    assert_int_equal(batch[1].verdict, ACCEPT_CONFLICT);
    assert_int_equal(batch[2].verdict, ACCEPT_SAME);
    assert_int_equal(batch[3].verdict, ACCEPT_CONFLICT);
}

static void rows_the_server_refuses_stand_alone(void **state)
{
    (void)state;
    struct err err;
    enum { N = 50 };
    static char long_client[] =
        "a-client-name-that-is-longer-than-the-sixty-four-bytes-of-the-column";
    static char bad_client[] = "\xe3\x81\x82";
    struct job jobs[N];
    struct accept batch[N];
    for (size_t i = 0; i < N; i++) {
        jobs[i] = job_sample();
        batch[i] = accept_of(&jobs[i]);
    }
    jobs[7].client = long_client;
    jobs[33].client = bad_client; /* ascii column */
    jobs[34].kind = "a-kind-that-is-longer-than-thirty-two-bytes";
    jobs[49] = jobs[7]; /* same id as a rejected one, and good */
    jobs[49].client = jobs[0].client;
    must(job_accept(broker, batch, N, &err));
    for (size_t i = 0; i < N; i++) {
        const bool is_bad = i == 7 || i == 33 || i == 34;
        if (batch[i].verdict != (is_bad ? ACCEPT_REJECTED : ACCEPT_NEW))
            fail_msg("row %zu: verdict %d", i, batch[i].verdict);
        if (is_bad) {
            assert_int_equal(batch[i].error.kind, ERR_INPUT);
            assert_non_null(strstr(batch[i].error.text, i == 34 ? "kind" : "client"));
        }
    }
    assert_int_equal(number("SELECT COUNT(*) FROM job"), N - 3);
}

static void args_longer_than_the_server_takes_are_rejected(void **state)
{
    (void)state;
    struct err err;
    mariadb_do(admin, "SET GLOBAL max_allowed_packet = 1048576");
    AUTO(db) small = mariadb_open(server, BROKER, DATABASE, 1);
    AUTO_BUF args = {0};
    memset(buf_reserve(&args, 2 << 20), 'x', 2 << 20);
    struct job jobs[3] = {job_sample(), job_sample(), job_sample()};
    jobs[1].args = args.data;
    jobs[1].args_length = 2 << 20;
    struct accept batch[] = {accept_of(&jobs[0]), accept_of(&jobs[1]), accept_of(&jobs[2])};
    must(job_accept(small, batch, 3, &err));
    assert_int_equal(batch[0].verdict, ACCEPT_NEW);
    assert_int_equal(batch[1].verdict, ACCEPT_REJECTED);
    assert_string_equal(batch[1].error.code, "too-large");
    assert_int_equal(batch[2].verdict, ACCEPT_NEW);
    mariadb_do(admin, "SET GLOBAL max_allowed_packet = 134217728");
}

static void big_args_survive(void **state)
{
    (void)state;
    struct job job = job_sample();
    AUTO_BUF args = {0};
    memset(buf_reserve(&args, 1 << 20), 'y', 1 << 20);
    job.args = args.data;
    job.args_length = 1 << 20;
    assert_int_equal(accept_one(broker, &job).verdict, ACCEPT_NEW);
    assert_int_equal(number("SELECT LENGTH(args) FROM job"), 1 << 20);
}

static void batches_longer_than_a_list(void **state)
{
    (void)state;
    struct err err;
    enum { N = 3000 };
    struct job *jobs = mem_zero(N, sizeof *jobs);
    struct accept *batch = mem_zero(N, sizeof *batch);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < N; i++) {
            if (round == 0)
                jobs[i] = job_sample();
            jobs[i].created_ms += round;
            batch[i] = accept_of(&jobs[i]);
        }
        must(job_accept(broker, batch, N, &err));
        for (size_t i = 0; i < N; i++)
            assert_int_equal(batch[i].verdict, round ? ACCEPT_SAME : ACCEPT_NEW);
    }
    assert_int_equal(number("SELECT COUNT(*) FROM job"), N);
    free(jobs);
    free(batch);
}

/* They are read as a stretch of the tables, where more may stand than one look takes. */
static void ids_of_one_moment(void **state)
{
    (void)state;
    struct err err;
    static const size_t sizes[] = {60, 3000};
    static struct job jobs[3000];
    static struct accept batch[3000];
    for (size_t s = 0; s < ARRAY_LENGTH(sizes); s++) {
        const struct uuid moment = uuid_new();
        size_t n = 0;
        for (size_t i = 0; i < sizes[s]; i++) {
            jobs[i] = job_sample();
            memcpy(jobs[i].id.b, moment.b, 14);
            memcpy(&jobs[i].id.b[14], (const uint8_t[]){(uint8_t)(i >> 8), (uint8_t)i}, 2);
            if (i % 2 == 0)
                batch[n++] = accept_of(&jobs[i]);
        }
        must(job_accept(broker, batch, n, &err));
        mariadb_do(admin,
            "INSERT INTO job_history (id, kind, state, client, fingerprint, group_id, attempt, "
            "failures, crashes, created_ms, run_at_ms, finished_ms) SELECT id, kind, 'done', "
            "client, fingerprint, id, 0, 0, 0, created_ms, run_at_ms, created_ms FROM job WHERE "
            "ORD(SUBSTR(id, 16)) % 4 = 0");
        mariadb_do(admin, "DELETE FROM job WHERE ORD(SUBSTR(id, 16)) % 4 = 0");
        n = 0;
        for (size_t i = 0; i < sizes[s]; i += i % 3 == 2 ? sizes[s] / 20 - 2 : 1) {
            jobs[i].slot ^= 1;
            batch[n++] = accept_of(&jobs[i]);
        }
        must(job_accept(broker, batch, n, &err));
        for (size_t k = 0; k < n; k++) {
            const int at = batch[k].job->id.b[15] % 4;
            assert_int_equal(batch[k].verdict, at % 2 ? ACCEPT_NEW : ACCEPT_SAME);
            assert_int_equal(batch[k].finished, at == 0);
        }
    }
}

/* A worker's lock on the row must not hold up a client's retry. */
static void a_locked_row_is_seen_without_waiting(void **state)
{
    (void)state;
    struct err err;
    struct job job = job_sample();
    accept_one(broker, &job);
    AUTO(db) worker = mariadb_open(server, "certq_worker", DATABASE, 3);
    struct job_lock lock = {.id = job.id};
    const struct job_completion done = {.job = &job, .state = JOB_DONE};
    const struct uuid group = uuid_new();
    must(db_begin(worker, &err));
    must(job_lock_rows(worker, &lock, 1, &err));
    must(job_complete(worker, &done, 1, &group, 2000000, &err));
    job.created_ms++;
    const int64_t start_ms = clock_monotonic_ms();
    assert_int_equal(accept_one(broker, &job).verdict, ACCEPT_SAME);
    assert_true(clock_monotonic_ms() - start_ms < 900);
    must(db_commit(worker, &err));
    assert_true(accept_one(broker, &job).finished);
}

/* ---- faults ---- */

/*
 * Kills the broker's connection again and again from beside while batches are accepted: at every
 * moment, COMMIT among them. Nothing may be stored twice or told wrongly.
 */
static atomic_bool killing;

static void *kill_brokers(void *context)
{
    const int64_t least_us = *(const int64_t *)context;
    AUTO(db) db = mariadb_open(server, "certq_admin", DATABASE, 3);
    static const struct statement kill_all = {
        .name = "test.kill", .sql = "KILL USER '" BROKER "'@'localhost'"};
    while (atomic_load(&killing)) {
        struct err err;
        const int64_t until = clock_monotonic_us() + least_us + (int64_t)random_below(3000);
        while (clock_monotonic_us() < until && atomic_load(&killing))
            ;
        if (db_run(db, &kill_all, NULL, NULL, &err) && err.kind != ERR_TEMPORARY)
            break;
    }
    return NULL;
}

static void connections_killed_at_any_moment(void **state)
{
    (void)state;
    struct err err;
    enum { N = 40, ROUNDS = 150 };
    int64_t least_us = 4000, stored = 0, away = 0;
    pthread_t thread;
    atomic_store(&killing, true);
    pthread_create(&thread, NULL, kill_brokers, &least_us);
    for (int round = 0; round < ROUNDS; round++) {
        struct job jobs[N];
        struct accept batch[N];
        for (size_t i = 0; i < N; i++) {
            jobs[i] = job_sample();
            batch[i] = accept_of(&jobs[i]);
        }
        while (job_accept(broker, batch, N, &err)) {
            assert_int_equal(err.kind, ERR_TEMPORARY);
            away++;
        }
        for (size_t i = 0; i < N; i++) {
            if (batch[i].verdict == ACCEPT_REJECTED)
                fail_msg("round %d: %s", round, batch[i].error.text);
            assert_int_equal(batch[i].verdict, ACCEPT_NEW);
        }
        stored += N;
    }
    atomic_store(&killing, false);
    pthread_join(thread, NULL);
    assert_int_equal(number("SELECT COUNT(*) FROM job"), stored);
    print_message("gave up and went on %lld times\n", (long long)away);
}

static void an_unsure_commit_is_found_to_be_ours(void **state)
{
    (void)state;
    struct job job = job_sample();
    assert_int_equal(accept_one(broker, &job).verdict, ACCEPT_NEW);
    /* As after a commit whose answer was lost: the same batch is run again. */
    assert_int_equal(accept_one(broker, &job).verdict, ACCEPT_NEW);
    /* Meanwhile it may even have been done. */
    struct err err;
    const struct uuid group = uuid_new();
    must(job_finish(broker, &job, &group, &err));
    struct accept a = accept_one(broker, &job);
    assert_true(a.verdict == ACCEPT_SAME && a.finished);
    /* A repeat of other content in the batch is never taken for ours. */
    struct job fresh = job_sample(), twin = fresh;
    struct accept batch[] = {accept_of(&fresh), accept_of(&twin)};
    must(job_accept(broker, batch, 2, &err));
    assert_int_equal(batch[0].verdict, ACCEPT_NEW);
    assert_int_equal(batch[1].verdict, ACCEPT_SAME);
}

static void a_server_away_decides_nothing(void **state)
{
    (void)state;
    struct err err;
    struct job job = job_sample();
    struct accept a = accept_of(&job);
    mariadb_stop(server);
    fails(job_accept(broker, &a, 1, &err), ERR_TEMPORARY, "unavailable", "");
    fails(job_accept(broker, &a, 1, &err), ERR_TEMPORARY, "unavailable", "sock");
    mariadb_again(server);
    must(job_accept(broker, &a, 1, &err));
    assert_int_equal(a.verdict, ACCEPT_NEW);
}

/* ---- races ---- */

struct racer {
    struct job *jobs;
    size_t count;
    atomic_size_t *next;
    atomic_int *wrong;
};

/* Every id is accepted by several at once, and completed by several at once, at any moment. */
static void *race_accept(void *context)
{
    struct racer *r = context;
    AUTO(db) db = open_acceptor();
    for (size_t i = 0; i < r->count; i++) {
        struct err err;
        struct accept batch[8];
        size_t n = 0;
        for (size_t k = i; k < r->count && n < ARRAY_LENGTH(batch); k++)
            batch[n++] = accept_of(&r->jobs[k]);
        if (job_accept(db, batch, n, &err)) {
            print_error("accept: %s\n", err.text);
            atomic_fetch_add(r->wrong, 1);
        }
        for (size_t k = 0; k < n; k++)
            atomic_fetch_add(r->wrong, batch[k].verdict > ACCEPT_SAME);
    }
    return NULL;
}

static void *race_finish(void *context)
{
    struct racer *r = context;
    AUTO(db) db = mariadb_open(server, "certq_worker", DATABASE, 3);
    for (size_t i; (i = atomic_fetch_add(r->next, 1)) < r->count;) {
        struct err err;
        const struct uuid group = uuid_new();
        const int64_t until = clock_monotonic_ms() + 20000;
        while (job_finish(db, &r->jobs[i], &group, &err)) {
            if (err.kind != ERR_CONFLICT || clock_monotonic_ms() > until) {
                print_error("finish: %s\n", err.text);
                atomic_fetch_add(r->wrong, 1);
                break;
            }
        }
    }
    return NULL;
}

static void an_id_completed_meanwhile_is_never_inserted_again(void **state)
{
    (void)state;
    enum { N = 400, ACCEPTORS = 3, FINISHERS = 2 };
    struct job jobs[N];
    atomic_size_t next = 0;
    atomic_int wrong = 0;
    struct racer r = {jobs, N, &next, &wrong};
    pthread_t threads[ACCEPTORS + FINISHERS];
    for (size_t i = 0; i < N; i++)
        jobs[i] = job_sample();
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        pthread_create(&threads[i], NULL, i < ACCEPTORS ? race_accept : race_finish, &r);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&wrong), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM job"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history"), N);
}

/* The server broke off while it was only asked about ids that are known: try again, for good. */
static void a_loss_while_asking_rejects_nobody(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(proxy) wire = proxy_start(server);
    AUTO(db) db = proxy_db(wire, BROKER, DATABASE);
    struct job job = job_sample();
    struct accept a = accept_of(&job);
    accept_one(broker, &job);
    job.created_ms++;
    proxy_cut_words(wire, "j.fingerprint, j.client", 2);
    assert_int_equal(job_accept(db, &a, 1, &err), -1);
    assert_int_equal(err.kind, ERR_TEMPORARY);
    assert_int_equal(accept_one(db, &job).verdict, ACCEPT_SAME);
}

/* It would be ended by the server after ten seconds, and hold up what cleans up behind rows. */
static void no_transaction_stays_open(void **state)
{
    (void)state;
    struct err err;
    struct job job = job_sample(), other = job;
    const struct uuid group = uuid_new();
    other.fingerprint[0] ^= 1;
    AUTO_TEXT bad = mem_zero(1, 65);
    struct job refused = job_sample();
    memset(bad, 'k', 64);
    refused.kind = bad;
    accept_one(broker, &job);
    assert_int_equal(number(OPEN_TRANSACTIONS), 0);
    accept_one(broker, &other);
    assert_int_equal(number(OPEN_TRANSACTIONS), 0);
    assert_int_equal(accept_one(broker, &refused).verdict, ACCEPT_REJECTED);
    assert_int_equal(number(OPEN_TRANSACTIONS), 0);
    AUTO(db) worker = mariadb_open(server, "certq_worker", DATABASE, 3);
    must(job_finish(worker, &job, &group, &err));
    assert_true(accept_one(broker, &job).finished);
    assert_int_equal(number(OPEN_TRANSACTIONS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(new_then_the_same_then_other_content, empty),
        cmocka_unit_test_setup(another_clients_id_is_a_conflict, empty),
        cmocka_unit_test_setup(what_is_finished_is_not_inserted_again, empty),
        cmocka_unit_test_setup(a_batch_of_everything, empty),
        cmocka_unit_test_setup(repeats_of_a_conflict_are_judged_by_what_is_stored, empty),
        cmocka_unit_test_setup(rows_the_server_refuses_stand_alone, empty),
        cmocka_unit_test_setup(args_longer_than_the_server_takes_are_rejected, empty),
        cmocka_unit_test_setup(big_args_survive, empty),
        cmocka_unit_test_setup(batches_longer_than_a_list, empty),
        cmocka_unit_test_setup(ids_of_one_moment, empty),
        cmocka_unit_test_setup(a_locked_row_is_seen_without_waiting, empty),
        cmocka_unit_test_setup(connections_killed_at_any_moment, empty),
        cmocka_unit_test_setup(an_unsure_commit_is_found_to_be_ours, empty),
        cmocka_unit_test_setup(a_server_away_decides_nothing, empty),
        cmocka_unit_test_setup(a_loss_while_asking_rejects_nobody, empty),
        cmocka_unit_test_setup(no_transaction_stays_open, empty),
        cmocka_unit_test_setup(an_id_completed_meanwhile_is_never_inserted_again, empty),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

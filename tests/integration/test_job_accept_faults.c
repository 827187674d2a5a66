/* links: support db */
#include "accept_lab.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "support/proxy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define OPEN_TRANSACTIONS "SELECT COUNT(*) FROM information_schema.innodb_trx"

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
    enum { N = 40, ROUNDS = 450 };
    int64_t least_us = 4000, stored = 0, away = 0;
    pthread_t thread;
    atomic_store(&killing, true);
    pthread_create(&thread, NULL, kill_brokers, &least_us);
    for (int round = 0; round < ROUNDS; round++) {
        struct job jobs[N];
        struct accept batch[N];
        const size_t n = round % 3 ? 1 : N; /* one alone goes another way */
        for (size_t i = 0; i < n; i++) {
            jobs[i] = job_sample();
            batch[i] = accept_of(&jobs[i]);
        }
        while (job_accept(broker, batch, n, &err)) {
            assert_int_equal(err.kind, ERR_TEMPORARY);
            away++;
        }
        for (size_t i = 0; i < n; i++) {
            if (batch[i].verdict == ACCEPT_REJECTED)
                fail_msg("round %d: %s", round, batch[i].error.text);
            assert_int_equal(batch[i].verdict, ACCEPT_NEW);
        }
        stored += (int64_t)n;
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
    enum { LOSSES_ALONE = 8 };
    struct err err = {0};
    AUTO(proxy) wire = proxy_start(server);
    AUTO(db) db = proxy_db(wire, BROKER, DATABASE);
    struct job job = job_sample();
    struct accept a = accept_of(&job);
    accept_one(broker, &job);
    job.created_ms++;
    proxy_cut_words(wire, "j.fingerprint, j.client", LOSSES_ALONE);
    assert_int_equal(job_accept(db, &a, 1, &err), -1);
    assert_int_equal(err.kind, ERR_TEMPORARY);
    assert_int_equal(accept_one(db, &job).verdict, ACCEPT_SAME);
}

/* It breaks off at one of them, whoever it is sent with: that one is rejected, and only that. */
static void who_is_to_blame_is_found(void **state)
{
    (void)state;
    enum { N = 20, GUILTY = 7, ALWAYS = 1000 };
    static char breaker[] = "breaker-of-connections";
    struct err err = {0};
    AUTO(proxy) wire = proxy_start(server);
    AUTO(db) db = proxy_db(wire, BROKER, DATABASE);
    struct job jobs[N];
    struct accept batch[N];
    for (size_t i = 0; i < N; i++) {
        jobs[i] = job_sample();
        if (i == GUILTY)
            jobs[i].client = breaker;
        batch[i] = accept_of(&jobs[i]);
    }
    proxy_cut_words(wire, breaker, ALWAYS);
    must(job_accept(db, batch, N, &err));
    proxy_cut_words(wire, breaker, 0);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(batch[i].verdict, i == GUILTY ? ACCEPT_REJECTED : ACCEPT_NEW);
    assert_non_null(strstr(batch[GUILTY].error.text, "breaks off at this job"));
    assert_int_equal(number("SELECT COUNT(*) FROM job"), N - 1);
}

/* Twice by accident, as when an operator ends sessions: that says nothing about the row. */
static void two_losses_reject_nobody(void **state)
{
    (void)state;
    AUTO(proxy) wire = proxy_start(server);
    AUTO(db) db = proxy_db(wire, BROKER, DATABASE);
    struct job job = job_sample();
    job.client = (char[]){"nobody-to-blame"};
    proxy_cut_words(wire, job.client, 2);
    assert_int_equal(accept_one(db, &job).verdict, ACCEPT_NEW);
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
        cmocka_unit_test_setup(connections_killed_at_any_moment, empty),
        cmocka_unit_test_setup(an_unsure_commit_is_found_to_be_ours, empty),
        cmocka_unit_test_setup(a_server_away_decides_nothing, empty),
        cmocka_unit_test_setup(a_loss_while_asking_rejects_nobody, empty),
        cmocka_unit_test_setup(who_is_to_blame_is_found, empty),
        cmocka_unit_test_setup(two_losses_reject_nobody, empty),
        cmocka_unit_test_setup(no_transaction_stays_open, empty),
        cmocka_unit_test_setup(an_id_completed_meanwhile_is_never_inserted_again, empty),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

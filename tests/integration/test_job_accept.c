/* links: support db */
#include "accept_lab.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"

#include <string.h>

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
    };
    return cmocka_run_group_tests(tests, start, stop);
}

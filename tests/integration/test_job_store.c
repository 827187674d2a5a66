/* links: support db */
#include "job_lab.h"

#include "base/mem.h"

static int state_of(const struct job_lock *locks, size_t n, const struct uuid *id)
{
    for (size_t i = 0; i < n; i++) {
        if (uuid_equal(&locks[i].id, id))
            return (int)locks[i].state;
    }
    return -1;
}

/* ---- locking and completing ---- */

static void locks_say_what_they_found(void **state)
{
    (void)state;
    struct err err;
    const struct uuid group = uuid_new();
    struct job jobs[5];
    samples(jobs, 5);
    must(job_finish(worker, &jobs[3], &group, &err));
    const struct uuid stranger = uuid_new();
    struct job_lock theirs = {.id = jobs[1].id};
    struct job_lock locks[] = {{.id = stranger}, {.id = jobs[4].id, .attempt = 1},
        {.id = jobs[3].id}, {.id = jobs[1].id}, {.id = jobs[0].id}, {.id = jobs[2].id}};
    must(db_begin(other, &err));
    must(job_lock_rows(other, &theirs, 1, &err));
    must(db_begin(worker, &err));
    must(job_lock_rows(worker, locks, 6, &err));
    for (size_t i = 1; i < 6; i++)
        assert_true(uuid_compare(&locks[i - 1].id, &locks[i].id) < 0);
    assert_int_equal(state_of(locks, 6, &jobs[0].id), JOB_LOCK_HELD);
    assert_int_equal(state_of(locks, 6, &jobs[1].id), JOB_LOCK_BUSY);
    assert_int_equal(state_of(locks, 6, &jobs[2].id), JOB_LOCK_HELD);
    assert_int_equal(state_of(locks, 6, &jobs[3].id), JOB_LOCK_FINISHED);
    assert_int_equal(state_of(locks, 6, &jobs[4].id), JOB_LOCK_STALE);
    assert_int_equal(state_of(locks, 6, &stranger), JOB_LOCK_UNSEEN);
    db_rollback(worker);
    db_rollback(other);
}

static void two_workers_with_the_same_jobs(void **state)
{
    (void)state;
    struct err err;
    enum { N = 40 };
    struct job jobs[N];
    struct job_lock ours[N], theirs[N];
    struct job_completion done[N];
    const struct uuid group = uuid_new();
    samples(jobs, N);
    for (size_t i = 0; i < N; i++) {
        ours[i] = theirs[N - 1 - i] = (struct job_lock){.id = jobs[i].id};
        done[i] = (struct job_completion){.job = &jobs[i],
            .state = i % 2 ? JOB_DONE : JOB_REFUSED,
            .result = {(const uint8_t *)"{}", 2}};
    }
    must(db_begin(worker, &err));
    must(db_begin(other, &err));
    must(job_lock_rows(worker, ours, N, &err));
    must(job_lock_rows(other, theirs, N, &err));
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(ours[i].state, JOB_LOCK_HELD);
        assert_int_equal(theirs[i].state, JOB_LOCK_BUSY);
    }
    must(job_complete(worker, done, N, &group, 77, &err));
    must(db_commit(worker, &err));
    must(job_lock_rows(other, theirs, N, &err));
    for (size_t i = 0; i < N; i++)
        assert_int_equal(theirs[i].state, JOB_LOCK_FINISHED);
    fails(job_complete(other, done, N, &group, 77, &err), ERR_CONFLICT, "conflict", "0 of 40");
    db_rollback(other);
    assert_int_equal(number("SELECT COUNT(*) FROM job"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE finished_ms = 77 AND "
                            "result = '{}' AND args IS NULL"),
        N);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE state = 'refused'"), N / 2);
}

static void keep_record(void *context, struct job_record *r)
{
    *(struct job_record *)context = *r;
}

static void completion_keeps_what_the_job_was(void **state)
{
    (void)state;
    struct err err;
    struct job job = job_sample();
    const struct uuid group = uuid_new(), followups[2] = {uuid_new(), uuid_new()};
    job.attempt = 4;
    job.failures = 3;
    job.crashes = 1;
    job.priority = 8;
    job.parent = uuid_new();
    insert(&job, 1);
    struct job_lock lock = {.id = job.id, .attempt = 4};
    const struct job_completion done = {.job = &job,
        .state = JOB_DONE,
        .result = {(const uint8_t *)"{\"a\":1}", 7},
        .followups = {followups[0].b, sizeof followups}};
    must(db_begin(worker, &err));
    must(job_lock_rows(worker, &lock, 1, &err));
    must(job_complete(worker, &done, 1, &group, 4321, &err));
    must(db_commit(worker, &err));
    struct job_record found = {0};
    must(job_read_records(broker, &job.id, 1, keep_record, &found, &err));
    assert_true(found.in_history && !found.in_job && !found.closed);
    assert_int_equal(found.state, JOB_DONE);
    assert_string_equal(found.kind, "noop");
    assert_string_equal(found.client, "shop");
    assert_true(found.attempt == 4 && found.failures == 3 && found.crashes == 1);
    assert_true(found.priority == 8 && found.finished_ms == 4321);
    assert_true(found.created_ms == job.created_ms && found.run_at_ms == job.run_at_ms);
    assert_true(uuid_equal(&found.group, &group) && uuid_equal(&found.parent, &job.parent));
    assert_string_equal(buf_text(&found.result), "{\"a\":1}");
    assert_int_equal(found.followups.length, 32);
    assert_memory_equal(found.followups.data, followups, 32);
    job_record_clear(&found);
}

static void nothing_of_a_rolled_back_group_stays(void **state)
{
    (void)state;
    struct err err;
    struct job job;
    const struct uuid group = uuid_new();
    bool won = true;
    samples(&job, 1);
    struct job_lock lock = {.id = job.id};
    const struct job_completion done = {.job = &job, .state = JOB_DONE};
    must(db_begin(worker, &err));
    must(job_lock_rows(worker, &lock, 1, &err));
    must(job_complete(worker, &done, 1, &group, 1, &err));
    db_close(worker);
    must(job_group_won(other, &job.id, 1, &group, &won, &err));
    assert_false(won);
    assert_int_equal(number("SELECT COUNT(*) FROM job"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history"), 0);
}

static void whose_commit_won(void **state)
{
    (void)state;
    struct err err;
    struct job jobs[3];
    const struct uuid group = uuid_new(), another = uuid_new();
    struct uuid ids[3];
    bool won = false;
    samples(jobs, 3);
    for (size_t i = 0; i < 3; i++)
        ids[2 - i] = jobs[i].id;
    must(job_finish(worker, &jobs[0], &group, &err));
    must(job_finish(worker, &jobs[1], &group, &err));
    must(job_group_won(other, ids, 3, &group, &won, &err));
    assert_false(won); /* not all of them */
    must(job_finish(worker, &jobs[2], &group, &err));
    must(job_group_won(other, ids, 3, &group, &won, &err));
    assert_true(won);
    must(job_group_won(other, ids, 3, &another, &won, &err));
    assert_false(won);
}

/* A transaction whose client is gone but which the server still holds must be waited for. */
static void a_transaction_still_open_is_not_called_lost(void **state)
{
    (void)state;
    struct err err;
    struct job job;
    const struct uuid group = uuid_new();
    bool won = false;
    samples(&job, 1);
    struct job_lock lock = {.id = job.id};
    const struct job_completion done = {.job = &job, .state = JOB_DONE};
    must(db_begin(worker, &err));
    must(job_lock_rows(worker, &lock, 1, &err));
    must(job_complete(worker, &done, 1, &group, 1, &err));
    fails(job_group_won(other, &job.id, 1, &group, &won, &err), ERR_CONFLICT, "conflict", "1205");
    must(db_commit(worker, &err));
    must(job_group_won(other, &job.id, 1, &group, &won, &err));
    assert_true(won);
}

/* ---- transitions ---- */

static struct job_change change_of(const struct job *job, int what)
{
    struct job_change c = {.id = job->id, .attempt = job->attempt, .run_at_ms = 5000, .rank = 4000};
    c.what = (__typeof__(c.what))what;
    c.error = bytes_of_text("{\"code\":\"x\"}");
    return c;
}

static void transitions_are_guarded(void **state)
{
    (void)state;
    struct err err;
    struct job jobs[7];
    samples(jobs, 7);
    struct job_lock theirs = {.id = jobs[4].id};
    must(db_begin(other, &err));
    must(job_lock_rows(other, &theirs, 1, &err));
    struct job_change changes[] = {change_of(&jobs[0], JOB_CHANGE_CANCEL),
        change_of(&jobs[1], JOB_CHANGE_RETRY), change_of(&jobs[2], JOB_CHANGE_CRASH),
        change_of(&jobs[3], JOB_CHANGE_DEAD), change_of(&jobs[4], JOB_CHANGE_DEAD),
        change_of(&jobs[5], JOB_CHANGE_RETRY), change_of(&jobs[6], JOB_CHANGE_DEAD)};
    changes[5].attempt = 9;     /* of another attempt */
    changes[6].id = uuid_new(); /* unknown */
    changes[2].error = (struct bytes){0};
    must(job_change(broker, changes, 7, 9000, &err));
    static const bool applied[] = {true, true, true, true, false, false, false};
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(changes[i].applied, applied[i]);
    db_rollback(other);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE attempt = 1 AND failures = 1 AND "
                            "crashes = 0 AND run_at_ms = 5000 AND `rank` = 4000 AND "
                            "error = '{\"code\":\"x\"}'"),
        1);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE attempt = 1 AND failures = 0 AND "
                            "crashes = 1 AND error IS NULL"),
        1);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE attempt = 0"), 3);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE state = 'dead' AND "
                            "result = '{\"code\":\"x\"}' AND finished_ms = 9000 AND "
                            "args = '{\"note\":\"hello\"}'"),
        1);
    assert_int_equal(
        number("SELECT COUNT(*) FROM job_history WHERE state = 'cancelled' AND args IS NULL"), 1);
    /* Once more: what was applied is of an attempt that has passed. */
    must(job_change(broker, changes, 4, 9000, &err));
    for (size_t i = 0; i < 4; i++)
        assert_false(changes[i].applied);
}

static void dead_jobs_come_back(void **state)
{
    (void)state;
    struct err err;
    struct job job = job_sample(), done;
    const struct uuid group = uuid_new();
    bool moved = true;
    job.failures = 8;
    job.attempt = 8;
    insert(&job, 1);
    struct job_change dead = change_of(&job, JOB_CHANGE_DEAD);
    must(job_change(broker, &dead, 1, 9000, &err));
    must(job_retry_dead(broker, &job.id, 5, 10000, "somebody else", &moved, &err));
    assert_false(moved);
    must(job_retry_dead(broker, &job.id, 5, 10000, "shop", &moved, &err));
    assert_true(moved);
    AUTO_TEXT sql = mem_printf("SELECT COUNT(*) FROM job WHERE slot = 5 AND attempt = 9 AND "
                               "failures = 0 AND run_at_ms = 10000 AND `rank` = %lld AND "
                               "args = '{\"note\":\"hello\"}' AND created_ms = 1000000",
        (long long)job_rank(10000, JOB_PRIORITY_DEFAULT));
    assert_int_equal(number(sql), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history"), 0);
    must(job_retry_dead(broker, &job.id, 5, 10000, NULL, &moved, &err));
    assert_false(moved); /* not dead any more */
    samples(&done, 1);
    must(job_finish(worker, &done, &group, &err));
    must(job_retry_dead(broker, &done.id, 5, 10000, NULL, &moved, &err));
    assert_false(moved); /* done, not dead */
}

static void closing_empties_and_keeps_the_id(void **state)
{
    (void)state;
    struct err err;
    struct job jobs[2];
    const struct uuid group = uuid_new(), stranger = uuid_new();
    bool known = false;
    samples(jobs, 2);
    must(job_finish(worker, &jobs[0], &group, &err));
    mariadb_do(broker, "UPDATE job_history SET result = '{}', args = '{}'");
    must(job_close(broker, &jobs[0].id, false, &known, &err));
    assert_true(known);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE result IS NULL AND "
                            "args IS NULL AND NOT closed"),
        1);
    must(job_close(broker, &jobs[0].id, true, &known, &err));
    must(job_close(broker, &jobs[0].id, false, &known, &err)); /* stays closed */
    assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE closed"), 1);
    known = false;
    must(job_close(broker, &jobs[1].id, true, &known, &err));
    assert_true(known);
    must(job_close(broker, &stranger, true, &known, &err));
    assert_false(known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(locks_say_what_they_found, empty),
        cmocka_unit_test_setup(two_workers_with_the_same_jobs, empty),
        cmocka_unit_test_setup(completion_keeps_what_the_job_was, empty),
        cmocka_unit_test_setup(nothing_of_a_rolled_back_group_stays, empty),
        cmocka_unit_test_setup(whose_commit_won, empty),
        cmocka_unit_test_setup(a_transaction_still_open_is_not_called_lost, empty),
        cmocka_unit_test_setup(transitions_are_guarded, empty),
        cmocka_unit_test_setup(dead_jobs_come_back, empty),
        cmocka_unit_test_setup(closing_empties_and_keeps_the_id, empty),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

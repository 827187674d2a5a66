/* links: support db */
#include "job_lab.h"

struct seen {
    struct uuid ids[64];
    enum job_state states[64];
    size_t count;
};

static void see_job(void *context, struct job *job)
{
    struct seen *s = context;
    assert_string_equal(job->kind, "noop");
    assert_string_equal(job->client, "shop");
    assert_memory_equal(job->args, "{\"note\":\"hello\"}", job->args_length);
    s->ids[s->count++] = job->id;
    free(job->client);
    free(job->args);
}

static void see_record(void *context, struct job_record *r)
{
    struct seen *s = context;
    s->states[s->count] = r->state;
    s->ids[s->count++] = r->id;
    job_record_clear(r);
}

static void a_slot_is_read_page_by_page(void **state)
{
    (void)state;
    struct err err;
    enum { N = 40 };
    struct job jobs[N];
    for (size_t i = 0; i < N; i++) {
        jobs[i] = job_sample();
        jobs[i].rank = (int64_t)(i / 10); /* ties are in the order of ids */
        jobs[i].slot = i % 2 ? 3 : 4;
    }
    insert(jobs, N);
    struct seen all = {0};
    int64_t rank = 0;
    struct uuid id;
    for (size_t before = 1; before != all.count;) {
        const bool is_head = all.count == 0;
        before = all.count;
        must(job_read_slot(
            broker, 3, is_head ? NULL : &rank, is_head ? NULL : &id, 2, 3, see_job, &all, &err));
        assert_true(all.count - before <= 3);
        id = all.ids[all.count - 1];
        for (size_t i = 0; i < N; i++) {
            if (uuid_equal(&jobs[i].id, &id))
                rank = jobs[i].rank;
        }
    }
    assert_int_equal(all.count, 15); /* ranks 0, 1, 2 */
    for (size_t i = 0; i < 15; i++)
        assert_true(uuid_equal(&all.ids[i], &jobs[2 * i + 1].id));
}

static void pages_use_the_index(void **state)
{
    (void)state;
    mariadb_do(admin,
        "INSERT INTO job (id, slot, `rank`, kind, priority, run_at_ms, args, fingerprint, client, "
        "created_ms) SELECT UNHEX(LPAD(HEX(seq), 32, '0')), 3, 7, 'noop', 5, 0, '{\"note\":"
        "\"hello\"}', REPEAT('f', 32), 'shop', 0 FROM seq_1_to_20000");
    struct err err;
    struct seen page = {0};
    const int64_t rank = 7;
    struct uuid id = {{0}};
    id.b[14] = 0x4e; /* 19968 */
    static const struct statement count = {.name = "test.handler",
        .sql = "SELECT CAST(variable_value AS SIGNED) FROM information_schema.session_status "
               "WHERE variable_name = 'Handler_read_next'",
        .columns = "i"};
    struct db_value before, after;
    must(db_query(broker, &count, NULL, &err));
    assert_int_equal(db_fetch(broker, &before, &err), 1);
    db_finish(broker);
    must(job_read_slot(broker, 3, &rank, &id, 100, 10, see_job, &page, &err));
    must(db_query(broker, &count, NULL, &err));
    assert_int_equal(db_fetch(broker, &after, &err), 1);
    db_finish(broker);
    assert_int_equal(page.count, 10);
    assert_int_equal(page.ids[0].b[15], 1);
    assert_true(after.integer - before.integer < 50); /* and not the 19968 before */
}

static void rows_and_records_by_id(void **state)
{
    (void)state;
    struct err err;
    struct job jobs[4];
    const struct uuid group = uuid_new();
    samples(jobs, 4);
    must(job_finish(worker, &jobs[2], &group, &err));
    const struct uuid ids[] = {jobs[3].id, uuid_new(), jobs[2].id, jobs[0].id};
    struct seen rows = {0}, records = {0};
    must(job_read_ids(broker, ids, 4, see_job, &rows, &err));
    assert_int_equal(rows.count, 2);
    must(job_read_records(broker, ids, 4, see_record, &records, &err));
    assert_int_equal(records.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            records.states[i], uuid_equal(&records.ids[i], &jobs[2].id) ? JOB_DONE : JOB_READY);
    must(job_read_ids(broker, NULL, 0, see_job, &rows, &err));
    assert_int_equal(rows.count, 2);
}

static void add_count(void *context, const char *kind, int64_t count, int64_t oldest_ms)
{
    *(int64_t *)context += count;
    assert_true(strcmp(kind, "noop") == 0 || strcmp(kind, "issue") == 0);
    assert_int_equal(oldest_ms, 1000000);
}

static void lists_are_filtered(void **state)
{
    (void)state;
    struct err err;
    static char other_client[] = "other";
    const struct uuid group = uuid_new();
    struct job jobs[6];
    for (size_t i = 0; i < 6; i++)
        jobs[i] = job_sample();
    jobs[1].run_at_ms = 9000000; /* scheduled */
    jobs[2].client = other_client;
    jobs[3].kind = "issue";
    jobs[4].created_ms = 5;
    insert(jobs, 6);
    must(job_finish(worker, &jobs[5], &group, &err));
    const struct {
        struct job_filter filter;
        size_t want;
    } rows[] = {
        {{.most = 60}, 6},
        {{.most = 4}, 4},
        {{.most = 60, .kind = "issue"}, 1},
        {{.most = 60, .kind = "crl"}, 0},
        {{.most = 60, .client = "shop"}, 5},
        {{.most = 60, .since_ms = 1000000}, 5},
        {{.most = 60, .has_state = true, .state = JOB_READY}, 4},
        {{.most = 60, .has_state = true, .state = JOB_SCHEDULED}, 1},
        {{.most = 60, .has_state = true, .state = JOB_RUNNING}, 0},
        {{.most = 60, .has_state = true, .state = JOB_DONE}, 1},
        {{.most = 60, .has_state = true, .state = JOB_DEAD}, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct seen seen = {0};
        must(job_list(broker, &rows[i].filter, 2000000, see_record, &seen, &err));
        if (seen.count != rows[i].want)
            fail_msg("row %zu: %zu", i, seen.count);
        for (size_t k = 0; k < seen.count && rows[i].filter.has_state; k++)
            assert_int_equal(seen.states[k], rows[i].filter.state);
    }
    int64_t total = 0;
    must(job_count(broker, add_count, &total, &err));
    assert_int_equal(total, 5);
}

static void history_is_purged_by_age(void **state)
{
    (void)state;
    struct err err;
    mariadb_do(admin,
        "INSERT INTO job_history (id, kind, state, client, fingerprint, group_id, attempt, "
        "failures, crashes, created_ms, run_at_ms, finished_ms) "
        "SELECT UNHEX(LPAD(MD5(seq), 32, '0')), 'noop', 'done', 'shop', REPEAT('f', 32), "
        "REPEAT('g', 16), 0, 0, 0, 0, 0, seq FROM seq_1_to_1000");
    struct uuid cursor = {{0}};
    size_t rows = 1, steps = 0, total = 0;
    for (; rows; steps++, total += rows)
        must(job_purge(broker, 601, 150, &cursor, &rows, &err));
    assert_int_equal(total, 1000);
    assert_int_equal(steps, 8);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history"), 400);
    assert_int_equal(number("SELECT MIN(finished_ms) FROM job_history"), 601);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_slot_is_read_page_by_page, empty),
        cmocka_unit_test_setup(pages_use_the_index, empty),
        cmocka_unit_test_setup(rows_and_records_by_id, empty),
        cmocka_unit_test_setup(lists_are_filtered, empty),
        cmocka_unit_test_setup(history_is_purged_by_age, empty),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* links: workers support */
/*
 * Groups on a real MariaDB with something wrong in each: a bad member, rows that are locked, gone
 * or of another attempt, commits without an answer, a server that is away. Each job gets the right
 * outcome and its effect exactly once (I2).
 */
#include "kinds_lab.h"
#include "support/proxy.h"

#define N 16

static struct {
    struct proxy *proxy;
    struct worker *worker;
    struct db *admin;
    struct job jobs[N];
    char args[N][512];
    struct worker_jobs head;
} test;

static int start(void **state)
{
    if (lab_start(state))
        return -1;
    test.proxy = proxy_start(lab.server);
    test.worker = lab_worker();
    db_free(test.worker->db);
    test.worker->db = proxy_db(test.proxy, "certq_worker", LAB_DATABASE);
    test.admin = mariadb_open(lab.server, "certq_admin", LAB_DATABASE, 5);
    return 0;
}

static int stop(void **state)
{
    db_free(test.admin);
    worker_free(test.worker);
    proxy_free(test.proxy);
    return lab_stop(state);
}

#define sql(...)                                                                                   \
    __extension__({                                                                                \
        AUTO_TEXT sql_ = mem_printf(__VA_ARGS__);                                                  \
        mariadb_do(test.admin, sql_);                                                              \
    })

/* N jobs of a kind, not accepted yet. */
static void make(enum kind_id kind)
{
    static char client[] = "web";
    const int64_t now = clock_now_ms();
    const struct kind *k = kind_of(kind);
    static unsigned people;
    for (size_t i = 0; i < N; i++) {
        AUTO_TEXT email = mem_printf("person%u@example.jp", people++);
        json_t *args = kind == KIND_ISSUE ? application("association", email) : json_object();
        AUTO_TEXT text = json_dumps(args, JSON_COMPACT);
        json_decref(args);
        snprintf(test.args[i], sizeof test.args[i], "%s", text);
        test.jobs[i] = (struct job){.id = uuid_new(),
            .priority = JOB_PRIORITY_DEFAULT,
            .run_at_ms = now,
            .rank = job_rank(now, JOB_PRIORITY_DEFAULT),
            .kind = k->name,
            .client = client,
            .args = (uint8_t *)test.args[i],
            .args_length = strlen(test.args[i]),
            .created_ms = now};
    }
    test.head = (struct worker_jobs){.group = uuid_new(),
        .kind = bytes_of_text(k->name),
        .durable = k->durable,
        .deadline_ms = k->deadline_ms,
        .count = N};
}

static void accept_from(size_t first)
{
    struct err err = {0};
    struct accept batch[N];
    for (size_t i = first; i < N; i++)
        batch[i] = (struct accept){.job = &test.jobs[i]};
    must(job_accept(lab.broker, batch + first, N - first, &err), &err);
}

static struct group *new_group(void)
{
    struct err err = {0};
    struct job *list[N];
    bool serves[KINDS];
    struct group *g = NULL;
    AUTO_BUF frame = {0};
    memset(serves, 1, sizeof serves);
    for (size_t i = 0; i < N; i++)
        list[i] = &test.jobs[i];
    worker_jobs_write(&test.head, list, &frame);
    must(group_new(&frame, serves, &g, &err), &err);
    return g;
}

/* One letter a job: d done, r refused, f failed, b busy, u unseen, F finished, s stale. */
static void check_report(const struct group *g, const char *expected)
{
    struct err err = {0};
    struct worker_report r;
    char got[N + 1] = "";
    must(worker_report_parse(buf_bytes(&g->report), &r, &err), &err);
    assert_int_equal(r.count, N);
    assert_true(uuid_equal(&r.group, &test.head.group));
    for (size_t i = 0; i < N; i++) {
        assert_true(uuid_equal(&r.results[i].id, &test.jobs[i].id));
        got[i] = "drfbuFs"[r.results[i].outcome];
    }
    size_t followups = r.followup_count;
    worker_report_free(&r);
    if (strcmp(got, expected) != 0)
        fail_msg("%s, not %s (%s)", got, expected, g->tasks[0].plan.message);
    size_t done = 0;
    for (const char *p = expected; *p; p++)
        done += *p == 'd';
    assert_int_equal(followups, g->kind->id == KIND_ISSUE ? done : 0);
}

static void run(const char *expected)
{
    AUTO(group) g = new_group();
    runner_run(test.worker, g);
    check_report(g, expected);
}

/* How many of the jobs have this state in history and are no more in job. */
static int64_t count_history(const char *state)
{
    int64_t total = 0;
    char hex[33];
    for (size_t i = 0; i < N; i++)
        total += number("SELECT COUNT(*) FROM job_history h WHERE h.id = x'%s' AND h.state = '%s' "
                        "AND NOT EXISTS (SELECT 1 FROM job j WHERE j.id = h.id)",
            uuid_format_hex(&test.jobs[i].id, hex), state);
    return total;
}

/* --- bad members --- */

#define ALL_DONE "dddddddddddddddd"

/* Writing the history of job `bad` fails with this error. */
static void fault(size_t bad, int mysql_errno, const char *when)
{
    char hex[33];
    sql("CREATE TRIGGER fault BEFORE INSERT ON job_history FOR EACH ROW IF NEW.id = x'%s' AND %s "
        "THEN SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = %d; END IF",
        uuid_format_hex(&test.jobs[bad].id, hex), when, mysql_errno);
}

static void a_bad_member_fails_alone(void **state UNUSED)
{
    static const enum kind_id kinds[] = {KIND_NOOP, KIND_ISSUE};
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        make(kinds[i]);
        accept_from(0);
        fault(5, 1644, "TRUE");
        int64_t before = number("SELECT COUNT(*) FROM subscriber");
        run("dddddfdddddddddd");
        sql("DROP TRIGGER fault");
        assert_int_equal(count_history("done"), N - 1);
        assert_int_equal(
            number("SELECT COUNT(*) FROM subscriber") - before, kinds[i] == KIND_ISSUE ? N - 1 : 0);
        run("FFFFFdFFFFFFFFFF");
        assert_int_equal(count_history("done"), N);
    }
}

/* A row that can never be stored is refused, not tried for hours. */
static void what_cannot_be_stored_is_refused(void **state UNUSED)
{
    make(KIND_ISSUE);
    accept_from(0);
    fault(5, 1406, "NEW.state = 'done'");
    run("dddddrdddddddddd");
    sql("DROP TRIGGER fault");
    assert_int_equal(count_history("refused"), 1);
    assert_int_equal(count_history("done"), N - 1);
}

/* Not even as refused. */
static void what_cannot_be_refused_fails(void **state UNUSED)
{
    make(KIND_NOOP);
    accept_from(0);
    fault(15, 1406, "TRUE");
    run("dddddddddddddddf");
    sql("DROP TRIGGER fault");
    assert_int_equal(count_history("done"), N - 1);
}

static void a_race_lost_for_ever_fails_alone(void **state UNUSED)
{
    make(KIND_NOOP);
    accept_from(0);
    fault(0, 1213, "TRUE");
    run("fddddddddddddddd");
    sql("DROP TRIGGER fault");
    assert_int_equal(count_history("done"), N - 1);
}

static void bad_args_are_refused_with_the_others_done(void **state UNUSED)
{
    make(KIND_NOOP);
    snprintf(test.args[3], sizeof test.args[3], "[1]");
    test.jobs[3].args_length = 3;
    accept_from(0);
    run("dddrdddddddddddd");
    assert_int_equal(count_history("refused"), 1);
}

/* --- rows that are not ours --- */

static void rows_of_others_are_handed_back(void **state UNUSED)
{
    char hex[33];
    make(KIND_ISSUE);
    accept_from(2); /* 0 and 1 are in neither table */
    struct uuid group = test.head.group;
    struct job later = test.jobs[7];
    sql("UPDATE job SET attempt = 3 WHERE id = x'%s'", uuid_format_hex(&later.id, hex));
    sql("BEGIN");
    sql("SELECT id FROM job WHERE id = x'%s' FOR UPDATE", uuid_format_hex(&test.jobs[9].id, hex));
    run("uudddddsdbdddddd");
    sql("ROLLBACK");
    assert_int_equal(count_history("done"), N - 4);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE group_id = x'%s'",
                         uuid_format_hex(&group, hex)),
        N - 4);
    test.head.group = uuid_new();
    test.jobs[7].attempt = 3;
    run("uuFFFFFdFdFFFFFF");
    assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE group_id = x'%s'",
                         uuid_format_hex(&group, hex)),
        N - 4);
}

/* --- commits without an answer --- */

static enum proxy_act kill_connection(void *context, unsigned commit)
{
    const int64_t *id = context;
    if (commit == 1)
        sql("KILL CONNECTION %lld", (long long)*id);
    return PROXY_PASS;
}

static enum proxy_act cut_first(void *context UNUSED, unsigned commit)
{
    return commit == 1 ? PROXY_CUT : PROXY_PASS;
}

static enum proxy_act cut_first_answer(void *context UNUSED, unsigned commit)
{
    return commit == 1 ? PROXY_CUT_ANSWER : PROXY_PASS;
}

static int64_t connection_id(void)
{
    static const struct statement ask = {
        .name = "test.id", .sql = "SELECT CONNECTION_ID()", .columns = "i"};
    struct err err = {0};
    struct db_value v;
    must(db_open(test.worker->db, &err), &err);
    must(db_query(test.worker->db, &ask, NULL, &err), &err);
    assert_int_equal(db_fetch(test.worker->db, &v, &err), 1);
    int64_t id = v.integer;
    db_finish(test.worker->db);
    return id;
}

static void a_lost_commit_has_its_effect_once(void **state UNUSED)
{
    static const struct {
        proxy_at_commit *act;
        enum kind_id kind;
    } rows[] = {{kill_connection, KIND_NOOP}, {kill_connection, KIND_ISSUE}, {cut_first, KIND_NOOP},
        {cut_first, KIND_ISSUE}, {cut_first_answer, KIND_NOOP}, {cut_first_answer, KIND_ISSUE}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char hex[33];
        make(rows[i].kind);
        accept_from(0);
        int64_t id = connection_id();
        unsigned connections = proxy_connections(test.proxy);
        int64_t before = number("SELECT COUNT(*) FROM subscriber");
        proxy_set(test.proxy, rows[i].act, &id);
        run(ALL_DONE);
        proxy_set(test.proxy, NULL, NULL);
        const int64_t people = rows[i].kind == KIND_ISSUE ? N : 0;
        assert_int_equal(proxy_connections(test.proxy), connections + 1);
        assert_int_equal(count_history("done"), N);
        assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE group_id = x'%s'",
                             uuid_format_hex(&test.head.group, hex)),
            N);
        assert_int_equal(number("SELECT COUNT(*) FROM subscriber") - before, people);
        assert_int_equal(number("SELECT COUNT(*) FROM job j JOIN job_history h ON h.id = j.parent "
                                "WHERE h.group_id = x'%s' AND j.kind = 'mail'",
                             uuid_format_hex(&test.head.group, hex)),
            people);
    }
}

/* --- time, and a server that is away --- */

static void a_group_given_up_is_not_run(void **state UNUSED)
{
    make(KIND_NOOP);
    accept_from(0);
    AUTO(group) g = new_group();
    g->received_ms -= g->message.deadline_ms + 1;
    runner_run(test.worker, g);
    check_report(g, "bbbbbbbbbbbbbbbb");
    assert_int_equal(count_history("done"), 0);
    run(ALL_DONE);
}

static void a_server_that_is_away_costs_nothing(void **state UNUSED)
{
    struct err err = {0};
    make(KIND_NOOP);
    accept_from(0);
    mariadb_kill(lab.server);
    run("bbbbbbbbbbbbbbbb");
    mariadb_again(lab.server);
    db_close(test.admin);
    must(db_open(test.admin, &err), &err);
    run(ALL_DONE);
    assert_int_equal(count_history("done"), N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_member_fails_alone),
        cmocka_unit_test(what_cannot_be_stored_is_refused),
        cmocka_unit_test(what_cannot_be_refused_fails),
        cmocka_unit_test(a_race_lost_for_ever_fails_alone),
        cmocka_unit_test(bad_args_are_refused_with_the_others_done),
        cmocka_unit_test(rows_of_others_are_handed_back),
        cmocka_unit_test(a_lost_commit_has_its_effect_once),
        cmocka_unit_test(a_group_given_up_is_not_run),
        cmocka_unit_test(a_server_that_is_away_costs_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

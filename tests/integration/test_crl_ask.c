/* links: workers support */
/*
 * Revocations ask for CRLs: one job waits for an issuer, whoever revokes while a CRL is being made
 * asks for the next one, and a job that is gone blocks nobody.
 */
#include "kinds_lab.h"

#include "pki/crl.h"

#include <pthread.h>
#include <time.h>

enum { SOON_MS = 10000, PATIENCE_MS = 20000 };

static struct worker *worker, *second;

static int start(void **state)
{
    if (lab_start(state))
        return -1;
    lab.issuer.crl_validity_ms = INT64_C(7) * 86400000;
    lab.issuer.crl_soon_ms = SOON_MS;
    lab.config.crl_folder = lab_path("crl");
    worker = lab_worker();
    second = lab_worker();
    return 0;
}

static int stop(void **state)
{
    worker_free(worker);
    worker_free(second);
    free(lab.config.crl_folder);
    return lab_stop(state);
}

static void administer(const char *sql)
{
    AUTO(db) admin = mariadb_open(lab.server, "certq_admin", LAB_DATABASE, 3);
    mariadb_do(admin, sql);
}

/* Nothing waits, nothing is asked for. */
static int calm(void **state UNUSED)
{
    administer("DELETE FROM job WHERE kind = 'crl'");
    administer("UPDATE crl_wanted SET job = NULL");
    lab.priority = 0;
    return 0;
}

#define WAITING "SELECT COUNT(*) FROM job WHERE kind = 'crl'"
#define LOCK_WAITS                                                                                 \
    "SELECT variable_value FROM information_schema.GLOBAL_STATUS WHERE variable_name = "           \
    "'INNODB_ROW_LOCK_WAITS'"
#define ASKED "SELECT COUNT(*) FROM crl_wanted w JOIN job j ON j.id = w.job WHERE j.kind = 'crl'"

/* --- revoking --- */

static char *valid_certificate(struct worker *w)
{
    static int count;
    AUTO_TEXT email = mem_printf("crl%d@example.jp", ++count);
    char *id = apply(w, "association", email);
    AUTO_TEXT code = code_of(w, id);
    AUTO_TEXT csr = new_csr();
    AUTO_TEXT answer = run_one(w, KIND_RETRIEVE, retrieval(email, PASSWORD, code, csr), NULL, NULL);
    assert_string_equal(answer, "done");
    return id;
}

static struct ask without_haste(const char *id)
{
    struct ask a = revocation(id);
    json_object_set_new(a.args, "reason", json_string("cessationOfOperation"));
    return a;
}

static void revoke_it(struct worker *w, const char *id)
{
    AUTO_TEXT answer = run_one(w, KIND_REVOKE, without_haste(id), NULL, NULL);
    assert_string_equal(answer, "done");
}

static void revoke_another(struct worker *w)
{
    AUTO_TEXT id = valid_certificate(w);
    revoke_it(w, id);
}

/* --- making --- */

static void keep_job(void *context, struct job *job)
{
    struct job *kept = context;
    *kept = *job;
    kept->kind = kind_name(KIND_CRL);
}

/* The job that crl_wanted names; client and args are the caller's. */
static struct job asked_job(void)
{
    static const struct statement read = {
        "test.asked", "SELECT job FROM crl_wanted WHERE job IS NOT NULL", "", "b"};
    struct err err = {0};
    struct db_value v;
    struct job job = {0};
    struct uuid id;
    AUTO(db) admin = mariadb_open(lab.server, "certq_admin", LAB_DATABASE, 3);
    must(db_query(admin, &read, NULL, &err), &err);
    assert_int_equal(db_fetch(admin, &v, &err), 1);
    memcpy(id.b, v.bytes.data, sizeof id.b);
    db_finish(admin);
    must(job_read_ids(admin, &id, 1, keep_job, &job, &err), &err);
    assert_non_null(job.client);
    return job;
}

/* Gives a job that stands in the queue to a worker; its result or refusal, as "number" or code. */
static char *give(struct worker *w, struct job *job)
{
    struct err err = {0};
    AUTO_BUF frame = {0};
    struct job *list[] = {job};
    bool serves[KINDS] = {[KIND_CRL] = true};
    struct worker_jobs head = {.group = uuid_new(),
        .kind = bytes_of_text("crl"),
        .durable = true,
        .deadline_ms = 60000,
        .count = 1};
    struct group *made = NULL;
    worker_jobs_write(&head, list, &frame);
    must(group_new(&frame, serves, &made, &err), &err);
    AUTO(group) g = made;
    runner_run(w, g);
    free(job->client);
    free(job->args);
    AUTO_TYPE(json, json_t) *answer =
        g->tasks[0].plan.answer ? json_loads(g->tasks[0].plan.answer, 0, NULL) : NULL;
    const json_t *n = json_object_get(answer, "number");
    return g->tasks[0].outcome == OUTCOME_DONE
               ? mem_printf("%lld", (long long)json_integer_value(n))
               : mem_text(answer_of(g, 0));
}

struct maker {
    struct worker *worker;
    struct job job;
    char *answer;
    pthread_t thread;
};

static void *make_in_thread(void *arg)
{
    struct maker *m = arg;
    m->answer = give(m->worker, &m->job);
    return NULL;
}

static void begin(struct maker *m, struct worker *w)
{
    *m = (struct maker){.worker = w, .job = asked_job()};
    assert_int_equal(pthread_create(&m->thread, NULL, make_in_thread, m), 0);
}

static long long finish(struct maker *m)
{
    pthread_join(m->thread, NULL);
    char *end;
    long long n = strtoll(m->answer, &end, 10);
    if (*end || n <= 0)
        fail_msg("the CRL was not made: %s", m->answer);
    free(m->answer);
    return n;
}

static long long make_now(struct worker *w)
{
    struct maker m;
    begin(&m, w);
    return finish(&m);
}

static void wait_until(const char *what, const char *sql, int64_t wanted)
{
    const struct timespec step = {0, 150000000}; /* INNODB_TRX is read anew after 100 ms of rest */
    for (const int64_t until = clock_monotonic_ms() + PATIENCE_MS; number("%s", sql) != wanted;) {
        if (clock_monotonic_ms() > until)
            fail_msg("not within %d ms: %s", PATIENCE_MS, what);
        nanosleep(&step, NULL);
    }
}

static int64_t entries(long long crl)
{
    return number("SELECT entries FROM crl WHERE number = %lld", crl);
}

static int64_t revocations(void)
{
    return number("SELECT COUNT(*) FROM revocation");
}

/* --- tests --- */

static void test_a_burst_asks_once(void **state UNUSED)
{
    enum { N = 6 };
    char *ids[N];
    struct ask asks[N - 2];
    for (size_t i = 0; i < N; i++)
        ids[i] = valid_certificate(worker);
    assert_int_equal(number(WAITING), 0); /* issuing and retrieving ask for nothing */
    const int64_t before = clock_now_ms();
    for (size_t i = 0; i < N - 2; i++)
        asks[i] = without_haste(ids[i]);
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_REVOKE, asks, N - 2);
    size_t followups = 0;
    for (size_t i = 0; i < N - 2; i++) {
        assert_string_equal(answer_of(g, i), "done");
        for (size_t k = 0; k < g->tasks[i].plan.followup_count; k++)
            followups += g->tasks[i].plan.followups[k].kind == KIND_CRL;
    }
    assert_int_equal(followups, 1); /* and so the broker hears of it with the report */
    revoke_it(second, ids[N - 2]);
    revoke_it(worker, ids[N - 1]);
    assert_int_equal(number(WAITING), 1);
    assert_int_equal(number(ASKED), 1);
    assert_int_equal(
        number("SELECT COUNT(*) FROM job WHERE kind = 'crl' AND priority = %d AND "
               "client = 'certq' AND args = '{\"issuer\":\"person-ca\"}' AND "
               "run_at_ms BETWEEN %lld AND %lld",
            JOB_PRIORITY_DEFAULT, (long long)before + SOON_MS, (long long)clock_now_ms() + SOON_MS),
        1);
    const long long made = make_now(second);
    assert_int_equal(entries(made), revocations());
    assert_int_equal(number(WAITING), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM crl_wanted WHERE job IS NULL"), 1);
    for (size_t i = 0; i < N; i++)
        free(ids[i]);
}

static void test_an_urgent_one_does_not_wait(void **state UNUSED)
{
    revoke_another(worker);
    AUTO_TEXT id = valid_certificate(worker);
    AUTO_TEXT later = valid_certificate(worker);
    lab.priority = JOB_PRIORITY_URGENT;
    revoke_it(second, id);
    lab.priority = 0;
    assert_int_equal(number(WAITING), 1); /* the one that would have come later is cancelled */
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'crl' AND priority = 9 AND "
                            "run_at_ms <= %lld",
                         (long long)clock_now_ms()),
        1);
    assert_int_equal(
        number("SELECT COUNT(*) FROM job_history WHERE kind = 'crl' AND state = 'cancelled'"), 1);
    revoke_it(worker, later); /* content with the urgent one */
    assert_int_equal(number(WAITING), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'crl' AND priority = 9"), 1);
    assert_int_equal(entries(make_now(worker)), revocations());
}

static void test_a_compromised_key_is_urgent(void **state UNUSED)
{
    AUTO_TEXT id = valid_certificate(worker);
    AUTO_TEXT answer = run_one(worker, KIND_REVOKE, revocation(id), NULL, NULL);
    assert_string_equal(answer, "done");
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'crl' AND priority = 9"), 1);
    assert_int_equal(number("SELECT urgent FROM crl_wanted"), 1);
    assert_int_equal(entries(make_now(worker)), revocations());
    assert_int_equal(number("SELECT urgent FROM crl_wanted"), 0);
}

/* A trigger for a CRL while one is being made: after its facts were read. */
static void test_a_revocation_while_one_is_made(void **state UNUSED)
{
    AUTO_TEXT id = valid_certificate(worker);
    revoke_another(worker);
    AUTO(db) admin = mariadb_open(lab.server, "certq_admin", LAB_DATABASE, 3);
    mariadb_do(admin, "BEGIN"); /* holds up whoever wants to write the next CRL */
    mariadb_do(admin, "INSERT INTO crl (issuer, number, this_update_ms, next_update_ms, entries, "
                      "der, job) SELECT 'person-ca', COALESCE(MAX(number), 0) + 1, 0, 0, 0, '', "
                      "REPEAT('x', 16) FROM crl");
    struct maker m;
    begin(&m, second);
    wait_until("it waits to be written",
        "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'", 1);
    assert_int_equal(number("SELECT COUNT(*) FROM crl_wanted WHERE job IS NULL"), 1);
    revoke_it(worker, id);
    assert_int_equal(number(ASKED), 1); /* another one than that which is being made */
    assert_int_equal(number(WAITING), 2);
    const int64_t all = revocations();
    mariadb_do(admin, "ROLLBACK");
    const long long first = finish(&m);
    assert_int_equal(entries(first), all - 1);
    const long long next = make_now(worker);
    assert_int_equal(next, first + 1);
    assert_int_equal(entries(next), all);
    assert_int_equal(number(WAITING), 0);
}

/* A revocation that counts on the waiting job and has not committed yet when that one begins. */
static void test_a_job_waits_for_those_who_count_on_it(void **state UNUSED)
{
    revoke_another(worker);
    const int64_t before = revocations();
    AUTO(db) revoker = mariadb_open(lab.server, "certq_worker", LAB_DATABASE, 3);
    mariadb_do(revoker, "BEGIN");
    mariadb_do(revoker,
        "INSERT INTO revocation (issuer, serial, certificate, revoked_ms, reason, not_after_ms, "
        "job) VALUES ('person-ca', UNHEX(REPEAT('7e', 16)), REPEAT('c', 16), 1780000000000, 1, "
        "4000000000000, REPEAT('j', 16))");
    mariadb_do(revoker, "UPDATE crl_wanted SET version = version + 1 WHERE issuer = 'person-ca'");
    struct maker m;
    begin(&m, second);
    wait_until("it waits to begin",
        "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'", 1);
    AUTO_TEXT again = mem_printf("SELECT variable_value > %lld FROM information_schema."
                                 "GLOBAL_STATUS WHERE variable_name = 'INNODB_ROW_LOCK_WAITS'",
        (long long)number(LOCK_WAITS));
    wait_until("it waits a second time", again, 1); /* longer than for one lock */
    mariadb_do(revoker, "COMMIT");
    assert_int_equal(entries(finish(&m)), before + 1);
}

/* Whatever became of the job that was asked for, the next revocation asks anew. */
static void test_a_job_that_is_gone_blocks_nobody(void **state UNUSED)
{
    static const char *const ends[] = {
        "DELETE FROM job WHERE kind = 'crl'", /* lost with a restored backup */
        NULL,                                 /* dead */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) {
        calm(NULL);
        revoke_another(worker);
        struct job old = asked_job();
        struct err err = {0};
        struct job_change death = {.id = old.id,
            .attempt = old.attempt,
            .what = JOB_CHANGE_DEAD,
            .error = bytes_of_text("{\"code\":\"crashed\",\"message\":\"test\"}")};
        if (ends[i])
            administer(ends[i]);
        else
            must(job_change(lab.broker, &death, 1, clock_now_ms(), &err), &err);
        assert_int_equal(number(WAITING), 0);
        assert_int_equal(number("SELECT COUNT(*) FROM crl_wanted WHERE job IS NOT NULL"), 1);
        revoke_another(second);
        assert_int_equal(number(WAITING), 1);
        struct job new = asked_job();
        assert_false(uuid_equal(&old.id, &new.id));
        free(old.client);
        free(old.args);
        free(new.client);
        free(new.args);
        assert_int_equal(entries(make_now(worker)), revocations());
    }
}

/* Killed between its two commits: it is run again, and whoever came meanwhile has asked anew. */
static void test_a_worker_dies_after_it_began(void **state UNUSED)
{
    revoke_another(worker);
    struct maker m = {.worker = second, .job = asked_job()};
    administer("UPDATE crl_wanted SET job = NULL");
    revoke_another(worker);
    assert_int_equal(number(WAITING), 2);
    assert_int_equal(pthread_create(&m.thread, NULL, make_in_thread, &m), 0);
    assert_int_equal(entries(finish(&m)), revocations());
    assert_int_equal(number(ASKED), 1); /* the other one's mark is not the first one's to clear */
    assert_int_equal(entries(make_now(worker)), revocations());
    assert_int_equal(number(WAITING), 0);
}

/* One maker at a time: makers on two workers, each made once, none with less than the one before.
 */
struct makers {
    struct worker *worker;
    struct db *broker;
    size_t made;
};

static void *make_many(void *arg)
{
    struct makers *m = arg;
    for (size_t i = 0; i < 15; i++) {
        struct ask a = ask_of(json_of("{'issuer': 'person-ca'}"));
        AUTO(group) g = run_jobs(m->worker, m->broker, KIND_CRL, &a, 1);
        m->made += strcmp(answer_of(g, 0), "done") == 0;
    }
    return NULL;
}

static void test_makers_take_turns(void **state UNUSED)
{
    const int64_t before = number("SELECT COUNT(*) FROM crl");
    struct makers makers[2] = {{worker, lab.broker, 0},
        {second, mariadb_open(lab.server, "certq_broker", LAB_DATABASE, 1), 0}};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_many, &makers[i]), 0);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(makers[i].made, 15);
    }
    db_free(makers[1].broker);
    assert_int_equal(number("SELECT COUNT(*) FROM crl"), before + 30);
    assert_int_equal(number("SELECT MAX(number) - MIN(number) + 1 - COUNT(*) FROM crl"), 0);
    /* A turn was taken once for each: nobody made one in vain. */
    assert_int_equal(number("SELECT turn FROM crl_maker"), before + 30);
    struct crl_facts facts;
    struct err err = {0};
    AUTO_BUF der = {0};
    AUTO_TEXT path = lab_path("crl/person-ca.crl");
    must(file_read(path, 1 << 20, &der, &err), &err);
    must(crl_read(worker->issuers[0], buf_bytes(&der), &facts, &err), &err);
    assert_int_equal(facts.number, number("SELECT MAX(number) FROM crl"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_makers_take_turns, calm),
        cmocka_unit_test_setup(test_a_burst_asks_once, calm),
        cmocka_unit_test_setup(test_an_urgent_one_does_not_wait, calm),
        cmocka_unit_test_setup(test_a_compromised_key_is_urgent, calm),
        cmocka_unit_test_setup(test_a_revocation_while_one_is_made, calm),
        cmocka_unit_test_setup(test_a_job_waits_for_those_who_count_on_it, calm),
        cmocka_unit_test_setup(test_a_job_that_is_gone_blocks_nobody, calm),
        cmocka_unit_test_setup(test_a_worker_dies_after_it_began, calm),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

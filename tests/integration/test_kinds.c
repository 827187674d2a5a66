/* links: workers support */
/* The decided kinds from args to rows: accepted, run in groups as the runner does, committed. */
#include "kinds_lab.h"

static struct worker *worker;

static int start(void **state)
{
    if (lab_start(state))
        return -1;
    worker = lab_worker();
    return 0;
}

static int stop(void **state)
{
    worker_free(worker);
    return lab_stop(state);
}

/* --- issue --- */

static const struct statement round_trips = {"test.round-trips",
    "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.SESSION_STATUS WHERE "
    "VARIABLE_NAME = 'QUESTIONS'",
    "", "i"};

static int64_t count_round_trips(void)
{
    struct err err = {0};
    struct db_value v;
    must(db_query(worker->db, &round_trips, NULL, &err), &err);
    assert_int_equal(db_fetch(worker->db, &v, &err), 1);
    int64_t n = v.integer;
    db_finish(worker->db);
    return n;
}

static void test_issue_in_bulk(void **state UNUSED)
{
    enum { N = 200 };
    struct ask asks[N];
    for (size_t pass = 0; pass < 2; pass++) { /* the first prepares the statements */
        for (size_t i = 0; i < N; i++) {
            AUTO_TEXT email = mem_printf("bulk%zu-%zu@example.jp", pass, i);
            asks[i] = ask_of(application("association", email));
        }
        int64_t before = count_round_trips();
        AUTO(group) g = run_jobs(worker, lab.broker, KIND_ISSUE, asks, N);
        int64_t cost = count_round_trips() - before;
        for (size_t i = 0; i < N; i++)
            assert_string_equal(answer_of(g, i), "done");
        print_message("%lld round trips for %d jobs\n", (long long)cost, N);
        if (pass && cost > 16)
            fail_msg("%lld round trips for one group", (long long)cost);
        for (size_t i = 0; i < N; i++) { /* X1: what the report names is there */
            const struct plan_followup *f = &g->tasks[i].plan.followups[0];
            assert_int_equal(g->tasks[i].plan.followup_count, 1);
            assert_false(uuid_is_zero(&f->id));
        }
    }
    assert_int_equal(number("SELECT COUNT(*) FROM subscriber s JOIN application a ON a.subscriber "
                            "= s.id JOIN certificate c ON c.application = a.id AND c.id = "
                            "a.certificate JOIN audit u ON u.subject = c.id AND u.job = a.job "
                            "WHERE s.email LIKE 'bulk%%' AND c.state = 'awaiting-retrieval'"),
        2 * N);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'mail' AND args LIKE "
                            "'%%\"bulk%%@example.jp%%' AND parent IS NOT NULL"),
        2 * N);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE kind = 'issue' AND state = "
                            "'done' AND LENGTH(followups) = 16"),
        2 * N);
}

static void test_one_address_many_times_in_a_group(void **state UNUSED)
{
    struct ask asks[5];
    for (size_t i = 0; i < ARRAY_LENGTH(asks); i++)
        asks[i] = ask_of(application("association", i % 2 ? "Many@example.jp" : "many@EXAMPLE.jp"));
    for (size_t pass = 0; pass < 2; pass++) {
        AUTO(group) g = run_jobs(worker, lab.broker, KIND_ISSUE, asks, ARRAY_LENGTH(asks));
        for (size_t i = 0; i < ARRAY_LENGTH(asks); i++) {
            assert_string_equal(answer_of(g, i), "done");
            asks[i] = ask_of(application("association", "many@example.jp"));
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(asks); i++)
        json_decref(asks[i].args);
    assert_int_equal(number("SELECT COUNT(*) FROM subscriber WHERE email = 'many@example.jp'"), 1);
    assert_int_equal(number("SELECT COUNT(DISTINCT c.serial) FROM certificate c JOIN subscriber s "
                            "ON s.id = c.subscriber WHERE s.email = 'many@example.jp'"),
        10);
}

static void test_bad_issues_do_not_hurt_others(void **state UNUSED)
{
    struct ask asks[5];
    asks[0] = ask_of(application("association", "good1@example.jp"));
    asks[1] = ask_of(application("association", "nonsense"));
    asks[2] = ask_of(application("no-such", "good2@example.jp"));
    asks[3] = ask_of(application("association", "good3@example.jp"));
    json_object_set_new(asks[3].args, "password", json_string("plain"));
    asks[4] = ask_of(application("association", "good4@example.jp"));
    struct ask other = ask_of(json_object());
    seal_into(&other, "password", PASSWORD); /* for another job */
    json_object_set(asks[4].args, "password", json_object_get(other.args, "password"));
    json_decref(other.args);
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_ISSUE, asks, ARRAY_LENGTH(asks));
    assert_string_equal(answer_of(g, 0), "done");
    for (size_t i = 1; i < ARRAY_LENGTH(asks); i++) {
        assert_string_equal(answer_of(g, i), "bad-request");
        assert_int_equal(g->tasks[i].outcome, OUTCOME_REFUSED);
    }
    assert_non_null(json_object_get(g->tasks[1].plan.fields, "subscriber.email"));
    assert_non_null(json_object_get(g->tasks[3].plan.fields, "password"));
    assert_non_null(json_object_get(g->tasks[4].plan.fields, "password"));
    assert_int_equal(number("SELECT COUNT(*) FROM subscriber WHERE email LIKE 'good%%'"), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE state = 'refused'"), 4);
}

/* --- retrieve --- */

static X509 *certificate_of(const char *pem)
{
    BIO *in = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);
    BIO_free(in);
    assert_non_null(x);
    return x;
}

static void check_issued(const char *pem)
{
    X509 *x = certificate_of(pem);
    AUTO_BUF file = {0};
    struct err err = {0};
    must(file_read(lab.issuer.certificate, 65536, &file, &err), &err);
    X509 *ca = certificate_of(buf_text(&file));
    assert_int_equal(X509_verify(x, X509_get0_pubkey(ca)), 1);
    assert_int_equal(X509_check_email(x, "Retrieving@example.jp", 0, 0), 1);
    char name[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof name);
    assert_string_equal(name, "Yamada Taro");
    X509_free(ca);
    X509_free(x);
}

static void test_retrieve(void **state UNUSED)
{
    AUTO_TEXT certificate = apply(worker, "association", "Retrieving@example.jp");
    AUTO_TEXT code = code_of(worker, certificate);
    AUTO_TEXT csr = new_csr();
    AUTO_TEXT pem = NULL;
    AUTO_TEXT answer = run_one(worker, KIND_RETRIEVE,
        retrieval("retrieving@EXAMPLE.jp", PASSWORD, code, csr), "pem", &pem);
    assert_string_equal(answer, "done");
    check_issued(pem);
    AUTO_TEXT again = NULL;
    AUTO_TEXT answer_again = run_one(worker, KIND_RETRIEVE,
        retrieval("retrieving@example.jp", PASSWORD, code, csr), "pem", &again);
    assert_string_equal(answer_again, "done");
    assert_string_equal(again, pem); /* X6 */
    AUTO_TEXT other = new_csr();
    AUTO_TEXT answer_other = run_one(worker, KIND_RETRIEVE,
        retrieval("retrieving@example.jp", PASSWORD, code, other), NULL, NULL);
    assert_string_equal(answer_other, "already-retrieved");
    assert_int_equal(number("SELECT COUNT(*) FROM certificate WHERE id = UNHEX(REPLACE('%s', '-', "
                            "'')) AND state = 'valid' AND LENGTH(der) > 300 AND subject = "
                            "'CN=Yamada Taro,O=Example Corporation,C=JP'",
                         certificate),
        1);
    AUTO_TEXT mail = mem_printf("%%\"certificate-issued\"%%%s%%", certificate);
    assert_int_equal(
        number("SELECT COUNT(*) FROM job WHERE kind = 'mail' AND args LIKE '%s'", mail), 1);
}

static void test_bad_retrievals(void **state UNUSED)
{
    AUTO_TEXT certificate = apply(worker, "association", "bad@example.jp");
    AUTO_TEXT code = code_of(worker, certificate);
    AUTO_TEXT csr = new_csr();
    AUTO_TEXT mistyped = mem_text(code);
    mistyped[0] = mistyped[0] == 'A' ? 'B' : 'A';
    struct ask asks[6] = {
        retrieval("bad@example.jp", PASSWORD, mistyped, csr),
        retrieval("bad@example.jp", PASSWORD, "K7QM", csr),
        retrieval("bad@example.jp", PASSWORD, code, "-----BEGIN RUBBISH-----"),
        retrieval("bad@example.jp", PASSWORD, code, csr),
        retrieval("bad@example.jp", PASSWORD, code, csr),
        retrieval("nobody@example.jp", PASSWORD, code, csr),
    };
    json_object_set_new(asks[3].args, "password", json_of("{'scrypt': '" HASH "'}"));
    json_object_del(asks[4].args, "code");
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_RETRIEVE, asks, ARRAY_LENGTH(asks));
    static const char *const fields[] = {"code", "code", "csr", "password", "code", NULL};
    for (size_t i = 0; i < ARRAY_LENGTH(asks); i++) {
        assert_string_equal(answer_of(g, i), fields[i] ? "bad-request" : "credentials");
        if (fields[i] && !json_object_get(g->tasks[i].plan.fields, fields[i]))
            fail_msg("row %zu does not name %s", i, fields[i]);
    }
    assert_int_equal(number("SELECT failures FROM subscriber WHERE email = 'bad@example.jp'"), 0);
}

/* Different people in one group: everybody gets their own, whatever the others send. */
static void test_people_in_a_group(void **state UNUSED)
{
    enum { N = 6, EMAIL_MOST = 254 };
    struct ask asks[N];
    char *certificates[N];
    AUTO_BUF unknown = {0}; /* longer than any address, in bytes */
    for (size_t i = 0; i < EMAIL_MOST; i++)
        buf_add_text(&unknown, "\xf0\x9f\x98\x80");
    for (size_t i = 0; i < N; i++) {
        AUTO_TEXT email = mem_printf("person%zu@example.jp", i);
        AUTO_TEXT csr = new_csr();
        certificates[i] = apply(worker, "association", email);
        AUTO_TEXT code = code_of(worker, certificates[i]);
        asks[i] = retrieval(i == 1 ? buf_text(&unknown) : email, i == 3 ? "wrong" : PASSWORD, code,
            i == 4 ? "-----BEGIN RUBBISH-----" : csr);
    }
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_RETRIEVE, asks, N);
    for (size_t i = 0; i < N; i++) {
        const bool is_good = i != 1 && i != 3 && i != 4;
        const struct plan *plan = &g->tasks[i].plan;
        assert_string_equal(answer_of(g, i), is_good  ? "done"
                                             : i == 4 ? "bad-request"
                                                      : "credentials");
        if (is_good)
            assert_string_equal(json_text_at(plan->result, "certificate"), certificates[i]);
        free(certificates[i]);
    }
}

/* Twenty wrong tries in one group and then in many: five lock, nobody counts past that (D7). */
static void test_lock_out(void **state UNUSED)
{
    static const size_t sizes[] = {20, 1};
    for (size_t s = 0; s < ARRAY_LENGTH(sizes); s++) {
        AUTO_TEXT email = mem_printf("locked%zu@example.jp", s);
        AUTO_TEXT certificate = apply(worker, "association", email);
        AUTO_TEXT code = code_of(worker, certificate);
        AUTO_TEXT csr = new_csr();
        struct ask asks[20];
        for (size_t at = 0; at < 20; at += sizes[s]) {
            for (size_t i = 0; i < sizes[s]; i++)
                asks[i] = retrieval(email, "wrong", code, csr);
            AUTO(group) g = run_jobs(worker, lab.broker, KIND_RETRIEVE, asks, sizes[s]);
            for (size_t i = 0; i < sizes[s]; i++)
                assert_string_equal(answer_of(g, i), "credentials");
        }
        assert_int_equal(number("SELECT failures FROM subscriber WHERE email = '%s' AND locked_ms "
                                "IS NOT NULL",
                             email),
            5);
        assert_int_equal(number("SELECT COUNT(*) FROM audit a JOIN subscriber s ON s.id = "
                                "a.subject WHERE s.email = '%s'",
                             email),
            6);
        AUTO_TEXT answer =
            run_one(worker, KIND_RETRIEVE, retrieval(email, PASSWORD, code, csr), NULL, NULL);
        assert_string_equal(answer, "credentials");
    }
}

static void test_lookup(void **state UNUSED)
{
    AUTO_TEXT certificate = apply(worker, "association", "looking@example.jp");
    AUTO_TEXT code = code_of(worker, certificate);
    AUTO_TEXT csr = new_csr();
    AUTO_TEXT answer = run_one(
        worker, KIND_RETRIEVE, retrieval("looking@example.jp", PASSWORD, code, csr), NULL, NULL);
    assert_string_equal(answer, "done");
    struct ask asks[2] = {retrieval("looking@example.jp", PASSWORD, code, csr),
        retrieval("looking@example.jp", "wrong", code, csr)};
    for (size_t i = 0; i < 2; i++)
        json_object_del(asks[i].args, "csr");
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_LOOKUP, asks, 2);
    AUTO_TEXT found = result_of(g, 0, "certificates.0.certificate");
    AUTO_TEXT name = result_of(g, 0, "certificates.0.name");
    AUTO_TEXT none = result_of(g, 1, "certificates.0.certificate");
    assert_string_equal(found, certificate);
    assert_string_equal(name, "山田 太郎");
    assert_string_equal(answer_of(g, 1), "done");
    assert_string_equal(none, "(none)");
    assert_int_equal(
        number("SELECT failures FROM subscriber WHERE email = 'looking@example.jp'"), 1);
}

static void test_user_id(void **state UNUSED)
{
    AUTO_TEXT certificate = NULL;
    AUTO_TEXT given = NULL;
    struct ask a = ask_of(json_of("{'product': 'online-banking', 'subscriber': {'email': "
                                  "'bank@example.jp', 'user_id': 'user01', 'organisation': "
                                  "{'company_code': 'C1', 'latin': 'Example Bank'}}}"));
    seal_into(&a, "password", PASSWORD);
    AUTO_TEXT applied = run_one(worker, KIND_ISSUE, a, "certificate", &certificate);
    assert_string_equal(applied, "done");
    for (int i = 0; i < 2; i++) {
        struct ask r = ask_of(json_of(
            "{'user_id': 'user01'%s}", i ? ", 'company_code': 'C1'" : ", 'company_code': 'C2'"));
        AUTO_TEXT csr = new_csr();
        json_object_set_new(r.args, "csr", json_string(csr));
        seal_into(&r, "password", PASSWORD);
        free(given);
        AUTO_TEXT answer = run_one(worker, KIND_RETRIEVE, r, "certificate", &given);
        assert_string_equal(answer, i ? "done" : "credentials");
    }
    assert_string_equal(given, certificate);
}

/* --- decide, revoke --- */

static void test_approval(void **state UNUSED)
{
    AUTO_TEXT application_id = NULL;
    AUTO_TEXT state_word = NULL;
    struct ask a = ask_of(application("approved", "approved@example.jp"));
    AUTO_TEXT applied = run_one(worker, KIND_ISSUE, a, "application", &application_id);
    assert_string_equal(applied, "done");
    static const char *const answers[] = {"done", "not-awaiting"};
    for (size_t i = 0; i < 2; i++) {
        struct ask d = ask_of(json_of("{'subject': '%s', 'decision': 'approve', 'operator': 'op1', "
                                      "'by': {'role': 'operator', 'operator': 'op1'}}",
            application_id));
        free(state_word);
        AUTO_TEXT answer = run_one(worker, KIND_DECIDE, d, "state", &state_word);
        assert_string_equal(answer, answers[i]);
        if (i == 0)
            assert_string_equal(state_word, "code-queued");
    }
    struct ask d = ask_of(json_of("{'subject': '%s', 'decision': 'approve', 'operator': 'op1', "
                                  "'by': {'role': 'operator', 'operator': 'op1'}}",
        "01900000-0000-7000-8000-000000000000"));
    AUTO_TEXT unknown = run_one(worker, KIND_DECIDE, d, NULL, NULL);
    assert_string_equal(unknown, "not-found");
    assert_int_equal(number("SELECT COUNT(*) FROM application WHERE state = 'approved' AND "
                            "decided_by = 'op1' AND decided_ms IS NOT NULL"),
        1);
}

static void test_revoke_by_serial(void **state UNUSED)
{
    AUTO_TEXT certificate = apply(worker, "association", "serial@example.jp");
    AUTO_TEXT code = code_of(worker, certificate);
    AUTO_TEXT csr = new_csr();
    AUTO_TEXT serial = NULL;
    AUTO_TEXT got = run_one(worker, KIND_RETRIEVE,
        retrieval("serial@example.jp", PASSWORD, code, csr), "serial", &serial);
    assert_string_equal(got, "done");
    struct ask asks[3];
    const char *const serials[] = {serial, "0badbadbad", serial};
    static const char *const answers[] = {"done", "not-found", "already-revoked"};
    for (size_t i = 0; i < 3; i++)
        asks[i] = ask_of(json_of("{'serial': '%s', 'reason': 'superseded', 'by': {'role': "
                                 "'operator', 'operator': 'op1'}}",
            serials[i]));
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_REVOKE, asks, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(answer_of(g, i), answers[i]);
    assert_int_equal(number("SELECT reason FROM revocation WHERE HEX(serial) = '%s'", serial), 4);
}

/* X5: nothing that was secret is in any table. */
static void test_no_secret_is_stored(void **state UNUSED)
{
    AUTO_TEXT certificate = apply(worker, "association", "secret@example.jp");
    AUTO_TEXT code = code_of(worker, certificate);
    AUTO_TEXT dump = mem_printf("%s/dump.sql", lab.folder);
    AUTO_TEXT password = mariadb_password(lab.server, "certq_admin");
    AUTO_TEXT command =
        mem_printf("MYSQL_PWD='%s' mariadb-dump -S '%s' -u certq_admin " LAB_DATABASE " > '%s'",
            password, mariadb_socket(lab.server), dump);
    assert_int_equal(system(command), 0);
    AUTO_BUF text = {0};
    struct err err = {0};
    must(file_read(dump, (size_t)64 << 20, &text, &err), &err);
    assert_non_null(memmem(text.data, text.length, "secret@example.jp", 17));
    assert_null(memmem(text.data, text.length, PASSWORD, strlen(PASSWORD)));
    assert_null(memmem(text.data, text.length, code, strlen(code)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_issue_in_bulk),
        cmocka_unit_test(test_one_address_many_times_in_a_group),
        cmocka_unit_test(test_bad_issues_do_not_hurt_others),
        cmocka_unit_test(test_retrieve),
        cmocka_unit_test(test_bad_retrievals),
        cmocka_unit_test(test_people_in_a_group),
        cmocka_unit_test(test_lock_out),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_user_id),
        cmocka_unit_test(test_approval),
        cmocka_unit_test(test_revoke_by_serial),
        cmocka_unit_test(test_no_secret_is_stored),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

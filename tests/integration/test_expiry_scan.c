/* links: workers support */
/* The expiry scan and the notices on screen, from rows to rows (X3, E2, E3), killed and doubled. */
#include "kinds_lab.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static struct worker *worker;
static struct db *admin;

static int start(void **state)
{
    if (lab_start(state))
        return -1;
    worker = lab_worker();
    admin = mariadb_open(lab.server, "certq_admin", LAB_DATABASE, 10);
    return 0;
}

static int stop(void **state)
{
    worker_free(worker);
    db_free(admin);
    return lab_stop(state);
}

static int empty(void **state UNUSED)
{
    static const char *const tables[] = {"notice", "certificate", "subscriber", "job"};
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        AUTO_TEXT sql = mem_printf("DELETE FROM %s", tables[i]);
        mariadb_do(admin, sql);
    }
    return 0;
}

/* --- rows --- */

static int64_t end_ms(const char *end)
{
    int64_t ms = 0;
    assert_true(clock_parse(end, strlen(end), &ms));
    return ms;
}

/* Subscribers `first`..`last`, user01@example.jp and so on, each with a certificate of that end. */
static void people(const char *product, int first, int last, const char *state, const char *end)
{
    AUTO_TEXT subscribers = mem_printf(
        "INSERT IGNORE INTO subscriber (id, product, unit_key, email, user_id, language, version, "
        "state, profile, created_ms) SELECT UNHEX(LPAD(HEX(seq), 32, '0')), '%s', "
        "CONCAT('C1\\n', 'user', seq), CONCAT('user', seq, '@example.jp'), CONCAT('user', seq), "
        "'ja', 1, 'active', CONCAT('{\"email\":\"user', seq, '@example.jp\",\"name\":{\"ja\":"
        "\"山田\"}}'), 1 FROM seq_%d_to_%d",
        product, first, last);
    AUTO_TEXT certificates = mem_printf(
        "INSERT INTO certificate (id, subscriber, application, product, issuer, state, serial, "
        "root, not_after_ms, issued_ms, created_ms) SELECT UNHEX(CONCAT(LPAD(HEX(seq), 16, '0'), "
        "LPAD(HEX(%lld DIV 1000), 16, '0'))), UNHEX(LPAD(HEX(seq), 32, '0')), '0123456789abcdef', "
        "'%s', 'person-ca', '%s', UNHEX(CONCAT(LPAD(HEX(seq), 16, '0'), LPAD(HEX(%lld DIV 1000), "
        "16, '0'))), '0123456789abcdef', %lld, 1, 1 FROM seq_%d_to_%d",
        (long long)end_ms(end), product, state, (long long)end_ms(end), (long long)end_ms(end),
        first, last);
    mariadb_do(admin, subscribers);
    mariadb_do(admin, certificates);
}

/* --- scans --- */

static struct ask scan_of(const char *as_of, const char *more)
{
    return ask_of(
        json_of("{'as_of': '%s'%s, 'by': {'role': 'operator', 'operator': 'op1'}}", as_of, more));
}

/* {"association": …} as compact text, or the refusal. */
static char *scan_as(struct worker *w, struct db *broker, struct ask a)
{
    AUTO(group) g = run_jobs(w, broker, KIND_EXPIRY_SCAN, &a, 1);
    AUTO_TYPE(json, json_t) *answer =
        g->tasks[0].plan.answer ? json_loads(g->tasks[0].plan.answer, 0, NULL) : NULL;
    const json_t *products = json_object_get(answer, "products");
    return products ? json_dumps(products, JSON_COMPACT | JSON_SORT_KEYS)
                    : mem_text(answer_of(g, 0));
}

static void expect_scan(const char *as_of, const char *more, const char *expected)
{
    AUTO_TEXT got = scan_as(worker, lab.broker, scan_of(as_of, more));
    AUTO_TEXT wanted = mem_text(expected);
    for (char *p = wanted; *p; p++)
        if (*p == '\'')
            *p = '"';
    assert_string_equal(got, wanted);
}

#define NOTHING(days) "{'due':{" days "},'scanned':0,'sent':0,'skipped':{}}"
#define NO_BANK ",'online-banking':" NOTHING("'10':0,'30':0")
#define APPROVED "'approved':" NOTHING("'30':0") ","
#define ASSOCIATION(due, scanned, sent, skipped)                                                   \
    "{" APPROVED "'association':{'due':{'30':" due "},'scanned':" scanned ",'sent':" sent          \
    ",'skipped':{" skipped "}}" NO_BANK "}"

static void test_each_threshold_once(void **state UNUSED)
{
    people("association", 1, 3, "valid", "2028-08-22T23:59:59Z");
    people("association", 4, 5, "valid", "2028-08-23T23:59:59Z"); /* a day too far */
    expect_scan("2028-07-23", "", ASSOCIATION("0", "0", "0", ""));
    expect_scan("2028-07-24", "", ASSOCIATION("3", "3", "3", ""));
    expect_scan("2028-07-24", "", ASSOCIATION("0", "0", "0", ""));
    expect_scan("2028-07-25", "", ASSOCIATION("2", "2", "2", ""));
    expect_scan("2028-08-01", "", ASSOCIATION("0", "0", "0", ""));
    assert_int_equal(number("SELECT COUNT(*) FROM notice n JOIN job j ON j.id = n.mail AND j.kind "
                            "= 'mail' AND j.parent = n.job WHERE n.state = 'queued' AND "
                            "j.args LIKE CONCAT('%%\"', n.recipient, '\"%%')"),
        5);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'mail'"), 5);
}

static void test_missed_days_are_caught_up(void **state UNUSED)
{
    people("online-banking", 1, 1, "valid", "2027-04-01T14:59:59Z");
    people("online-banking", 2, 2, "valid", "2027-04-21T14:59:59Z");
    /* Nobody scanned until nine days are left: only the nearer goes out. */
    expect_scan("2027-03-23", ", 'product': 'online-banking'",
        "{'online-banking':{'due':{'10':1,'30':1},'scanned':2,'sent':2,'skipped':{'nearer':1}}}");
    assert_int_equal(number("SELECT COUNT(*) FROM notice WHERE threshold = 30 AND state = "
                            "'skipped' AND reason = 'nearer' AND recipient = 'user1@example.jp'"),
        1);
    expect_scan("2027-04-15", ", 'product': 'online-banking'",
        "{'online-banking':{'due':{'10':1,'30':0},'scanned':1,'sent':1,'skipped':{}}}");
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'mail'"), 3);
}

/* `column` of a user's certificate that ends in this year is the id of that of another year. */
static void link_to(const char *column, int user, int year, int to_year)
{
    AUTO_TEXT sql = mem_printf(
        "UPDATE certificate c JOIN subscriber s ON s.id = c.subscriber JOIN certificate o ON "
        "o.subscriber = s.id SET c.%s = o.id WHERE s.user_id = 'user%d' AND "
        "YEAR(FROM_UNIXTIME(c.not_after_ms DIV 1000)) = %d AND "
        "YEAR(FROM_UNIXTIME(o.not_after_ms DIV 1000)) = %d",
        column, user, year, to_year);
    mariadb_do(admin, sql);
}

/* X3: where certificates stand side by side (B1), only what is linked to one renews it. */
static void test_side_by_side(void **state UNUSED)
{
    struct policy *policy =
        (struct policy *)(uintptr_t)policy_set_find(worker->policies, "association");
    people("association", 1, 4, "valid", "2028-08-22T23:59:59Z");
    people("association", 1, 3, "valid", "2030-08-22T23:59:59Z");
    people("association", 3, 3, "revoked", "2029-08-22T23:59:59Z");
    link_to("predecessor", 2, 2030, 2028);
    link_to("predecessor", 3, 2029, 2028); /* it was renewed, and that one reissued */
    link_to("root", 3, 2030, 2029);
    policy->unit.has_coupon = true;
    expect_scan("2028-08-01", "", ASSOCIATION("4", "4", "2", "'renewed':2"));
    policy->unit.has_coupon = false;
    assert_int_equal(number("SELECT COUNT(*) FROM notice WHERE (reason IS NULL) = (recipient IN "
                            "('user1@example.jp', 'user4@example.jp'))"),
        4);
}

static void test_skipped_with_the_reason(void **state UNUSED)
{
    people("association", 1, 4, "valid", "2028-08-22T23:59:59Z");
    people("association", 5, 5, "revoked", "2028-08-22T23:59:59Z");
    people("association", 6, 6, "awaiting-retrieval", "2028-08-22T23:59:59Z"); /* A9: no end yet */
    people("association", 2, 2, "valid", "2030-08-22T23:59:59Z");              /* renewed */
    people("association", 4, 4, "revoked", "2030-08-22T23:59:59Z");            /* was, no more */
    people("association", 3, 3, "awaiting-retrieval", "2030-08-22T23:59:59Z"); /* not yet */
    mariadb_do(admin, "UPDATE subscriber SET state = 'withdrawn' WHERE user_id = 'user1'");
    expect_scan(
        "2028-08-01", "", ASSOCIATION("5", "5", "2", "'renewed':1,'revoked':1,'withdrawn':1"));
    assert_int_equal(number("SELECT COUNT(*) FROM notice WHERE state = 'queued' AND recipient IN "
                            "('user3@example.jp', 'user4@example.jp') AND reason IS NULL"),
        2);
    assert_int_equal(number("SELECT COUNT(*) FROM notice WHERE (reason = 'renewed' AND recipient "
                            "= 'user2@example.jp') OR (reason = 'revoked' AND recipient = "
                            "'user5@example.jp')"),
        2);
    expect_scan("2028-08-02", "", ASSOCIATION("0", "0", "0", ""));
    /* Retrieved late: it is a certificate now. */
    mariadb_do(admin, "UPDATE certificate c JOIN subscriber s ON s.id = c.subscriber SET c.state = "
                      "'valid' WHERE s.user_id = 'user6'");
    expect_scan("2028-08-03", "", ASSOCIATION("1", "1", "1", ""));
}

static void test_a_dry_run_writes_nothing(void **state UNUSED)
{
    people("online-banking", 1, 2, "valid", "2027-04-01T14:59:59Z");
    struct ask a = scan_of("2027-03-23", ", 'product': 'online-banking', 'dry_run': true");
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_EXPIRY_SCAN, &a, 1);
    AUTO_TYPE(json, json_t) *answer = json_loads(g->tasks[0].plan.answer, 0, NULL);
    const json_t *list = json_object_get(answer, "notices");
    assert_string_equal(answer_of(g, 0), "done");
    assert_int_equal(json_array_size(list), 4);
    assert_string_equal(json_text_at(list, "0.recipient"), "user1@example.jp");
    assert_string_equal(json_text_at(list, "0.skipped"), "nearer");
    assert_null(json_text_at(list, "1.skipped"));
    assert_int_equal(json_integer_value(json_at(list, "1.threshold")), 10);
    assert_int_equal(json_integer_value(json_at(list, "1.days_left")), 9);
    assert_true(json_is_false(json_object_get(answer, "more")));
    assert_int_equal(json_integer_value(json_at(answer, "products.online-banking.sent")), 2);
    assert_int_equal(json_integer_value(json_at(answer, "products.online-banking.due.10")), 2);
    assert_int_equal(json_integer_value(json_at(answer, "products.online-banking.scanned")), 2);
    assert_int_equal(g->tasks[0].plan.followup_count, 0);
    assert_int_equal(number("SELECT COUNT(*) FROM notice"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM job"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM certificate WHERE noticed_days <> 65535"), 0);
}

static void test_now_is_the_day_of_acceptance(void **state UNUSED)
{
    people("online-banking", 1, 1, "valid", "2027-04-01T14:59:59Z");
    clock_set_shift_ms(end_ms("2027-03-01T14:59:50Z") - clock_now_ms());
    struct ask a = ask_of(json_of("{'product': 'online-banking'}"));
    AUTO_TEXT before = scan_as(worker, lab.broker, a);
    clock_set_shift_ms(0);
    clock_set_shift_ms(end_ms("2027-03-01T15:00:00Z") - clock_now_ms());
    a = ask_of(json_of("{'product': 'online-banking'}"));
    AUTO_TEXT after = scan_as(worker, lab.broker, a);
    clock_set_shift_ms(0);
    assert_non_null(strstr(before, "\"scanned\":0"));
    assert_non_null(strstr(after, "\"30\":1"));
}

/* As of a day gone by: what has expired since is told to nobody, and days are counted from now. */
static void test_an_earlier_day(void **state UNUSED)
{
    people("online-banking", 1, 1, "valid", "2027-04-01T14:59:59Z");
    people("online-banking", 2, 2, "valid", "2027-04-05T14:59:59Z");
    clock_set_shift_ms(end_ms("2027-04-03T00:00:00Z") - clock_now_ms());
    AUTO_TEXT dry = scan_as(worker, lab.broker,
        scan_of("2027-03-26", ", 'product': 'online-banking', 'dry_run': true"));
    AUTO_TEXT real =
        scan_as(worker, lab.broker, scan_of("2027-03-26", ", 'product': 'online-banking'"));
    clock_set_shift_ms(0);
    assert_non_null(strstr(dry, "\"scanned\":2"));
    assert_non_null(strstr(real, "\"scanned\":1"));
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'mail' AND args LIKE "
                            "'%%user2@example.jp%%あと2日%%'"),
        1);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'mail'"), 1);
}

static void test_bad_requests(void **state UNUSED)
{
    static const struct {
        const char *args, *field;
    } rows[] = {
        {"{'as_of': 'today'}", "as_of"},
        {"{'as_of': '2027-02-29'}", "as_of"},
        {"{'as_of': 20270301}", "as_of"},
        {"{'product': 'no-such'}", "product"},
        {"{'dry_run': 'yes'}", "dry_run"},
        {"{'dryrun': true}", "dryrun"},
        {"{'by': {'role': 'king'}}", "by.role"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct ask a = ask_of(json_of("%s", rows[i].args));
        AUTO(group) g = run_jobs(worker, lab.broker, KIND_EXPIRY_SCAN, &a, 1);
        assert_int_equal(g->tasks[0].outcome, OUTCOME_REFUSED);
        assert_string_equal(answer_of(g, 0), "bad-request");
        if (!json_object_get(g->tasks[0].plan.fields, rows[i].field))
            fail_msg("row %zu: %s is not named", i, rows[i].field);
    }
    assert_int_equal(number("SELECT COUNT(*) FROM job"), 0); /* completed, not left */
}

/* --- killed, and two at once --- */

enum { MANY = 5500 };

static void pause_10_ms(void)
{
    nanosleep(&(struct timespec){0, 10000000}, NULL);
}

static void wait_for_notices(int64_t count)
{
    for (int64_t until = clock_monotonic_ms() + 60000; clock_monotonic_ms() < until; pause_10_ms())
        if (number("SELECT COUNT(*) FROM notice") == count)
            return;
    fail_msg("not %lld notices in time", (long long)count);
}

static void expect_all_once(void)
{
    assert_int_equal(number("SELECT COUNT(*) FROM notice WHERE state = 'queued'"), MANY);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'mail'"), MANY);
    assert_int_equal(number("SELECT COUNT(*) FROM notice n JOIN job j ON j.id = n.mail"), MANY);
    assert_int_equal(number("SELECT COUNT(DISTINCT certificate) FROM notice"), MANY);
    assert_int_equal(number("SELECT COUNT(*) FROM certificate WHERE noticed_days <> 30"), 0);
}

/* Somebody holds a certificate of the third chunk, so that the scan stands there when it is killed.
 */
static void test_killed_between_chunks(void **state UNUSED)
{
    people("association", 1, MANY, "valid", "2028-08-22T23:59:59Z");
    mariadb_do(admin, "BEGIN");
    mariadb_do(admin, "UPDATE certificate SET created_ms = 2 WHERE id = (SELECT id FROM (SELECT id "
                      "FROM certificate ORDER BY id LIMIT 1 OFFSET 2500) x)");
    struct ask a = scan_of("2028-08-01", "");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct worker *doomed = lab_worker();
        struct db *broker = mariadb_open(lab.server, "certq_broker", LAB_DATABASE, 1);
        run_jobs(doomed, broker, KIND_EXPIRY_SCAN, &a, 1);
        _exit(0);
    }
    wait_for_notices(2000);
    int status = 0;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    mariadb_do(admin, "ROLLBACK");
    AUTO_TEXT got = mem_text("busy"); /* until the server has noticed */
    for (int tries = 0; strcmp(got, "busy") == 0 && tries < 1000; tries++, pause_10_ms()) {
        json_incref(a.args);
        free(got);
        got = scan_as(worker, lab.broker, a);
    }
    json_decref(a.args);
    assert_non_null(strstr(got, "\"association\":{\"due\":{\"30\":5500},\"scanned\":5500,"
                                "\"sent\":5500"));
    expect_all_once();
}

struct racer {
    struct worker *worker;
    struct db *broker;
    struct ask ask;
    char *answer;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    r->answer = scan_as(r->worker, r->broker, r->ask);
    return NULL;
}

static int64_t sent_in(const char *answer)
{
    AUTO_TYPE(json, json_t) *products = json_loads(answer, 0, NULL);
    return json_integer_value(json_at(products, "association.sent"));
}

static void test_two_at_once(void **state UNUSED)
{
    people("association", 1, MANY, "valid", "2028-08-22T23:59:59Z");
    struct racer racers[2] = {{worker, lab.broker, scan_of("2028-08-01", ""), NULL},
        {lab_worker(), mariadb_open(lab.server, "certq_broker", LAB_DATABASE, 1),
            scan_of("2028-08-01", ""), NULL}};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sent_in(racers[0].answer) + sent_in(racers[1].answer), MANY);
    expect_all_once();
    for (size_t i = 0; i < 2; i++)
        free(racers[i].answer);
    worker_free(racers[1].worker);
    db_free(racers[1].broker);
}

/* --- on the screen --- */

#define LOGIN "'by': {'role': 'holder', 'how': 'session'}"

static char *screen(json_t *args)
{
    struct ask a = ask_of(args);
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_NOTICES, &a, 1);
    return mem_printf("%s %s", answer_of(g, 0), g->tasks[0].plan.answer);
}

static void test_screen(void **state UNUSED)
{
    people("online-banking", 1, 2, "valid", "2027-04-01T14:59:59Z");
    people("online-banking", 2, 2, "valid", "2028-04-01T14:59:59Z");
    people("association", 3, 3, "valid", "2027-04-01T14:59:59Z");
    clock_set_shift_ms(end_ms("2027-03-10T00:00:00Z") - clock_now_ms());
    static const struct {
        const char *args, *expected;
    } rows[] = {
        {"{'company_code': 'C1', 'user_id': 'user1', " LOGIN "}", "\"days_left\":22"},
        {"{'subscriber': '00000000-0000-0000-0000-000000000001', " LOGIN "}", "\"days_left\":22"},
        {"{'company_code': 'C1', 'user_id': 'user2', " LOGIN "}", "done {\"notices\":[]}"},
        {"{'company_code': 'C2', 'user_id': 'user1', " LOGIN "}", "done {\"notices\":[]}"},
        {"{'user_id': 'user1', " LOGIN "}", "bad-request"},
        {"{" LOGIN "}", "bad-request"},
        {"{'subscriber': 'x', " LOGIN "}", "bad-request"},
        {"{'company_code': 'C1', 'user_id': 'user1', 'product': 'nope', " LOGIN "}", "bad-request"},
        {"{'company_code': 'C1', 'user_id': 'user1', 'product': 'association', " LOGIN "}",
            "bad-request"},
        {"{'company_code': 'C1', 'user_id': 'user1'}", "\"days_left\":22"}, /* a session is meant */
        {"{'company_code': 'C1', 'user_id': 'user1', 'by': {'how': 'credentials'}}", "forbidden"},
        {"{'subscriber': '00000000-0000-0000-0000-000000000099', " LOGIN "}", "not-found"},
        {"{'subscriber': '00000000-0000-0000-0000-000000000003', " LOGIN "}", "not-offered"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TEXT got = screen(json_of("%s", rows[i].args));
        if (!strstr(got, rows[i].expected))
            fail_msg("row %zu: %s", i, got);
    }
    mariadb_do(admin, "UPDATE certificate SET state = 'revoked'");
    AUTO_TEXT got = screen(json_of("%s", rows[0].args));
    clock_set_shift_ms(0);
    assert_string_equal(got, "done {\"notices\":[]}");
    assert_int_equal(number("SELECT COUNT(*) FROM subscriber WHERE version <> 1"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_each_threshold_once, empty),
        cmocka_unit_test_setup(test_missed_days_are_caught_up, empty),
        cmocka_unit_test_setup(test_side_by_side, empty),
        cmocka_unit_test_setup(test_skipped_with_the_reason, empty),
        cmocka_unit_test_setup(test_a_dry_run_writes_nothing, empty),
        cmocka_unit_test_setup(test_now_is_the_day_of_acceptance, empty),
        cmocka_unit_test_setup(test_an_earlier_day, empty),
        cmocka_unit_test_setup(test_bad_requests, empty),
        cmocka_unit_test_setup(test_killed_between_chunks, empty),
        cmocka_unit_test_setup(test_two_at_once, empty),
        cmocka_unit_test_setup(test_screen, empty),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

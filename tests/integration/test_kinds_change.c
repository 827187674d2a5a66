/* links: workers support */
/* Changes and withdrawals from args to rows (A4, A10): what is written, by whom, and once. */
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

#define PAPER                                                                                      \
    "{'role': 'organisation', 'how': 'paper', 'evidence': {'form': {'received_on': "               \
    "'2026-04-01', 'seal': true}}}"

static char *subscriber_of(const char *certificate)
{
    struct err err = {0};
    struct uuid id, subscriber;
    assert_true(uuid_parse(certificate, strlen(certificate), &id));
    must(certificate_find(worker->db, &id, 1, &subscriber, &err), &err);
    return mem_text(uuid_s(&subscriber));
}

/* Somebody with a certificate; gives its id. */
static char *holder(const char *email)
{
    AUTO_TEXT csr = new_csr();
    char *certificate = apply(worker, "association", email);
    AUTO_TEXT code = code_of(worker, certificate);
    AUTO_TEXT answer =
        run_one(worker, KIND_RETRIEVE, retrieval(email, PASSWORD, code, csr), NULL, NULL);
    assert_string_equal(answer, "done");
    return certificate;
}

/* Asks by form; gives the application's id. */
static char *change(const char *subscriber, const char *changes)
{
    char *application = NULL;
    AUTO_TEXT answer = run_one(worker, KIND_CHANGE,
        ask_of(
            json_of("{'subscriber': '%s', 'changes': %s, 'by': " PAPER "}", subscriber, changes)),
        "application", &application);
    assert_string_equal(answer, "done");
    return application;
}

static struct ask approval(const char *application)
{
    return ask_of(
        json_of("{'subject': '%s', 'decision': 'approve', 'operator': 'op1', 'note': 'seen'}",
            application));
}

static int64_t in_state(const char *certificate, const char *state)
{
    return number("SELECT COUNT(*) FROM certificate WHERE id = UNHEX(REPLACE('%s', '-', '')) AND "
                  "state = '%s'",
        certificate, state);
}

static void test_address(void **state UNUSED) /* A4 */
{
    AUTO_TEXT old = holder("before@example.jp");
    AUTO_TEXT subscriber = subscriber_of(old);
    AUTO_TEXT asked = change(subscriber, "{'email': 'After@Example.jp'}");
    assert_int_equal(number("SELECT COUNT(*) FROM application WHERE id = UNHEX(REPLACE('%s', '-', "
                            "'')) AND kind = 'change' AND state = 'awaiting-approval' AND "
                            "certificate IS NULL AND chargeable = 0",
                         asked),
        1);
    assert_int_equal(in_state(old, "valid"), 1);
    AUTO_TEXT next = NULL;
    AUTO_TEXT answer =
        run_one(worker, KIND_DECIDE, approval(asked), "certificates.0.certificate", &next);
    assert_string_equal(answer, "done");
    assert_int_equal(in_state(old, "revoked"), 1);
    assert_int_equal(in_state(next, "awaiting-retrieval"), 1);
    assert_int_equal(
        number("SELECT COUNT(*) FROM subscriber s JOIN certificate n ON n.subscriber = s.id JOIN "
               "certificate o ON n.predecessor = o.id AND n.not_after_ms = o.not_after_ms JOIN "
               "revocation r ON r.certificate = o.id AND r.reason = 3 WHERE s.email = "
               "'after@example.jp' AND s.unit_key = 'after@example.jp' AND n.id = "
               "UNHEX(REPLACE('%s', '-', ''))",
            next),
        1);
    assert_int_equal(number("SELECT COUNT(*) FROM application WHERE id = UNHEX(REPLACE('%s', '-', "
                            "'')) AND state = 'approved' AND decided_by = 'op1' AND note = 'seen'",
                         asked),
        1);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'mail' AND args LIKE "
                            "'%%certificate-code%%' AND args LIKE '%%After@Example.jp%%' AND args "
                            "LIKE '%%%s%%'",
                         next),
        1);
    AUTO_TEXT code = code_of(worker, next);
    AUTO_TEXT csr = new_csr();
    AUTO_TEXT got = run_one(
        worker, KIND_RETRIEVE, retrieval("after@example.jp", PASSWORD, code, csr), NULL, NULL);
    assert_string_equal(got, "done");
    AUTO_TEXT gone = run_one(
        worker, KIND_RETRIEVE, retrieval("before@example.jp", PASSWORD, code, csr), NULL, NULL);
    assert_string_equal(gone, "credentials");
}

/* Two forms with the same new address, approved in one group: the first one has it. */
static void test_one_address_for_two(void **state UNUSED)
{
    AUTO_TEXT one = holder("one@example.jp");
    AUTO_TEXT two = holder("two@example.jp");
    AUTO_TEXT first = subscriber_of(one);
    AUTO_TEXT second = subscriber_of(two);
    AUTO_TEXT a = change(first, "{'email': 'same@example.jp'}");
    AUTO_TEXT b = change(second, "{'email': 'same@example.jp'}");
    struct ask asks[] = {approval(a), approval(b)};
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_DECIDE, asks, 2);
    assert_string_equal(answer_of(g, 0), "done");
    assert_string_equal(answer_of(g, 1), "bad-request");
    assert_int_equal(number("SELECT COUNT(*) FROM subscriber WHERE email = 'same@example.jp'"), 1);
    assert_int_equal(in_state(one, "revoked"), 1);
    assert_int_equal(in_state(two, "valid"), 1);
}

static void test_withdrawal(void **state UNUSED) /* A10 */
{
    AUTO_TEXT certificate = holder("leaves@example.jp");
    AUTO_TEXT subscriber = subscriber_of(certificate);
    AUTO_TEXT waiting = change(subscriber, "{'department': 'x'}");
    struct ask asks[] = {
        ask_of(json_of("{'subscriber': '%s', 'reason': 'left', 'by': " PAPER "}", subscriber)),
        ask_of(json_of("{'subscriber': '%s', 'reason': 'left', 'by': " PAPER "}", subscriber))};
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_WITHDRAW, asks, 2);
    assert_string_equal(answer_of(g, 0), "done");
    assert_string_equal(answer_of(g, 1), "withdrawn");
    assert_int_equal(in_state(certificate, "revoked"), 1);
    assert_int_equal(
        number("SELECT COUNT(*) FROM subscriber s JOIN revocation r JOIN certificate c ON "
               "c.subscriber = s.id AND r.certificate = c.id WHERE s.email = 'leaves@example.jp' "
               "AND s.state = 'withdrawn' AND r.reason = 3"),
        1);
    assert_int_equal(number("SELECT COUNT(*) FROM application WHERE id = UNHEX(REPLACE('%s', '-', "
                            "'')) AND state = 'withdrawn'",
                         waiting),
        1);
    AUTO_TEXT late = run_one(worker, KIND_DECIDE, approval(waiting), NULL, NULL);
    assert_string_equal(late, "not-awaiting");
    AUTO_TEXT nobody = run_one(worker, KIND_WITHDRAW,
        ask_of(json_of("{'subscriber': '01900000-0000-7000-8000-000000000000', 'reason': 'left', "
                       "'by': " PAPER "}")),
        NULL, NULL);
    assert_string_equal(nobody, "not-found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_one_address_for_two),
        cmocka_unit_test(test_withdrawal),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

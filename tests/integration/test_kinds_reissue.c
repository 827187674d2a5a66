/* links: workers support */
/* Reissues from args to rows (A8, B4, X4): what is revoked, deferred, cancelled, refused for good.
 */
#include "kinds_lab.h"

static struct worker *worker;

static int start(void **state)
{
    if (lab_start(state))
        return -1;
    lab_write("deferring.yaml",
        "product: deferring\nextends: association\nreissue: {predecessor: {choices: [deferred, "
        "immediate], default: deferred, defer_days: 14}}\n");
    worker = lab_worker();
    return 0;
}

static int stop(void **state)
{
    worker_free(worker);
    return lab_stop(state);
}

static struct ask by_credentials(const char *email, const char *code, const char *more)
{
    struct ask a = ask_of(json_of("{'email': '%s'%s}", email, more));
    seal_into(&a, "password", PASSWORD);
    seal_into(&a, "code", code);
    return a;
}

static void retrieve(const char *email, const char *certificate, const char *csr)
{
    AUTO_TEXT code = code_of(worker, certificate);
    AUTO_TEXT answer =
        run_one(worker, KIND_RETRIEVE, retrieval(email, PASSWORD, code, csr), NULL, NULL);
    assert_string_equal(answer, "done");
}

/* Gives the successor's id. */
static char *reissue(const char *email, const char *certificate, const char *more)
{
    AUTO_TEXT code = code_of(worker, certificate);
    char *next = NULL;
    AUTO_TEXT answer =
        run_one(worker, KIND_REISSUE, by_credentials(email, code, more), "certificate", &next);
    assert_string_equal(answer, "done");
    return next;
}

static int64_t in_state(const char *certificate, const char *state)
{
    return number("SELECT COUNT(*) FROM certificate WHERE id = UNHEX(REPLACE('%s', '-', '')) AND "
                  "state = '%s'",
        certificate, state);
}

static void test_on_retrieval(void **state UNUSED) /* A6, A8, A9, B4 */
{
    AUTO_TEXT csr = new_csr();
    AUTO_TEXT old = apply(worker, "association", "reissued@example.jp");
    retrieve("reissued@example.jp", old, csr);
    AUTO_TEXT next = reissue("reissued@example.jp", old, ", 'reason': 'lost'");
    assert_int_equal(in_state(old, "valid"), 1);
    assert_int_equal(in_state(next, "awaiting-retrieval"), 1);
    AUTO_TEXT other = new_csr();
    retrieve("reissued@example.jp", next, other);
    assert_int_equal(in_state(old, "revoked"), 1);
    assert_int_equal(
        number("SELECT COUNT(*) FROM certificate o JOIN certificate n ON n.predecessor = o.id AND "
               "n.root = o.root AND n.not_after_ms = o.not_after_ms AND n.serial <> o.serial JOIN "
               "revocation r ON r.certificate = o.id AND r.reason = 4 JOIN application a ON a.id = "
               "n.application AND a.kind = 'reissue' AND a.chargeable = 0 WHERE n.id = "
               "UNHEX(REPLACE('%s', '-', ''))",
            next),
        1);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'mail' AND args LIKE "
                            "'%%certificate-code%%%s%%' AND args LIKE '%%reissue%%'",
                         next),
        1);
}

static void test_wrong_tries_count(void **state UNUSED) /* A7, D7 */
{
    AUTO_TEXT old = apply(worker, "association", "wrong@example.jp");
    AUTO_TEXT code = code_of(worker, old);
    struct ask a = ask_of(json_of("{'email': 'wrong@example.jp'}"));
    seal_into(&a, "password", "not this one");
    seal_into(&a, "code", code);
    AUTO_TEXT answer = run_one(worker, KIND_REISSUE, a, NULL, NULL);
    assert_string_equal(answer, "credentials");
    assert_int_equal(number("SELECT failures FROM subscriber WHERE email = 'wrong@example.jp'"), 1);
    assert_int_equal(in_state(old, "awaiting-retrieval"), 1);
}

static void test_operator(void **state UNUSED) /* A11 */
{
    AUTO_TEXT old = apply(worker, "association", "lost@example.jp");
    struct ask by_operator = ask_of(
        json_of("{'certificate': '%s', 'by': {'role': 'operator', 'operator': 'op1'}}", old));
    AUTO_TEXT answer = run_one(worker, KIND_REISSUE, by_operator, NULL, NULL);
    assert_string_equal(answer, "done");
    assert_int_equal(in_state(old, "cancelled"), 1);
    AUTO_TEXT nobody = run_one(worker, KIND_REISSUE,
        ask_of(json_of("{'certificate': '01900000-0000-7000-8000-000000000000', 'by': {'role': "
                       "'operator', 'operator': 'op1'}}")),
        NULL, NULL);
    assert_string_equal(nobody, "not-found");
}

/* Who has retrieved a certificate and its successor: the predecessor is to be revoked later. */
static char *deferred(const char *email, char **ret_next)
{
    AUTO_TEXT csr = new_csr();
    char *old = apply(worker, "deferring", email);
    retrieve(email, old, csr);
    *ret_next = reissue(email, old, "");
    AUTO_TEXT other = new_csr();
    retrieve(email, *ret_next, other);
    assert_int_equal(in_state(old, "valid"), 1);
    return old;
}

#define REVOCATIONS "FROM %s WHERE kind = 'revoke' AND args LIKE '%%%s%%'"

static void test_deferred(void **state UNUSED) /* C5, X4 */
{
    AUTO_TEXT next = NULL;
    AUTO_TEXT old = deferred("deferred@example.jp", &next);
    assert_int_equal(
        number("SELECT j.run_at_ms - c.issued_ms FROM job j JOIN certificate c ON c.id = "
               "UNHEX(REPLACE('%s', '-', '')) WHERE j.kind = 'revoke' AND j.args LIKE '%%%s%%'",
            next, old),
        INT64_C(14) * 86400000);
    AUTO_TEXT pretended = run_one(worker, KIND_REVOKE,
        ask_of(json_of("{'certificate': '%s', 'successor': '%s'}", old, next)), NULL, NULL);
    assert_string_equal(pretended, "forbidden");
    assert_int_equal(in_state(old, "valid"), 1);
}

static void test_by_hand_before(void **state UNUSED) /* X4 */
{
    AUTO_TEXT next = NULL;
    AUTO_TEXT old = deferred("byhand@example.jp", &next);
    assert_int_equal(number("SELECT COUNT(*) " REVOCATIONS, "job", old), 1);
    struct ask a = ask_of(json_of("{'certificate': '%s', 'reason': 'superseded', 'by': {'role': "
                                  "'operator', 'operator': 'op1'}}",
        old));
    AUTO_TEXT answer = run_one(worker, KIND_REVOKE, a, NULL, NULL);
    assert_string_equal(answer, "done");
    assert_int_equal(number("SELECT COUNT(*) " REVOCATIONS, "job", old), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE kind = 'revoke' AND state = "
                            "'cancelled' AND client = 'certq' AND args IS NULL"),
        1);
    assert_int_equal(in_state(next, "valid"), 1);
}

static void test_compromise(void **state UNUSED) /* C6, A6 */
{
    AUTO_TEXT email = mem_text("compromised@example.jp");
    AUTO_TEXT csr = new_csr();
    AUTO_TEXT old = apply(worker, "association", email);
    retrieve(email, old, csr);
    AUTO_TEXT next = reissue(email, old, ", 'reason': 'key-compromise'");
    assert_int_equal(in_state(old, "revoked"), 1); /* at the request */
    assert_int_equal(number("SELECT COUNT(*) FROM compromised_key k JOIN certificate c ON c.id = "
                            "k.certificate AND c.spki_sha256 = k.spki_sha256 WHERE c.id = "
                            "UNHEX(REPLACE('%s', '-', ''))",
                         old),
        1);
    AUTO_TEXT code = code_of(worker, next);
    AUTO_TEXT same_key =
        run_one(worker, KIND_RETRIEVE, retrieval(email, PASSWORD, code, csr), NULL, NULL);
    assert_string_equal(same_key, "key-compromised");
    AUTO_TEXT other = apply(worker, "association", "somebody-else@example.jp");
    AUTO_TEXT other_code = code_of(worker, other);
    AUTO_TEXT stolen = run_one(worker, KIND_RETRIEVE,
        retrieval("somebody-else@example.jp", PASSWORD, other_code, csr), NULL, NULL);
    assert_string_equal(stolen, "key-compromised");
    assert_int_equal(
        number("SELECT COUNT(*) FROM job WHERE kind = 'mail' AND priority = 9 AND args "
               "LIKE '%%compromised@example.jp%%'"),
        2);
    AUTO_TEXT fresh = new_csr();
    retrieve(email, next, fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_retrieval),
        cmocka_unit_test(test_wrong_tries_count),
        cmocka_unit_test(test_operator),
        cmocka_unit_test(test_deferred),
        cmocka_unit_test(test_by_hand_before),
        cmocka_unit_test(test_compromise),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

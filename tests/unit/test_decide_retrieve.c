/* links: lifecycle config */
#include "decide_ask.h"

/* --- a good retrieval --- */

static void test_retrieve(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    stored(a);
    w->now_ms = at("2026-04-02T03:00:00Z");
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    const struct certificate *c = a->certificates[0];
    assert_string_equal(w->subject, "C=JP,O=Example Corporation,CN=Yamada Taro <Taro@Example.jp>");
    assert_string_equal(result_text(w, "certificate"), uuid_s(&c->id));
    assert_string_equal(result_text(w, "serial"), "40404040404040404040404040404001");
    assert_string_equal(result_text(w, "not_before"), "2026-04-02T00:00:00Z");
    assert_string_equal(result_text(w, "not_after"), "2028-05-01T23:59:59Z");
    assert_string_equal(result_text(w, "pem"), "PEM of DER 1");
    assert_string_equal(result_text(w, "chain"), "CHAIN");
    assert_int_equal(c->state, CERTIFICATE_VALID);
    assert_int_equal(c->row, ROW_CHANGED);
    assert_int_equal(c->issued_ms, w->now_ms);
    assert_int_equal(c->request_sha256[0], 'a');
    assert_string_equal(c->subject, w->subject);
    assert_int_equal(w->plan.followup_count, 1);
    const json_t *mail = w->plan.followups[0].args;
    assert_string_equal(json_text_at(mail, "template"), "certificate-issued");
    assert_string_equal(json_text_at(mail, "facts.common_name"), "Yamada Taro");
    assert_string_equal(json_text_at(mail, "facts.keep_code"), "yes");
    assert_string_equal(json_text_at(mail, "facts.not_after"), "2028-05-02T08:59:59+09:00 ja");
    assert_string_equal(w->plan.audits[0].event, "certificate.issued");
}

static void test_validity(void **state) /* A1, B9: by the moment of acceptance */
{
    static const struct {
        const char *now, *not_before, *not_after;
    } rows[] = {
        {"2006-07-24T00:00:00Z", "2006-07-24T00:00:00Z", "2008-08-22T23:59:59Z"},
        {"2006-07-24T14:00:00Z", "2006-07-24T00:00:00Z", "2008-08-22T23:59:59Z"},
        {"2006-07-23T23:59:59Z", "2006-07-23T00:00:00Z", "2008-08-21T23:59:59Z"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        w->now_ms = at("2006-07-01T00:00:00Z");
        AUTO(aggregate) a = apply(w, "association");
        w->now_ms = at(rows[i].now);
        assert_string_equal(retrieve(w, a, RIGHT), "done");
        assert_string_equal(result_text(w, "not_before"), rows[i].not_before);
        assert_string_equal(result_text(w, "not_after"), rows[i].not_after);
    }
}

static void test_japanese_subject(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "japanese");
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    assert_string_equal(w->subject, "C=JP,O=例示株式会社,CN=山田 太郎 <Taro@Example.jp>");
}

static void test_profile_of_its_application(void **state) /* B7 */
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    AUTO_TEXT first = fake_code(a->certificates[0]);
    AUTO_TEXT text = mem_printf(TARO, "association");
    AUTO_TYPE(json, json_t) *args = json_of(text);
    json_put(args, "subscriber.name.latin", json_string("Yamada Jiro"));
    struct aggregate *same = a;
    assert_int_equal(issue_json(w, &same, args, HASH, NULL), 0);
    struct ask how = RIGHT;
    how.code = first;
    assert_string_equal(retrieve(w, a, how), "done");
    assert_non_null(strstr(w->subject, "CN=Yamada Taro"));
    assert_string_equal(retrieve(w, a, RIGHT), "done"); /* the second code */
    assert_non_null(strstr(w->subject, "CN=Yamada Jiro"));
}

static void test_end_of_chain(void **state) /* A9 */
{
    static const struct {
        const char *now, *answer, *not_after;
    } rows[] = {
        {"2026-06-01T00:00:00Z", "done", "2026-12-31T23:59:59Z"},
        {"2026-12-31T23:59:59Z", "done", "2026-12-31T23:59:59Z"},
        {"2027-01-01T00:00:00Z", "expired", "(none)"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        w->now_ms = at("2026-04-01T03:00:00Z");
        AUTO(aggregate) a = apply(w, "association");
        a->certificates[0]->not_after_ms = at("2026-12-31T23:59:59Z");
        w->now_ms = at(rows[i].now);
        assert_string_equal(retrieve(w, a, RIGHT), rows[i].answer);
        assert_string_equal(result_text(w, "not_after"), rows[i].not_after);
    }
}

static void test_never_past_issuer(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    w->issuer_end_ms = at("2027-01-31T12:00:00Z");
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    assert_string_equal(result_text(w, "not_after"), "2027-01-31T12:00:00Z");
    AUTO(aggregate) b = apply(w, "association");
    w->issuer_end_ms = at("2026-01-31T12:00:00Z");
    struct ask how = RIGHT;
    assert_int_equal(ask(w, PROC_RETRIEVE, &b, 1, &how), -1);
    assert_int_equal(w->err.kind, ERR_TEMPORARY);
    assert_int_equal(b->certificates[0]->state, CERTIFICATE_AWAITING_RETRIEVAL);
}

/* --- again (X6) --- */

static void test_again(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    AUTO_TEXT serial = mem_text(result_text(w, "serial"));
    stored(a);
    AUTO_TEXT before = snapshot(a, true);
    w->now_ms += 60000;
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    assert_string_equal(result_text(w, "serial"), serial);
    assert_string_equal(result_text(w, "pem"), "PEM of DER stored");
    assert_int_equal(w->signings, 1);
    assert_int_equal(w->plan.followup_count, 0);
    assert_string_equal(w->plan.audits[0].event, "certificate.given-again");
    buf_free(&a->certificates[0]->der);
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
    struct ask other = RIGHT;
    other.request = 'b';
    assert_string_equal(retrieve(w, a, other), "already-retrieved");
    AUTO_TEXT later = snapshot(a, true);
    assert_string_equal(before, later);
}

static void test_other_states(void **state)
{
    static const struct {
        enum certificate_state state;
        const char *not_after, *answer;
    } rows[] = {
        {CERTIFICATE_REVOKED, "2027-01-01T00:00:00Z", "revoked"},
        {CERTIFICATE_CANCELLED, "2027-01-01T00:00:00Z", "cancelled"},
        {CERTIFICATE_AWAITING_APPROVAL, "2027-01-01T00:00:00Z", "awaiting-approval"},
        {CERTIFICATE_VALID, "2026-03-31T23:59:59Z", "expired"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = apply(w, "association");
        struct certificate *c = a->certificates[0];
        c->state = rows[i].state;
        c->not_after_ms = at(rows[i].not_after);
        c->issued_ms = 1;
        c->has_request = true;
        memset(c->request_sha256, 'a', sizeof c->request_sha256);
        AUTO_TEXT before = snapshot(a, true);
        assert_string_equal(retrieve(w, a, RIGHT), rows[i].answer);
        struct ask wrong = RIGHT;
        wrong.fits = false; /* what is wrong with the certificate is told to nobody else */
        AUTO_TEXT after = snapshot(a, true);
        assert_string_equal(before, after);
        assert_string_equal(retrieve(w, a, wrong), "credentials");
    }
}

static void test_code_dies(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "short-code"); /* 30 days, day 30 included */
    w->now_ms = at("2026-05-01T14:59:59Z");
    AUTO(aggregate) b = apply(w, "short-code");
    b->certificates[0]->code_issued_ms = a->certificates[0]->code_issued_ms;
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    w->now_ms = at("2026-05-01T15:00:00Z");
    assert_string_equal(retrieve(w, b, RIGHT), "code-expired");
    assert_int_equal(b->certificates[0]->state, CERTIFICATE_AWAITING_RETRIEVAL);
}

static void test_key_is_refused(void **state)
{
    static const struct {
        int curve, bits;
        const char *answer;
    } rows[] = {
        {CURVE_P256, 0, "done"},
        {CURVE_P384, 0, "done"},
        {-1, 2048, "done"},
        {-1, 4096, "done"},
        {-1, 4098, "bad-request"},
        {-1, 1024, "bad-request"},
        {-1, 0, "bad-request"},
    };
    struct world *w = *state;
    const struct policy *policy = policy_set_find(w->set, "association");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct request_key key = key_of('a');
        key.curve = rows[i].curve;
        key.rsa_bits = rows[i].bits;
        plan_clear(&w->plan);
        assert_int_equal(key_check(policy, &key, &w->plan), strcmp(rows[i].answer, "done") == 0);
        assert_string_equal(answer(w), rows[i].answer);
        if (w->plan.refused)
            assert_string_not_equal(field_text(w, "csr"), "(none)");
    }
}

static void test_cannot_sign(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    struct ask how = RIGHT;
    AUTO_TEXT before = snapshot(a, true);
    w->fail_sign = ERR_TEMPORARY;
    assert_int_equal(ask(w, PROC_RETRIEVE, &a, 1, &how), -1);
    w->fail_sign = ERR_INPUT;
    assert_string_equal(retrieve(w, a, RIGHT), "bad-request");
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
}

/* --- wrong credentials --- */

static void test_one_answer_for_all(void **state) /* B2 */
{
    static const struct ask rows[] = {
        {.args = THREE, .fits = false, .request = 'a'},
        {.args = THREE, .fits = true, .code = "another", .request = 'a'},
        {.args = THREE, .fits = false, .code = "another", .request = 'a'},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = apply(w, "association");
        AUTO_TEXT before = snapshot(a, false);
        assert_string_equal(retrieve(w, a, rows[i]), "credentials");
        assert_string_equal(w->plan.message, CREDENTIALS_REFUSAL);
        assert_int_equal(a->subscriber.failures, 1);
        assert_int_equal(w->plan.followup_count, 0);
        AUTO_TEXT after = snapshot(a, false);
        assert_string_equal(before, after);
    }
    struct ask nobody = RIGHT;
    AUTO(aggregate) a = apply(w, "association");
    assert_int_equal(ask(w, PROC_RETRIEVE, &a, 0, &nobody), 0);
    assert_string_equal(answer(w), "credentials");
    assert_string_equal(w->plan.message, CREDENTIALS_REFUSAL);
    assert_int_equal(w->plan.audit_count, 0);
}

static void test_five_lock(void **state) /* D7 */
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    stored(a);
    struct ask wrong = RIGHT;
    wrong.fits = false;
    for (int i = 1; i <= 20; i++) { /* twenty in one group: one aggregate, one after another */
        assert_string_equal(retrieve(w, a, wrong), "credentials");
        assert_int_equal(a->subscriber.failures, i < 5 ? i : 5);
        assert_int_equal(a->subscriber.locked_ms != 0, i >= 5);
        assert_int_equal(w->plan.audit_count, i < 5 ? 1 : i == 5 ? 2 : 0);
    }
    assert_int_equal(a->subscriber.row, ROW_CHANGED);
    assert_string_equal(retrieve(w, a, RIGHT), "credentials"); /* right, and too late */
    assert_string_equal(w->plan.message, CREDENTIALS_REFUSAL);
    assert_int_equal(listed(w, a, RIGHT), 0);
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_AWAITING_RETRIEVAL);
}

/* The owner is told once, in the transaction of the refusal; the requester learns nothing (B2). */
static void test_the_owner_hears_of_the_lock(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "announcing");
    stored(a);
    struct ask wrong = RIGHT;
    wrong.fits = false;
    for (int i = 1; i <= 7; i++) {
        assert_string_equal(retrieve(w, a, wrong), "credentials");
        assert_string_equal(w->plan.message, CREDENTIALS_REFUSAL);
        assert_int_equal(w->plan.followup_count, i == 5);
        if (i != 5)
            continue;
        const json_t *mail = w->plan.followups[0].args;
        assert_string_equal(json_text_at(mail, "template"), "account-locked");
        assert_string_equal(json_text_at(mail, "recipient"), "Taro@Example.jp");
        assert_string_equal(json_text_at(mail, "facts.tries"), "5回");
        assert_string_equal(json_text_at(mail, "facts.locked_on"), "2026-04-01T12:00:00+09:00 ja");
        assert_string_equal(json_text_at(mail, "facts.operator"), "yes");
    }
}

static void test_success_resets(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    struct ask wrong = RIGHT;
    wrong.fits = false;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            assert_string_equal(retrieve(w, a, wrong), "credentials");
        assert_string_equal(retrieve(w, a, RIGHT), "done");
        assert_int_equal(a->subscriber.failures, 0);
    }
}

static void test_password_changed_meanwhile(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    AUTO_TEXT before = snapshot(a, true);
    struct ask stale = RIGHT;
    stale.tried = OTHER_HASH;
    assert_int_equal(ask(w, PROC_RETRIEVE, &a, 1, &stale), -1);
    assert_int_equal(w->err.kind, ERR_CONFLICT);
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
}

/* One address in two products with one password each: only the right one counts. */
static void test_two_products(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    AUTO(aggregate) b = apply(w, "class2-rules");
    struct aggregate *both[] = {a, b};
    struct ask how = RIGHT;
    assert_int_equal(ask(w, PROC_RETRIEVE, both, 2, &how), 0);
    assert_string_equal(answer(w), "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    assert_int_equal(b->certificates[0]->state, CERTIFICATE_AWAITING_RETRIEVAL);
    assert_int_equal(b->subscriber.failures, 0);
    how.fits = false;
    assert_int_equal(ask(w, PROC_RETRIEVE, both, 2, &how), 0);
    assert_int_equal(a->subscriber.failures, 1);
    assert_int_equal(b->subscriber.failures, 1);
    how = RIGHT;
    how.code = "another"; /* whose password was right has the wrong code; the other one is nobody */
    how.misfits = 2;
    assert_int_equal(ask(w, PROC_RETRIEVE, both, 2, &how), 0);
    assert_string_equal(answer(w), "credentials");
    assert_int_equal(a->subscriber.failures, 2);
    assert_int_equal(b->subscriber.failures, 1);
}

static void test_withdrawn(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    a->subscriber.is_withdrawn = true;
    assert_string_equal(retrieve(w, a, RIGHT), "credentials");
}

static void test_bad_requests(void **state)
{
    static const struct {
        const char *args, *answer, *field;
    } rows[] = {
        {"{'csr': 'x'}", "bad-request", "email"},
        {"{'email': 'a@example.jp', 'csr': 'x'}", "bad-request", "password"},
        {"{'email': 'a@example.jp', 'csr': 'x', 'code': 1}", "bad-request", "password"},
        {"{'email': 'a@example.jp', 'csr': 'x', 'password': 1}", "bad-request", "code"},
        {"{'email': 7, 'csr': 'x', 'password': 1, 'code': 1}", "bad-request", "email"},
        {"{'email': '', 'csr': 'x', 'password': 1, 'code': 1}", "bad-request", "email"},
        {"{'email': 'a\\nb', 'csr': 'x', 'password': 1, 'code': 1}", "bad-request", "email"},
        {"{'email': 'a@example.jp', 'password': 1, 'code': 1}", "bad-request", "csr"},
        {"{'email': 'a@example.jp', 'password': 1, 'code': 1, 'csr': 1}", "bad-request", "csr"},
        {"{'email': 'a@example.jp', 'password': 1, 'code': 1, 'csr': 'x', 'more': 1}",
            "bad-request", "more"},
        {"{'email': 'a@example.jp', 'password': 1, 'code': 1, 'csr': 'x', 'product': 'no'}",
            "bad-request", "product"},
        {"{'user_id': 'user01', 'csr': 'x'}", "bad-request", "password"},
        {"{'user_id': 'user01', 'csr': 'x', 'password': 1, 'by': {'role': 'contact', 'how': "
         "'session'}}",
            "forbidden", NULL},
        {"{'user_id': 'user01', 'csr': 'x', 'password': 1, 'product': 'association'}", "forbidden",
            NULL},
    };
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct ask how = {.args = rows[i].args, .fits = true, .request = 'a'};
        retrieve(w, a, how);
        if (strcmp(answer(w), rows[i].answer) != 0 ||
            (rows[i].field && strcmp(field_text(w, rows[i].field), "(none)") == 0))
            fail_msg("%s: %s: %s", rows[i].args, answer(w), w->plan.message);
        assert_int_equal(a->subscriber.failures, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_retrieve),
        IN_WORLD(test_validity),
        IN_WORLD(test_japanese_subject),
        IN_WORLD(test_profile_of_its_application),
        IN_WORLD(test_end_of_chain),
        IN_WORLD(test_never_past_issuer),
        IN_WORLD(test_again),
        IN_WORLD(test_other_states),
        IN_WORLD(test_code_dies),
        IN_WORLD(test_key_is_refused),
        IN_WORLD(test_cannot_sign),
        IN_WORLD(test_one_answer_for_all),
        IN_WORLD(test_five_lock),
        IN_WORLD(test_the_owner_hears_of_the_lock),
        IN_WORLD(test_success_resets),
        IN_WORLD(test_password_changed_meanwhile),
        IN_WORLD(test_two_products),
        IN_WORLD(test_withdrawn),
        IN_WORLD(test_bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

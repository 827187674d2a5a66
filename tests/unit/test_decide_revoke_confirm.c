/* links: lifecycle */
/* C8: a revocation (cancellation) is confirmed by telephone, then the contract ends. */
#include "contract_fixture.h"

static const char *revoke(struct world *w, struct aggregate *a, const char *members)
{
    AUTO_TEXT text =
        mem_printf("{'certificate': '%s', %s}", uuid_s(&a->certificates[0]->id), members);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct decision d = decision(w);
    struct revoke_request r;
    const struct policy *policy = policy_set_find(w->set, a->subscriber.product);
    if (revoke_read(&d, args, &r, &w->plan) &&
        decide_revoke(&d, &r, policy, a, a->certificates[0], &w->plan, &w->err))
        fail_msg("revoke: %s", w->err.text);
    return answer(w);
}

static const char *word(struct world *w, struct aggregate *a, const char *members)
{
    const struct application *last = a->applications[a->application_count - 1];
    AUTO_TEXT text =
        mem_printf("{'subject': '%s', 'operator': 'op', %s}", uuid_s(&last->id), members);
    return decide_text(w, a, text);
}

#define ASKED "'reason': 'サービスを終了するため', " BY_CONTACT
#define CALLED(with, at)                                                                           \
    "'confirmation': {'by': 'telephone', 'with': '" with "', 'person': '〇〇', 'at': '" at "'}"
#define LATER "2026-04-01T05:00:00Z"

static void test_requests(void **state UNUSED)
{
    static const struct {
        const char *members, *answer, *what;
    } rows[] = {
        {ASKED, "done", "awaiting-confirmation"},
        {BY_CONTACT, "bad-request", "reason"},
        {"'reason': 'x', 'by': {'role': 'subscriber', 'how': 'credentials'}", "forbidden", NULL},
        {"'reason': 'superseded', 'by': {'role': 'operator', 'operator': 'op'}", "done",
            "awaiting-confirmation"},
        /* C6: waits for nothing. */
        {"'reason': 'keyCompromise', 'by': {'role': 'operator', 'operator': 'op'}", "done",
            "revoked"},
        {"'reason': 'keyCompromise', " BY_CONTACT, "done", "awaiting-confirmation"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world w;
        world_init(&w);
        struct aggregate *a = issue_server(&w, "web-ev", 'a');
        const char *got = revoke(&w, a, rows[i].members);
        if (strcmp(got, rows[i].answer) != 0)
            fail_msg("row %zu: %s %s", i, got, w.plan.message ? w.plan.message : "");
        if (strcmp(got, "done") == 0)
            assert_string_equal(result_text(&w, "state"), rows[i].what);
        else if (rows[i].what)
            assert_string_not_equal(field_text(&w, rows[i].what), "(none)");
        free_server(a);
        world_clear(&w);
    }
}

static void test_words(void **state UNUSED)
{
    static const struct {
        const char *members, *answer, *field;
    } rows[] = {
        {"'decision': 'approve', 'reason': 'cessationOfOperation', " CALLED("registered", LATER),
            "done", NULL},
        {"'decision': 'approve', 'reason': 'cessationOfOperation'", "bad-request", "confirmation"},
        {"'decision': 'approve', " CALLED("registered", LATER), "bad-request", "reason"},
        {"'decision': 'approve', 'reason': 'nonsense', " CALLED("registered", LATER), "bad-request",
            "reason"},
        {"'decision': 'approve', 'reason': 'cessationOfOperation', " CALLED("technical", LATER),
            "bad-request", "confirmation.with"},
        {"'decision': 'approve', 'reason': 'cessationOfOperation', " CALLED(
             "registered", "2026-03-01T00:00:00Z"),
            "bad-request", "confirmation.at"},
        {"'decision': 'reject', 'note': '取り下げ'", "done", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world w;
        world_init(&w);
        struct aggregate *a = issue_server(&w, "web-ev", 'a');
        assert_string_equal(revoke(&w, a, ASKED), "done");
        stored(a);
        assert_string_equal(revoke(&w, a, ASKED), "already-waiting");
        w.now_ms += INT64_C(3) * 3600 * 1000;
        const char *got = word(&w, a, rows[i].members);
        if (strcmp(got, rows[i].answer) != 0)
            fail_msg("row %zu: %s %s", i, got, w.plan.message ? w.plan.message : "");
        if (rows[i].field && strcmp(field_text(&w, rows[i].field), "(none)") == 0)
            fail_msg("row %zu: %s is not named", i, rows[i].field);
        const bool is_revoked = i == 0;
        assert_int_equal(
            a->certificates[0]->state, is_revoked ? CERTIFICATE_REVOKED : CERTIFICATE_VALID);
        assert_int_equal(a->contract->has_ended, is_revoked);
        if (is_revoked) {
            AUTO_TEXT to = mails_to(&w.plan);
            assert_string_equal(to, "r@example.jp t@example.jp");
            assert_int_equal(a->certificates[0]->reason, REASON_CESSATION_OF_OPERATION);
            assert_true(json_is_true(json_object_get(w.plan.result, "contract_ended")));
        }
        free_server(a);
        world_clear(&w);
    }
}

/* Another certificate lives under it: the contract goes on. */
static void test_contract_goes_on(void **state)
{
    struct world *w = *state;
    const struct request_key key = key_of('b');
    AUTO_SERVER a = issue_server(w, "web-sr", 'a');
    AUTO(aggregate) second = NULL;
    AUTO_TEXT named = mem_printf("{'id': '%s'}", uuid_s(&a->contract->id));
    AUTO_TEXT text = mem_printf(SERVER_ARGS, "web-sr", named, "shop.example.jp");
    assert_int_equal(ask_server(w, text, a->contract, &key, &second), 0);
    assert_string_equal(decide_last(w, second, "approve"), "done");
    stored(second);
    assert_string_equal(revoke(w, a, ASKED), "done");
    w->now_ms += INT64_C(3) * 3600 * 1000;
    assert_string_equal(
        word(w, a, "'decision': 'approve', 'reason': 'superseded', " CALLED("registered", LATER)),
        "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
    assert_false(a->contract->has_ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_words),
        IN_WORLD(test_contract_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

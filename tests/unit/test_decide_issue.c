/* links: lifecycle config */
#include "decide_fixture.h"

/* --- what is accepted --- */

static void test_code_is_queued(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    assert_string_equal(result_text(w, "state"), "code-queued");
    assert_true(json_is_true(json_object_get(w->plan.result, "chargeable")));
    assert_string_equal(result_text(w, "charge_reason"), "new-application");
    assert_int_equal(a->certificate_count, 1);
    const struct certificate *c = a->certificates[0];
    assert_string_equal(result_text(w, "certificate"), uuid_s(&c->id));
    assert_string_equal(result_text(w, "application"), uuid_s(&a->applications[0]->id));
    assert_string_equal(result_text(w, "subscriber"), uuid_s(&a->subscriber.id));
    assert_int_equal(c->state, CERTIFICATE_AWAITING_RETRIEVAL);
    assert_int_equal(c->code_generation, 1);
    assert_string_equal(c->code_key, "0a1b2c3d");
    assert_int_equal(c->code_nonce[0], 7);
    assert_int_equal(c->serial_length, SERIAL_BYTES);
    assert_true(uuid_equal(&c->root, &c->id));
    assert_string_equal(c->issuer, "person-ca");
    assert_int_equal(c->not_after_ms, 0);
    assert_int_equal(a->subscriber.row, ROW_NEW);
    assert_string_equal(a->subscriber.email, "taro@example.jp");
    assert_string_equal(a->subscriber.unit_key, "taro@example.jp");
    assert_string_equal(a->subscriber.password, HASH);
    assert_string_equal(a->subscriber.language, "ja");
    assert_null(strstr(a->subscriber.profile, "scrypt"));
    assert_null(a->applications[0]->request);
    assert_int_equal(w->plan.audit_count, 1);
    assert_string_equal(w->plan.audits[0].event, "application.accepted");
    assert_string_equal(w->plan.role, "subscriber");
}

static void test_code_mail(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    assert_int_equal(w->plan.followup_count, 1);
    assert_int_equal(w->plan.followups[0].kind, KIND_MAIL);
    const json_t *args = w->plan.followups[0].args;
    assert_string_equal(json_text_at(args, "template"), "certificate-code");
    assert_string_equal(json_text_at(args, "recipient"), "Taro@Example.jp");
    assert_string_equal(json_text_at(args, "language"), "ja");
    assert_string_equal(json_text_at(args, "certificate"), uuid_s(&a->certificates[0]->id));
    assert_string_equal(json_text_at(args, "subscriber"), uuid_s(&a->subscriber.id));
    assert_int_equal(json_integer_value(json_at(args, "generation")), 1);
    assert_string_equal(json_text_at(args, "facts.name"), "山田 太郎");
    assert_string_equal(json_text_at(args, "facts.organisation"), "例示株式会社");
    assert_string_equal(json_text_at(args, "facts.validity"), "760日間");
    assert_string_equal(json_text_at(args, "facts.first"), "yes");
    assert_string_equal(json_text_at(args, "facts.applied_on"), "2026-04-01T12:00:00+09:00 ja");
    AUTO_BUF text = {0};
    AUTO_TEXT code = fake_code(a->certificates[0]);
    json_write(args, &text);
    assert_null(strstr(buf_text(&text), code)); /* X5 */
}

static void test_mail_in_english(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = NULL;
    AUTO_TEXT text = mem_printf(TARO, "association");
    AUTO_TYPE(json, json_t) *args = json_of(text);
    json_put(args, "subscriber.language", json_string("en"));
    assert_int_equal(issue_json(w, &a, args, HASH, NULL), 0);
    assert_string_equal(answer(w), "done");
    assert_string_equal(a->subscriber.language, "en");
    assert_string_equal(json_text_at(w->plan.followups[0].args, "facts.name"), "Yamada Taro");
    assert_string_equal(json_text_at(w->plan.followups[0].args, "facts.validity"), "760 days");
}

static void test_without_code(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = NULL;
    AUTO_TYPE(json, json_t) *args = json_of(HANAKO);
    assert_int_equal(issue_json(w, &a, args, HASH, NULL), 0);
    assert_string_equal(answer(w), "done");
    assert_string_equal(result_text(w, "state"), "awaiting-retrieval");
    assert_true(json_is_null(json_object_get(w->plan.result, "chargeable")));
    assert_string_equal(result_text(w, "charge_reason"), "upstream");
    assert_string_equal(a->subscriber.unit_key, "C1\nuser01");
    assert_string_equal(a->certificates[0]->code_key, "");
    assert_int_equal(a->certificates[0]->code_generation, 0);
    assert_int_equal(w->plan.followup_count, 0);
    assert_int_equal(a->applications[0]->charged, CHARGED_UPSTREAM);
}

static void test_second_application(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    AUTO_TEXT first_profile = mem_text(a->subscriber.profile);
    stored(a);
    AUTO_TEXT text = mem_printf(TARO, "association");
    AUTO_TYPE(json, json_t) *args = json_of(text);
    json_put(args, "subscriber.name.latin", json_string("Yamada Jiro"));
    struct aggregate *same = a;
    assert_int_equal(issue_json(w, &same, args, OTHER_HASH, NULL), 0);
    assert_string_equal(answer(w), "done");
    assert_ptr_equal(same, a);
    assert_int_equal(a->application_count, 2);
    assert_int_equal(a->certificate_count, 2);
    assert_int_equal(a->subscriber.row, ROW_CHANGED);
    assert_string_equal(a->subscriber.password, OTHER_HASH);
    assert_int_equal(a->applications[1]->row, ROW_NEW);
    assert_int_equal(a->certificates[0]->row, ROW_STORED);
    /* B7: what was applied for stays as it was sent. */
    assert_int_equal(a->applications[0]->row, ROW_CHANGED);
    AUTO_TYPE(json, json_t) *kept = json_loads(a->applications[0]->request, 0, NULL);
    AUTO_TYPE(json, json_t) *before = json_loads(first_profile, 0, NULL);
    assert_true(json_equal(json_object_get(kept, "subscriber"), before));
    assert_null(a->applications[1]->request);
    assert_non_null(strstr(a->subscriber.profile, "Yamada Jiro"));
}

static void test_first_password_stays(void **state) /* B10 */
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "class2-rules");
    AUTO_TEXT text = mem_printf(TARO, "class2-rules");
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct aggregate *same = a;
    assert_int_equal(issue_json(w, &same, args, OTHER_HASH, NULL), 0);
    assert_string_equal(answer(w), "done");
    assert_string_equal(a->subscriber.password, HASH);
}

/* Knowing a user id is not enough to replace its password; a session or an operator may. */
static void test_takeover(void **state)
{
    static const struct {
        const char *by, *password;
    } rows[] = {
        {NULL, HASH},
        {"{'role': 'subscriber', 'how': 'credentials'}", HASH},
        {"{'role': 'subscriber', 'how': 'session'}", OTHER_HASH},
        {"{'role': 'operator', 'operator': 'op1'}", OTHER_HASH},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = NULL;
        AUTO_TYPE(json, json_t) *args = json_of(HANAKO);
        assert_int_equal(issue_json(w, &a, args, HASH, NULL), 0);
        AUTO_TEXT profile = mem_text(a->subscriber.profile);
        json_put(args, "subscriber.organisation.latin", json_string("Mallory Inc"));
        if (rows[i].by)
            json_object_set_new(args, "by", json_of(rows[i].by));
        struct aggregate *same = a;
        assert_int_equal(issue_json(w, &same, args, OTHER_HASH, NULL), 0);
        assert_string_equal(answer(w), "done");
        assert_string_equal(a->subscriber.password, rows[i].password);
        bool is_kept = strcmp(a->subscriber.profile, profile) == 0;
        assert_int_equal(is_kept, strcmp(rows[i].password, HASH) == 0);
    }
}

static void test_lock_outlives_application(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    a->subscriber.failures = 5;
    a->subscriber.locked_ms = 1;
    AUTO_TEXT text = mem_printf(TARO, "association");
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct aggregate *same = a;
    assert_int_equal(issue_json(w, &same, args, OTHER_HASH, NULL), 0);
    assert_int_equal(a->subscriber.locked_ms, 1);
}

static void test_renews(void **state) /* A2 */
{
    static const struct {
        enum certificate_state state;
        const char *not_after, *answer;
    } rows[] = {
        {CERTIFICATE_VALID, "2026-05-01T00:00:00Z", "done"},
        {CERTIFICATE_VALID, "2026-03-01T00:00:00Z", "bad-request"},
        {CERTIFICATE_REVOKED, "2026-05-01T00:00:00Z", "bad-request"},
        {CERTIFICATE_AWAITING_RETRIEVAL, "2026-05-01T00:00:00Z", "bad-request"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = apply(w, "association");
        struct certificate *old = a->certificates[0];
        old->state = rows[i].state;
        old->not_after_ms = at(rows[i].not_after);
        old->issued_ms = 1;
        AUTO_TEXT text = mem_printf(TARO, "association");
        AUTO_TYPE(json, json_t) *args = json_of(text);
        json_put(args, "renews", json_string(uuid_s(&old->id)));
        AUTO_TEXT before = snapshot(a, true);
        struct aggregate *same = a;
        assert_int_equal(issue_json(w, &same, args, HASH, NULL), 0);
        assert_string_equal(answer(w), rows[i].answer);
        AUTO_TEXT after = snapshot(a, true);
        if (w->plan.refused)
            assert_string_equal(before, after);
        else
            assert_true(uuid_equal(&a->certificates[1]->predecessor, &old->id));
    }
}

/* --- what is refused: each row changes one place of a good request --- */

struct bad {
    const char *path, *value; /* value NULL: taken away */
    const char *code, *field; /* field NULL: none */
};

static void take_away(json_t *args, const char *path)
{
    const char *dot = strrchr(path, '.');
    AUTO_TEXT parent = dot ? mem_text_n(path, (size_t)(dot - path)) : NULL;
    json_object_del(dot ? json_at(args, parent) : args, dot ? dot + 1 : path);
}

static void check_bad(struct world *w, const char *good, const struct bad *row)
{
    struct aggregate *a = NULL;
    AUTO_TYPE(json, json_t) *args = json_of(good);
    if (row->value)
        json_put(args, row->path, json_of(row->value));
    else
        take_away(args, row->path);
    assert_int_equal(issue_json(w, &a, args, HASH, NULL), 0);
    if (strcmp(answer(w), row->code) != 0 ||
        (row->field && strcmp(field_text(w, row->field), "(none)") == 0))
        fail_msg("%s = %s: %s, field %s: %s", row->path, row->value ? row->value : "(away)",
            answer(w), row->field ? row->field : "-", w->plan.message ? w->plan.message : "");
    assert_null(a);
    assert_null(w->plan.result);
    assert_int_equal(w->plan.followup_count, 0);
}

static void test_bad_requests(void **state)
{
    static const struct bad rows[] = {
        {"product", NULL, "bad-request", "product"},
        {"product", "7", "bad-request", "product"},
        {"product", "'no-such'", "bad-request", "product"},
        {"product", "''", "bad-request", "product"},
        {"subscriber", NULL, "bad-request", "subscriber"},
        {"subscriber", "[]", "bad-request", "subscriber"},
        {"subscriber.email", NULL, "bad-request", "subscriber.email"},
        {"subscriber.email", "'taro'", "bad-request", "subscriber.email"},
        {"subscriber.email", "'a@example.jp\\nBcc: b@example.jp'", "bad-request",
            "subscriber.email"},
        {"subscriber.name.latin", NULL, "bad-request", "subscriber.name.latin"},
        {"subscriber.name.latin", "'Yamada!'", "bad-request", "subscriber.name.latin"},
        {"subscriber.nickname", "'T'", "bad-request", "subscriber.nickname"},
        {"password", NULL, "bad-request", "password"},
        {"csr", "'x'", "bad-request", "csr"},
        {"term", "'9 years'", "bad-request", "term"},
        {"term", "7", "bad-request", "term"},
        {"renews", "'x'", "bad-request", "renews"},
        {"renews", "'01900000-0000-7000-8000-000000000000'", "bad-request", "renews"},
        {"colour", "'red'", "bad-request", "colour"},
        {"by", "'me'", "bad-request", "by"},
        {"by", "{'role': 'king'}", "bad-request", "by.role"},
        {"by", "{'role': 'subscriber', 'how': 'telepathy'}", "bad-request", "by.how"},
        {"by", "{'role': 'subscriber', 'rank': 1}", "bad-request", "by"},
        {"by", "{'role': 'operator'}", "bad-request", "by.operator"},
        {"by", "{'role': 'operator', 'operator': 'a\\nb'}", "bad-request", "by.operator"},
        {"by", "{'role': 'contact', 'how': 'session'}", "forbidden", NULL},
        {"by", "{'role': 'subscriber', 'how': 'paper'}", "forbidden", NULL},
    };
    struct world *w = *state;
    AUTO_TEXT good = mem_printf(TARO, "association");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        check_bad(w, good, &rows[i]);
    static const struct bad banking[] = {
        {"subscriber.user_id", NULL, "bad-request", "subscriber.user_id"},
        {"subscriber.organisation.company_code", NULL, "bad-request",
            "subscriber.organisation.company_code"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(banking); i++)
        check_bad(w, HANAKO, &banking[i]);
}

static void test_all_bad_fields_at_once(void **state) /* B6 */
{
    struct world *w = *state;
    struct aggregate *a = NULL;
    AUTO_TYPE(json, json_t) *args = json_of(
        "{'product': 'association', 'csr': 'x', 'subscriber': {'email': 'no', 'name': {}}}");
    assert_int_equal(issue_json(w, &a, args, HASH, NULL), 0);
    assert_string_equal(answer(w), "bad-request");
    const char *const bad[] = {"csr", "password", "subscriber.email", "subscriber.name.ja",
        "subscriber.name.latin", "subscriber.organisation.ja", "subscriber.organisation.latin"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (strcmp(field_text(w, bad[i]), "(none)") == 0)
            fail_msg("%s is not named", bad[i]);
}

static void test_missing_key_changes_nothing(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    AUTO_TEXT before = snapshot(a, true);
    AUTO_TEXT text = mem_printf(TARO, "association");
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct aggregate *same = a;
    w->fail_code_key = ERR_TEMPORARY;
    assert_int_equal(issue_json(w, &same, args, OTHER_HASH, NULL), -1);
    assert_int_equal(w->err.kind, ERR_TEMPORARY);
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
}

/* --- states --- */

static void test_moves(void **state UNUSED)
{
    /* Rows from, columns to, in the order of the list. */
    static const char *const allowed[CERTIFICATE_STATE_COUNT] = {
        [CERTIFICATE_NEW] = ".AWV..",
        [CERTIFICATE_AWAITING_APPROVAL] = "..WV.C",
        [CERTIFICATE_AWAITING_RETRIEVAL] = "...V.C",
        [CERTIFICATE_VALID] = "....R.",
        [CERTIFICATE_REVOKED] = "......",
        [CERTIFICATE_CANCELLED] = "......",
    };
    for (int from = 0; from < CERTIFICATE_STATE_COUNT; from++)
        for (int to = 0; to < CERTIFICATE_STATE_COUNT; to++)
            assert_int_equal(
                certificate_may_move((enum certificate_state)from, (enum certificate_state)to),
                allowed[from][to] != '.');
}

static void test_state_words(void **state UNUSED)
{
    enum certificate_state found;
    enum application_state application;
    for (int i = CERTIFICATE_NEW + 1; i < CERTIFICATE_STATE_COUNT; i++) {
        const char *word = certificate_state_word((enum certificate_state)i);
        assert_true(certificate_state_find(bytes_of_text(word), &found));
        assert_int_equal(found, i);
    }
    for (int i = 0; i < APPLICATION_STATE_COUNT; i++) {
        const char *word = application_state_word((enum application_state)i);
        assert_true(application_state_find(bytes_of_text(word), &application));
        assert_int_equal(application, i);
    }
    assert_false(certificate_state_find(bytes_of_text("new"), &found));
    assert_false(certificate_state_find(bytes_of_text("valid "), &found));
    assert_false(application_state_find(bytes_of_text(""), &application));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_code_is_queued),
        IN_WORLD(test_code_mail),
        IN_WORLD(test_mail_in_english),
        IN_WORLD(test_without_code),
        IN_WORLD(test_second_application),
        IN_WORLD(test_first_password_stays),
        IN_WORLD(test_takeover),
        IN_WORLD(test_lock_outlives_application),
        IN_WORLD(test_renews),
        IN_WORLD(test_bad_requests),
        IN_WORLD(test_all_bad_fields_at_once),
        IN_WORLD(test_missing_key_changes_nothing),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_state_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

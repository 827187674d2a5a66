/* links: lifecycle config */
/* Reissue: who, which, when, on which terms (A6 to A9, A11, B2, B4 to B7, B10, C4 to C6). */
#include "decide_ask.h"
#include "lifecycle/decide_succession.h"

#define YUKI                                                                                          \
    "{'product': 'class2', 'password': {'scrypt': 'x'}, 'subscriber': {'email': "                     \
    "'taro@example.jp', 'title': '部長', 'name': {'ja': '山田 太郎', 'latin': 'Yamada Taro'}, " \
    "'organisation': {'ja': '例示株式会社', 'latin': 'Example Corporation', 'company_code': "   \
    "'123456789'}, 'address': {'postal_code': '1000001', 'prefecture': '東京都', 'city': "         \
    "'千代田区', 'street': '千代田1-1'}, 'telephone': '0312345678'}}"

static struct aggregate *apply_class2(struct world *w)
{
    struct aggregate *a = NULL;
    AUTO_TYPE(json, json_t) *args = json_of(YUKI);
    if (issue_json(w, &a, args, HASH, NULL) || w->plan.refused)
        fail_msg("issue: %s %s", w->err.text, w->plan.message);
    return a;
}

/* One who has retrieved the certificate, as it stands in the database. */
static struct aggregate *holder(struct world *w, const char *product)
{
    struct aggregate *a = strcmp(product, "class2") == 0 ? apply_class2(w) : apply(w, product);
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    stored(a);
    return a;
}

/* --- the way it should go --- */

static void test_a6_a8_a9_whole_way(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    struct certificate *old = a->certificates[0];
    w->now_ms = at("2026-06-01T03:00:00Z");
    assert_string_equal(reissue(w, a, old, ", 'reason': 'lost'"), "done");
    struct certificate *next = newest(a);
    assert_int_equal(a->certificate_count, 2);
    assert_string_equal(result_text(w, "state"), "code-queued");
    assert_string_equal(result_text(w, "predecessor"), uuid_s(&old->id));
    assert_string_equal(result_text(w, "revocation"), "on-retrieval");
    assert_string_equal(result_text(w, "charge_reason"), "free");
    assert_true(json_is_null(json_object_get(w->plan.result, "revoke_at")));
    assert_int_equal(old->state, CERTIFICATE_VALID); /* until the successor is retrieved */
    assert_memory_not_equal(old->serial, next->serial, SERIAL_BYTES);
    assert_true(uuid_equal(&next->predecessor, &old->id) && uuid_equal(&next->root, &old->root));
    assert_int_equal(next->not_after_ms, old->not_after_ms);
    const json_t *mail = mail_of(w, "certificate-code");
    assert_non_null(mail);
    assert_string_equal(json_text_at(mail, "facts.reissue"), "yes");
    assert_string_equal(json_text_at(mail, "facts.revokes"), "yes");
    assert_null(json_text_at(mail, "facts.first"));
    assert_string_equal(json_text_at(mail, "facts.not_after"), "2028-05-01T08:59:59+09:00 ja");
    assert_true(audited(w, "reissue.accepted"));
    stored(a);

    w->now_ms = at("2026-06-02T03:00:00Z");
    struct ask how = RIGHT;
    how.request = 'b';
    assert_string_equal(retrieve(w, a, how), "done");
    assert_string_equal(result_text(w, "not_after"), "2028-04-30T23:59:59Z");
    assert_string_equal(result_text(w, "predecessor"), uuid_s(&old->id));
    assert_string_equal(result_text(w, "revoke_at"), "2026-06-02T03:00:00Z");
    assert_int_equal(old->state, CERTIFICATE_REVOKED);
    assert_int_equal(old->reason, REASON_SUPERSEDED);
    assert_int_equal(old->revoked_ms, w->now_ms);
    assert_false(uuid_is_zero(&old->revoked_by)); /* in the same transaction (B4) */
    mail = mail_of(w, "certificate-reissued");
    assert_non_null(json_text_at(mail, "facts.old_revoked_on"));
    assert_string_equal(json_text_at(mail, "facts.old_serial"), "40404040404040404040404040404001");
    assert_null(mail_of(w, "certificate-revoked"));
    stored(a);
    assert_string_equal(retrieve(w, a, how), "done"); /* X6 */
    assert_string_equal(result_text(w, "revoke_at"), "2026-06-02T03:00:00Z");
    assert_int_equal(w->plan.followup_count, 0);
}

static void test_a9_chain_of_three(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    const int64_t end_ms = a->certificates[0]->not_after_ms;
    for (char letter = 'b'; letter < 'd'; letter++) {
        w->now_ms += 100 * DAY_MS;
        assert_string_equal(reissue(w, a, NULL, ""), "done");
        struct ask how = RIGHT;
        how.request = letter;
        assert_string_equal(retrieve(w, a, how), "done");
        stored(a);
        assert_int_equal(newest(a)->not_after_ms, end_ms);
        assert_true(uuid_equal(&newest(a)->root, &a->certificates[0]->id));
    }
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_REVOKED);
    assert_string_equal(reissue(w, a, NULL, ""), "done");
    w->now_ms = end_ms + 1000;
    assert_string_equal(retrieve(w, a, RIGHT), "expired"); /* retrieved after that expiry */
}

static void test_a11_never_retrieved(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    AUTO_TEXT old_code = fake_code(a->certificates[0]);
    w->now_ms = at("2026-06-01T03:00:00Z");
    assert_string_equal(reissue(w, a, NULL, ", 'reason': 'cannot-retrieve'"), "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_CANCELLED);
    assert_int_equal(newest(a)->not_after_ms, 0); /* A9: fresh */
    assert_true(json_is_null(json_object_get(w->plan.result, "revocation")));
    assert_string_equal(json_text_at(mail_of(w, "certificate-code"), "facts.validity"), "760日間");
    assert_null(json_text_at(mail_of(w, "certificate-code"), "facts.revokes"));
    struct ask how = RIGHT;
    how.code = old_code;
    assert_string_equal(retrieve(w, a, how), "cancelled");
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    assert_string_equal(result_text(w, "not_after"), "2028-06-30T23:59:59Z");
    assert_string_equal(result_text(w, "predecessor"), "(none)");
}

static void test_a11_successor_not_retrieved(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    struct certificate *old = a->certificates[0];
    assert_string_equal(reissue(w, a, NULL, ""), "done");
    struct certificate *lost = newest(a);
    const bool with_old_code[] = {false, true};
    for (size_t i = 0; i < 2; i++) { /* the code that came last, or the one of the valid one */
        assert_string_equal(reissue(w, a, with_old_code[i] ? old : newest(a), ""), "done");
        assert_int_equal(old->state, CERTIFICATE_VALID);
        assert_int_equal(newest(a)->not_after_ms, old->not_after_ms);
        size_t waiting = 0;
        for (size_t k = 0; k < a->certificate_count; k++)
            waiting += a->certificates[k]->state == CERTIFICATE_AWAITING_RETRIEVAL;
        assert_int_equal(waiting, 1); /* never two successors of one certificate */
    }
    assert_int_equal(lost->state, CERTIFICATE_CANCELLED);
    struct ask how = RIGHT;
    how.request = 'b';
    assert_string_equal(retrieve(w, a, how), "done");
    assert_int_equal(old->state, CERTIFICATE_REVOKED); /* two steps back */
}

/* --- who --- */

static void test_a7_credentials(void **state)
{
    static const struct {
        const char *label, *args;
        bool fits;
        const char *code, *answer;
    } rows[] = {
        {"A7 right", NULL, true, NULL, "done"},
        {"A7 password", NULL, false, NULL, "credentials"},
        {"A7 code", NULL, true, "another", "credentials"},
        {"A7 no code", "{'email': 'taro@example.jp', 'password': 1}", true, "", "bad-request"},
        {"A7 no address", "{'password': 1, 'code': 1}", true, NULL, "bad-request"},
        {"another certificate's code",
            "{'email': 'taro@example.jp', 'password': 1, 'code': 1, 'certificate': "
            "'01900000-0000-0000-0000-0000000000ff'}",
            true, NULL, "credentials"},
        {"unknown member", "{'email': 'taro@example.jp', 'password': 1, 'code': 1, 'x': 1}", true,
            NULL, "bad-request"},
        {"csr", "{'email': 'taro@example.jp', 'password': 1, 'code': 1, 'csr': 'x'}", true, NULL,
            "bad-request"},
        {"holder",
            "{'email': 'taro@example.jp', 'password': 1, 'code': 1, 'by': {'role': "
            "'holder'}}",
            true, NULL, "forbidden"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world *w = *state;
        AUTO(aggregate) a = holder(w, "association");
        AUTO_TEXT before = snapshot(a, false);
        struct ask how = {.args = rows[i].args, .fits = rows[i].fits, .code = rows[i].code};
        assert_int_equal(reissue_by(w, a, "", &how), 0);
        AUTO_TEXT after = snapshot(a, false);
        if (strcmp(answer(w), rows[i].answer) != 0 ||
            (w->plan.refused && strcmp(before, after) != 0))
            fail_msg("%s: %s", rows[i].label, answer(w));
        if (strcmp(rows[i].answer, "credentials") == 0)
            assert_string_equal(w->plan.message, REISSUE_REFUSAL);
    }
}

static void test_a11_operator(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    assert_string_equal(reissue_by_operator(w, a, a->certificates[0], ""), "done");
    assert_string_equal(w->plan.role, "operator");
    struct certificate stranger = {.id = {{0x77}}};
    assert_string_equal(reissue_by_operator(w, a, &stranger, ""), "not-found");
    AUTO(aggregate) b = apply(w, "association"); /* who lost the code before using it */
    assert_string_equal(reissue_by_operator(w, b, b->certificates[0], ""), "done");
}

static void test_states(void **state)
{
    static const struct {
        enum certificate_state state;
        const char *not_after, *answer;
    } rows[] = {
        {CERTIFICATE_VALID, "2026-04-01T02:59:59Z", "expired"},
        {CERTIFICATE_VALID, "2026-04-01T03:00:00Z", "done"},
        {CERTIFICATE_REVOKED, "2027-01-01T00:00:00Z", "revoked"},
        {CERTIFICATE_CANCELLED, "2027-01-01T00:00:00Z", "cancelled"},
        {CERTIFICATE_AWAITING_APPROVAL, "2027-01-01T00:00:00Z", "awaiting-approval"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = holder(w, "association");
        a->certificates[0]->state = rows[i].state;
        a->certificates[0]->not_after_ms = at(rows[i].not_after);
        AUTO_TEXT before = snapshot(a, true);
        assert_string_equal(reissue(w, a, NULL, ""), rows[i].answer);
        AUTO_TEXT after = snapshot(a, true);
        if (w->plan.refused)
            assert_string_equal(before, after);
    }
}

/* --- B2 --- */

static void test_b2_days_left(void **state)
{
    static const struct {
        const char *label, *now, *answer;
    } rows[] = {
        {"B2 31 days", "2028-04-01T14:59:59Z", "done"}, /* ends 2028-05-02 in Japan */
        {"B2 30 days", "2028-04-01T15:00:00Z", "credentials"},
        {"B2 expired", "2028-05-01T00:00:00Z", "credentials"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        w->now_ms = at("2026-04-01T03:00:00Z");
        AUTO(aggregate) a = holder(w, "class2");
        a->certificates[0]->not_after_ms = at("2028-05-01T23:59:59Z");
        w->now_ms = at(rows[i].now);
        if (i == 2)
            w->now_ms = at("2028-05-02T00:00:00Z");
        AUTO_TEXT before = snapshot(a, true);
        if (strcmp(reissue(w, a, NULL, ""), rows[i].answer) != 0)
            fail_msg("%s: %s", rows[i].label, answer(w));
        if (!w->plan.refused)
            continue;
        AUTO_TEXT after = snapshot(a, true);
        assert_string_equal(before, after);
        AUTO_TEXT said = mem_text(w->plan.message);
        struct ask wrong = {.fits = false};
        assert_int_equal(reissue_by(w, a, "", &wrong), 0);
        assert_string_equal(w->plan.message, said); /* no hint that it was the date */
        assert_string_equal(
            reissue_by_operator(w, a, a->certificates[0], ""), i == 2 ? "expired" : "too-late");
    }
}

/* --- B5, B6, B10: changes --- */

static void test_b5_b6_bad_changes(void **state)
{
    static const struct {
        const char *label, *changes, *fields[5];
    } rows[] = {
        {"B5 name", "'name.ja': '佐藤'", {"changes.name.ja"}},
        {"B5 name latin", "'name.latin': 'Sato'", {"changes.name.latin"}},
        {"B5 company", "'organisation.ja': 'x', 'organisation.company_code': '987654321'",
            {"changes.organisation.ja", "changes.organisation.company_code"}},
        {"B6 postal code", "'address.postal_code': '123456'", {"changes.address.postal_code"}},
        {"B6 all at once",
            "'email': '', 'address.city': null, 'telephone': 'x', 'address.street': ''",
            {"changes.email", "changes.address.city", "changes.telephone",
                "changes.address.street"}},
        {"no field", "'colour': 'red'", {"changes.colour"}},
        {"no text", "'telephone': 3", {"changes.telephone"}},
        {"half-width title", "'title': 'boss'", {"changes.title"}},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = holder(w, "class2");
        AUTO_TEXT before = snapshot(a, true);
        AUTO_TEXT more = mem_printf(", 'changes': {%s}", rows[i].changes);
        if (strcmp(reissue(w, a, NULL, more), "bad-request") != 0)
            fail_msg("%s: %s", rows[i].label, answer(w));
        size_t n = 0;
        for (; rows[i].fields[n]; n++)
            if (strcmp(field_text(w, rows[i].fields[n]), "(none)") == 0)
                fail_msg("%s does not name %s", rows[i].label, rows[i].fields[n]);
        assert_int_equal(json_object_size(w->plan.fields), n);
        AUTO_TEXT after = snapshot(a, true); /* nothing is recorded */
        assert_string_equal(before, after);
    }
}

static void test_b5_association_changes_nothing(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    const char *more = ", 'changes': {'email': 'new@example.jp'}"; /* A4 is a change */
    assert_string_equal(reissue(w, a, NULL, more), "bad-request");
    assert_string_equal(reissue(w, a, NULL, ", 'changes': {}"), "done");
}

static void test_b10_change_of_address(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "class2");
    assert_string_equal(reissue(w, a, NULL,
                            ", 'changes': {'email': 'New@example.jp', 'telephone': '0390000000', "
                            "'address.building': 'ビル'}"),
        "done");
    assert_int_equal(w->plan.followup_count, 2);
    assert_string_equal(json_text_at(mail_of(w, "email-changed"), "recipient"), "taro@example.jp");
    assert_string_equal(
        json_text_at(mail_of(w, "certificate-code"), "recipient"), "New@example.jp");
    assert_string_equal(a->subscriber.email, "new@example.jp");
    assert_string_equal(a->subscriber.unit_key, "new@example.jp");
    AUTO_TYPE(json, json_t) *profile = json_loads(a->subscriber.profile, 0, NULL);
    assert_string_equal(json_text_at(profile, "telephone"), "0390000000");
    assert_string_equal(json_text_at(profile, "address.building"), "ビル");
    assert_string_equal(json_text_at(profile, "address.city"), "千代田区");
    AUTO_TYPE(json, json_t) *first = json_loads(a->applications[0]->request, 0, NULL);
    assert_string_equal(json_text_at(first, "subscriber.email"), "taro@example.jp"); /* B7 */
    struct ask how = RIGHT;
    how.request = 'b';
    how.args = "{'email': 'new@example.jp', 'password': 1, 'code': 1, 'csr': 'x'}";
    assert_string_equal(retrieve(w, a, how), "done");
    assert_non_null(strstr(w->subject, "<New@example.jp>"));
}

static void test_b10_address_is_taken(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "class2");
    AUTO_TEXT before = snapshot(a, true);
    w->taken = "new@example.jp";
    assert_string_equal(
        reissue(w, a, NULL, ", 'changes': {'email': 'NEW@example.jp'}"), "bad-request");
    assert_string_not_equal(field_text(w, "changes.email"), "(none)");
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
    /* the same address in other letters is nobody else's */
    assert_string_equal(reissue(w, a, NULL, ", 'changes': {'email': 'TARO@example.jp'}"), "done");
}

/* --- cannot --- */

static void test_cannot_make_a_code(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    AUTO_TEXT before = snapshot(a, true);
    w->fail_code_key = ERR_TEMPORARY;
    struct ask how = {.fits = true};
    assert_int_equal(reissue_by(w, a, "", &how), -1);
    assert_int_equal(w->err.kind, ERR_TEMPORARY);
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_a6_a8_a9_whole_way),
        IN_WORLD(test_a9_chain_of_three),
        IN_WORLD(test_a11_never_retrieved),
        IN_WORLD(test_a11_successor_not_retrieved),
        IN_WORLD(test_a7_credentials),
        IN_WORLD(test_a11_operator),
        IN_WORLD(test_states),
        IN_WORLD(test_b2_days_left),
        IN_WORLD(test_b5_b6_bad_changes),
        IN_WORLD(test_b5_association_changes_nothing),
        IN_WORLD(test_b10_change_of_address),
        IN_WORLD(test_b10_address_is_taken),
        IN_WORLD(test_cannot_make_a_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

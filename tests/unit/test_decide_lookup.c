/* links: lifecycle config */
#include "decide_ask.h"

/* --- user id and password (E1, E5) --- */

#define USER "{'user_id': 'user01', 'password': 1, 'csr': 'x'%s}"

static struct ask user(struct world *w UNUSED, const char *more, char *text, size_t size)
{
    snprintf(text, size, USER, more);
    return (struct ask){.args = text, .fits = true, .code = "", .request = 'a'};
}

static struct aggregate *apply_bank(struct world *w, struct aggregate *a)
{
    AUTO_TYPE(json, json_t) *args = json_of(HANAKO);
    if (issue_json(w, &a, args, HASH, NULL) || w->plan.refused)
        fail_msg("issue: %s", w->plan.message);
    return a;
}

static void test_user_id(void **state)
{
    char text[256];
    struct world *w = *state;
    AUTO(aggregate) a = apply_bank(w, NULL);
    w->now_ms = at("2026-04-01T03:04:05Z");
    assert_string_equal(retrieve(w, a, user(w, "", text, sizeof text)), "done");
    assert_string_equal(result_text(w, "not_before"), "2026-04-01T03:04:05Z");
    assert_string_equal(result_text(w, "not_after"), "2027-04-01T14:59:59Z"); /* E1 */
    assert_string_equal(w->subject, "C=JP,O=Example Corporation,CN=user01 <hanako@example.jp>");
    assert_string_equal(json_text_at(w->plan.followups[0].args, "template"), "certificate-issued");
    assert_null(json_text_at(w->plan.followups[0].args, "facts.keep_code"));
    assert_string_equal(retrieve(w, a, user(w, "", text, sizeof text)), "done");
    assert_int_equal(w->signings, 1);
    struct ask other = user(w, "", text, sizeof text);
    other.request = 'b';
    assert_string_equal(retrieve(w, a, other), "already-retrieved");
}

static void test_which_without_code(void **state)
{
    char text[256];
    struct world *w = *state;
    AUTO(aggregate) a = apply_bank(w, NULL);
    assert_string_equal(retrieve(w, a, user(w, "", text, sizeof text)), "done");
    a = apply_bank(w, a);
    /* The first request's retry still gives the first; a new request takes the one that waits. */
    assert_string_equal(retrieve(w, a, user(w, "", text, sizeof text)), "done");
    assert_string_equal(result_text(w, "certificate"), uuid_s(&a->certificates[0]->id));
    struct ask other = user(w, "", text, sizeof text);
    other.request = 'b';
    assert_string_equal(retrieve(w, a, other), "done");
    assert_string_equal(result_text(w, "certificate"), uuid_s(&a->certificates[1]->id));
    assert_int_equal(w->signings, 2);
}

static void test_anew_after_expiry(void **state) /* E5 */
{
    char text[256];
    struct world *w = *state;
    AUTO(aggregate) a = apply_bank(w, NULL);
    assert_string_equal(retrieve(w, a, user(w, "", text, sizeof text)), "done");
    stored(a);
    w->now_ms = at("2027-04-01T14:59:59Z"); /* its last second */
    assert_string_equal(retrieve(w, a, user(w, "", text, sizeof text)), "done");
    assert_int_equal(a->certificate_count, 1);
    w->now_ms = at("2027-04-01T15:00:00Z");
    w->fail_sign = ERR_TEMPORARY;
    struct ask failing = user(w, "", text, sizeof text);
    assert_int_equal(ask(w, PROC_RETRIEVE, &a, 1, &failing), -1);
    assert_int_equal(a->certificate_count, 1);
    w->fail_sign = 0;
    for (int i = 0; i < 2; i++) { /* the same request again gives the same certificate (X6) */
        assert_string_equal(retrieve(w, a, user(w, "", text, sizeof text)), "done");
        assert_int_equal(a->certificate_count, 2);
        assert_int_equal(w->signings, 2);
        assert_string_equal(result_text(w, "certificate"), uuid_s(&a->certificates[1]->id));
    }
    const struct certificate *c = a->certificates[1];
    assert_string_not_equal(result_text(w, "serial"), "40404040404040404040404040404001");
    assert_string_equal(result_text(w, "not_after"), "2028-04-02T14:59:59Z");
    assert_true(uuid_is_zero(&c->predecessor)); /* no renewal */
    assert_int_equal(c->row, ROW_NEW);
    assert_int_equal(a->certificates[0]->row, ROW_STORED);
    assert_string_equal(a->applications[1]->kind, "retrieve");
    assert_int_equal(a->applications[1]->charged, CHARGED_UPSTREAM);
    struct ask other = user(w, "", text, sizeof text);
    other.request = 'b';
    assert_string_equal(retrieve(w, a, other), "already-retrieved");
    a->certificates[1]->state = CERTIFICATE_REVOKED; /* revoked is not expired */
    assert_string_equal(retrieve(w, a, other), "revoked");
}

static void test_company_code(void **state)
{
    static const struct {
        const char *more, *answer;
    } rows[] = {
        {"", "done"},
        {", 'company_code': 'C1'", "done"},
        {", 'company_code': 'C2'", "credentials"},
        {", 'by': {'role': 'holder', 'how': 'session'}", "done"},
        {", 'product': 'online-banking'", "done"},
    };
    char text[256];
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = apply_bank(w, NULL);
        assert_string_equal(
            retrieve(w, a, user(w, rows[i].more, text, sizeof text)), rows[i].answer);
    }
    AUTO(aggregate) a = apply_bank(w, NULL);
    AUTO(aggregate) b = apply_bank(w, NULL);
    struct aggregate *both[] = {a, b};
    struct ask how = user(w, "", text, sizeof text);
    assert_int_equal(ask(w, PROC_RETRIEVE, both, 2, &how), 0);
    assert_string_equal(answer(w), "bad-request");
    assert_string_not_equal(field_text(w, "company_code"), "(none)");
    assert_int_equal(w->signings, 4);
}

/* --- lookup (B1, B2) --- */

static void test_lookup(void **state)
{
    struct world *w = *state;
    w->now_ms = at("2006-07-24T00:00:00Z");
    AUTO(aggregate) a = apply(w, "class2-rules");
    assert_int_equal(listed(w, a, RIGHT), 0); /* not retrieved yet */
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    assert_int_equal(listed(w, a, RIGHT), 1);
    const json_t *item = json_at(w->plan.result, "certificates.0");
    assert_string_equal(json_text_at(item, "shown.from"), "2006/07/24");
    assert_string_equal(json_text_at(item, "shown.to"), "2008/08/23"); /* B9, in Japan */
    assert_string_equal(json_text_at(item, "not_after"), "2008-08-22T23:59:59Z");
    assert_string_equal(json_text_at(item, "name"), "山田 太郎");
    assert_string_equal(json_text_at(item, "common_name"), "Yamada Taro");
    assert_string_equal(json_text_at(item, "organisation"), "例示株式会社");
    assert_string_equal(json_text_at(item, "email"), "Taro@Example.jp");
    assert_string_equal(json_text_at(item, "certificate"), uuid_s(&a->certificates[0]->id));
    assert_non_null(json_text_at(item, "serial"));
}

/* The code says which: another certificate of the same subscriber is not shown. */
static void test_lookup_by_code(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    AUTO_TEXT first = fake_code(a->certificates[0]);
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    AUTO_TEXT text = mem_printf(TARO, "association");
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct aggregate *same = a;
    assert_int_equal(issue_json(w, &same, args, HASH, NULL), 0);
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    struct ask by_first = RIGHT;
    by_first.code = first;
    assert_int_equal(listed(w, a, by_first), 1);
    const json_t *item = json_at(w->plan.result, "certificates.0");
    assert_string_equal(json_text_at(item, "certificate"), uuid_s(&a->certificates[0]->id));
}

static void test_lookup_days_left(void **state) /* B2; the last day in Japan is 2008-08-23 */
{
    static const struct {
        const char *product, *now;
        size_t listed;
    } rows[] = {
        {"class2-rules", "2008-07-23T14:59:59Z", 1}, /* 31 days */
        {"class2-rules", "2008-07-23T15:00:00Z", 0}, /* 30 days */
        {"class2-rules", "2008-08-22T23:59:59Z", 0}, {"association", "2008-07-23T15:00:00Z", 1},
        {"association", "2008-08-22T23:59:59Z", 1},
        {"association", "2008-08-23T00:00:00Z", 0}, /* expired */
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        w->now_ms = at("2006-07-24T00:00:00Z");
        AUTO(aggregate) a = apply(w, rows[i].product);
        assert_string_equal(retrieve(w, a, RIGHT), "done");
        w->now_ms = at(rows[i].now);
        assert_int_equal(listed(w, a, RIGHT), rows[i].listed);
    }
}

static void test_lookup_wrong(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    struct ask wrong = RIGHT;
    wrong.fits = false;
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(listed(w, a, wrong), 0);
        assert_int_equal(a->subscriber.failures, i);
    }
    assert_int_equal(listed(w, a, RIGHT), 0); /* locked */
}

static void test_lookup_by_session(void **state)
{
    struct world *w = *state;
    char text[256];
    AUTO(aggregate) a = apply_bank(w, NULL);
    assert_string_equal(retrieve(w, a, user(w, "", text, sizeof text)), "done");
    struct ask session = {.args = "{'user_id': 'user01', 'company_code': 'C1', 'by': {'role': "
                                  "'holder', 'how': 'session'}}",
        .code = ""};
    assert_int_equal(listed(w, a, session), 1);
    struct ask nobody = {.args = "{'user_id': 'user01', 'company_code': 'C1'}", .code = ""};
    assert_int_equal(ask(w, PROC_LOOKUP, &a, 1, &nobody), 0);
    assert_string_equal(answer(w), "forbidden");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_user_id),
        IN_WORLD(test_which_without_code),
        IN_WORLD(test_anew_after_expiry),
        IN_WORLD(test_company_code),
        IN_WORLD(test_lookup),
        IN_WORLD(test_lookup_by_code),
        IN_WORLD(test_lookup_days_left),
        IN_WORLD(test_lookup_wrong),
        IN_WORLD(test_lookup_by_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

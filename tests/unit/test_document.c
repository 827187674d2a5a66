/* links: lifecycle config */
/* Documents as decisions make them (D2, D4, D5); their texts are tested in test_mail_texts.c. */
#include "decide_fixture.h"

#include "lifecycle/decide_document.h"

static json_t *make(struct world *w, enum document which, enum policy_language language,
    const char *facts, struct err *err)
{
    struct decision d = {.job = w->job, .now_ms = w->now_ms, .ports = &w->ports};
    AUTO_TYPE(json, json_t) *given = facts ? json_of(facts) : NULL;
    json_t *document = NULL;
    const struct policy *p = policy_set_find(w->set, "association");
    return document_make(&d, p, which, language, given, &document, err) ? NULL : document;
}

static void a_document_has_a_number_and_a_date(void **state UNUSED)
{
    struct world w;
    struct err err = {0};
    world_init(&w);
    AUTO_TYPE(json, json_t) *document =
        make(&w, DOCUMENT_PAYMENT_NOTICE, LANGUAGE_JA, "{'amount': '300円'}", &err);
    assert_non_null(document);
    assert_string_equal(json_text_at(document, "document"), "payment-notice");
    assert_string_equal(json_text_at(document, "number"), "P-09090000-0000-0000-0000-000000000000");
    assert_string_equal(json_text_at(document, "date"), "2026-04-01T03:00:00Z");
    assert_string_equal(json_text_at(document, "language"), "ja");
    const char *text = json_text_at(document, "text");
    assert_non_null(strstr(text, "document-payment-notice ja {"));
    assert_non_null(strstr(text, "\"number\":\"P-09090000-"));
    assert_non_null(strstr(text, "\"amount\":\"300円\""));
    assert_non_null(strstr(text, "\"date\":\"2026-04-01T12:00:00"));
    assert_non_null(strstr(text, "\"service\":"));
    world_clear(&w);
}

static void every_document_has_a_letter_of_its_own(void **state UNUSED)
{
    struct world w;
    char letters[DOCUMENT_COUNT + 1] = "";
    world_init(&w);
    struct decision d = {.job = w.job, .now_ms = w.now_ms, .ports = &w.ports};
    for (int i = 0; i < DOCUMENT_COUNT; i++) {
        char number[DOCUMENT_NUMBER];
        document_number(&d, (enum document)i, number);
        assert_null(strchr(letters, number[0]));
        letters[i] = number[0];
    }
    world_clear(&w);
}

static void a_fact_that_cannot_be_written_is_tried_again(void **state UNUSED)
{
    struct world w;
    struct err err = {0};
    world_init(&w);
    assert_null(make(&w, DOCUMENT_DISCLOSURE, LANGUAGE_EN, "{'bad': 'x'}", &err));
    assert_int_equal(err.kind, ERR_TEMPORARY);
    assert_string_equal(err.text, "disclosure: the fact bad is not one line of text");
    world_clear(&w);
}

static void facts_that_are_not_there_are_left_out(void **state)
{
    struct world *w = *state;
    struct decision d = {.job = w->job, .now_ms = w->now_ms, .ports = &w->ports};
    const struct policy *p = policy_set_find(w->set, "association");
    AUTO_TYPE(json, json_t) *facts = json_object();
    document_fact(facts, "name", NULL);
    document_fact(facts, "agent", "");
    document_fact(facts, "note", "a");
    document_time(&d, p, LANGUAGE_JA, facts, "revoked_on", 0);
    document_time(&d, p, LANGUAGE_JA, facts, "applied_on", at("2026-04-01T14:59:59Z"));
    assert_int_equal(json_object_size(facts), 2);
    assert_non_null(strstr(json_text_at(facts, "applied_on"), "2026-04-01T23:59:59"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_has_a_number_and_a_date),
        cmocka_unit_test(every_document_has_a_letter_of_its_own),
        cmocka_unit_test(a_fact_that_cannot_be_written_is_tried_again),
        IN_WORLD(facts_that_are_not_there_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

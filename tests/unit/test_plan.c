/* links: lifecycle */
/* What a plan turns into, whatever the decision or the outside put into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "lifecycle/plan.h"

#include <string.h>

/* Long enough to be cut, wherever in a character the cut falls. */
static char *long_text(size_t before)
{
    AUTO_BUF text = {0};
    for (size_t i = 0; i < before; i++)
        buf_add_char(&text, 'a');
    for (size_t i = 0; i < 400; i++)
        buf_add_text(&text, "証");
    return buf_take_text(&text);
}

static void a_long_refusal_keeps_its_code(void **state UNUSED)
{
    for (size_t before = 0; before < 3; before++) {
        AUTO_TEXT text = long_text(before);
        struct plan p = {0};
        plan_refuse(&p, "conflict", "%s", text);
        plan_write(&p, 1);
        AUTO_TYPE(json, json_t) *answer = json_loads(p.answer, 0, NULL);
        const char *message = json_text_at(answer, "message");
        if (!message || strcmp(json_text_at(answer, "code"), "conflict") != 0)
            fail_msg("%zu before: %s", before, p.answer);
        assert_true(strlen(message) > 500);
        assert_memory_equal(message, text, strlen(message));
        plan_clear(&p);
    }
}

static void bad_fields_are_all_named(void **state UNUSED)
{
    static const char *const rows[] = {"plain", "\xff\xfe", "half \xe8\xa8", "証"};
    struct plan p = {0};
    AUTO_TEXT text = long_text(1);
    plan_bad_field(&p, "long", "%s", text);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TEXT path = mem_printf("field%zu", i);
        plan_bad_field(&p, path, "%s", rows[i]);
    }
    plan_write(&p, 1);
    AUTO_TYPE(json, json_t) *answer = json_loads(p.answer, 0, NULL);
    assert_string_equal(json_text_at(answer, "code"), "bad-request");
    assert_int_equal(json_object_size(json_object_get(answer, "fields")), ARRAY_LENGTH(rows) + 1);
    assert_string_equal(json_text_at(answer, "fields.field1"), "??");
    assert_string_equal(json_text_at(answer, "fields.field2"), "half ");
    assert_string_equal(json_text_at(answer, "fields.field3"), "証");
    plan_clear(&p);
}

static void errors_are_text(void **state UNUSED)
{
    struct err err = {0};
    AUTO_TEXT text = long_text(2);
    err_set(&err, ERR_INPUT, NULL, "%s", text);
    assert_true(utf8_is_valid(bytes_of_text(err.text)));
    err_context(&err, "証\xff");
    assert_true(utf8_is_valid(bytes_of_text(err.text)));
    assert_memory_equal(err.text, "証?: aa証", 11);
}

static void nothing_follows_a_refusal(void **state UNUSED)
{
    struct plan p = {0};
    plan_followup(&p, KIND_MAIL, 5, 0, json_object());
    plan_refuse(&p, "conflict", "no");
    plan_followup(&p, KIND_MAIL, 5, 0, json_object());
    plan_result(&p, json_object());
    plan_write(&p, 1);
    assert_int_equal(p.followup_count, 0);
    assert_null(p.result);
    assert_string_equal(p.answer, "{\"code\":\"conflict\",\"message\":\"no\"}");
    plan_clear(&p);
}

static void the_first_refusal_stays(void **state UNUSED)
{
    struct plan p = {0};
    plan_refuse(&p, "forbidden", "first");
    plan_refuse(&p, "conflict", "second");
    plan_bad_field(&p, "email", "is missing");
    assert_string_equal(p.code, "forbidden");
    assert_string_equal(p.message, "first");
    plan_clear(&p);
    assert_false(p.refused);
}

/* Who was locked out hears of it, whatever the requester is told (D7). */
static void what_is_wanted_regardless_outlives_a_refusal(void **state UNUSED)
{
    struct plan p = {0};
    plan_followup(&p, KIND_MAIL, 5, 0, json_string("ordinary"));
    plan_followup_regardless(&p, KIND_MAIL, 5, 0, json_string("regardless"));
    plan_followup(&p, KIND_REVOKE, 5, 0, json_string("ordinary too"));
    plan_refuse(&p, "credentials", "no");
    plan_followup_regardless(&p, KIND_MAIL, 5, 0, json_string("even later"));
    const struct uuid none = plan_followup(&p, KIND_MAIL, 5, 0, json_string("too late"));
    assert_true(uuid_is_zero(&none));
    plan_refuse(&p, "credentials", "again");
    assert_int_equal(p.followup_count, 2);
    assert_string_equal(json_string_value(p.followups[0].args), "regardless");
    assert_string_equal(json_string_value(p.followups[1].args), "even later");
    plan_write(&p, 7);
    assert_int_equal(p.followups[0].run_at_ms, 7);
    plan_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_refusal_keeps_its_code),
        cmocka_unit_test(what_is_wanted_regardless_outlives_a_refusal),
        cmocka_unit_test(bad_fields_are_all_named),
        cmocka_unit_test(errors_are_text),
        cmocka_unit_test(nothing_follows_a_refusal),
        cmocka_unit_test(the_first_refusal_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* links: lifecycle config */
/* What upstream writes in more than one way. */
#include "lifecycle/args_shape.h"
#include "policy_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);
    if (!value)
        fail_msg("%s: %s", error.text, text);
    return value;
}

static void assert_same(size_t row, const json_t *got, const char *wanted)
{
    AUTO_TYPE(json, json_t) *value = parse(wanted);
    AUTO_BUF text = {0};
    json_write(got, &text);
    if (!json_equal(got, value))
        fail_msg("row %zu: %s, wanted %s", row, buf_text(&text), wanted);
}

static void one_way_is_made_of_many(void **state)
{
    (void)state;
    static const struct {
        const char *given, *wanted;
    } rows[] = {
        {"{}", "{}"},
        {"{\"term\":\"1 year\"}", "{\"term\":\"1 year\"}"},
        {"{\"term\":12}", "{\"term\":\"12 months\"}"},
        {"{\"term\":{\"months\":6}}", "{\"term\":\"6 months\"}"},
        {"{\"term\":{\"years\":1}}", "{\"term\":\"1 years\"}"},
        {"{\"term\":{\"days\":760}}", "{\"term\":\"760 days\"}"},
        {"{\"term\":\"P1Y\"}", "{\"term\":\"1 years\"}"},
        {"{\"term\":\"P6M\"}", "{\"term\":\"6 months\"}"},
        {"{\"term\":\"P1Y6M\"}", "{\"term\":\"P1Y6M\"}"},
        {"{\"term\":\"P-1Y\"}", "{\"term\":\"P-1Y\"}"},
        {"{\"term\":\"P1H\"}", "{\"term\":\"P1H\"}"},
        {"{\"term\":0}", "{\"term\":0}"},
        {"{\"term\":-1}", "{\"term\":-1}"},
        {"{\"term\":1.5}", "{\"term\":1.5}"},
        {"{\"term\":{\"months\":\"6\"}}", "{\"term\":{\"months\":\"6\"}}"},
        {"{\"term\":{\"months\":6,\"days\":1}}", "{\"term\":{\"months\":6,\"days\":1}}"},
        {"{\"changes\":{\"a.b\":\"x\"}}", "{\"changes\":{\"a.b\":\"x\"}}"},
        {"{\"changes\":{\"a\":{\"b\":\"x\",\"c\":null},\"d\":[1]}}",
            "{\"changes\":{\"a.b\":\"x\",\"a.c\":null,\"d\":[1]}}"},
        {"{\"changes\":{\"contacts\":{\"technical\":{\"name\":\"x\"}}}}",
            "{\"changes\":{\"contacts.technical.name\":\"x\"}}"},
        {"{\"changes\":{\"a\":{}}}", "{\"changes\":{\"a\":{}}}"},
        {"{\"changes\":[{\"a\":1}]}", "{\"changes\":[{\"a\":1}]}"},
        {"{\"changes\":\"x\"}", "{\"changes\":\"x\"}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *args = parse(rows[i].given);
        args_shape(args);
        assert_same(i, args, rows[i].wanted);
    }
}

static void fields_of_other_products_are_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *product, *given, *wanted, *ignored;
    } rows[] = {
        {"class2.yaml", "{\"subscriber\":{\"email\":\"a@example.jp\",\"user_id\":\"u\"}}",
            "{\"subscriber\":{\"email\":\"a@example.jp\"}}", "[\"subscriber.user_id\"]"},
        {"resident.yaml",
            "{\"subscriber\":{\"resident_id\":\"1\",\"language\":\"ja\",\"title_department\":"
            "{\"latin\":\"x\"}}}",
            "{\"subscriber\":{\"resident_id\":\"1\"}}",
            "[\"subscriber.language\",\"subscriber.title_department.latin\"]"},
        /* What no product has is for the check of the fields to name, and so is what is odd. */
        {"class2.yaml", "{\"subscriber\":{\"emial\":\"a\",\"name\":{\"js\":\"x\"}}}",
            "{\"subscriber\":{\"emial\":\"a\",\"name\":{\"js\":\"x\"}}}", "[]"},
        {"class2.yaml", "{\"subscriber\":{\"attributes\":{\"rank\":\"1\"},\"name.ja\":\"x\"}}",
            "{\"subscriber\":{\"attributes\":{\"rank\":\"1\"},\"name.ja\":\"x\"}}", "[]"},
        {"class2.yaml", "{\"subscriber\":\"x\",\"contract\":[]}",
            "{\"subscriber\":\"x\",\"contract\":[]}", "[]"},
        {"web-ev.yaml",
            "{\"contract\":{\"contacts\":{\"technical\":{\"name\":\"x\",\"invoice\":\"paper\"},"
            "\"administrative\":{\"invoice\":\"paper\"},\"sales\":{\"name\":\"x\"}}}}",
            "{\"contract\":{\"contacts\":{\"technical\":{\"name\":\"x\"},"
            "\"administrative\":{\"invoice\":\"paper\"},\"sales\":{\"name\":\"x\"}}}}",
            "[\"contract.contacts.technical.invoice\"]"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TEXT file = mem_printf("%s%s", SHIPPED, rows[i].product);
        AUTO(policy) policy = loaded(file);
        AUTO_TYPE(json, json_t) *args = parse(rows[i].given);
        AUTO_TYPE(json, json_t) *ignored = json_array();
        AUTO_TYPE(json, json_t) *own = args_own_fields(policy, args, ignored);
        assert_same(i, own, rows[i].wanted);
        assert_same(i, ignored, rows[i].ignored);
        assert_same(i, args, rows[i].given);
    }
}

static void a_year_is_twelve_months(void **state)
{
    (void)state;
    static const struct {
        const char *product, *term;
        bool is_offered;
    } rows[] = {
        {"web-sr.yaml", "6 months", true},
        {"web-sr.yaml", "1 year", true},
        {"web-sr.yaml", "12 months", true},
        {"web-sr.yaml", "2 years", false},
        {"web-ev.yaml", "6 months", false},
        {"web-ev.yaml", "1 years", true},
        {"resident.yaml", "36 months", true},
        {"resident.yaml", "3 days", false},
        {"class2.yaml", "760 days", true},
        {"class2.yaml", "2 years", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TEXT file = mem_printf("%s%s", SHIPPED, rows[i].product);
        AUTO(policy) policy = loaded(file);
        if ((policy_term(policy, rows[i].term) != NULL) != rows[i].is_offered)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_way_is_made_of_many),
        cmocka_unit_test(fields_of_other_products_are_left_out),
        cmocka_unit_test(a_year_is_twelve_months),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

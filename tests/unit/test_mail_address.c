/* links: base */
#include "base/address.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void good_ones_pass(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "taro@example.jp",
        "a@b.jp",
        "taro.yamada+certq@mail.example.co.jp",
        "o'hara_{x}|!#$%&*/=?^`~@example.com",
        "taro@xn--eckwd4c7c.example",
        "taro@1and1.example",
        "TARO@EXAMPLE.JP",
        "x@a-b.example",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = {0};
        if (address_check(rows[i], &err))
            fail_msg("%s: %s", rows[i], err.text);
    }
}

static void bad_ones_are_refused_without_repeating_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {NULL, "empty"},
        {"", "empty"},
        {"taro", "no @"},
        {"@example.jp", "nothing before"},
        {"taro@", "empty label"},
        {"taro@localhost", "one label"},
        {"taro@example..jp", "empty label"},
        {"taro@example.jp.", "empty label"},
        {"taro@.example.jp", "empty label"},
        {".taro@example.jp", "dot"},
        {"taro.@example.jp", "dot"},
        {"ta..ro@example.jp", "dot"},
        {"taro@-example.jp", "hyphen"},
        {"taro@example-.jp", "hyphen"},
        {"taro@exa_mple.jp", "domain that is not allowed"},
        {"taro@[192.0.2.1]", "domain that is not allowed"},
        {"taro@192.0.2.1", "ends in a number"},
        {"taro@a@example.jp", "domain that is not allowed"},
        {"ta ro@example.jp", "before the @ that is not allowed"},
        {"\"ta ro\"@example.jp", "before the @ that is not allowed"},
        {"<taro@example.jp>", "before the @ that is not allowed"},
        {"taro@example.jp>", "domain that is not allowed"},
        {"taro@example.jp\r\nRCPT TO:<x@example.jp>", "domain that is not allowed"},
        {"taro\r\n@example.jp", "before the @ that is not allowed"},
        {"taro\n@example.jp", "before the @ that is not allowed"},
        {"taro\x7f@example.jp", "before the @ that is not allowed"},
        {"太郎@example.jp", "before the @ that is not allowed"},
        {"taro@例.jp", "domain that is not allowed"},
        {"taro,hanako@example.jp", "before the @ that is not allowed"},
        {"taro(x)@example.jp", "before the @ that is not allowed"},
        {"taro@example.jp ", "domain that is not allowed"},
        {" taro@example.jp", "before the @ that is not allowed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = {0};
        if (!address_check(rows[i].text, &err))
            fail_msg("accepted: %s", rows[i].text);
        assert_int_equal(err.kind, ERR_INPUT);
        if (!strstr(err.text, rows[i].why))
            fail_msg("%s: %s", rows[i].text, err.text);
        if (rows[i].text && rows[i].text[0] && rows[i].text[1])
            assert_null(strstr(err.text, rows[i].text));
    }
}

/* local part of n, domain of labels of at most 63 up to a total. */
static char *long_address(size_t local, size_t total)
{
    char *text = mem_zero(total + 1, 1);
    memset(text, 'a', total);
    text[local] = '@';
    for (size_t i = local + 61; i + 3 < total; i += 61)
        text[i] = '.';
    text[total - 3] = '.';
    return text;
}

static void lengths_have_exact_bounds(void **state)
{
    (void)state;
    static const struct {
        size_t local, total;
        int result;
    } rows[] = {{64, 254, 0}, {65, 254, -1}, {64, 255, -1}, {64, 100, 0}, {65, 100, -1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = {0};
        AUTO_TEXT text = long_address(rows[i].local, rows[i].total);
        assert_int_equal(strlen(text), rows[i].total);
        if (address_check(text, &err) != rows[i].result)
            fail_msg("row %zu: %s %s", i, text, err.text);
    }
    AUTO_TEXT label = mem_printf("x@%063d.jp", 0);
    AUTO_TEXT longer = mem_printf("x@%064d.jp", 0);
    struct err err = {0};
    assert_int_equal(address_check(label, &err), 0);
    assert_int_equal(address_check(longer, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_pass),
        cmocka_unit_test(bad_ones_are_refused_without_repeating_them),
        cmocka_unit_test(lengths_have_exact_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* links: lifecycle */
#include "base/random.h"
#include "lifecycle/code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char alphabet[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
#define TEXT 19

static struct secret *random_code(void)
{
    uint8_t bits[CODE_BITS_LENGTH];
    random_bytes(bits, sizeof bits);
    AUTO(secret) s = secret_new(bits, sizeof bits);
    return code_text(s);
}

static enum code_result parse(const void *text, size_t length)
{
    AUTO(secret) got = NULL;
    struct err err = {0};
    return code_parse((struct bytes){text, length}, &got, &err);
}

static void codes_are_written_in_four_groups(void **state)
{
    (void)state;
    static const struct {
        uint8_t bits[CODE_BITS_LENGTH];
        const char *start;
    } rows[] = {
        {{0}, "2222-2222-2222-2222"},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "ZZZZ-ZZZZ-ZZZZ-ZZZ"},
        /* five bits a character, the first ones first: 1, 2, 3 … 15 */
        {{0x08, 0x86, 0x42, 0x98, 0xe8, 0x4a, 0x96, 0xc6, 0xb9, 0xf0}, "3456-789A-BCDE-FGH"},
        /* the last five bits are not used */
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0x1f}, "2222-2222-2222-2222"},
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20}, "2222-2222-2222-223"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(secret) bits = secret_new(rows[i].bits, CODE_BITS_LENGTH);
        AUTO(secret) text = code_text(bits);
        assert_int_equal(text->length, TEXT);
        if (strncmp((char *)text->data, rows[i].start, strlen(rows[i].start)) != 0)
            fail_msg("row %zu: %s", i, (char *)text->data);
        AUTO(secret) back = NULL;
        struct err err = {0};
        assert_int_equal(
            code_parse((struct bytes){text->data, text->length}, &back, &err), CODE_OK);
        assert_true(secret_equal(back, text));
        assert_true(code_matches(back, bits));
    }
}

static void codes_of_other_bits_do_not_match(void **state)
{
    (void)state;
    uint8_t raw[CODE_BITS_LENGTH];
    random_bytes(raw, sizeof raw);
    AUTO(secret) bits = secret_new(raw, sizeof raw);
    AUTO(secret) text = code_text(bits);
    for (size_t bit = 0; bit < 75; bit++) {
        AUTO(secret) other = secret_new(raw, sizeof raw);
        other->data[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        assert_false(code_matches(text, other));
    }
}

/* Every position, every other character. */
static void one_wrong_character_is_always_found(void **state)
{
    (void)state;
    for (int n = 0; n < 20; n++) {
        AUTO(secret) code = random_code();
        for (size_t i = 0; i < TEXT; i++) {
            uint8_t right = code->data[i];
            if (right == '-')
                continue;
            for (const char *c = alphabet; *c; c++) {
                code->data[i] = (uint8_t)*c;
                assert_int_equal(parse(code->data, TEXT), *c == right ? CODE_OK : CODE_MISTYPED);
            }
            code->data[i] = right;
        }
    }
}

/* Any two positions, not only neighbours. */
static void two_exchanged_characters_are_always_found(void **state)
{
    (void)state;
    for (int n = 0; n < 200; n++) {
        AUTO(secret) code = random_code();
        for (size_t i = 0; i < TEXT; i++)
            for (size_t j = i + 1; j < TEXT; j++) {
                uint8_t a = code->data[i], b = code->data[j];
                if (a == '-' || b == '-' || a == b)
                    continue;
                code->data[i] = b, code->data[j] = a;
                assert_int_equal(parse(code->data, TEXT), CODE_MISTYPED);
                code->data[i] = a, code->data[j] = b;
            }
    }
}

/* The weights are x^0 … x^15 of GF(32); a code made by hand from another statement of the rule. */
static void the_check_character_is_as_documented(void **state)
{
    (void)state;
    uint8_t power[CODE_CHARACTERS], weight = 1;
    for (size_t i = 0; i < CODE_CHARACTERS; i++) {
        power[i] = weight;
        weight = (uint8_t)(weight << 1);
        if (weight & 32)
            weight ^= 0x25;
    }
    for (int n = 0; n < 100; n++) {
        AUTO(secret) code = random_code();
        unsigned sum = 0, at = 0;
        for (size_t i = 0; i < TEXT; i++) {
            if (code->data[i] == '-')
                continue;
            unsigned value = (unsigned)(strchr(alphabet, code->data[i]) - alphabet), product = 0;
            for (int bit = 0; bit < 5; bit++)
                if (power[at] >> bit & 1)
                    product ^= value << bit;
            for (int bit = 9; bit >= 5; bit--)
                if (product >> bit & 1)
                    product ^= 0x25U << (bit - 5);
            sum ^= product;
            at++;
        }
        assert_int_equal(at, CODE_CHARACTERS);
        assert_int_equal(sum, 0);
    }
}

/* The code of bits 0x0886429… (the row above), as people may type it. */
#define GOOD "3456-789A-BCDE-FGH"

static void what_people_type_is_understood(void **state)
{
    (void)state;
    static const uint8_t raw[CODE_BITS_LENGTH] = {
        0x08, 0x86, 0x42, 0x98, 0xe8, 0x4a, 0x96, 0xc6, 0xb9, 0xf0};
    AUTO(secret) bits = secret_new(raw, sizeof raw);
    AUTO(secret) text = code_text(bits);
    char last = (char)text->data[TEXT - 1];
    static const char *const forms[] = {
        GOOD "%c",
        "3456789ABCDEFGH%c",
        "3456-789a-bcde-fgh%c",
        "  3456 789A\tBCDE FGH%c\r\n",
        "3456-789A-\r\nBCDE-FGH%c",
        "3-4-5-6-7-8-9-A-B-C-D-E-F-G-H-%c-",
        "3456−789A–BCDE—FGH%c",
        "3456ー789Aーbcdeーfgh%c",                /* the long vowel mark of kana input */
        "3456ｰ789A‐BCDE‑FGH%c",                   /* half-width one, hyphens */
        "３４５６－７８９Ａ－ＢＣＤＥ－ＦＧＨ%c", /* full-width */
        "３４５６　７８９ａ　ｂｃｄｅ　ｆｇｈ%c",
        "\xef\xbb\xbf" GOOD "%c",
        "3456\xc2\xa0"
        "789A\xc2\xad"
        "BCDE\xe2\x80\x8b"
        "FGH%c",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        char typed[CODE_TYPED_MOST];
        const char *place = strstr(forms[i], "%c");
        int n = snprintf(
            typed, sizeof typed, "%.*s%c%s", (int)(place - forms[i]), forms[i], last, place + 2);
        AUTO(secret) got = NULL;
        struct err err = {0};
        if (code_parse((struct bytes){(uint8_t *)typed, (size_t)n}, &got, &err) != CODE_OK)
            fail_msg("%s: %s", typed, err.text);
        assert_true(secret_equal(got, text));
    }
}

static void what_is_no_code_is_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *says;
    } rows[] = {
        {"", "16 characters; 0 were given"},
        {"----", "16 characters; 0 were given"},
        {"3456-789A-BCDE-FGH", "16 characters; 15 were given"},
        {"3456-789A-BCDE-FGHJ-K", "at least 17 were given"},
        {"3456-789A-BCDE-FGHO", "character 16: O is never used"},
        {"3456-789a-bcde-fgho", "character 16: O is never used"},
        {"3456-789A-BCDE-FGH0", "character 16: 0 is never used"},
        {"1456-789A-BCDE-FGHJ", "character 1: 1 is never used"},
        {"3I56-789A-BCDE-FGHJ", "character 2: I is never used"},
        {"3ｏ56-789A-BCDE-FGHJ", "character 2: O is never used"},
        {"3456-789A-BCDE-FGH!", "character 16: a certificate code has only"},
        {"3456_789A_BCDE_FGHJ", "character 5: a certificate code has only"},
        {"3456-789A-BCDE-FGHあ", "character 16: a certificate code has only"},
        {"3456-789A-BCDE-FGH\xff", "not UTF-8"},
        {"3456-789A-BCDE-FGH\xef\xbc", "not UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(secret) got = NULL;
        struct err err = {0};
        assert_int_equal(code_parse(bytes_of_text(rows[i].typed), &got, &err), CODE_MALFORMED);
        assert_null(got);
        assert_int_equal(err.kind, ERR_INPUT);
        assert_string_equal(err.code, "code-malformed");
        if (!strstr(err.text, rows[i].says))
            fail_msg("%s: %s", rows[i].typed, err.text);
    }
    assert_int_equal(parse("3456-789A-BCDE-\0FGH", 19), CODE_MALFORMED);
    char longest[CODE_TYPED_MOST + 1];
    memset(longest, '-', sizeof longest);
    assert_int_equal(parse(longest, sizeof longest), CODE_MALFORMED);
}

static void messages_do_not_repeat_the_code(void **state)
{
    (void)state;
    AUTO(secret) code = random_code();
    code->data[0] = code->data[0] == 'Z' ? 'Y' : 'Z';
    AUTO(secret) got = NULL;
    struct err err = {0};
    assert_int_equal(
        code_parse((struct bytes){code->data, code->length}, &got, &err), CODE_MISTYPED);
    assert_string_equal(err.code, "code-mistyped");
    for (size_t i = 0; i + 4 <= TEXT; i += 5) {
        char group[5] = {0};
        memcpy(group, code->data + i, 4);
        assert_null(strstr(err.text, group));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_written_in_four_groups),
        cmocka_unit_test(codes_of_other_bits_do_not_match),
        cmocka_unit_test(one_wrong_character_is_always_found),
        cmocka_unit_test(two_exchanged_characters_are_always_found),
        cmocka_unit_test(the_check_character_is_as_documented),
        cmocka_unit_test(what_people_type_is_understood),
        cmocka_unit_test(what_is_no_code_is_refused_in_words),
        cmocka_unit_test(messages_do_not_repeat_the_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

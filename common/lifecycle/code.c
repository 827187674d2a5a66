#include "lifecycle/code.h"

#include "base/utf8.h"

#include <assert.h>
#include <string.h>

/*
 * The check is linear over GF(32) = GF(2)[x] / (x^5 + x^2 + 1), in which x generates all 31
 * non-zero elements: the sum of x^i times character i over all 16 is zero. A wrong character
 * changes the sum by x^i * d, two exchanged ones by (x^i - x^j) * d, with d non-zero: neither is
 * ever zero, because the 16 weights are non-zero and differ.
 */
#define DATA_CHARACTERS (CODE_CHARACTERS - 1)
#define GROUP 4
#define TEXT_LENGTH (CODE_CHARACTERS + CODE_CHARACTERS / GROUP - 1)

static const char alphabet[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

static uint8_t times_x(uint8_t v)
{
    return (uint8_t)(v & 16 ? ((v << 1) ^ 0x25) & 31 : v << 1);
}

/* Sum of x^i * v[i], by Horner from the last character. */
static uint8_t weighted_sum(const uint8_t *v, size_t n)
{
    uint8_t sum = 0;
    while (n)
        sum = times_x(sum) ^ v[--n];
    return sum;
}

/* x^-15 times the sum of the data characters is what the 16th must be (x^31 = 1, so x^16 times). */
static uint8_t check_value(const uint8_t data[static DATA_CHARACTERS])
{
    uint8_t v = weighted_sum(data, DATA_CHARACTERS);
    for (int i = 0; i < 31 - DATA_CHARACTERS; i++)
        v = times_x(v);
    return v;
}

static struct secret *write_text(const uint8_t values[static CODE_CHARACTERS])
{
    struct secret *text = secret_of_size(TEXT_LENGTH);
    uint8_t *to = text->data;
    for (size_t i = 0; i < CODE_CHARACTERS; i++) {
        if (i && i % GROUP == 0)
            *to++ = '-';
        *to++ = (uint8_t)alphabet[values[i]];
    }
    return text;
}

struct secret *code_text(const struct secret *bits)
{
    assert(bits->length == CODE_BITS_LENGTH);
    uint8_t values[CODE_CHARACTERS];
    unsigned held = 0, count = 0;
    size_t at = 0;
    for (size_t i = 0; i < DATA_CHARACTERS; i++) {
        if (count < 5) {
            held = (held << 8 | bits->data[at++]) & 0xffff;
            count += 8;
        }
        count -= 5;
        values[i] = (uint8_t)(held >> count & 31);
    }
    values[DATA_CHARACTERS] = check_value(values);
    struct secret *text = write_text(values);
    secret_wipe(values, sizeof values);
    secret_wipe(&held, sizeof held);
    return text;
}

static bool is_separator(uint32_t c)
{
    static const uint32_t list[] = {
        ' ', '\t', '\r', '\n', '-', 0xa0, 0xad, 0x200b, 0x2010, 0x2011, 0x2012, 0x2013, 0x2014,
        0x2015, 0x2212, 0x2500, /* box drawings: an IME's conversion of a hyphen */
        0x3000,                 /* ideographic space */
        0x30fc, 0xff70,         /* the long vowel mark, on the hyphen's key in kana input */
        0xfe63, 0xfeff, 0xff0d, /* full-width hyphen */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(list); i++)
        if (list[i] == c)
            return true;
    return false;
}

/* Full-width ASCII to ASCII, letters to upper case. */
static uint32_t fold(uint32_t c)
{
    if (c >= 0xff01 && c <= 0xff5e)
        c -= 0xff01 - '!';
    return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

static enum code_result malformed(struct err *err, const char *text)
{
    err_set(err, ERR_INPUT, "code-malformed", "%s", text);
    return CODE_MALFORMED;
}

/* Reads up to CODE_CHARACTERS + 1 values (one too many tells that there are too many). */
static enum code_result read_values(
    struct bytes typed, uint8_t values[static CODE_CHARACTERS + 1], size_t *count, struct err *err)
{
    const uint8_t *p = typed.data, *end = p + typed.length;
    while (p < end && *count <= CODE_CHARACTERS) {
        uint32_t c = utf8_next(&p, end);
        if (is_separator(c))
            continue;
        c = fold(c);
        if (c == '0' || c == '1' || c == 'I' || c == 'O') {
            err_set(err, ERR_INPUT, "code-malformed",
                "character %zu: %c is never used in a certificate code, nor are 0, 1, I and O",
                *count + 1, (char)c);
            return CODE_MALFORMED;
        }
        const char *found = c && c < 0x80 ? strchr(alphabet, (int)c) : NULL;
        if (!found) {
            err_set(err, ERR_INPUT, "code-malformed",
                "character %zu: a certificate code has only letters and digits", *count + 1);
            return CODE_MALFORMED;
        }
        values[(*count)++] = (uint8_t)(found - alphabet);
    }
    return CODE_OK;
}

enum code_result code_parse(struct bytes typed, struct secret **ret, struct err *err)
{
    if (typed.length > CODE_TYPED_MOST)
        return malformed(err, "this is too long for a certificate code, which has 16 characters");
    if (!utf8_is_valid(typed))
        return malformed(err, "the certificate code is not UTF-8 text");
    uint8_t values[CODE_CHARACTERS + 1] = {0};
    size_t count = 0;
    enum code_result result = read_values(typed, values, &count, err);
    if (result == CODE_OK && count != CODE_CHARACTERS) {
        err_set(err, ERR_INPUT, "code-malformed",
            "a certificate code has 16 characters; %s%zu were given",
            count > CODE_CHARACTERS ? "at least " : "", count);
        result = CODE_MALFORMED;
    }
    if (result == CODE_OK && weighted_sum(values, CODE_CHARACTERS)) {
        err_set(err, ERR_INPUT, "code-mistyped",
            "the certificate code has a typing error: its check character does not fit");
        result = CODE_MISTYPED;
    }
    if (result == CODE_OK)
        *ret = write_text(values);
    secret_wipe(values, sizeof values);
    return result;
}

bool code_matches(const struct secret *parsed, const struct secret *bits)
{
    AUTO(secret) text = code_text(bits);
    return secret_equal(parsed, text);
}

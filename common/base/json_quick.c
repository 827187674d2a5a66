#include "base/json_quick.h"

#include "base/utf8.h"

#include <string.h>

#define DEPTH_MOST 16
#define DIGITS_MOST 18 /* fit into 64 bits */

struct reader {
    const char *at, *end;
    int depth;
    struct buf text; /* the last string that held escapes */
};

static json_t *read_value(struct reader *r);

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

/* Behind white space; false: something else stands there. */
static bool take(struct reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

/*
 * Eight bytes at a time. A byte of x less than n (to 0x80) borrows into its top bit in x - n, where
 * that bit was clear before; a borrow from the byte below can only add a false alarm.
 */
size_t json_plain(const char *text, size_t length)
{
    const uint64_t ones = 0x0101010101010101U, tops = 0x8080808080808080U;
    size_t at = 0;
    for (uint64_t x; length - at >= 8; at += 8) {
        memcpy(&x, text + at, sizeof x);
        const uint64_t quote = x ^ ones * '"', escape = x ^ ones * '\\';
        if ((((x - ones * 0x20) & ~x) | ((quote - ones) & ~quote) | ((escape - ones) & ~escape)) &
            tops)
            break;
    }
    while (at < length && is_plain(text[at]))
        at++;
    return at;
}

/* 0: a \u, or none. */
static char escaped(char c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = c ? strchr(from, c) : NULL;
    return found ? to[found - from] : '\0';
}

/* The rest of a string that has an escape at r->at. */
static bool read_escapes(struct reader *r, const char *start)
{
    buf_clear(&r->text);
    for (;;) {
        buf_add(&r->text, start, (size_t)(r->at - start));
        if (r->at == r->end || (*r->at != '\\' && *r->at != '"'))
            return false;
        if (*r->at++ == '"')
            return true;
        const char c = r->at < r->end ? escaped(*r->at++) : '\0';
        if (!c)
            return false;
        buf_add_char(&r->text, c);
        start = r->at;
        r->at += json_plain(r->at, (size_t)(r->end - r->at));
    }
}

/* Behind its opening quote. `ret` stays good until the next string. */
static bool read_string(struct reader *r, struct bytes *ret)
{
    const char *start = r->at;
    r->at += json_plain(r->at, (size_t)(r->end - r->at));
    if (r->at < r->end && *r->at == '"') {
        *ret = (struct bytes){(const uint8_t *)start, (size_t)(r->at++ - start)};
        return true;
    }
    if (!read_escapes(r, start))
        return false;
    *ret = buf_bytes(&r->text);
    return true;
}

static bool read_members(struct reader *r, json_t *object)
{
    if (take(r, '}'))
        return true;
    do {
        struct bytes key;
        if (!take(r, '"') || !read_string(r, &key) || key.data == r->text.data || !take(r, ':'))
            return false;
        json_t *value = read_value(r);
        const size_t before = json_object_size(object);
        if (!value ||
            json_object_setn_new_nocheck(object, (const char *)key.data, key.length, value) ||
            json_object_size(object) == before) /* it was there already */
            return false;
    } while (take(r, ','));
    return take(r, '}');
}

static bool read_items(struct reader *r, json_t *array)
{
    if (take(r, ']'))
        return true;
    do {
        json_t *value = read_value(r);
        if (!value || json_array_append_new(array, value))
            return false;
    } while (take(r, ','));
    return take(r, ']');
}

static json_t *read_nested(struct reader *r, json_t *made, bool (*read)(struct reader *, json_t *))
{
    const bool ok = ++r->depth <= DEPTH_MOST && read(r, made);
    r->depth--;
    if (ok)
        return made;
    json_decref(made);
    return NULL;
}

/* Not -0, nothing with a fraction or an exponent, nothing that could overflow. */
static json_t *read_integer(struct reader *r)
{
    const bool is_negative = *r->at == '-';
    const char *start = r->at += is_negative;
    json_int_t n = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - start < DIGITS_MOST)
        n = n * 10 + (*r->at++ - '0');
    const bool has_zero = r->at > start && *start == '0';
    if (r->at == start || (has_zero && (r->at - start > 1 || is_negative)) || r->at == r->end ||
        strchr("0123456789.eE", *r->at))
        return NULL;
    return json_integer(is_negative ? -n : n);
}

static json_t *read_word(struct reader *r)
{
    static const struct {
        const char *word;
        size_t length;
        json_t *(*make)(void);
    } words[] = {{"true", 4, json_true}, {"false", 5, json_false}, {"null", 4, json_null}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((size_t)(r->end - r->at) <= words[i].length ||
            memcmp(r->at, words[i].word, words[i].length) != 0)
            continue;
        r->at += words[i].length;
        return strchr(",]} \t\r\n", *r->at) ? words[i].make() : NULL;
    }
    return NULL;
}

static json_t *read_value(struct reader *r)
{
    struct bytes text;
    if (take(r, '"'))
        return read_string(r, &text) ? json_stringn_nocheck((const char *)text.data, text.length)
                                     : NULL;
    if (take(r, '{'))
        return read_nested(r, json_object(), read_members);
    if (take(r, '['))
        return read_nested(r, json_array(), read_items);
    if (r->at == r->end)
        return NULL;
    return *r->at == '-' || (*r->at >= '0' && *r->at <= '9') ? read_integer(r) : read_word(r);
}

json_t *json_quick(struct bytes text)
{
    struct reader r = {.at = (const char *)text.data, .end = (const char *)text.data + text.length};
    if (!text.length || !utf8_is_valid(text) || !take(&r, '{'))
        return NULL;
    json_t *object = read_nested(&r, json_object(), read_members);
    skip_space(&r);
    if (object && r.at < r.end) {
        json_decref(object);
        object = NULL;
    }
    buf_free(&r.text);
    return object;
}

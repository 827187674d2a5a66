#include "base/json.h"

#include "base/json_quick.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *what_is_wrong(const json_error_t *why)
{
    switch (json_error_code(why)) {
    case json_error_invalid_utf8:
        return "not UTF-8";
    case json_error_premature_end_of_input:
        return "JSON that is cut off";
    case json_error_duplicate_key:
        return "JSON with a duplicate key";
    default:
        return "not JSON";
    }
}

/* The parser quotes what stands at the fault, which may be a password. Line and column do. */
static int unquoted_length(const json_error_t *why)
{
    const char *quote = strstr(why->text, " near ");
    return (int)(quote ? (size_t)(quote - why->text) : strlen(why->text));
}

int json_parse_object(struct bytes text, json_t **ret, struct err *err)
{
    json_error_t why;
    json_t *value = json_quick(text);
    if (!value)
        value = json_loadb((const char *)text.data, text.length, JSON_REJECT_DUPLICATES, &why);
    if (!value)
        return err_set(err, ERR_INPUT, NULL, "%s: line %d column %d: %.*s", what_is_wrong(&why),
            why.line, why.column, unquoted_length(&why), why.text);
    if (!json_is_object(value)) {
        json_decref(value);
        return err_set(err, ERR_INPUT, NULL, "a JSON object is wanted");
    }
    *ret = value;
    return 0;
}

json_t *json_at(const json_t *root, const char *path)
{
    const json_t *at = root;
    while (at && *path) {
        size_t n = strcspn(path, ".");
        if (json_is_object(at)) {
            char key[256];
            if (n >= sizeof key)
                return NULL;
            memcpy(key, path, n);
            key[n] = '\0';
            at = json_object_get(at, key);
        } else if (json_is_array(at)) {
            char *end;
            unsigned long index = strtoul(path, &end, 10);
            at = end == path + n ? json_array_get(at, index) : NULL;
        } else {
            return NULL;
        }
        path += n;
        if (*path == '.')
            path++;
    }
    return (json_t *)(uintptr_t)at;
}

const char *json_text_at(const json_t *root, const char *path)
{
    return json_string_value(json_at(root, path));
}

void json_put(json_t *root, const char *path, json_t *value)
{
    for (;;) {
        size_t n = strcspn(path, ".");
        AUTO_TEXT key = mem_text_n(path, n);
        if (!path[n]) {
            json_object_set_new(root, key, value);
            return;
        }
        json_t *next = json_object_get(root, key);
        if (!json_is_object(next)) {
            next = json_object();
            json_object_set_new(root, key, next);
        }
        root = next;
        path += n + 1;
    }
}

/* A string; `hex`: the digits of \\u escapes, whose case RFC 8785 and jansson see differently. */
static void write_text(const char *text, size_t length, const char *hex, struct buf *ret)
{
    static const char shorts[] = {['\b'] = 'b',
        ['\t'] = 't',
        ['\n'] = 'n',
        ['\f'] = 'f',
        ['\r'] = 'r',
        ['"'] = '"',
        ['\\'] = '\\'};
    if (json_plain(text, length) == length) {
        uint8_t *to = buf_reserve(ret, length + 2);
        to[0] = to[length + 1] = '"';
        memcpy(to + 1, text, length);
        to[length + 2] = 0;
        ret->length += length + 2;
        return;
    }
    buf_add_char(ret, '"');
    size_t plain = 0; /* where the run of characters that need no escape began */
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_short = c < sizeof shorts && shorts[c];
        if (c >= 0x20 && !is_short)
            continue;
        buf_add(ret, text + plain, i - plain);
        plain = i + 1;
        if (is_short)
            buf_add(ret, (const char[]){'\\', shorts[c]}, 2);
        else
            buf_add(ret, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    }
    buf_add(ret, text + plain, length - plain);
    buf_add_char(ret, '"');
}

static void canonical_text(const char *text, size_t length, struct buf *ret)
{
    write_text(text, length, "0123456789abcdef", ret);
}

static void write_string(const char *text, size_t length, struct buf *ret)
{
    write_text(text, length, "0123456789ABCDEF", ret);
}

static void write_integer(json_int_t n, struct buf *ret)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, n);
    buf_add(ret, digits, (size_t)length);
}

static int append(const char *data, size_t length, void *to)
{
    buf_add(to, data, length);
    return 0;
}

static void write_object(const json_t *object, struct buf *ret)
{
    const char *key;
    json_t *value;
    char before = '{';
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        buf_add_char(ret, before);
        before = ',';
        write_string(key, strlen(key), ret);
        buf_add_char(ret, ':');
        json_write(value, ret);
    }
    buf_add_text(ret, before == '{' ? "{}" : "}");
}

static void write_array(const json_t *array, struct buf *ret)
{
    buf_add_char(ret, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i)
            buf_add_char(ret, ',');
        json_write(json_array_get(array, i), ret);
    }
    buf_add_char(ret, ']');
}

/*
 * As json_dump_callback does, which notes each container's address as text in a hash table, lest it
 * run in a circle: a fifth of a worker's CPU for an issue. Trees here have no circles.
 */
void json_write(const json_t *value, struct buf *ret)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(value, ret);
        return;
    case JSON_ARRAY:
        write_array(value, ret);
        return;
    case JSON_STRING:
        write_string(json_string_value(value), json_string_length(value), ret);
        return;
    case JSON_INTEGER:
        write_integer(json_integer_value(value), ret);
        return;
    case JSON_REAL:
        json_dump_callback(value, append, ret, JSON_COMPACT | JSON_ENCODE_ANY);
        return;
    case JSON_TRUE:
        buf_add_text(ret, "true");
        return;
    case JSON_FALSE:
        buf_add_text(ret, "false");
        return;
    case JSON_NULL:
        break;
    }
    buf_add_text(ret, "null");
}

char *json_compact(const json_t *value)
{
    AUTO_BUF text = {0};
    buf_reserve(&text, 500);
    json_write(value, &text);
    return buf_take_text(&text);
}

/*
 * ECMAScript Number::toString: shortest digits that read back, plain from 1e-7 to 1e21. Of a normal
 * number DBL_DIG digits that read back are the shortest with zeros behind, so the search starts
 * there: from one digit on it would cost a broker 17 conversions for every number of a request.
 */
static void canonical_real(double value, struct buf *ret)
{
    if (value == 0) {
        buf_add_char(ret, '0');
        return;
    }
    char text[40];
    int precision = fabs(value) >= DBL_MIN ? DBL_DIG : 1;
    do
        snprintf(text, sizeof text, "%.*e", precision - 1, value);
    while (strtod(text, NULL) != value && ++precision <= 17);
    char digits[24];
    size_t n = 0;
    const char *p = text;
    bool negative = *p == '-';
    for (p += negative; *p != 'e'; p++)
        if (*p != '.')
            digits[n++] = *p;
    int exponent = (int)strtol(p + 1, NULL, 10);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    int point = exponent + 1; /* digits before the decimal point */
    if (negative)
        buf_add_char(ret, '-');
    if (point > 21 || point < -5) {
        buf_add(ret, digits, 1);
        if (n > 1) {
            buf_add_char(ret, '.');
            buf_add(ret, digits + 1, n - 1);
        }
        buf_printf(ret, "e%c%d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    if (point <= 0) {
        buf_add_text(ret, "0.");
        for (int i = point; i < 0; i++)
            buf_add_char(ret, '0');
        buf_add(ret, digits, n);
        return;
    }
    for (int i = 0; i < point; i++)
        buf_add_char(ret, (size_t)i < n ? digits[i] : '0');
    if (n > (size_t)point) {
        buf_add_char(ret, '.');
        buf_add(ret, digits + point, n - (size_t)point);
    }
}

/* RFC 8785 section 3.2.3: keys in order of their UTF-16 code units. */
static int compare_utf16(const char *a, const char *b)
{
    const uint8_t *p = (const uint8_t *)a, *p_end = p + strlen(a);
    const uint8_t *q = (const uint8_t *)b, *q_end = q + strlen(b);
    while (p < p_end && q < q_end) {
        uint32_t c = utf8_next(&p, p_end), d = utf8_next(&q, q_end);
        if (c == d)
            continue;
        uint32_t c_unit = c > 0xffff ? 0xd800 + ((c - 0x10000) >> 10) : c;
        uint32_t d_unit = d > 0xffff ? 0xd800 + ((d - 0x10000) >> 10) : d;
        if (c_unit != d_unit)
            return c_unit < d_unit ? -1 : 1;
        return c < d ? -1 : 1;
    }
    return (p < p_end) - (q < q_end);
}

static int compare_keys(const void *a, const void *b)
{
    return compare_utf16(*(const char *const *)a, *(const char *const *)b);
}

static int canonical_object(const json_t *object, struct buf *ret, struct err *err)
{
    size_t n = json_object_size(object), i = 0;
    CLEANUP(text_auto_free) char *memory = mem_zero(n, sizeof(char *));
    const char **keys = (const char **)(void *)memory;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) keys[i++] = key;
    qsort(keys, n, sizeof *keys, compare_keys);
    buf_add_char(ret, '{');
    for (i = 0; i < n; i++) {
        if (i)
            buf_add_char(ret, ',');
        canonical_text(keys[i], strlen(keys[i]), ret);
        buf_add_char(ret, ':');
        if (json_canonical(json_object_get(object, keys[i]), ret, err))
            return -1;
    }
    buf_add_char(ret, '}');
    return 0;
}

int json_canonical(const json_t *value, struct buf *ret, struct err *err)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return canonical_object(value, ret, err);
    case JSON_ARRAY:
        buf_add_char(ret, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i)
                buf_add_char(ret, ',');
            if (json_canonical(json_array_get(value, i), ret, err))
                return -1;
        }
        buf_add_char(ret, ']');
        return 0;
    case JSON_STRING:
        canonical_text(json_string_value(value), json_string_length(value), ret);
        return 0;
    case JSON_INTEGER: {
        json_int_t n = json_integer_value(value);
        if (n > 9007199254740992LL || n < -9007199254740992LL)
            return err_set(err, ERR_INPUT, NULL, "number %" JSON_INTEGER_FORMAT " is past 2^53", n);
        buf_printf(ret, "%" JSON_INTEGER_FORMAT, n);
        return 0;
    }
    case JSON_REAL:
        canonical_real(json_real_value(value), ret);
        return 0;
    case JSON_TRUE:
        buf_add_text(ret, "true");
        return 0;
    case JSON_FALSE:
        buf_add_text(ret, "false");
        return 0;
    case JSON_NULL:
        break;
    }
    buf_add_text(ret, "null");
    return 0;
}

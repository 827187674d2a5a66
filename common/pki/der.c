#include "pki/der.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <assert.h>
#include <string.h>

#define DAY_S 86400

void der_free(struct der *d)
{
    free(d->data);
    *d = (struct der){0};
}

void der_clear(struct der *d)
{
    d->at = d->capacity;
}

struct bytes der_bytes(const struct der *d)
{
    return (struct bytes){d->data + d->at, der_length(d)};
}

/* Room for n bytes in front; returns where they begin. */
static uint8_t *front(struct der *d, size_t n)
{
    if (d->at < n) {
        size_t length = der_length(d), capacity = d->capacity ? d->capacity * 2 : 1024;
        while (capacity - length < n)
            capacity *= 2;
        uint8_t *data = mem_zero(capacity, 1);
        if (length)
            memcpy(data + capacity - length, d->data + d->at, length);
        free(d->data);
        *d = (struct der){data, capacity, capacity - length};
    }
    d->at -= n;
    return d->data + d->at;
}

static void put(struct der *d, uint8_t byte)
{
    *front(d, 1) = byte;
}

void der_raw(struct der *d, struct bytes bytes)
{
    if (bytes.length)
        memcpy(front(d, bytes.length), bytes.data, bytes.length);
}

static void header(struct der *d, uint8_t tag, size_t length)
{
    if (length < 0x80) {
        put(d, (uint8_t)length);
    } else {
        uint8_t octets = 0;
        for (; length; length >>= 8, octets++)
            put(d, (uint8_t)length);
        put(d, 0x80 | octets);
    }
    put(d, tag);
}

void der_value(struct der *d, uint8_t tag, const void *content, size_t length)
{
    der_raw(d, (struct bytes){content, length});
    header(d, tag, length);
}

void der_close(struct der *d, uint8_t tag, size_t mark)
{
    assert(mark <= der_length(d));
    header(d, tag, der_length(d) - mark);
}

void der_close_bits(struct der *d, size_t mark)
{
    put(d, 0);
    der_close(d, DER_BIT_STRING, mark);
}

void der_integer(struct der *d, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 7; i >= 0; i--, value >>= 8)
        bytes[i] = (uint8_t)value;
    der_unsigned(d, bytes, sizeof bytes);
}

void der_unsigned(struct der *d, const uint8_t *data, size_t length)
{
    size_t mark = der_length(d);
    while (length > 1 && *data == 0) {
        data++;
        length--;
    }
    der_raw(d, (struct bytes){data, length});
    if (length == 0 || *data & 0x80)
        put(d, 0);
    der_close(d, DER_INTEGER, mark);
}

/* Days since 1970 to year, month, day (proleptic Gregorian; eras of 400 years from 1 March). */
static void civil(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool der_time_fits(int64_t time_ms)
{
    return time_ms >= days_of(1950, 1, 1) * DAY_S * 1000 &&
           time_ms < days_of(10000, 1, 1) * DAY_S * 1000;
}

static uint8_t *two_digits(uint8_t *to, int value)
{
    to[0] = (uint8_t)('0' + value / 10);
    to[1] = (uint8_t)('0' + value % 10);
    return to + 2;
}

size_t der_time_at(int64_t time_ms, uint8_t to[static 17])
{
    assert(der_time_fits(time_ms));
    int64_t seconds = floor_div(time_ms, 1000), days = floor_div(seconds, DAY_S);
    int year, month, day, second = (int)(seconds - days * DAY_S);
    civil(days, &year, &month, &day);
    uint8_t *p = to + 2;
    if (year >= 2050)
        p = two_digits(p, year / 100);
    p = two_digits(p, year % 100);
    p = two_digits(p, month);
    p = two_digits(p, day);
    p = two_digits(p, second / 3600);
    p = two_digits(p, second / 60 % 60);
    p = two_digits(p, second % 60);
    *p++ = 'Z';
    to[0] = year >= 2050 ? DER_GENERALIZED_TIME : DER_UTC_TIME;
    to[1] = (uint8_t)(p - to - 2);
    return (size_t)(p - to);
}

void der_time(struct der *d, int64_t time_ms)
{
    uint8_t bytes[17];
    der_raw(d, (struct bytes){bytes, der_time_at(time_ms, bytes)});
}

bool der_read_any(
    struct bytes *in, uint8_t *ret_tag, struct bytes *ret_content, struct bytes *ret_whole)
{
    if (in->length < 2 || (in->data[0] & 0x1f) == 0x1f)
        return false;
    size_t length = in->data[1], at = 2;
    if (length >= 0x80) {
        size_t octets = length & 0x7f;
        if (octets == 0 || octets > 4 || in->length < 2 + octets || in->data[2] == 0)
            return false;
        for (length = 0; at < 2 + octets; at++)
            length = length << 8 | in->data[at];
        if (length < 0x80)
            return false;
    }
    if (in->length - at < length)
        return false;
    if (ret_tag)
        *ret_tag = in->data[0];
    if (ret_content)
        *ret_content = (struct bytes){in->data + at, length};
    if (ret_whole)
        *ret_whole = (struct bytes){in->data, at + length};
    in->data += at + length;
    in->length -= at + length;
    return true;
}

bool der_read(struct bytes *in, uint8_t tag, struct bytes *ret_content)
{
    return in->length && in->data[0] == tag && der_read_any(in, NULL, ret_content, NULL);
}

bool der_read_unsigned(struct bytes *in, struct bytes *ret_magnitude)
{
    struct bytes rest = *in, value;
    if (!der_read(&rest, DER_INTEGER, &value) || value.length == 0 || value.data[0] & 0x80)
        return false;
    if (value.length > 1 && value.data[0] == 0) {
        if (!(value.data[1] & 0x80))
            return false;
        value.data++;
        value.length--;
    }
    *ret_magnitude = value;
    *in = rest;
    return true;
}

/* Subidentifiers, none padded, the last one ended (X.690 8.19.2). */
static bool is_oid(struct bytes content)
{
    bool begins = true;
    for (size_t i = 0; i < content.length; i++) {
        if (begins && content.data[i] == 0x80)
            return false;
        begins = !(content.data[i] & 0x80);
    }
    return content.length && begins;
}

/* At least one octet, and the first nine bits are not all alike (X.690 8.3.2). */
static bool is_integer(struct bytes content)
{
    if (content.length < 2)
        return content.length == 1;
    uint8_t sign = content.data[1] & 0x80 ? 0xff : 0;
    return content.data[0] != sign;
}

static bool is_bit_string(struct bytes content)
{
    if (!content.length || content.data[0] > 7 || (content.data[0] && content.length == 1))
        return false;
    return !(content.data[content.length - 1] & ((1 << content.data[0]) - 1));
}

/* Characters of two or four octets that Unicode knows. */
static bool is_wide_text(struct bytes content, size_t width)
{
    if (content.length % width)
        return false;
    for (size_t i = 0; i < content.length; i += width) {
        uint32_t c = 0;
        for (size_t k = 0; k < width; k++)
            c = c << 8 | content.data[i + k];
        if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return false;
    }
    return true;
}

bool der_value_is_sound(uint8_t tag, struct bytes content)
{
    const uint8_t type = tag & 0x1f;
    if (tag & 0xc0)
        return true;
    const bool is_constructed = type == 0x08 || type == 0x0b || type == 0x10 || type == 0x11;
    if (type == 0 || is_constructed != !!(tag & DER_CONSTRUCTED))
        return false;
    switch (type) {
    case DER_BOOLEAN:
        return content.length == 1 && (content.data[0] == 0 || content.data[0] == 0xff);
    case DER_INTEGER:
    case DER_ENUMERATED:
        return is_integer(content);
    case DER_BIT_STRING:
        return is_bit_string(content);
    case DER_NULL:
        return content.length == 0;
    case DER_OID:
        return is_oid(content);
    case DER_UTF8_STRING:
        return utf8_is_valid(content);
    case DER_UNIVERSAL_STRING:
        return is_wide_text(content, 4);
    case DER_BMP_STRING:
        return is_wide_text(content, 2);
    default:
        return true;
    }
}

/* Two digits as a number in low..high, or -1. */
static int number(const uint8_t *p, int low, int high)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return -1;
    int value = (p[0] - '0') * 10 + p[1] - '0';
    return value >= low && value <= high ? value : -1;
}

bool der_read_time(struct bytes *in, int64_t *ret_ms)
{
    struct bytes rest = *in, text;
    bool is_long = in->length && in->data[0] == DER_GENERALIZED_TIME;
    if (!der_read(&rest, is_long ? DER_GENERALIZED_TIME : DER_UTC_TIME, &text) ||
        text.length != (is_long ? 15 : 13) || text.data[text.length - 1] != 'Z')
        return false;
    const uint8_t *p = text.data;
    int century = is_long ? number(p, 0, 99) : 0;
    p += is_long ? 2 : 0;
    int year = number(p, 0, 99), month = number(p + 2, 1, 12), day = number(p + 4, 1, 31);
    int hour = number(p + 6, 0, 23), minute = number(p + 8, 0, 59), second = number(p + 10, 0, 59);
    if (century < 0 || year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0)
        return false;
    year += is_long ? century * 100 : year < 50 ? 2000 : 1900;
    int64_t days = days_of(year, month, day);
    int back_year, back_month, back_day;
    civil(days, &back_year, &back_month, &back_day);
    if (back_day != day)
        return false;
    *ret_ms = (days * DAY_S + hour * 3600 + minute * 60 + second) * 1000;
    *in = rest;
    return true;
}

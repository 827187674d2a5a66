#include "base/utf8.h"

#include <string.h>

/* Length of the valid sequence at p (1..4), 0 when it is none. */
static size_t sequence(const uint8_t *p, const uint8_t *end)
{
    size_t left = (size_t)(end - p);
    uint8_t a = p[0];
    if (a < 0x80)
        return 1;
    if (a >= 0xc2 && a <= 0xdf)
        return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (a >= 0xe0 && a <= 0xef) {
        if (left < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
            return 0;
        if ((a == 0xe0 && p[1] < 0xa0) || (a == 0xed && p[1] > 0x9f))
            return 0;
        return 3;
    }
    if (a >= 0xf0 && a <= 0xf4) {
        if (left < 4 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 || (p[3] & 0xc0) != 0x80)
            return 0;
        if ((a == 0xf0 && p[1] < 0x90) || (a == 0xf4 && p[1] > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

/* Of ASCII, eight bytes at a time; what is left may be ASCII too. */
static const uint8_t *skip_ascii(const uint8_t *p, const uint8_t *end)
{
    for (uint64_t eight; end - p >= 8; p += 8) {
        memcpy(&eight, p, sizeof eight);
        if (eight & 0x8080808080808080U)
            break;
    }
    return p;
}

bool utf8_is_valid(struct bytes text)
{
    const uint8_t *p = text.data, *end = p + text.length;
    p = skip_ascii(p, end);
    while (p < end) {
        size_t n = sequence(p, end);
        if (!n)
            return false;
        p += n;
        if (n == 1)
            p = skip_ascii(p, end);
    }
    return true;
}

/* The end cuts a character that began at p. */
static bool is_cut(const uint8_t *p, const uint8_t *end)
{
    size_t want = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2, left = (size_t)(end - p);
    if (p[0] < 0xc2 || p[0] > 0xf4 || left >= want)
        return false;
    for (size_t i = 1; i < left; i++)
        if ((p[i] & 0xc0) != 0x80)
            return false;
    return true;
}

void utf8_mend(char *text)
{
    uint8_t *p = (uint8_t *)text, *end = p + strlen(text);
    while (p < end) {
        size_t n = sequence(p, end);
        if (!n && is_cut(p, end))
            break;
        if (!n)
            *p = '?';
        p += n ? n : 1;
    }
    *p = '\0';
}

uint32_t utf8_next(const uint8_t **p, const uint8_t *end)
{
    const uint8_t *s = *p;
    size_t n = sequence(s, end);
    *p += n ? n : 1;
    switch (n) {
    case 1:
        return s[0];
    case 2:
        return (uint32_t)(s[0] & 0x1f) << 6 | (uint32_t)(s[1] & 0x3f);
    case 3:
        return (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 |
               (uint32_t)(s[2] & 0x3f);
    case 4:
        return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 |
               (uint32_t)(s[2] & 0x3f) << 6 | (uint32_t)(s[3] & 0x3f);
    default:
        return 0xfffd;
    }
}

bool utf8_is_line(struct bytes text)
{
    const uint8_t *p = text.data, *end = p + text.length;
    while (p < end) {
        if (*p >= 0x80 && !sequence(p, end))
            return false;
        uint32_t c = *p < 0x80 ? *p++ : utf8_next(&p, end);
        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
            return false;
    }
    return true;
}

size_t utf8_length(struct bytes text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.length; i++)
        n += (text.data[i] & 0xc0) != 0x80;
    return n;
}

static bool is_wide(uint32_t c)
{
    return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0x303e) ||
           (c >= 0x3041 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) ||
           (c >= 0xff00 && c <= 0xff60) || (c >= 0xffe0 && c <= 0xffe6) ||
           (c >= 0x1f300 && c <= 0x1f64f) || (c >= 0x20000 && c <= 0x3fffd);
}

static bool is_combining(uint32_t c)
{
    return (c >= 0x300 && c <= 0x36f) || (c >= 0x3099 && c <= 0x309a) || c == 0x200d ||
           (c >= 0xfe00 && c <= 0xfe0f);
}

size_t utf8_columns(struct bytes text)
{
    size_t columns = 0;
    const uint8_t *p = text.data, *end = p + text.length;
    while (p < end) {
        uint32_t c = utf8_next(&p, end);
        columns += is_combining(c) ? 0 : is_wide(c) ? 2 : 1;
    }
    return columns;
}

#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static _Atomic int64_t shift;

int64_t clock_monotonic_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

int64_t clock_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + clock_shift_ms();
}

void clock_set_shift_ms(int64_t shift_ms)
{
    atomic_store(&shift, shift_ms);
}

int64_t clock_shift_ms(void)
{
    return atomic_load(&shift);
}

const char *clock_format(int64_t time_ms, char text[static CLOCK_TEXT])
{
    int64_t seconds = time_ms / 1000, ms = time_ms % 1000;
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    struct tm tm;
    time_t t = (time_t)seconds;
    if (!gmtime_r(&t, &tm)) {
        snprintf(text, CLOCK_TEXT, "invalid");
        return text;
    }
    size_t n = strftime(text, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    if (ms)
        n += (size_t)snprintf(text + n, CLOCK_TEXT - n, ".%03d", (int)ms);
    snprintf(text + n, CLOCK_TEXT - n, "Z");
    return text;
}

/* Reads exactly `digits` decimal digits at *p; -1 when they are not there. */
static int number(const char **p, const char *end, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++, (*p)++) {
        if (*p >= end || **p < '0' || **p > '9')
            return -1;
        value = value * 10 + (**p - '0');
    }
    return value;
}

static bool literal(const char **p, const char *end, const char *set)
{
    if (*p >= end || !strchr(set, **p) || !**p)
        return false;
    (*p)++;
    return true;
}

static bool parse_fraction(const char **p, const char *end, int *ret_ms)
{
    int ms = 0, scale = 100, digits = 0;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, digits++, scale /= 10)
        ms += (**p - '0') * scale;
    *ret_ms = ms;
    return digits > 0 && digits <= 9;
}

static bool parse_offset(const char **p, const char *end, int *ret_minutes)
{
    *ret_minutes = 0;
    if (literal(p, end, "Zz"))
        return true;
    if (*p >= end || (**p != '+' && **p != '-'))
        return false;
    int sign = *(*p)++ == '-' ? -1 : 1;
    int hours = number(p, end, 2);
    if (!literal(p, end, ":"))
        return false;
    int minutes = number(p, end, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

bool clock_parse(const char *text, size_t length, int64_t *ret_ms)
{
    const char *p = text, *end = text + length;
    struct tm tm = {0};
    int year = number(&p, end, 4);
    if (year < 1970 || !literal(&p, end, "-"))
        return false;
    int month = number(&p, end, 2);
    if (month < 1 || month > 12 || !literal(&p, end, "-"))
        return false;
    int day = number(&p, end, 2);
    if (day < 1 || day > 31 || !literal(&p, end, "Tt "))
        return false;
    tm.tm_hour = number(&p, end, 2);
    if (tm.tm_hour < 0 || tm.tm_hour > 23 || !literal(&p, end, ":"))
        return false;
    tm.tm_min = number(&p, end, 2);
    if (tm.tm_min < 0 || tm.tm_min > 59 || !literal(&p, end, ":"))
        return false;
    tm.tm_sec = number(&p, end, 2);
    if (tm.tm_sec < 0 || tm.tm_sec > 59)
        return false;
    int ms = 0, offset = 0;
    if (p < end && *p == '.') {
        p++;
        if (!parse_fraction(&p, end, &ms))
            return false;
    }
    if (!parse_offset(&p, end, &offset) || p != end)
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    time_t t = timegm(&tm);
    if (tm.tm_mday != day || tm.tm_mon != month - 1) /* 30 February */
        return false;
    int64_t seconds = (int64_t)t - (int64_t)offset * 60;
    if (seconds < 0)
        return false;
    *ret_ms = seconds * 1000 + ms;
    return true;
}

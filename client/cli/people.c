#include "people.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "lifecycle/calendar.h"

#include <stdio.h>
#include <string.h>

static const struct zone *zone_or_utc(const char *name)
{
    const struct zone *zone = zone_find(name ? name : PEOPLE_ZONE);
    return zone ? zone : zone_find("UTC");
}

const char *people_zone_mark(const char *zone, char room[static 8])
{
    const struct zone *z = zone_or_utc(zone);
    int64_t minutes = zone_offset_ms(z) / 60000;
    if (strcmp(zone_name(z), "Asia/Tokyo") == 0)
        snprintf(room, 8, "JST");
    else if (minutes == 0)
        snprintf(room, 8, "UTC");
    else
        snprintf(room, 8, "%c%02d:%02d", minutes < 0 ? '-' : '+',
            (int)(minutes < 0 ? -minutes : minutes) / 60 % 100,
            (int)(minutes < 0 ? -minutes : minutes) % 60);
    return room;
}

void people_time(int64_t time_ms, const char *zone, struct buf *ret)
{
    char text[ZONE_TIME_TEXT];
    zone_time_format(time_ms, zone_or_utc(zone), text);
    buf_printf(ret, "%.10s %.8s", text, text + 11);
}

/* 90m, 2h, 3d. */
static bool parse_ago(const char *text, int64_t *ret_ms)
{
    static const struct {
        char letter;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 6 || strlen(text) != digits + 1)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (text[digits] == units[i].letter) {
            *ret_ms = strtoll(text, NULL, 10) * units[i].ms;
            return true;
        }
    return false;
}

int people_time_parse(const char *text, int64_t now_ms, int64_t *ret_ms, struct err *err)
{
    int64_t ago;
    struct date day;
    if (clock_parse(text, strlen(text), ret_ms))
        return 0;
    if (date_parse(text, &day)) {
        *ret_ms = day_start_ms(day, zone_find(PEOPLE_ZONE));
        return 0;
    }
    if (now_ms >= 0 && parse_ago(text, &ago)) {
        *ret_ms = now_ms > ago ? now_ms - ago : 0;
        return 0;
    }
    return err_set(err, ERR_INPUT, "usage",
        "%.64s: no time; 2026-04-01T09:00:00+09:00%s 2026-04-01%s is wanted", text,
        now_ms >= 0 ? "," : " or", now_ms >= 0 ? " or 2h (ago)" : "");
}

void people_text(const char *text, struct buf *ret)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + strlen(text);
    while (p < end) {
        const uint8_t *from = p;
        uint32_t c = utf8_next(&p, end);
        bool is_bad = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
                      c == 0xfffd || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
        if (is_bad)
            buf_add_char(ret, '?');
        else
            buf_add(ret, from, (size_t)(p - from));
    }
}

void people_cut(struct bytes text, size_t columns, struct buf *ret)
{
    if (utf8_columns(text) <= columns) {
        buf_add(ret, text.data, text.length);
        return;
    }
    const uint8_t *p = text.data, *end = p + text.length;
    for (size_t used = 0; p < end;) {
        const uint8_t *from = p;
        utf8_next(&p, end);
        used += utf8_columns((struct bytes){from, (size_t)(p - from)});
        if (used + 1 > columns)
            break;
        buf_add(ret, from, (size_t)(p - from));
    }
    buf_add_text(ret, "…");
}

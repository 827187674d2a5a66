#include "lifecycle/calendar.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define MINUTE_MS INT64_C(60000)

struct zone {
    const char *name;
    int offset_minutes;
};

/* Adding one: its offset must not have changed since 1970, and must not be about to. */
static const struct zone zones[] = {
    {"UTC", 0},
    {"Asia/Tokyo", 9 * 60},
    {"Asia/Bangkok", 7 * 60},
    {"Asia/Kolkata", 5 * 60 + 30},
};

const struct zone *zone_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(zones); i++)
        if (!strcmp(zones[i].name, name))
            return &zones[i];
    return NULL;
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

int64_t zone_offset_ms(const struct zone *zone)
{
    return zone->offset_minutes * MINUTE_MS;
}

const char *zone_names(void)
{
    return "UTC, Asia/Tokyo, Asia/Bangkok, Asia/Kolkata";
}

/* Rounds towards the past, also before 1970. */
static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b < 0 ? q - 1 : q;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    assert(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && is_leap(year));
}

/*
 * Years are counted from March, so that the leap day is the last day of a year, in eras of 400
 * years = 146 097 days; 719 468 days lie between 0000-03-01 and 1970-01-01.
 */
int64_t date_days(struct date d)
{
    int64_t year = d.month <= 2 ? d.year - 1 : d.year;
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t month = (d.month + 9) % 12; /* March is 0 */
    int64_t day_of_year = (153 * month + 2) / 5 + d.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

struct date date_of_days(int64_t days)
{
    days += 719468;
    int64_t era = floor_div(days, 146097);
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct date d = {
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
    };
    d.year = (int)(year_of_era + era * 400 + (d.month <= 2));
    return d;
}

int date_compare(struct date a, struct date b)
{
    int64_t left = date_days(a), right = date_days(b);
    return (left > right) - (left < right);
}

static bool read_digits(const char *text, int n, int *ret)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    *ret = value;
    return true;
}

bool date_parse(const char *text, struct date *ret)
{
    struct date d;
    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' || !read_digits(text, 4, &d.year) ||
        !read_digits(text + 5, 2, &d.month) || !read_digits(text + 8, 2, &d.day))
        return false;
    if (d.year < 1 || d.month < 1 || d.month > 12 || d.day < 1 ||
        d.day > month_days(d.year, d.month))
        return false;
    *ret = d;
    return true;
}

const char *date_format(struct date d, char text[static DATE_TEXT])
{
    snprintf(text, DATE_TEXT, "%04d-%02d-%02d", d.year, d.month, d.day);
    return text;
}

struct date date_add_days(struct date d, int64_t days)
{
    return date_of_days(date_days(d) + days);
}

struct date date_add_months(struct date d, int n)
{
    int64_t months = (int64_t)d.year * 12 + d.month - 1 + n;
    int64_t year = floor_div(months, 12);
    struct date to = {(int)year, (int)(months - year * 12) + 1, d.day};
    int last = month_days(to.year, to.month);
    if (to.day > last)
        to.day = last;
    return to;
}

struct date date_at(int64_t time_ms, const struct zone *zone)
{
    return date_of_days(floor_div(time_ms + zone_offset_ms(zone), DAY_MS));
}

int64_t day_start_ms(struct date d, const struct zone *zone)
{
    return date_days(d) * DAY_MS - zone_offset_ms(zone);
}

int64_t day_end_ms(struct date d, const struct zone *zone)
{
    return day_start_ms(d, zone) + DAY_MS - 1000;
}

int64_t days_between(int64_t from_ms, int64_t to_ms, const struct zone *zone)
{
    return date_days(date_at(to_ms, zone)) - date_days(date_at(from_ms, zone));
}

const char *zone_time_format(
    int64_t time_ms, const struct zone *zone, char text[static ZONE_TIME_TEXT])
{
    struct date d = date_at(time_ms, zone);
    int second = (int)((time_ms - day_start_ms(d, zone)) / 1000);
    int n = snprintf(text, ZONE_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", d.year, d.month, d.day,
        second / 3600, second / 60 % 60, second % 60);
    if (n <= 0 || n >= ZONE_TIME_TEXT)
        return text;
    /* No zone of the table lies west of Greenwich. */
    int offset = zone->offset_minutes;
    if (offset)
        snprintf(text + n, (size_t)(ZONE_TIME_TEXT - n), "+%02d:%02d", offset / 60, offset % 60);
    else
        snprintf(text + n, (size_t)(ZONE_TIME_TEXT - n), "Z");
    return text;
}

struct date period_last_day(struct date first, struct length length, enum first_day first_day)
{
    assert(length.count > 0);
    int counted = first_day == FIRST_DAY_COUNTED;
    if (length.unit == LENGTH_DAYS)
        return date_add_days(first, (int64_t)length.count - counted);
    struct date same =
        date_add_months(first, length.unit == LENGTH_YEARS ? length.count * 12 : length.count);
    /* Where there is no such day, the month's last day ends the period either way. */
    return same.day == first.day ? date_add_days(same, -counted) : same;
}

int64_t period_end_ms(
    int64_t from_ms, struct length length, enum first_day first_day, const struct zone *zone)
{
    return day_end_ms(period_last_day(date_at(from_ms, zone), length, first_day), zone);
}

bool period_includes(int64_t from_ms, struct length length, enum first_day first_day,
    const struct zone *zone, int64_t now_ms)
{
    struct date first = date_at(from_ms, zone), today = date_at(now_ms, zone);
    return date_compare(first, today) <= 0 &&
           date_compare(today, period_last_day(first, length, first_day)) <= 0;
}

static int64_t whole_second(int64_t time_ms)
{
    return floor_div(time_ms, 1000) * 1000;
}

int validity_compute(const struct validity_rule *rule, int64_t from_ms, int64_t issuer_not_after_ms,
    struct validity *ret, struct err *err)
{
    int64_t from_s = whole_second(from_ms), issuer_end = whole_second(issuer_not_after_ms);
    if (from_s >= issuer_end)
        return err_set(err, ERR_TEMPORARY, "issuer-expired",
            "the issuer's certificate ends %s and can sign nothing from %s on",
            zone_time_s(issuer_end, rule->zone), zone_time_s(from_s, rule->zone));
    struct date first = date_at(from_s, rule->zone);
    struct validity v = {
        .not_before_ms = rule->start == START_DAY ? day_start_ms(first, rule->zone) : from_s,
        .not_after_ms = period_end_ms(from_s, rule->length, rule->first_day, rule->zone),
    };
    if (v.not_after_ms > issuer_end) {
        v.not_after_ms = issuer_end;
        v.cut = true;
    }
    *ret = v;
    return 0;
}

bool validity_includes(const struct validity *v, int64_t now_ms)
{
    int64_t now = whole_second(now_ms);
    return v->not_before_ms <= now && now <= v->not_after_ms;
}

/* links: lifecycle */
#include "base/clock.h"
#include "lifecycle/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NEVER "9999-12-31T23:59:59Z"

static int64_t at(const char *text)
{
    int64_t ms = -1;
    if (!clock_parse(text, strlen(text), &ms))
        fail_msg("no time: %s", text);
    return ms;
}

static struct date day(const char *text)
{
    struct date d = {0};
    if (!date_parse(text, &d))
        fail_msg("no date: %s", text);
    return d;
}

static const struct zone *zone(const char *name)
{
    const struct zone *z = zone_find(name);
    if (!z)
        fail_msg("no zone: %s", name);
    return z;
}

static void zones_are_known_by_name(void **state)
{
    (void)state;
    assert_int_equal(zone_offset_ms(zone("UTC")), 0);
    assert_int_equal(zone_offset_ms(zone("Asia/Tokyo")), 9 * 3600 * 1000);
    assert_string_equal(zone_name(zone("Asia/Tokyo")), "Asia/Tokyo");
    static const char *const unknown[] = {
        "", "asia/tokyo", "Asia/Tokyo ", "JST", "America/New_York", "Europe/London", "+09:00"};
    for (size_t i = 0; i < ARRAY_LENGTH(unknown); i++)
        if (zone_find(unknown[i]))
            fail_msg("%s", unknown[i]);
    AUTO_TEXT names = strdup(zone_names());
    size_t count = 0;
    for (char *p = names, *name; (name = strsep(&p, ",")); count++)
        zone(name + strspn(name, " "));
    assert_int_equal(count, 4);
}

static void every_day_goes_there_and_back(void **state)
{
    (void)state;
    struct date d = {1600, 1, 1};
    int64_t days = date_days(d);
    for (; d.year < 2500; days++) {
        if (date_days(d) != days)
            fail_msg("%s is not day %lld", date_s(d), (long long)days);
        struct date back = date_of_days(days);
        if (back.year != d.year || back.month != d.month || back.day != d.day)
            fail_msg("day %lld is not %s", (long long)days, date_s(back));
        if (++d.day > month_days(d.year, d.month)) {
            d.day = 1;
            d.year += d.month / 12;
            d.month = d.month % 12 + 1;
        }
    }
    assert_int_equal(date_days(day("1970-01-01")), 0);
    assert_int_equal(date_days(day("2000-03-01")), 11017);
    assert_int_equal(date_days(day("9999-12-31")), 2932896);
}

static void dates_are_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"2012-02-29", true},
        {"2000-02-29", true},
        {"2100-02-28", true},
        {"0001-01-01", true},
        {"9999-12-31", true},
        {"2100-02-29", false}, /* no leap year */
        {"1900-02-29", false},
        {"2013-02-29", false},
        {"2013-04-31", false},
        {"2013-13-01", false},
        {"2013-00-01", false},
        {"2013-01-00", false},
        {"0000-01-01", false},
        {"2013-1-01", false},
        {"2013/01/01", false},
        {"2013-01-01 ", false},
        {"2013-01-0a", false},
        {"+013-01-01", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct date d;
        if (date_parse(rows[i].text, &d) != rows[i].good)
            fail_msg("%s", rows[i].text);
        if (rows[i].good)
            assert_string_equal(date_s(d), rows[i].text);
    }
}

static void months_are_added_by_the_calendar(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        int months;
        const char *to;
    } rows[] = {
        {"2012-02-29", 12, "2013-02-28"},
        {"2012-02-29", 48, "2016-02-29"},
        {"2096-02-29", 48, "2100-02-28"}, /* 2100 has no 29 February */
        {"2014-01-31", 1, "2014-02-28"},
        {"2016-01-31", 1, "2016-02-29"},
        {"2014-01-31", 3, "2014-04-30"},
        {"2014-12-31", 2, "2015-02-28"},
        {"2014-03-31", -1, "2014-02-28"},
        {"2014-01-15", -1, "2013-12-15"},
        {"2014-12-15", 1, "2015-01-15"},
        {"2014-01-15", -13, "2012-12-15"},
        {"2014-06-30", 0, "2014-06-30"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct date to = date_add_months(day(rows[i].from), rows[i].months);
        if (date_compare(to, day(rows[i].to)) != 0)
            fail_msg("%s %+d: %s", rows[i].from, rows[i].months, date_s(to));
    }
}

static void a_day_begins_at_midnight_of_its_zone(void **state)
{
    (void)state;
    static const struct {
        const char *instant, *zone, *date, *start, *end, *shown;
    } rows[] = {
        {"2026-03-31T14:59:59Z", "Asia/Tokyo", "2026-03-31", "2026-03-30T15:00:00Z",
            "2026-03-31T14:59:59Z", "2026-03-31T23:59:59+09:00"},
        {"2026-03-31T14:59:59.999Z", "Asia/Tokyo", "2026-03-31", "2026-03-30T15:00:00Z",
            "2026-03-31T14:59:59Z", "2026-03-31T23:59:59+09:00"},
        {"2026-03-31T15:00:00Z", "Asia/Tokyo", "2026-04-01", "2026-03-31T15:00:00Z",
            "2026-04-01T14:59:59Z", "2026-04-01T00:00:00+09:00"},
        {"2026-03-31T15:00:00Z", "UTC", "2026-03-31", "2026-03-31T00:00:00Z",
            "2026-03-31T23:59:59Z", "2026-03-31T15:00:00Z"},
        {"2026-03-31T18:30:00Z", "Asia/Kolkata", "2026-04-01", "2026-03-31T18:30:00Z",
            "2026-04-01T18:29:59Z", "2026-04-01T00:00:00+05:30"},
        {"2024-02-29T15:00:00Z", "Asia/Tokyo", "2024-03-01", "2024-02-29T15:00:00Z",
            "2024-03-01T14:59:59Z", "2024-03-01T00:00:00+09:00"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct zone *z = zone(rows[i].zone);
        struct date d = date_at(at(rows[i].instant), z);
        assert_string_equal(date_s(d), rows[i].date);
        assert_string_equal(clock_s(day_start_ms(d, z)), rows[i].start);
        assert_string_equal(clock_s(day_end_ms(d, z)), rows[i].end);
        assert_string_equal(zone_time_s(at(rows[i].instant), z), rows[i].shown);
    }
    /* Before 1970 too: a birthday or a seal certificate may lie there. */
    assert_string_equal(date_s(date_at(-1, zone("UTC"))), "1969-12-31");
    assert_string_equal(date_s(date_at(-1, zone("Asia/Tokyo"))), "1970-01-01");
}

static void days_left_are_a_difference_of_dates(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *zone;
        int64_t days;
    } rows[] = {
        {"2026-03-31T14:59:59Z", "2026-03-31T15:00:00Z", "Asia/Tokyo", 1},
        {"2026-03-30T15:00:00Z", "2026-03-31T14:59:59Z", "Asia/Tokyo", 0},
        {"2026-03-31T14:59:59Z", "2026-03-31T15:00:00Z", "UTC", 0},
        /* B2: 31 days are left until midnight in Japan, 30 from then on */
        {"2026-03-31T14:59:59Z", "2026-05-01T14:59:59Z", "Asia/Tokyo", 31},
        {"2026-03-31T15:00:00Z", "2026-05-01T14:59:59Z", "Asia/Tokyo", 30},
        /* a class2 end, 08:59:59 in Japan, is still that day there */
        {"2008-08-22T15:00:00Z", "2008-08-22T23:59:59Z", "Asia/Tokyo", 0},
        {"2028-02-28T00:00:00Z", "2028-03-01T00:00:00Z", "UTC", 2},
        {"2100-02-28T00:00:00Z", "2100-03-01T00:00:00Z", "UTC", 1},
        {"2026-04-02T00:00:00Z", "2026-04-01T23:00:00Z", "UTC", -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int64_t days = days_between(at(rows[i].from), at(rows[i].to), zone(rows[i].zone));
        if (days != rows[i].days)
            fail_msg("%s to %s: %lld", rows[i].from, rows[i].to, (long long)days);
    }
}

#define DAYS(n)                                                                                    \
    {                                                                                              \
        LENGTH_DAYS, (n)                                                                           \
    }
#define MONTHS(n)                                                                                  \
    {                                                                                              \
        LENGTH_MONTHS, (n)                                                                         \
    }
#define YEARS(n)                                                                                   \
    {                                                                                              \
        LENGTH_YEARS, (n)                                                                          \
    }
#define EXCLUDED FIRST_DAY_EXCLUDED
#define COUNTED FIRST_DAY_COUNTED

static void periods_end_on_the_right_day(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *first;
        struct length length;
        enum first_day first_day;
        const char *last;
    } rows[] = {
        {"A1", "2026-01-01", DAYS(760), EXCLUDED, "2028-01-31"},
        {"B9", "2006-07-24", DAYS(760), EXCLUDED, "2008-08-22"},
        {"B9 earlier", "2006-07-23", DAYS(760), EXCLUDED, "2008-08-21"},
        {"a day", "2026-01-01", DAYS(1), EXCLUDED, "2026-01-02"},
        {"a day counted", "2026-01-01", DAYS(1), COUNTED, "2026-01-01"},
        {"D1", "2014-03-16", YEARS(3), COUNTED, "2017-03-15"},
        {"29 February", "2012-02-29", YEARS(3), COUNTED, "2015-02-28"},
        {"29 February, excluded", "2012-02-29", YEARS(3), EXCLUDED, "2015-02-28"},
        {"29 February to one", "2012-02-29", YEARS(4), COUNTED, "2016-02-28"},
        {"29 February to one, excluded", "2012-02-29", YEARS(4), EXCLUDED, "2016-02-29"},
        {"to 1 March of a leap year", "2013-03-01", YEARS(3), COUNTED, "2016-02-29"},
        {"to 1 March of 2100", "2099-03-01", YEARS(1), COUNTED, "2100-02-28"},
        {"29 February to 2100", "2096-02-29", YEARS(4), EXCLUDED, "2100-02-28"},
        {"the year's first day", "2014-01-01", YEARS(1), COUNTED, "2014-12-31"},
        {"E1", "2026-04-01", YEARS(1), EXCLUDED, "2027-04-01"},
        {"C9", "2026-08-31", MONTHS(6), EXCLUDED, "2027-02-28"},
        {"C9 into a leap year", "2027-08-31", MONTHS(6), EXCLUDED, "2028-02-29"},
        {"a month, counted, into a short one", "2026-01-31", MONTHS(1), COUNTED, "2026-02-28"},
        {"a month, counted", "2026-01-28", MONTHS(1), COUNTED, "2026-02-27"},
        {"12 months are a year", "2026-04-01", MONTHS(12), EXCLUDED, "2027-04-01"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct date last = period_last_day(day(rows[i].first), rows[i].length, rows[i].first_day);
        if (strcmp(date_s(last), rows[i].last) != 0)
            fail_msg("%s: %s", rows[i].rule, date_s(last));
    }
}

static void periods_include_their_last_day(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *from;
        struct length length;
        enum first_day first_day;
        const char *now;
        bool in;
    } rows[] = {
        /* C4: issued 1 June in Japan; day 25 is 26 June */
        {"25 days: the day itself", "2026-05-31T15:00:00Z", DAYS(25), EXCLUDED,
            "2026-05-31T15:00:00Z", true},
        {"25 days: day 25 begins", "2026-06-01T03:00:00Z", DAYS(25), EXCLUDED,
            "2026-06-25T15:00:00Z", true},
        {"25 days: day 25 ends", "2026-05-31T15:00:00Z", DAYS(25), EXCLUDED,
            "2026-06-26T14:59:59.999Z", true},
        {"25 days: day 26", "2026-06-01T14:59:59Z", DAYS(25), EXCLUDED, "2026-06-26T15:00:00Z",
            false},
        {"25 days: the day before", "2026-06-01T03:00:00Z", DAYS(25), EXCLUDED,
            "2026-05-31T14:59:59Z", false},
        /* D10: seal certificate of the last three months, on 2014-03-16 */
        {"D10 accepted", "2013-12-16T00:00:00+09:00", MONTHS(3), EXCLUDED,
            "2014-03-16T23:59:59+09:00", true},
        {"D10 too old", "2013-12-15T23:59:59+09:00", MONTHS(3), EXCLUDED,
            "2014-03-16T00:00:00+09:00", false},
        {"D10 of a day to come", "2014-03-17T00:00:00+09:00", MONTHS(3), EXCLUDED,
            "2014-03-16T23:59:59+09:00", false},
        {"D10 month's end", "2013-11-30T12:00:00+09:00", MONTHS(3), EXCLUDED,
            "2014-02-28T12:00:00+09:00", true},
        {"counted: the last day", "2014-03-16T12:00:00+09:00", DAYS(2), COUNTED,
            "2014-03-17T23:59:59+09:00", true},
        {"counted: past it", "2014-03-16T12:00:00+09:00", DAYS(2), COUNTED,
            "2014-03-18T00:00:00+09:00", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (period_includes(at(rows[i].from), rows[i].length, rows[i].first_day, zone("Asia/Tokyo"),
                at(rows[i].now)) != rows[i].in)
            fail_msg("%s", rows[i].rule);
    int64_t from = at("2026-06-01T03:00:00Z");
    for (int n = 0; n < 60; n++) {
        int64_t now = from + n * DAY_MS;
        bool in = period_includes(from, (struct length)DAYS(25), EXCLUDED, zone("Asia/Tokyo"), now);
        assert_true(in == (n <= 25));
        assert_int_equal(days_between(from, now, zone("Asia/Tokyo")), n);
    }
}

static void validity_is_as_the_services_print_it(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        struct length length;
        enum first_day first_day;
        enum validity_start start;
        const char *zone, *from, *issuer, *not_before, *not_after;
        bool cut;
    } rows[] = {
        {"B9", DAYS(760), EXCLUDED, START_DAY, "UTC", "2006-07-24T00:00:00Z", NEVER,
            "2006-07-24T00:00:00Z", "2008-08-22T23:59:59Z", false},
        {"B9 later that day", DAYS(760), EXCLUDED, START_DAY, "UTC", "2006-07-24T23:59:59.999Z",
            NEVER, "2006-07-24T00:00:00Z", "2008-08-22T23:59:59Z", false},
        {"B9 a second earlier", DAYS(760), EXCLUDED, START_DAY, "UTC", "2006-07-23T23:59:59Z",
            NEVER, "2006-07-23T00:00:00Z", "2008-08-21T23:59:59Z", false},
        {"A1 in the morning in Japan", DAYS(760), EXCLUDED, START_DAY, "UTC",
            "2026-04-01T08:59:59+09:00", NEVER, "2026-03-31T00:00:00Z", "2028-04-29T23:59:59Z",
            false},
        {"D1", YEARS(3), COUNTED, START_INSTANT, "Asia/Tokyo", "2014-03-16T10:20:30.456+09:00",
            NEVER, "2014-03-16T01:20:30Z", "2017-03-15T14:59:59Z", false},
        {"D1 at midnight", YEARS(3), COUNTED, START_INSTANT, "Asia/Tokyo", "2014-03-15T15:00:00Z",
            NEVER, "2014-03-15T15:00:00Z", "2017-03-15T14:59:59Z", false},
        {"D1 before midnight", YEARS(3), COUNTED, START_INSTANT, "Asia/Tokyo",
            "2014-03-15T14:59:59Z", NEVER, "2014-03-15T14:59:59Z", "2017-03-14T14:59:59Z", false},
        {"29 February", YEARS(3), COUNTED, START_INSTANT, "Asia/Tokyo", "2012-02-29T12:00:00+09:00",
            NEVER, "2012-02-29T03:00:00Z", "2015-02-28T14:59:59Z", false},
        {"E1", YEARS(1), EXCLUDED, START_INSTANT, "Asia/Tokyo", "2026-04-01T00:00:00+09:00", NEVER,
            "2026-03-31T15:00:00Z", "2027-04-01T14:59:59Z", false},
        {"E1 at the end of the day", YEARS(1), EXCLUDED, START_INSTANT, "Asia/Tokyo",
            "2026-04-01T23:59:59+09:00", NEVER, "2026-04-01T14:59:59Z", "2027-04-01T14:59:59Z",
            false},
        {"to 2100", YEARS(4), EXCLUDED, START_DAY, "UTC", "2096-02-29T10:00:00Z", NEVER,
            "2096-02-29T00:00:00Z", "2100-02-28T23:59:59Z", false},
        {"past 2100", DAYS(365), EXCLUDED, START_DAY, "UTC", "2099-03-01T00:00:00Z", NEVER,
            "2099-03-01T00:00:00Z", "2100-03-01T23:59:59Z", false},
        {"issuer ends first", YEARS(3), COUNTED, START_INSTANT, "Asia/Tokyo",
            "2014-03-16T00:00:00Z", "2016-01-01T00:00:00Z", "2014-03-16T00:00:00Z",
            "2016-01-01T00:00:00Z", true},
        {"issuer ends in that second", YEARS(1), EXCLUDED, START_INSTANT, "Asia/Tokyo",
            "2026-04-01T00:00:00Z", "2027-04-01T14:59:59.900Z", "2026-04-01T00:00:00Z",
            "2027-04-01T14:59:59Z", false},
        {"issuer ends a second before", YEARS(1), EXCLUDED, START_INSTANT, "Asia/Tokyo",
            "2026-04-01T00:00:00Z", "2027-04-01T14:59:58Z", "2026-04-01T00:00:00Z",
            "2027-04-01T14:59:58Z", true},
        {"issuer at its end", YEARS(1), EXCLUDED, START_INSTANT, "UTC", "2026-04-01T00:00:00Z",
            "2026-04-01T00:00:00Z", NULL, NULL, false},
        {"issuer past its end", YEARS(1), EXCLUDED, START_DAY, "UTC", "2026-04-01T10:00:00Z",
            "2026-04-01T09:00:00Z", NULL, NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct validity_rule rule = {
            rows[i].length, rows[i].first_day, rows[i].start, zone(rows[i].zone)};
        struct validity v = {0};
        struct err err = {0};
        int failed = validity_compute(&rule, at(rows[i].from), at(rows[i].issuer), &v, &err);
        if (!rows[i].not_before) {
            assert_int_equal(failed, -1);
            assert_int_equal(err.kind, ERR_TEMPORARY);
            assert_string_equal(err.code, "issuer-expired");
            assert_non_null(strstr(err.text, "2026-04-01"));
            continue;
        }
        if (failed || strcmp(clock_s(v.not_before_ms), rows[i].not_before) != 0 ||
            strcmp(clock_s(v.not_after_ms), rows[i].not_after) != 0 || v.cut != rows[i].cut)
            fail_msg("%s: %s %s - %s", rows[i].rule, err.text, clock_s(v.not_before_ms),
                clock_s(v.not_after_ms));
    }
}

/* B9 as the service's pages show it: both ends as dates in Japan. */
static void validity_is_shown_in_japan(void **state)
{
    (void)state;
    const struct zone *japan = zone("Asia/Tokyo");
    const struct validity_rule rule = {(struct length)DAYS(760), EXCLUDED, START_DAY, zone("UTC")};
    struct validity v;
    struct err err = {0};
    assert_int_equal(validity_compute(&rule, at("2006-07-24T05:06:07Z"), at(NEVER), &v, &err), 0);
    assert_string_equal(date_s(date_at(v.not_before_ms, japan)), "2006-07-24");
    assert_string_equal(date_s(date_at(v.not_after_ms, japan)), "2008-08-23");
}

static void validity_holds_to_the_end_of_its_last_second(void **state)
{
    (void)state;
    const struct validity v = {at("2026-04-01T00:00:00Z"), at("2027-04-01T14:59:59Z"), false};
    assert_false(validity_includes(&v, v.not_before_ms - 1));
    assert_true(validity_includes(&v, v.not_before_ms));
    assert_true(validity_includes(&v, v.not_after_ms + 999));
    assert_false(validity_includes(&v, v.not_after_ms + 1000));
}

/* The process's own zone plays no part. */
static void the_environment_changes_nothing(void **state)
{
    (void)state;
    static const char *const zones[] = {"America/Los_Angeles", "Asia/Tokyo", "Pacific/Kiritimati"};
    for (size_t i = 0; i < ARRAY_LENGTH(zones); i++) {
        setenv("TZ", zones[i], 1);
        assert_string_equal(
            date_s(date_at(at("2026-03-31T15:00:00Z"), zone("Asia/Tokyo"))), "2026-04-01");
    }
    unsetenv("TZ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_are_known_by_name),
        cmocka_unit_test(every_day_goes_there_and_back),
        cmocka_unit_test(dates_are_read_strictly),
        cmocka_unit_test(months_are_added_by_the_calendar),
        cmocka_unit_test(a_day_begins_at_midnight_of_its_zone),
        cmocka_unit_test(days_left_are_a_difference_of_dates),
        cmocka_unit_test(periods_end_on_the_right_day),
        cmocka_unit_test(periods_include_their_last_day),
        cmocka_unit_test(validity_is_as_the_services_print_it),
        cmocka_unit_test(validity_is_shown_in_japan),
        cmocka_unit_test(validity_holds_to_the_end_of_its_last_second),
        cmocka_unit_test(the_environment_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

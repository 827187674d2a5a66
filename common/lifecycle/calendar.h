/*
 * Days, zones and periods: pure, and blind to the TZ of the process. Instants are UTC milliseconds
 * (clock.h), days are proleptic Gregorian dates in a named zone (X8). How days are counted is in
 * docs/products.md: "...から", "以内", "後" leave the first day out, "から起算して" counts it, a
 * period ends with the last second (23:59:59) of its last day, and a month or year without that day
 * ends on the month's last day.
 */
#ifndef CERTQ_LIFECYCLE_CALENDAR_H
#define CERTQ_LIFECYCLE_CALENDAR_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define DAY_MS INT64_C(86400000)
#define DATE_TEXT 16
#define ZONE_TIME_TEXT 32

struct zone;

struct date {
    int year, month, day; /* 1..12, 1..31 */
};

/* --- zones: UTC and zones whose offset has not changed since 1970 --- */

/* Lives for ever; NULL for an unknown name (policies refuse it when they are read). */
const struct zone *zone_find(const char *name);
const char *zone_name(const struct zone *zone);
int64_t zone_offset_ms(const struct zone *zone);
/* The names of all zones in a row, separated by ", ": for the message that refuses one. */
const char *zone_names(void);

/* --- dates --- */

/* Days since 1970-01-01, negative before. */
int64_t date_days(struct date d);
struct date date_of_days(int64_t days);
int date_compare(struct date a, struct date b);
/* YYYY-MM-DD, years 0001..9999; false for anything else or a day that does not exist. */
bool date_parse(const char *text, struct date *ret);
/* YYYY-MM-DD; returns `text`. */
const char *date_format(struct date d, char text[static DATE_TEXT]);
#define date_s(d) date_format((d), (char[DATE_TEXT]){0})
int month_days(int year, int month);
struct date date_add_days(struct date d, int64_t days);
/* The same day n months on, or that month's last day when it has no such day; n may be < 0. */
struct date date_add_months(struct date d, int n);

/* --- dates and instants --- */

struct date date_at(int64_t time_ms, const struct zone *zone);
/* 00:00:00 and 23:59:59 of a day, both to the second. */
int64_t day_start_ms(struct date d, const struct zone *zone);
int64_t day_end_ms(struct date d, const struct zone *zone);
/* Difference of dates in the zone: days left when `from` is now and `to` is notAfter (B2, C9);
 * days gone by when `from` is in the past (day 25 of "25日以内" gives 25). Negative when to < from.
 */
int64_t days_between(int64_t from_ms, int64_t to_ms, const struct zone *zone);
/* RFC 3339 to the second with the zone's offset, 2027-04-01T23:59:59+09:00; returns `text`. */
const char *zone_time_format(
    int64_t time_ms, const struct zone *zone, char text[static ZONE_TIME_TEXT]);
#define zone_time_s(ms, zone) zone_time_format((ms), (zone), (char[ZONE_TIME_TEXT]){0})

/* --- periods --- */

enum length_unit { LENGTH_DAYS, LENGTH_MONTHS, LENGTH_YEARS };
struct length {
    enum length_unit unit;
    int count; /* > 0 */
};
enum first_day { FIRST_DAY_EXCLUDED, FIRST_DAY_COUNTED };

/*
 * The last day of a period that begins on `first`. Days: first + n (excluded) or first + n - 1
 * (counted). Months and years: the same day n on (E1), or the day before it where the first day
 * counts (D1); where that month lacks the day, its last day either way (29 February 2012, three
 * years: 28 February 2015).
 */
struct date period_last_day(struct date first, struct length length, enum first_day first_day);
/* The last second of the period that begins on the day of `from_ms` in the zone. */
int64_t period_end_ms(
    int64_t from_ms, struct length length, enum first_day first_day, const struct zone *zone);
/* Is the day of now_ms in the period? False before it begins. "25日以内" and "within the last three
 * months" (C4, D10) are this with the first day excluded. */
bool period_includes(int64_t from_ms, struct length length, enum first_day first_day,
    const struct zone *zone, int64_t now_ms);

/* --- validity of a certificate --- */

enum validity_start {
    START_INSTANT, /* notBefore is the second itself */
    START_DAY,     /* notBefore is 00:00:00 of its day in the zone (B9) */
};
struct validity_rule {
    struct length length;
    enum first_day first_day;
    enum validity_start start;
    const struct zone *zone;
};
struct validity {
    int64_t not_before_ms, not_after_ms; /* whole seconds, both inclusive (RFC 5280 4.1.2.5) */
    bool cut;                            /* the issuer ends before the period would */
};

/*
 * Validity that begins at from_ms (A1, B9, D1, E1), never past the issuer's notAfter. ERR_TEMPORARY
 * "issuer-expired" when the issuer is at its end already: an operator renews it, the job waits.
 */
int validity_compute(const struct validity_rule *rule, int64_t from_ms, int64_t issuer_not_after_ms,
    struct validity *ret, struct err *err) MUST_USE;
/* Is the second of now_ms within it? (The last second counts until its last millisecond.) */
bool validity_includes(const struct validity *v, int64_t now_ms);

#endif

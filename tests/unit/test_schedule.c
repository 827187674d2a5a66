/* links: lifecycle config */
#include "base/clock.h"
#include "config/config.h"
#include "lifecycle/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int64_t at(const char *text)
{
    int64_t ms = 0;
    if (!clock_parse(text, strlen(text), &ms))
        fail_msg("no time: %s", text);
    return ms;
}

static char tokyo[] = "Asia/Tokyo", utc[] = "UTC", mars[] = "Mars/Olympus";

static void the_last_tick_is_not_in_the_future(void **state)
{
    (void)state;
    static const struct {
        int minute;
        char *zone;
        const char *now, *tick;
    } rows[] = {
        {360, tokyo, "2026-04-01T20:59:59.999Z", "2026-03-31T21:00:00Z"},
        {360, tokyo, "2026-04-01T21:00:00Z", "2026-04-01T21:00:00Z"},
        {360, tokyo, "2026-04-02T14:59:59Z", "2026-04-01T21:00:00Z"}, /* X8: still that day */
        {360, tokyo, "2026-04-02T15:00:00Z", "2026-04-01T21:00:00Z"}, /* the next, before six */
        {0, tokyo, "2026-04-02T14:59:59Z", "2026-04-01T15:00:00Z"},
        {0, tokyo, "2026-04-02T15:00:00Z", "2026-04-02T15:00:00Z"},
        {1439, tokyo, "2026-04-02T14:58:59Z", "2026-04-01T14:59:00Z"},
        {1439, tokyo, "2026-04-02T14:59:00Z", "2026-04-02T14:59:00Z"},
        {360, utc, "2026-03-01T05:59:59Z", "2026-02-28T06:00:00Z"},
        {360, utc, "2028-03-01T00:00:00Z", "2028-02-29T06:00:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct config_schedule s = {.minute = rows[i].minute, .zone = rows[i].zone};
        int64_t tick = schedule_last_tick_ms(&s, at(rows[i].now));
        if (tick != at(rows[i].tick))
            fail_msg("row %zu: %s", i, clock_s(tick));
    }
}

static void every_so_often_is_counted_from_1970(void **state)
{
    (void)state;
    static const struct {
        int64_t every_ms;
        const char *now, *tick;
    } rows[] = {
        {600000, "2026-04-01T20:59:59.999Z", "2026-04-01T20:50:00Z"},
        {600000, "2026-04-01T21:00:00Z", "2026-04-01T21:00:00Z"},
        {1000, "2026-04-01T21:00:00.999Z", "2026-04-01T21:00:00Z"},
        {86400000, "2026-04-01T23:59:59Z", "2026-04-01T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct config_schedule s = {
            .minute = -1, .every_ms = rows[i].every_ms, .zone = tokyo};
        int64_t tick = schedule_last_tick_ms(&s, at(rows[i].now));
        if (tick != at(rows[i].tick))
            fail_msg("row %zu: %s", i, clock_s(tick));
    }
}

static void an_unknown_zone_is_refused(void **state)
{
    (void)state;
    char path[] = "certq.yaml";
    struct config_schedule list[] = {{.zone = tokyo}, {.zone = mars}};
    struct config c = {.path = path, .schedules = list, .schedule_count = 2};
    struct err err = {0};
    assert_int_equal(schedule_check(&c, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.text, "certq.yaml: schedules[1].zone: \"Mars/Olympus\" is none of"));
    c.schedule_count = 1;
    assert_int_equal(schedule_check(&c, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_tick_is_not_in_the_future),
        cmocka_unit_test(every_so_often_is_counted_from_1970),
        cmocka_unit_test(an_unknown_zone_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

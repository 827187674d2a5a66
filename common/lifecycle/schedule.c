#include "lifecycle/schedule.h"

#include "config/config.h"
#include "lifecycle/calendar.h"

#define MINUTE_MS INT64_C(60000)

int schedule_check(const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->schedule_count; i++)
        if (!zone_find(config->schedules[i].zone))
            return err_set(err, ERR_INPUT, NULL, "%s: schedules[%zu].zone: \"%s\" is none of: %s",
                config->path, i, config->schedules[i].zone, zone_names());
    return 0;
}

int64_t schedule_last_tick_ms(const struct config_schedule *schedule, int64_t now_ms)
{
    if (schedule->every_ms)
        return now_ms - now_ms % schedule->every_ms;
    const struct zone *zone = zone_find(schedule->zone);
    const struct date today = date_at(now_ms, zone);
    const int64_t of_day_ms = schedule->minute * MINUTE_MS;
    const int64_t tick_ms = day_start_ms(today, zone) + of_day_ms;
    return tick_ms <= now_ms ? tick_ms : day_start_ms(date_add_days(today, -1), zone) + of_day_ms;
}

/* When the schedules of certq.yaml tick. Pure. */
#ifndef CERTQ_LIFECYCLE_SCHEDULE_H
#define CERTQ_LIFECYCLE_SCHEDULE_H

#include "base/err.h"

#include <stdint.h>

struct config;
struct config_schedule;

/* Input error "FILE: schedules[N].zone: ..." when a zone is not known. */
int schedule_check(const struct config *config, struct err *err) MUST_USE;
/* The last tick that is not after now: that minute of today or of the day before, in the zone; or
 * the last whole multiple of `every` since 1970 (UTC). */
int64_t schedule_last_tick_ms(const struct config_schedule *schedule, int64_t now_ms);

#endif

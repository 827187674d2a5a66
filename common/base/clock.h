/*
 * The one clock (I8). Three times: monotonic for waiting, leases and deadlines; the domain's now
 * for everything a rule or a stored row sees, which the test clock may shift; and nothing else. SQL
 * never calls NOW().
 */
#ifndef CERTQ_BASE_CLOCK_H
#define CERTQ_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT 32

/* Milliseconds on the monotonic clock; never shifted. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
/* The domain's now: UTC milliseconds since 1970, shift included. */
int64_t clock_now_ms(void);
/* The test clock's shift in ms (0 unless testing.settable_clock); any thread may read. */
void clock_set_shift_ms(int64_t shift_ms);
int64_t clock_shift_ms(void);
/* RFC 3339 in UTC with Z: seconds, or milliseconds when `ms` has any. Returns `text`. */
const char *clock_format(int64_t time_ms, char text[static CLOCK_TEXT]);
/* Parses RFC 3339 with any offset, up to ms; false for anything else or outside 1970..9999. */
bool clock_parse(const char *text, size_t length, int64_t *ret_ms);
#define clock_s(ms) clock_format((ms), (char[CLOCK_TEXT]){0})

#endif

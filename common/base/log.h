/*
 * Logs: logfmt on stderr, one event a line, written with one write(2). Libraries return errors and
 * do not log; programs log them once. info: what changed; warn: we go on; error: somebody must act.
 * Secrets are struct secret and cannot be passed here.
 *
 *   log_info("job.done", "job=%s kind=%s attempt=%d ms=%lld", uuid_s(&id), kind, attempt, ms);
 *
 * Values from outside go through log_q(), which quotes and escapes them.
 */
#ifndef CERTQ_BASE_LOG_H
#define CERTQ_BASE_LOG_H

#include "base/auto.h"

#include <stdbool.h>

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };

/* Program name printed as prog=; kept by reference. */
void log_open(const char *program, enum log_level least);
/* "debug", "info", "warn", "error"; false for any other word. */
bool log_level_parse(const char *word, enum log_level *ret);
bool log_enabled(enum log_level level);
void log_event(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

#define LOG_Q 512
/* "text" with quotes, backslashes, control bytes and over-length escaped or cut. */
const char *log_quote(const char *text, char quoted[static LOG_Q]);
#define log_q(text) log_quote((text), (char[LOG_Q]){0})

#define log_debug(event, ...)                                                                      \
    do {                                                                                           \
        if (log_enabled(LOG_DEBUG_))                                                               \
            log_event(LOG_DEBUG_, event, __VA_ARGS__);                                             \
    } while (0)
#define log_info(event, ...) log_event(LOG_INFO_, event, __VA_ARGS__)
#define log_warn(event, ...) log_event(LOG_WARN_, event, __VA_ARGS__)
#define log_error(event, ...) log_event(LOG_ERROR_, event, __VA_ARGS__)

#endif

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {"debug", "info", "warn", "error"};
static const char *program_name = "certq";
static enum log_level least_level = LOG_INFO_;

void log_open(const char *program, enum log_level least)
{
    program_name = program;
    least_level = least;
}

bool log_level_parse(const char *word, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(word, names[i]) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return level >= least_level;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    char line[2048];
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(line, sizeof line, "ts=%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(line + n, sizeof line - n, ".%03dZ level=%s prog=%s pid=%d ev=%s",
        (int)(now.tv_nsec / 1000000), names[level], program_name, (int)getpid(), event);
    if (*format) {
        line[n++] = ' ';
        va_list args;
        va_start(args, format);
        int more = vsnprintf(line + n, sizeof line - n - 1, format, args);
        va_end(args);
        n += more < 0 ? 0 : (size_t)more;
        if (n > sizeof line - 2)
            n = sizeof line - 2;
    }
    line[n++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, n);
    (void)written; /* nowhere to report a log that cannot be written */
}

const char *log_quote(const char *text, char quoted[static LOG_Q])
{
    char *to = quoted, *end = quoted + LOG_Q - 6;
    *to++ = '"';
    for (; text && *text && to < end; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = (char)c;
        } else if (c < 0x20 || c == 0x7f) {
            to += snprintf(to, 5, "\\x%02x", c);
        } else {
            *to++ = (char)c;
        }
    }
    *to++ = '"';
    *to = '\0';
    return quoted;
}

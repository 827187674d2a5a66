#include "base/err.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *code;
} kinds[] = {
    [ERR_NONE] = {"none", ""},
    [ERR_TEMPORARY] = {"temporary", "unavailable"},
    [ERR_INPUT] = {"input", "bad-request"},
    [ERR_DENIED] = {"denied", "forbidden"},
    [ERR_CONFLICT] = {"conflict", "conflict"},
    [ERR_NOT_FOUND] = {"not-found", "not-found"},
    [ERR_UNSURE] = {"unsure", "unavailable"},
    [ERR_FATAL] = {"fatal", "internal"},
};

int err_set(struct err *err, enum err_kind kind, const char *code, const char *format, ...)
{
    err->kind = kind;
    snprintf(err->code, sizeof err->code, "%s", code ? code : kinds[kind].code);
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    utf8_mend(err->text);
    return -1;
}

int err_context(struct err *err, const char *format, ...)
{
    char text[sizeof err->text];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, ": %s", err->text);
    memcpy(err->text, text, sizeof text);
    utf8_mend(err->text);
    return -1;
}

void err_clear(struct err *err)
{
    memset(err, 0, sizeof *err);
}

const char *err_kind_name(enum err_kind kind)
{
    return kinds[kind].name;
}

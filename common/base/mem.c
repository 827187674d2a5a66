#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p)
{
    if (!p) {
        fputs("level=error ev=memory.exhausted\n", stderr);
        abort();
    }
    return p;
}

void mem_keep_freed(void)
{
    enum { KEPT = 32 << 20, GROWN_BY = 4 << 20 };
    mallopt(M_TRIM_THRESHOLD, KEPT);
    mallopt(M_TOP_PAD, GROWN_BY);
}

void *mem_zero(size_t n, size_t size)
{
    return checked(calloc(n ? n : 1, size ? size : 1));
}

void *mem_resize(void *p, size_t n, size_t size)
{
    return checked(reallocarray(p, n ? n : 1, size ? size : 1));
}

void *mem_copy(const void *p, size_t length)
{
    void *copy = checked(malloc(length ? length : 1));
    if (length)
        memcpy(copy, p, length);
    return copy;
}

char *mem_text(const char *text)
{
    return text ? mem_copy(text, strlen(text) + 1) : NULL;
}

char *mem_text_n(const char *text, size_t length)
{
    char *copy = checked(malloc(length + 1));
    if (length)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *mem_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    return checked(n < 0 ? NULL : text);
}

#include "tool.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
    exit(1);
}

long tool_number(const char *text, long least, long most)
{
    char *end;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < least || value > most)
        fail(text, "is no number within bounds");
    return value;
}

int64_t tool_seconds_ms(const char *text)
{
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0.1 && value <= 600))
        fail(text, "is no number of seconds from 0.1 to 600");
    return (int64_t)(value * 1000);
}

void tool_pause_ms(int64_t ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

void latencies_init(struct latencies *l, size_t most)
{
    *l = (struct latencies){.us = mem_zero(most, sizeof *l->us), .most = most};
}

void latencies_clear(struct latencies *l)
{
    free(l->us);
    *l = (struct latencies){0};
}

void latencies_add(struct latencies *l, int64_t us)
{
    if (l->count < l->most)
        l->us[l->count++] = us;
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void latencies_print(struct latencies *l)
{
    if (!l->count)
        return;
    qsort(l->us, l->count, sizeof *l->us, by_size);
    printf(",\"p50_us\":%lld,\"p99_us\":%lld", (long long)l->us[l->count / 2],
        (long long)l->us[l->count * 99 / 100]);
}

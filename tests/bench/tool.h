/*
 * What all programs of scripts/bench need: an end with a message, numbers from the command line,
 * and latencies. They print one JSON line and are bounded in time by their --seconds.
 */
#ifndef CERTQ_TESTS_BENCH_TOOL_H
#define CERTQ_TESTS_BENCH_TOOL_H

#include <stddef.h>
#include <stdint.h>

/* Says what went wrong on stderr and exits with 1. */
__attribute__((noreturn)) void fail(const char *what, const char *why);
/* A decimal number within bounds; anything else ends the program. */
long tool_number(const char *text, long least, long most);
/* Seconds with or without a fraction, 0.1 to 600, in ms. */
int64_t tool_seconds_ms(const char *text);
void tool_pause_ms(int64_t ms);

/* Times of single round trips; those after the first `most` are not kept. */
struct latencies {
    int64_t *us;
    size_t count, most;
};
void latencies_init(struct latencies *l, size_t most);
void latencies_clear(struct latencies *l);
void latencies_add(struct latencies *l, int64_t us);
/* Sorts them and prints ,"p50_us":N,"p99_us":N; nothing when there are none. */
void latencies_print(struct latencies *l);

#endif

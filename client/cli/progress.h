/* A progress bar on stderr, when that is a terminal; it costs nothing when it is none. */
#ifndef CERTQ_CLI_PROGRESS_H
#define CERTQ_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    bool is_shown;
    size_t total, done; /* total 0: not known */
    int64_t started_ms, drawn_ms;
};

void progress_start(struct progress *p, size_t total);
/* One more is done; `bad` is how many so far went wrong. Draws at most ten times a second. */
void progress_step(struct progress *p, size_t bad);
/* Wipes the bar, so that a line can be printed; the next step draws it again. */
void progress_clear(struct progress *p);
double progress_seconds(const struct progress *p);
/* The bar as text of at most 79 columns: for progress_step, and tests. */
void progress_draw(const struct progress *p, size_t bad, int64_t now_ms, char text[static 128]);

#endif

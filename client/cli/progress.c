#include "progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR 30
#define DRAW_MS 100

void progress_start(struct progress *p, size_t total)
{
    *p = (struct progress){
        .is_shown = isatty(STDERR_FILENO), .total = total, .started_ms = clock_monotonic_ms()};
}

double progress_seconds(const struct progress *p)
{
    return (double)(clock_monotonic_ms() - p->started_ms) / 1000;
}

void progress_draw(const struct progress *p, size_t bad, int64_t now_ms, char text[static 128])
{
    int64_t ms = now_ms - p->started_ms;
    double rate = ms > 0 ? (double)p->done * 1000 / (double)ms : 0;
    char bar[BAR + 1] = "", tail[40] = "";
    if (bad)
        snprintf(tail, sizeof tail, ", %zu not done", bad);
    if (!p->total) {
        snprintf(text, 128, "%zu  %.0f/s%s", p->done, rate, tail);
        return;
    }
    size_t done = p->done < p->total ? p->done : p->total,
           filled = (size_t)((double)done / (double)p->total * BAR);
    memset(bar, '#', filled);
    memset(bar + filled, '.', BAR - filled);
    bar[BAR] = '\0';
    snprintf(text, 128, "[%s] %zu %%  %zu/%zu  %.0f/s%s", bar,
        (size_t)((double)done / (double)p->total * 100), done, p->total, rate, tail);
}

void progress_step(struct progress *p, size_t bad)
{
    p->done++;
    if (!p->is_shown)
        return;
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms - p->drawn_ms < DRAW_MS && p->done != p->total)
        return;
    char text[128];
    p->drawn_ms = now_ms;
    progress_draw(p, bad, now_ms, text);
    fprintf(stderr, "\r\033[K%.79s", text);
}

void progress_clear(struct progress *p)
{
    if (p->is_shown && p->drawn_ms)
        fprintf(stderr, "\r\033[K");
    p->drawn_ms = 0;
}

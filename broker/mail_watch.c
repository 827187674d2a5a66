#include "mail_watch.h"

#include "broker.h"
#include "metrics.h"
#include "ready.h"

#include "base/log.h"

#define LOOK_MS 10000
#define LATE_MS (5 * 60 * 1000)

/* A mail that was tried before waits since it was made; one for later waits since its time. */
static int64_t waiting_since(const struct item *item)
{
    const struct job *job = &item->job;
    return job->failures || job->crashes || job->run_at_ms < job->created_ms ? job->created_ms
                                                                             : job->run_at_ms;
}

static const struct item *older(const struct item *a, const struct item *b)
{
    return !a || (b && waiting_since(b) < waiting_since(a)) ? b : a;
}

static const struct item *oldest_in(const struct heap *h, const struct item *oldest)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->entries[i].item->kind->id == KIND_MAIL)
            oldest = older(oldest, h->entries[i].item);
    return oldest;
}

void mail_watch_turn(struct mail_watch *w, struct broker *b)
{
    if (b->tick_ms < w->next_ms)
        return;
    w->next_ms = b->tick_ms + LOOK_MS;
    const struct item *oldest = oldest_in(&b->ready.kinds[KIND_MAIL], NULL);
    oldest = oldest_in(&b->ready.delayed, oldest);
    if (b->ready.scheduled_by_kind[KIND_MAIL])
        oldest = oldest_in(&b->ready.scheduled, oldest);
    const int64_t age_ms = oldest ? b->now_ms - waiting_since(oldest) : 0;
    metric_set(METRIC_MAIL_AGE, age_ms > 0 ? (uint64_t)age_ms / 1000 : 0);
    const bool is_late = age_ms > LATE_MS;
    if (is_late && !w->is_late)
        log_error("mail.late", "job=%s waits_s=%lld failures=%u", uuid_s(&oldest->job.id),
            (long long)age_ms / 1000, oldest->job.failures);
    else if (w->is_late && !is_late)
        log_info("mail.in-time", "oldest_s=%lld", (long long)age_ms / 1000);
    w->is_late = is_late;
}

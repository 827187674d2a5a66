#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

struct work {
    size_t n;
    void (*each)(void *context, size_t at, size_t thread);
    void *context;
    atomic_size_t next;
};
struct hand {
    struct work *work;
    size_t thread;
};

static size_t cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : (size_t)CPU_COUNT(&set);
}

static void *work_on(void *hand)
{
    const struct hand *h = hand;
    size_t at;
    while ((at = atomic_fetch_add(&h->work->next, 1)) < h->work->n)
        h->work->each(h->work->context, at, h->thread);
    return NULL;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void parallel_each(
    size_t n, size_t most, void (*each)(void *context, size_t at, size_t thread), void *context)
{
    struct work work = {.n = n, .each = each, .context = context};
    struct hand hands[PARALLEL_MOST];
    pthread_t threads[PARALLEL_MOST];
    size_t started = 1;
    most = smaller(smaller(most, n), smaller(cores(), PARALLEL_MOST));
    hands[0] = (struct hand){&work, 0};
    while (started < most) {
        hands[started] = (struct hand){&work, started};
        if (pthread_create(&threads[started], NULL, work_on, &hands[started]))
            break;
        started++;
    }
    work_on(&hands[0]);
    while (--started > 0)
        pthread_join(threads[started], NULL);
}

#include "mail/resolve.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#define KEEP_MS 60000

/*
 * Shared by a resolver and the thread that asks, and freed by whoever lets go last. (glibc's
 * getaddrinfo_a would do, but the thread sanitizer dies of its threads.)
 */
struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int owners;
    bool done;
    int failed; /* getaddrinfo's result */
    struct addresses found;
    char *host;
};

struct resolver {
    char *host;
    struct lookup *pending;
    struct addresses known;
    int64_t known_until_ms;
};

struct resolver *resolver_new(const char *host)
{
    struct resolver *r = MEM_NEW(struct resolver);
    r->host = mem_text(host);
    if (inet_pton(AF_INET, host, &r->known.list[0]) == 1) {
        r->known.count = 1;
        r->known_until_ms = INT64_MAX;
    }
    return r;
}

static void let_go(struct lookup *l)
{
    pthread_mutex_lock(&l->lock);
    const bool is_last = --l->owners == 0;
    pthread_mutex_unlock(&l->lock);
    if (!is_last)
        return;
    pthread_cond_destroy(&l->ended);
    pthread_mutex_destroy(&l->lock);
    free(l->host);
    free(l);
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    if (r->pending)
        let_go(r->pending);
    free(r->host);
    free(r);
}

void resolver_forget(struct resolver *r)
{
    if (r->known_until_ms != INT64_MAX)
        r->known_until_ms = 0;
}

static int no_address(const struct resolver *r, const char *why, struct err *err)
{
    return err_set(err, ERR_TEMPORARY, "smtp-connect", "%s: %s", r->host, why);
}

static void collect(const struct addrinfo *from, struct addresses *ret)
{
    for (; from && ret->count < RESOLVE_MOST; from = from->ai_next)
        if (from->ai_family == AF_INET)
            ret->list[ret->count++] =
                ((const struct sockaddr_in *)(const void *)from->ai_addr)->sin_addr;
}

static void *ask(void *arg)
{
    struct lookup *l = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *answer = NULL;
    const int failed = getaddrinfo(l->host, NULL, &hints, &answer);
    pthread_mutex_lock(&l->lock);
    l->failed = failed;
    if (!failed)
        collect(answer, &l->found);
    l->done = true;
    pthread_cond_signal(&l->ended);
    pthread_mutex_unlock(&l->lock);
    if (!failed)
        freeaddrinfo(answer);
    let_go(l);
    return NULL;
}

/* With every signal blocked: they are the program's. */
static int start_thread(struct lookup *l)
{
    pthread_t thread;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    const int failed = pthread_create(&thread, NULL, ask, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!failed)
        pthread_detach(thread);
    return failed;
}

static int start(struct resolver *r, struct err *err)
{
    struct lookup *l = MEM_NEW(struct lookup);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&l->lock, NULL);
    l->host = mem_text(r->host);
    l->owners = 2;
    const int failed = start_thread(l);
    if (!failed) {
        r->pending = l;
        return 0;
    }
    l->owners = 1;
    let_go(l);
    return no_address(r, strerror(failed), err);
}

static bool has_ended(struct lookup *l, int64_t within_ms)
{
    const int64_t until_ms = clock_monotonic_ms() + within_ms;
    const struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    int waited = 0;
    pthread_mutex_lock(&l->lock);
    while (!l->done && !waited)
        waited = pthread_cond_timedwait(&l->ended, &l->lock, &until);
    const bool ended = l->done;
    pthread_mutex_unlock(&l->lock);
    return ended;
}

int resolver_find(struct resolver *r, int64_t within_ms, struct addresses *ret, struct err *err)
{
    if (clock_monotonic_ms() >= r->known_until_ms) {
        if (!r->pending && start(r, err))
            return -1;
        if (!has_ended(r->pending, within_ms))
            return no_address(r, "the name look-up got no answer in time", err);
        struct lookup *l = TAKE(r->pending);
        const int failed = l->failed;
        r->known = l->found;
        let_go(l);
        if (failed)
            return no_address(r, gai_strerror(failed), err);
        r->known_until_ms = clock_monotonic_ms() + KEEP_MS;
    }
    *ret = r->known;
    return 0;
}

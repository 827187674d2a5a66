#include "mail/resolve.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>

#define KEEP_MS 60000

/* Owned by glibc while it is under way. */
struct lookup {
    struct gaicb request;
    struct addrinfo hints;
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

static void lookup_free(struct lookup *l)
{
    if (l->request.ar_result)
        freeaddrinfo(l->request.ar_result);
    free(l->host);
    free(l);
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    /* One that glibc will not give back stays allocated: it writes into it when it ends. */
    if (r->pending && gai_cancel(&r->pending->request) != EAI_NOTCANCELED)
        lookup_free(r->pending);
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

static int start(struct resolver *r, struct err *err)
{
    struct lookup *l = MEM_NEW(struct lookup);
    l->host = mem_text(r->host);
    l->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM};
    l->request.ar_name = l->host;
    l->request.ar_request = &l->hints;
    struct gaicb *list[] = {&l->request};
    const int failed = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    if (failed) {
        lookup_free(l);
        return no_address(r, gai_strerror(failed), err);
    }
    r->pending = l;
    return 0;
}

/* 0 when it has ended, EAI_AGAIN otherwise. */
static int wait_for(struct lookup *l, int64_t within_ms)
{
    const int64_t until_ms = clock_monotonic_ms() + within_ms;
    const struct gaicb *const list[] = {&l->request};
    while (gai_error(&l->request) == EAI_INPROGRESS) {
        const int64_t left = until_ms - clock_monotonic_ms();
        if (left <= 0)
            return EAI_AGAIN;
        struct timespec wait = {left / 1000, left % 1000 * 1000000};
        gai_suspend(list, 1, &wait);
    }
    return 0;
}

static void collect(const struct addrinfo *from, struct addresses *ret)
{
    *ret = (struct addresses){.count = 0};
    for (; from && ret->count < RESOLVE_MOST; from = from->ai_next)
        if (from->ai_family == AF_INET)
            ret->list[ret->count++] =
                ((const struct sockaddr_in *)(const void *)from->ai_addr)->sin_addr;
}

int resolver_find(struct resolver *r, int64_t within_ms, struct addresses *ret, struct err *err)
{
    if (clock_monotonic_ms() >= r->known_until_ms) {
        if (!r->pending && start(r, err))
            return -1;
        if (wait_for(r->pending, within_ms))
            return no_address(r, "the name look-up got no answer in time", err);
        struct lookup *l = TAKE(r->pending);
        const int failed = gai_error(&l->request);
        if (!failed)
            collect(l->request.ar_result, &r->known);
        lookup_free(l);
        if (failed)
            return no_address(r, gai_strerror(failed), err);
        r->known_until_ms = clock_monotonic_ms() + KEEP_MS;
    }
    *ret = r->known;
    return 0;
}

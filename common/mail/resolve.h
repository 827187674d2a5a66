/*
 * Host names to IPv4 addresses within a bound, for libesmtp, whose own look-up has none. An answer
 * is kept for a minute. A look-up that outlasts its bound goes on in the background and is waited
 * for again by the next call. Inside common/mail only; one thread at a time.
 */
#ifndef CERTQ_MAIL_RESOLVE_H
#define CERTQ_MAIL_RESOLVE_H

#include "base/err.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define RESOLVE_MOST 8

struct resolver;
struct addresses {
    struct in_addr list[RESOLVE_MOST];
    size_t count; /* 0: the host has IPv6 addresses only */
};

struct resolver *resolver_new(const char *host);
void resolver_free(struct resolver *r);
/* Temporary error (smtp-connect) when there is no answer in `within_ms` or no address. */
int resolver_find(
    struct resolver *r, int64_t within_ms, struct addresses *ret, struct err *err) MUST_USE;
/* The next call asks again: none of the addresses answered. */
void resolver_forget(struct resolver *r);
DEFINE_AUTO_STRUCT(resolver);

#endif

/*
 * Ending what libesmtp waits for without bound: connect (it has no time-out) and a server that
 * drips bytes (each one starts the library's time-out anew). A timer signals this thread (SIGURG,
 * which is harmless where nobody expects it): a connect that hangs returns EINTR, a claimed socket
 * is shut down, and the library sees the end of the connection. Inside common/mail only. Used by
 * one thread; the struct stays where it is while it runs.
 */
#ifndef CERTQ_MAIL_WATCHDOG_H
#define CERTQ_MAIL_WATCHDOG_H

#include "base/err.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct watchdog {
    timer_t timer;
    sigset_t old_mask;
    atomic_int fd;               /* our duplicate of the socket, -1: none yet */
    _Atomic(int64_t) until_ms;   /* monotonic: it is to fire then */
    _Atomic(int64_t) set_for_ms; /* the timer is set for then, which may be sooner */
};

/* Starts it for this thread, not armed. Temporary error when the kernel gives no timer. */
int watchdog_start(struct watchdog *w, struct err *err) MUST_USE;
void watchdog_stop(struct watchdog *w);
/* Fires at `until_ms` (monotonic) unless armed again, and interrupts nothing before. */
void watchdog_arm(struct watchdog *w, int64_t until_ms);
/*
 * The same where calls that are interrupted go on, as those of an open session do: a timer that is
 * set for a sooner time is left and set again when it fires, since a call for each command and
 * reply would be seven a message.
 */
void watchdog_feed(struct watchdog *w, int64_t until_ms);
/*
 * Finds the socket libesmtp has just connected to `port` (of `address`, if given), which the
 * library does not tell, by its having no TCP_NODELAY yet; sets that, and keeps a duplicate.
 * False when there is none. Between connect and this call no other thread may do the same: callers
 * hold a lock.
 */
bool watchdog_claim(struct watchdog *w, const struct in_addr *address, uint16_t port);
/* Shuts the claimed socket down; the library sees its end. */
void watchdog_cut(struct watchdog *w);
/* Lets the socket go (it has been closed by the library). */
void watchdog_release(struct watchdog *w);

#endif

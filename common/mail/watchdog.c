#include "mail/watchdog.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_MS 50 /* a signal may fall just before the call it should interrupt */

/*
 * Whose turn it is on this thread. The signal's own word is not taken for it: where signals are
 * put off (a sanitizer does), one may come when its watchdog is gone.
 */
static _Thread_local struct watchdog *volatile running;

/* In the signal's handler too. */
static void set_timer(struct watchdog *w, int64_t until_ms)
{
    const struct itimerspec when = {.it_value = {until_ms / 1000, until_ms % 1000 * 1000000},
        .it_interval = {0, AGAIN_MS * 1000000}};
    atomic_store(&w->set_for_ms, until_ms);
    timer_settime(w->timer, TIMER_ABSTIME, &when, NULL);
}

static void bark(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    struct watchdog *w = running;
    if (info->si_code != SI_TIMER || !w || info->si_value.sival_ptr != w)
        return;
    const int saved = errno;
    const int fd = atomic_load(&w->fd);
    const int64_t until_ms = atomic_load(&w->until_ms);
    if (clock_monotonic_ms() < until_ms)
        set_timer(w, until_ms);
    else if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
    errno = saved;
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = bark, .sa_flags = SA_SIGINFO}; /* no SA_RESTART */
    sigemptyset(&action.sa_mask);
    sigaction(SIGURG, &action, NULL);
}

int watchdog_start(struct watchdog *w, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    atomic_init(&w->fd, -1);
    atomic_init(&w->until_ms, INT64_MAX);
    atomic_init(&w->set_for_ms, INT64_MAX);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGURG};
    event.sigev_value.sival_ptr = w;
    event._sigev_un._tid = gettid();
    if (timer_create(CLOCK_MONOTONIC, &event, &w->timer))
        return err_set(err, ERR_TEMPORARY, NULL, "timer_create: %s", strerror(errno));
    running = w;
    sigset_t urgent;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    pthread_sigmask(SIG_UNBLOCK, &urgent, &w->old_mask);
    return 0;
}

void watchdog_stop(struct watchdog *w)
{
    timer_delete(w->timer);
    running = NULL;
    pthread_sigmask(SIG_SETMASK, &w->old_mask, NULL);
    watchdog_release(w);
}

void watchdog_arm(struct watchdog *w, int64_t until_ms)
{
    if (until_ms < 1)
        until_ms = 1; /* long past; 0 would stop the timer */
    atomic_store(&w->until_ms, until_ms);
    set_timer(w, until_ms);
}

void watchdog_feed(struct watchdog *w, int64_t until_ms)
{
    if (until_ms < atomic_load(&w->set_for_ms))
        watchdog_arm(w, until_ms);
    else
        atomic_store(&w->until_ms, until_ms);
}

static bool is_peer(int fd, const struct in_addr *address, uint16_t port)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &length))
        return false;
    if (peer.ss_family == AF_INET6)
        return !address && ntohs(((struct sockaddr_in6 *)&peer)->sin6_port) == port;
    if (peer.ss_family != AF_INET)
        return false;
    const struct sockaddr_in *in = (struct sockaddr_in *)&peer;
    return ntohs(in->sin_port) == port && (!address || in->sin_addr.s_addr == address->s_addr);
}

static bool has_no_delay(int fd)
{
    int on = 1;
    socklen_t length = sizeof on;
    return getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length) || on;
}

bool watchdog_claim(struct watchdog *w, const struct in_addr *address, uint16_t port)
{
    watchdog_release(w);
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return false;
    bool found = false;
    for (struct dirent *e; !found && (e = readdir(dir));) {
        char *end;
        const int fd = (int)strtol(e->d_name, &end, 10);
        if (*end || end == e->d_name || !is_peer(fd, address, port) || has_no_delay(fd))
            continue;
        const int on = 1;
        const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        found = copy >= 0 && !setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        if (found)
            atomic_store(&w->fd, copy);
        else if (copy >= 0)
            close(copy);
    }
    closedir(dir);
    return found;
}

void watchdog_cut(struct watchdog *w)
{
    const int fd = atomic_load(&w->fd);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
}

void watchdog_release(struct watchdog *w)
{
    const int fd = atomic_exchange(&w->fd, -1);
    if (fd >= 0)
        close(fd);
}

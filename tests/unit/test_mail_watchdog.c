/* links: mail */
#include "base/clock.h"
#include "mail/watchdog.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A connection to ourselves, claimed by the watchdog. */
struct line {
    struct watchdog dog;
    int listener, near, far;
};

static void open_line(struct line *l)
{
    struct err err = {0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    l->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(l->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(l->listener, 1), 0);
    assert_int_equal(getsockname(l->listener, (struct sockaddr *)&address, &length), 0);
    l->near = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(l->near, (struct sockaddr *)&address, length), 0);
    l->far = accept(l->listener, NULL, NULL);
    if (watchdog_start(&l->dog, &err))
        fail_msg("%s", err.text);
    assert_true(watchdog_claim(&l->dog, &address.sin_addr, ntohs(address.sin_port)));
}

static void close_line(struct line *l)
{
    watchdog_stop(&l->dog);
    close(l->near);
    close(l->far);
    close(l->listener);
}

/* When the watchdog had cut the line, or -1 when it did not until then. */
static int64_t cut_at(const struct line *l, int64_t until_ms)
{
    int64_t now_ms;
    struct pollfd p = {.fd = l->far, .events = POLLIN};
    while ((now_ms = clock_monotonic_ms()) < until_ms)
        if (poll(&p, 1, (int)(until_ms - now_ms)) == 1)
            return clock_monotonic_ms();
    return -1;
}

/* However it was armed before, it fires at the time said last, and only then. */
static void it_fires_at_the_time_said_last(void **state)
{
    (void)state;
    static const struct {
        int arm_ms, feed_ms[3]; /* from the beginning, 0: no more */
        int fires_ms;
    } rows[] = {
        {60, {0}, 60},
        {60, {120, 0}, 120},
        {60, {240, 120, 0}, 120},
        {240, {60, 0}, 60},
        {30, {90, 150, 210}, 210},
        {-5, {0}, 0},
        {60000, {50, 100, 0}, 100},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct line l;
        open_line(&l);
        const int64_t start_ms = clock_monotonic_ms();
        watchdog_arm(&l.dog, start_ms + rows[i].arm_ms);
        for (int k = 0; k < 3 && rows[i].feed_ms[k]; k++)
            watchdog_feed(&l.dog, start_ms + rows[i].feed_ms[k]);
        const int64_t at_ms = cut_at(&l, start_ms + 20000);
        if (at_ms < start_ms + rows[i].fires_ms)
            fail_msg("row %zu: cut after %lld ms", i, (long long)(at_ms - start_ms));
        close_line(&l);
    }
}

/* Whoever goes on talking is not cut, however often the timer has fired meanwhile. */
static void it_does_not_fire_while_it_is_fed(void **state)
{
    (void)state;
    struct line l;
    open_line(&l);
    const int64_t start_ms = clock_monotonic_ms();
    watchdog_arm(&l.dog, start_ms + 10);
    for (int64_t now_ms; (now_ms = clock_monotonic_ms()) < start_ms + 200;) {
        watchdog_feed(&l.dog, now_ms + 5000);
        assert_int_equal(cut_at(&l, now_ms + 5), -1);
    }
    watchdog_feed(&l.dog, clock_monotonic_ms());
    assert_true(cut_at(&l, start_ms + 20000) >= start_ms + 200);
    close_line(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_fires_at_the_time_said_last),
        cmocka_unit_test(it_does_not_fire_while_it_is_fed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

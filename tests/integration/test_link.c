/* links: workers */
/*
 * The worker's side of CQW/1 with a broker that is silent, comes back, or comes back as another:
 * no group is forgotten while its broker may still wait for it, and draining ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "link.h"
#include "report.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

/* A broker that says what the test tells it to. */
static struct {
    void *zmq, *router;
    char endpoint[64];
    uint8_t identity[256];
    size_t identity_length;
    struct worker worker;
    struct config config;
    struct config_endpoint address;
    struct mailbox *mailbox;
    int signals[2], result; /* a pipe instead of a signalfd */
    pthread_t thread;
} lab;

static void *link_main(void *context UNUSED)
{
    struct err err = {0};
    lab.result = link_run(&lab.worker, lab.mailbox, lab.signals[0], &err);
    return NULL;
}

static int start(void **state UNUSED)
{
    static char name[] = "w";
    const int none = 0;
    memset(&lab, 0, sizeof lab);
    lab.zmq = zmq_ctx_new();
    lab.router = zmq_socket(lab.zmq, ZMQ_ROUTER);
    zmq_setsockopt(lab.router, ZMQ_LINGER, &none, sizeof none);
    size_t size = sizeof lab.endpoint;
    if (zmq_bind(lab.router, "tcp://127.0.0.1:*") ||
        zmq_getsockopt(lab.router, ZMQ_LAST_ENDPOINT, lab.endpoint, &size))
        return -1;
    lab.address = (struct config_endpoint){.workers = lab.endpoint};
    lab.config.connect.brokers = &lab.address;
    lab.config.connect.broker_count = 1;
    lab.worker =
        (struct worker){.config = &lab.config, .life = uuid_new(), .name = name, .group_most = 10};
    lab.worker.serves[KIND_NOOP] = true;
    lab.mailbox = mailbox_new();
    return pipe(lab.signals) || pthread_create(&lab.thread, NULL, link_main, NULL);
}

static int stop(void **state UNUSED)
{
    /* Where a test failed the link still runs: two signals end it. */
    static const struct signalfd_siginfo twice[2];
    bool was_written = write(lab.signals[1], twice, sizeof twice) == sizeof twice;
    pthread_join(lab.thread, NULL);
    mailbox_free(lab.mailbox);
    close(lab.signals[0]);
    close(lab.signals[1]);
    zmq_close(lab.router);
    zmq_ctx_term(lab.zmq);
    return was_written ? lab.result : -1;
}

/* The next message but heartbeats (unless asked for), within ten seconds. */
static enum worker_command receive(struct buf *body, bool wants_heartbeats)
{
    struct err err = {0};
    const int64_t until_ms = clock_monotonic_ms() + 10000;
    for (;;) {
        zmq_pollitem_t item = {lab.router, 0, ZMQ_POLLIN, 0};
        if (zmq_poll(&item, 1, until_ms - clock_monotonic_ms()) < 1)
            fail_msg("the worker says nothing");
        uint8_t word[8], data[4096];
        int n = zmq_recv(lab.router, lab.identity, sizeof lab.identity, 0);
        assert_true(n > 0);
        lab.identity_length = (size_t)n;
        assert_int_equal(zmq_recv(lab.router, word, sizeof word, 0), 4);
        n = zmq_recv(lab.router, data, sizeof data, 0);
        assert_true(n > 0 && (size_t)n <= sizeof data);
        buf_clear(body);
        buf_add(body, data, (size_t)n);
        enum worker_command command;
        assert_int_equal(worker_command_of(buf_bytes(body), &command, &err), 0);
        if (wants_heartbeats || command != WORKER_HEARTBEAT)
            return command;
    }
}

static void send_body(const struct buf *body)
{
    zmq_send(lab.router, lab.identity, lab.identity_length, ZMQ_SNDMORE);
    zmq_send(lab.router, WORKER_PROTOCOL, 4, ZMQ_SNDMORE);
    zmq_send(lab.router, body->data, body->length, 0);
}

static void expect_ready(void)
{
    AUTO_BUF body = {0};
    assert_int_equal(receive(&body, false), WORKER_READY);
}

static void welcome(const struct uuid *life)
{
    AUTO_BUF body = {0};
    const struct worker_welcome m = {.life = *life, .name = bytes_of_text("b")};
    worker_welcome_write(&m, &body);
    send_body(&body);
}

static void send_group(const struct uuid *id, int32_t deadline_ms)
{
    AUTO_BUF body = {0};
    static char client[] = "web";
    struct job job = {.id = uuid_new(), .client = client, .args_length = 0}, *list = &job;
    const struct worker_jobs head = {.group = *id,
        .kind = bytes_of_text("noop"),
        .durable = true,
        .deadline_ms = deadline_ms,
        .count = 1};
    worker_jobs_write(&head, &list, &body);
    send_body(&body);
}

static void send_plain(enum worker_command command)
{
    AUTO_BUF body = {0};
    worker_plain_write(command, &body);
    send_body(&body);
}

/* As the job thread does. */
static void run_group(const struct uuid *id)
{
    struct group *g = mailbox_wait(lab.mailbox);
    assert_true(uuid_equal(&g->id, id));
    g->tasks[0].outcome = OUTCOME_BUSY;
    report_write(g);
    mailbox_done(lab.mailbox, g);
}

static void drain(void)
{
    AUTO_BUF body = {0};
    send_plain(WORKER_DRAIN);
    assert_int_equal(receive(&body, false), WORKER_DRAIN);
    assert_int_equal(receive(&body, false), WORKER_BYE);
}

static void check_heartbeat(const struct uuid *held)
{
    struct err err = {0};
    AUTO_BUF body = {0};
    struct worker_heartbeat m;
    while (receive(&body, true) != WORKER_HEARTBEAT)
        ;
    assert_int_equal(worker_heartbeat_parse(buf_bytes(&body), &m, &err), 0);
    assert_int_equal(m.count, held ? 1 : 0);
    if (held)
        assert_true(uuid_equal(&m.groups[0], held));
    worker_heartbeat_free(&m);
}

static void a_report_waits_for_its_broker(void **state UNUSED)
{
    struct err err = {0};
    struct uuid life = uuid_new(), group = uuid_new();
    struct worker_report r;
    AUTO_BUF body = {0};
    expect_ready();
    welcome(&life);
    check_heartbeat(NULL);
    send_group(&group, 0);
    check_heartbeat(&group);
    expect_ready(); /* we were silent: the worker calls again, and only then is done */
    run_group(&group);
    expect_ready();
    welcome(&life);
    assert_int_equal(receive(&body, false), WORKER_REPORT);
    assert_int_equal(worker_report_parse(buf_bytes(&body), &r, &err), 0);
    assert_true(uuid_equal(&r.group, &group));
    worker_report_free(&r);
    check_heartbeat(NULL);
    drain();
}

static void another_broker_gets_no_report(void **state UNUSED)
{
    struct uuid life = uuid_new(), other = uuid_new(), group = uuid_new();
    expect_ready();
    welcome(&life);
    check_heartbeat(NULL);
    send_group(&group, 0);
    check_heartbeat(&group);
    send_plain(WORKER_BYE);
    expect_ready();
    run_group(&group);
    expect_ready();
    welcome(&other);
    check_heartbeat(NULL);
    drain();
}

static void draining_does_not_wait_for_a_broker(void **state UNUSED)
{
    struct uuid life = uuid_new(), group = uuid_new();
    expect_ready();
    welcome(&life);
    check_heartbeat(NULL);
    send_group(&group, 0);
    check_heartbeat(&group);
    send_plain(WORKER_BYE);
    expect_ready();
    run_group(&group);
    expect_ready();
    drain();
}

/* Before the broker takes it for lost, and the job for one that takes workers down. */
static void a_group_that_waits_too_long_is_handed_back(void **state UNUSED)
{
    struct err err = {0};
    struct uuid life = uuid_new(), first = uuid_new(), second = uuid_new();
    struct worker_report r;
    AUTO_BUF body = {0};
    expect_ready();
    welcome(&life);
    check_heartbeat(NULL);
    send_group(&first, 2000);
    struct group *running = mailbox_wait(lab.mailbox);
    send_group(&second, 2000);
    const int64_t sent_ms = clock_monotonic_ms();
    assert_int_equal(receive(&body, false), WORKER_REPORT);
    const int64_t took_ms = clock_monotonic_ms() - sent_ms;
    assert_true(took_ms >= 950 && took_ms < 1900);
    assert_int_equal(worker_report_parse(buf_bytes(&body), &r, &err), 0);
    assert_true(uuid_equal(&r.group, &second));
    assert_int_equal(r.results[0].outcome, OUTCOME_BUSY);
    worker_report_free(&r);
    check_heartbeat(&first); /* one that runs is not touched */
    report_write(running);
    mailbox_done(lab.mailbox, running);
    assert_int_equal(receive(&body, false), WORKER_REPORT);
    drain();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_report_waits_for_its_broker, start, stop),
        cmocka_unit_test_setup_teardown(another_broker_gets_no_report, start, stop),
        cmocka_unit_test_setup_teardown(draining_does_not_wait_for_a_broker, start, stop),
        cmocka_unit_test_setup_teardown(a_group_that_waits_too_long_is_handed_back, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * certq-hop (F7): round trips between two ROUTER sockets over loopback TCP, what a message costs
 * before anybody does anything with it.
 *
 *   certq-hop [--outstanding 256] [--bytes 300] [--seconds 3]
 *
 * Prints {"rate":…}: round trips a second; with one outstanding, their latency too.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "tool.h"

#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

enum { BYTES_MOST = 65536, LATENCIES_MOST = 1000000 };

static void check(int result, const char *what)
{
    if (result < 0)
        fail(what, zmq_strerror(zmq_errno()));
}

/* Returns every message to its sender; an empty one ends it. */
static void *echo(void *socket)
{
    char identity[256], body[BYTES_MOST];
    for (int n = 1; n > 0;) {
        const int length = zmq_recv(socket, identity, sizeof identity, 0);
        check(length, "echo");
        n = zmq_recv(socket, body, sizeof body, 0);
        check(n, "echo");
        zmq_send(socket, identity, (size_t)length, ZMQ_SNDMORE);
        zmq_send(socket, body, (size_t)n, 0);
    }
    return NULL;
}

static void *open_router(void *context, const char *name)
{
    void *s = zmq_socket(context, ZMQ_ROUTER);
    const int zero = 0, one = 1;
    zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(s, ZMQ_SNDHWM, &zero, sizeof zero);
    zmq_setsockopt(s, ZMQ_RCVHWM, &zero, sizeof zero);
    zmq_setsockopt(s, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    zmq_setsockopt(s, ZMQ_ROUTING_ID, name, strlen(name));
    return s;
}

static void send_one(void *socket, const char *body, size_t length)
{
    check(zmq_send(socket, "echo", 4, ZMQ_SNDMORE), "send");
    check(zmq_send(socket, body, length, 0), "send");
}

static void receive_one(void *socket)
{
    char frame[BYTES_MOST];
    check(zmq_recv(socket, frame, sizeof frame, 0), "receive");
    check(zmq_recv(socket, frame, sizeof frame, 0), "receive");
}

static void measure(void *socket, long outstanding, size_t bytes, int64_t ms)
{
    char body[BYTES_MOST];
    struct latencies latencies;
    memset(body, 'x', sizeof body);
    latencies_init(&latencies, outstanding == 1 ? LATENCIES_MOST : 1);
    for (long i = 0; i < outstanding; i++)
        send_one(socket, body, bytes);
    const int64_t start_us = clock_monotonic_us(), end_us = start_us + ms * 1000;
    int64_t now_us = start_us;
    long count = 0;
    while (now_us < end_us) {
        receive_one(socket);
        const int64_t before_us = now_us;
        now_us = clock_monotonic_us();
        if (outstanding == 1)
            latencies_add(&latencies, now_us - before_us);
        count++;
        send_one(socket, body, bytes);
    }
    for (long i = 0; i < outstanding; i++)
        receive_one(socket);
    printf("{\"floor\":\"F7\",\"rate\":%.0f", (double)count * 1e6 / (double)(now_us - start_us));
    latencies_print(&latencies);
    puts("}");
    latencies_clear(&latencies);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"outstanding", 1, 0, 'o'}, {"bytes", 1, 0, 'b'}, {"seconds", 1, 0, 's'}, {0}};
    long outstanding = 256, bytes = 300;
    int64_t ms = 3000;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'o')
            outstanding = tool_number(optarg, 1, 100000);
        else if (c == 'b')
            bytes = tool_number(optarg, 1, BYTES_MOST);
        else if (c == 's')
            ms = tool_seconds_ms(optarg);
        else
            return 64;
    }
    void *context = zmq_ctx_new();
    void *server = open_router(context, "echo"), *client = open_router(context, "client");
    char endpoint[64];
    size_t length = sizeof endpoint;
    check(zmq_bind(server, "tcp://127.0.0.1:*"), "bind");
    check(zmq_getsockopt(server, ZMQ_LAST_ENDPOINT, endpoint, &length), "bind");
    zmq_setsockopt(client, ZMQ_CONNECT_ROUTING_ID, "echo", 4);
    check(zmq_connect(client, endpoint), "connect");
    pthread_t thread;
    pthread_create(&thread, NULL, echo, server);
    measure(client, outstanding, (size_t)bytes, ms);
    send_one(client, "", 0);
    pthread_join(thread, NULL);
    zmq_close(client);
    zmq_close(server);
    zmq_ctx_term(context);
    return 0;
}

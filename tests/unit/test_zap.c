/* links: broker */
#include "broker/zap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <zmq.h>

enum { PATIENCE_MS = 20000 };

struct keys {
    char public[41], secret[41];
};

static void set_text(void *socket, int option, const char *text)
{
    assert_int_equal(zmq_setsockopt(socket, option, text, strlen(text)), 0);
}

/* A guarded ROUTER with CURVE, its monitor, and a client of it that says hello. */
struct pair {
    struct keys server, client;
    void *zmq, *router, *monitor, *dealer;
};

static void open_pair(struct pair *p)
{
    const int one = 1, zero = 0;
    char endpoint[256];
    size_t size = sizeof endpoint;
    struct err err = {0};
    p->router = zmq_socket(p->zmq, ZMQ_ROUTER);
    p->monitor = zmq_socket(p->zmq, ZMQ_PAIR);
    p->dealer = zmq_socket(p->zmq, ZMQ_DEALER);
    zmq_setsockopt(p->dealer, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(p->router, ZMQ_CURVE_SERVER, &one, sizeof one);
    set_text(p->router, ZMQ_CURVE_SECRETKEY, p->server.secret);
    assert_int_equal(zap_guard(p->router, ZAP_DOMAIN_CLIENTS, &err), 0);
    assert_int_equal(zmq_socket_monitor(p->router, "inproc://router-monitor",
                         ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                             ZMQ_EVENT_HANDSHAKE_FAILED_AUTH),
        0);
    assert_int_equal(zmq_connect(p->monitor, "inproc://router-monitor"), 0);
    assert_int_equal(zmq_bind(p->router, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt(p->router, ZMQ_LAST_ENDPOINT, endpoint, &size);
    set_text(p->dealer, ZMQ_CURVE_SERVERKEY, p->server.public);
    set_text(p->dealer, ZMQ_CURVE_PUBLICKEY, p->client.public);
    set_text(p->dealer, ZMQ_CURVE_SECRETKEY, p->client.secret);
    assert_int_equal(zmq_connect(p->dealer, endpoint), 0);
    assert_int_equal(zmq_send(p->dealer, "hello", 5, 0), 5);
}

static void close_pair(struct pair *p)
{
    zmq_socket_monitor(p->router, NULL, 0);
    zmq_close(p->router);
    zmq_close(p->monitor);
    zmq_close(p->dealer);
}

/* What became of the first handshake. */
static int first_event(struct pair *p)
{
    zmq_pollitem_t item = {.socket = p->monitor, .events = ZMQ_POLLIN};
    uint16_t event = 0;
    char bytes[64];
    assert_int_equal(zmq_poll(&item, 1, PATIENCE_MS), 1);
    assert_int_equal(zmq_recv(p->monitor, bytes, sizeof bytes, 0), 6);
    memcpy(&event, bytes, sizeof event);
    return event;
}

static void only_listed_keys_come_in_and_nobody_without_a_handler(void **state)
{
    (void)state;
    static const struct {
        bool has_handler, is_listed;
        int event;
    } rows[] = {
        {true, true, ZMQ_EVENT_HANDSHAKE_SUCCEEDED},
        {true, false, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH},
        {false, true, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct pair p = {.zmq = zmq_ctx_new()};
        struct keys stranger;
        struct err err = {0};
        struct zap *zap = NULL;
        zmq_curve_keypair(p.server.public, p.server.secret);
        zmq_curve_keypair(p.client.public, p.client.secret);
        zmq_curve_keypair(stranger.public, stranger.secret);
        struct config_client listed = {.name = (char[]){"upstream"}};
        memcpy(
            listed.key, rows[i].is_listed ? p.client.public : stranger.public, sizeof listed.key);
        const struct config_broker config = {.client_keys = &listed, .client_key_count = 1};
        if (rows[i].has_handler)
            assert_int_equal(zap_new(p.zmq, &config, &zap, &err), 0);
        open_pair(&p);
        int event = first_event(&p);
        if (event != rows[i].event)
            fail_msg("row %zu: event %#x", i, (unsigned)event);
        close_pair(&p);
        zmq_ctx_shutdown(p.zmq);
        zap_free(zap);
        zmq_ctx_term(p.zmq);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_listed_keys_come_in_and_nobody_without_a_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

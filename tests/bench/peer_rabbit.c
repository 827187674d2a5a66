/* RabbitMQ, through librabbitmq: a quorum queue, persistent messages, publisher confirms. */
#include "peer.h"

#include "base/mem.h"
#include "tool.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <inttypes.h>
#include <string.h>
#include <sys/time.h>

enum { WINDOW = 65536, PREFETCH = 2 * PEER_TAKE_MOST };

struct peer {
    amqp_connection_state_t connection;
    uint64_t published, settled; /* every tag up to settled is */
    bool early[WINDOW];          /* those after it that are too */
    amqp_bytes_t body;           /* the last one: all are equal */
};

static void check(amqp_rpc_reply_t reply, const char *what)
{
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        fail(what, reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
                       ? amqp_error_string2(reply.library_error)
                       : "the server closed the channel");
}

static struct peer *open_one(long port)
{
    struct peer *p = MEM_NEW(struct peer);
    p->connection = amqp_new_connection();
    if (amqp_socket_open(amqp_tcp_socket_new(p->connection), "127.0.0.1", (int)port))
        fail("rabbitmq", "does not answer");
    check(amqp_login(p->connection, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
        "login");
    amqp_channel_open(p->connection, 1);
    check(amqp_get_rpc_reply(p->connection), "channel");
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes("x-queue-type"),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("quorum")}};
    const amqp_table_t options = {1, &entry};
    amqp_queue_declare(p->connection, 1, amqp_cstring_bytes(PEER_QUEUE), 0, 1, 0, 0, options);
    check(amqp_get_rpc_reply(p->connection), "queue");
    amqp_confirm_select(p->connection, 1);
    check(amqp_get_rpc_reply(p->connection), "confirms");
    return p;
}

static void close_one(struct peer *p)
{
    amqp_connection_close(p->connection, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(p->connection);
    free(p);
}

static void publish(struct peer *p)
{
    const amqp_basic_properties_t persistent = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
    if (amqp_basic_publish(p->connection, 1, amqp_empty_bytes, amqp_cstring_bytes(PEER_QUEUE), 0, 0,
            &persistent, p->body))
        fail("rabbitmq", "publish");
    p->published++;
}

static void submit(struct peer *p, const char *body, size_t length)
{
    p->body = (amqp_bytes_t){length, (void *)(uintptr_t)body};
    publish(p);
}

/* Answers come in any order, single or for all up to a tag. */
static size_t confirm(struct peer *p, uint64_t last, bool is_multiple)
{
    size_t n = 0;
    for (uint64_t tag = is_multiple ? p->settled + 1 : last; tag <= last; tag++) {
        n += !p->early[tag % WINDOW];
        p->early[tag % WINDOW] = true;
    }
    while (p->settled < p->published && p->early[(p->settled + 1) % WINDOW])
        p->early[++p->settled % WINDOW] = false;
    return n;
}

static size_t settle(struct peer *p)
{
    amqp_frame_t frame;
    amqp_maybe_release_buffers(p->connection);
    if (amqp_simple_wait_frame(p->connection, &frame))
        fail("rabbitmq", "went away");
    if (frame.frame_type != AMQP_FRAME_METHOD)
        fail("rabbitmq", "no confirm");
    if (frame.payload.method.id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = frame.payload.method.decoded;
        return confirm(p, ack->delivery_tag, ack->multiple);
    }
    if (frame.payload.method.id != AMQP_BASIC_NACK_METHOD)
        fail("rabbitmq", amqp_method_name(frame.payload.method.id));
    /* Not taken: a quorum queue says so while it chooses its leader. */
    const amqp_basic_nack_t *nack = frame.payload.method.decoded;
    for (size_t n = confirm(p, nack->delivery_tag, nack->multiple); n > 0; n--)
        publish(p);
    return 0;
}

static void work(struct peer *p)
{
    amqp_basic_qos(p->connection, 1, 0, PREFETCH, 0);
    check(amqp_get_rpc_reply(p->connection), "prefetch");
    amqp_basic_consume(p->connection, 1, amqp_cstring_bytes(PEER_QUEUE), amqp_empty_bytes, 0, 0, 0,
        amqp_empty_table);
    check(amqp_get_rpc_reply(p->connection), "consume");
}

static size_t take(struct peer *p, struct peer_handle *ret, size_t most)
{
    size_t n = 0;
    amqp_maybe_release_buffers(p->connection);
    while (n < most) {
        amqp_envelope_t envelope;
        const struct timeval wait = {0, n ? 1000 : 50000};
        const amqp_rpc_reply_t reply = amqp_consume_message(p->connection, &envelope, &wait, 0);
        if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION &&
            reply.library_error == AMQP_STATUS_TIMEOUT)
            break;
        check(reply, "consume");
        snprintf(ret[n++].text, PEER_HANDLE, "%" PRIu64, envelope.delivery_tag);
        amqp_destroy_envelope(&envelope);
    }
    return n;
}

static void done(struct peer *p, const struct peer_handle *handles, size_t n)
{
    if (amqp_basic_ack(p->connection, 1, strtoull(handles[n - 1].text, NULL, 10), 1))
        fail("rabbitmq", "acknowledge");
}

const struct peer_ops peer_rabbit = {
    "rabbit", 1, open_one, close_one, submit, settle, work, take, done};

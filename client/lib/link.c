#include "link.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

#define FRAMES_MAX 8
#define HEARTBEAT_MS 2000
#define HEARTBEAT_TIMEOUT_MS 6000
#define HANDSHAKE_MS 10000
#define RECONNECT_MS 100
#define RECONNECT_MOST_MS 2000

struct link {
    void *socket, *monitor;
    char *endpoint;
    bool is_up;
    unsigned breaks;
    int64_t heard_ms;    /* 0: never */
    const char *trouble; /* why it is not up, as far as known */
    zmq_msg_t frames[FRAMES_MAX];
    size_t frame_count;
};

static int set_int(void *socket, int option, int value, struct err *err)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value))
        return err_set(err, ERR_FATAL, NULL, "ZeroMQ option %d: %s", option, zmq_strerror(errno));
    return 0;
}

static int set_options(void *socket, struct err *err)
{
    /* IMMEDIATE: no queue without a connection, so that sending fails where nobody listens. */
    static const struct {
        int option, value;
    } options[] = {
        {ZMQ_IMMEDIATE, 1},
        {ZMQ_LINGER, 0},
        {ZMQ_SNDHWM, 20000},
        {ZMQ_RCVHWM, 0}, /* bounded by what is in flight */
        {ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS},
        {ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_RECONNECT_IVL, RECONNECT_MS},
        {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MOST_MS},
        {ZMQ_IPV6, 1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        if (set_int(socket, options[i].option, options[i].value, err))
            return -1;
    return 0;
}

/* The monitor tells of the connection through an inproc PAIR of its own. */
static int open_monitor(void *zmq, struct link *l, struct err *err)
{
    AUTO_TEXT name = mem_printf("inproc://link-%p", (void *)l);
    if (zmq_socket_monitor(l->socket, name,
            ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED |
                ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                ZMQ_EVENT_HANDSHAKE_FAILED_AUTH))
        return err_set(err, ERR_FATAL, NULL, "ZeroMQ monitor: %s", zmq_strerror(errno));
    l->monitor = zmq_socket(zmq, ZMQ_PAIR);
    if (!l->monitor || zmq_connect(l->monitor, name))
        return err_set(err, ERR_FATAL, NULL, "ZeroMQ monitor: %s", zmq_strerror(errno));
    return 0;
}

int link_open(void *zmq, const char *endpoint, const char *key, const struct curve_pair *own,
    struct link **ret, struct err *err)
{
    AUTO(link) l = MEM_NEW(struct link);
    l->endpoint = mem_text(endpoint);
    l->trouble = "not connected yet";
    l->socket = zmq_socket(zmq, ZMQ_DEALER);
    if (!l->socket)
        return err_set(err, ERR_FATAL, NULL, "ZeroMQ socket: %s", zmq_strerror(errno));
    if (set_options(l->socket, err) || open_monitor(zmq, l, err))
        return -1;
    if (key && curve_as_client(l->socket, own, key, err))
        return err_context(err, "%s", endpoint);
    if (zmq_connect(l->socket, endpoint))
        return err_set(err, ERR_INPUT, NULL, "%s: no endpoint to connect to (%s)", endpoint,
            zmq_strerror(errno));
    *ret = TAKE(l);
    return 0;
}

static void drop_frames(struct link *l)
{
    while (l->frame_count > 0)
        zmq_msg_close(&l->frames[--l->frame_count]);
}

void link_free(struct link *l)
{
    if (!l)
        return;
    drop_frames(l);
    if (l->socket) {
        zmq_socket_monitor(l->socket, NULL, 0);
        zmq_close(l->socket);
    }
    if (l->monitor)
        zmq_close(l->monitor);
    free(l->endpoint);
    free(l);
}

void *link_socket(const struct link *l)
{
    return l->socket;
}

void *link_monitor(const struct link *l)
{
    return l->monitor;
}

const char *link_endpoint(const struct link *l)
{
    return l->endpoint;
}

unsigned link_breaks(const struct link *l)
{
    return l->breaks;
}

bool link_is_up(const struct link *l)
{
    return l->is_up;
}

static void take_event(struct link *l, uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        l->is_up = true;
        l->trouble = NULL;
        return;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        l->trouble = "the broker does not know our key";
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        l->trouble = "the handshake failed: check the keys on both sides";
        break;
    case ZMQ_EVENT_CONNECT_RETRIED:
        if (!l->trouble || strcmp(l->trouble, "not connected yet") == 0)
            l->trouble = "nobody answers there";
        break;
    default:
        if (!l->trouble)
            l->trouble = "the connection broke";
        break;
    }
    if (l->is_up)
        l->breaks++;
    l->is_up = false;
}

void link_watch(struct link *l)
{
    for (;;) {
        zmq_msg_t head, address;
        zmq_msg_init(&head);
        if (zmq_msg_recv(&head, l->monitor, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&head);
            return;
        }
        uint16_t event = 0;
        if (zmq_msg_size(&head) >= sizeof event)
            memcpy(&event, zmq_msg_data(&head), sizeof event);
        zmq_msg_close(&head);
        zmq_msg_init(&address);
        zmq_msg_recv(&address, l->monitor, ZMQ_DONTWAIT);
        zmq_msg_close(&address);
        take_event(l, event);
    }
}

bool link_send(struct link *l, struct bytes service, struct bytes body)
{
    struct bytes frames[4];
    size_t n = client_request_envelope(service, frames);
    frames[n++] = body;
    /* Only the first frame can be refused: a message goes whole or not at all. */
    for (size_t i = 0; i < n; i++)
        if (zmq_send(l->socket, frames[i].data, frames[i].length,
                ZMQ_DONTWAIT | (i + 1 < n ? ZMQ_SNDMORE : 0)) < 0)
            return false;
    return true;
}

/* Reads a whole message; frames past FRAMES_MAX are read and dropped. False: there is none. */
static bool receive_frames(struct link *l, size_t *ret_count)
{
    *ret_count = 0;
    int more;
    do {
        zmq_msg_t extra, *frame = l->frame_count < FRAMES_MAX ? &l->frames[l->frame_count] : &extra;
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, l->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(frame);
            return false;
        }
        more = zmq_msg_more(frame);
        ++*ret_count;
        if (frame == &extra)
            zmq_msg_close(&extra);
        else
            l->frame_count++;
    } while (more);
    return true;
}

enum link_got link_receive(struct link *l, int64_t now_ms, struct client_reply *ret)
{
    drop_frames(l);
    size_t count;
    if (!receive_frames(l, &count))
        return LINK_NOTHING;
    l->heard_ms = now_ms;
    struct bytes frames[FRAMES_MAX];
    for (size_t i = 0; i < l->frame_count; i++)
        frames[i] = (struct bytes){zmq_msg_data(&l->frames[i]), zmq_msg_size(&l->frames[i])};
    struct err err;
    if (count > FRAMES_MAX || client_reply_parse(frames, count, ret, &err)) {
        l->trouble = "what answers there speaks no MDP 0.2";
        return LINK_GARBAGE;
    }
    l->trouble = NULL;
    return LINK_ANSWER;
}

void link_describe(const struct link *l, int64_t now_ms, struct buf *ret)
{
    buf_printf(ret, "%s: ", l->endpoint);
    if (l->trouble)
        buf_add_text(ret, l->trouble);
    else if (l->heard_ms)
        buf_printf(
            ret, "connected, last answer %lld s ago", (long long)((now_ms - l->heard_ms) / 1000));
    else
        buf_add_text(ret, "connected, no answer yet");
    buf_add_char(ret, '\n');
}

bool link_is_local(const char *endpoint)
{
    static const char *const locals[] = {
        "ipc://", "inproc://", "tcp://127.", "tcp://[::1]:", "tcp://localhost:"};
    for (size_t i = 0; i < ARRAY_LENGTH(locals); i++)
        if (strncmp(endpoint, locals[i], strlen(locals[i])) == 0)
            return strncmp(endpoint, "tcp://127.", 10) != 0 ||
                   strspn(endpoint + 6, "0123456789.") == strcspn(endpoint + 6, ":");
    return false;
}

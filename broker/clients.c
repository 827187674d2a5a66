#include "clients.h"

#include "broker.h"
#include "metrics.h"
#include "requests.h"
#include "routing.h"
#include "waits.h"
#include "zap.h"

#include "base/log.h"
#include "base/mem.h"
#include "wire/curve.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

enum {
    FRAMES_MOST = CLIENT_FRAMES_MAX + 6, /* identity, empty, version, command, service, bodies */
    /* Of a frame. Args too large (1 MiB at most are taken) are to be answered; beyond this the
     * connection ends without a word. */
    FRAME_BYTES = 4 << 20,
    QUEUE_MOST = 50000, /* answers to one client that does not read them */
};
#define MONITOR "inproc://clients-monitor"

struct clients {
    void *socket, *monitor;
    char endpoint[256];
    struct map *by_key;
    struct party *parties; /* one for each client key; or the local one */
    size_t party_count;
    struct client **gone;
    size_t gone_count, gone_room;
};

/* ---- parties and clients ---- */

static void make_parties(struct clients *c, const struct config_broker *config)
{
    c->party_count = config->curve_key ? config->client_key_count : 1;
    c->parties = mem_zero(c->party_count + 1, sizeof *c->parties);
    for (size_t i = 0; i < c->party_count; i++)
        c->parties[i].rights = config->curve_key ? &config->client_keys[i] : &config->local_client;
}

/* With CURVE the ZAP handler named the key (zap.h); without, there is one party. */
static struct party *party_of(struct clients *c, const struct broker *b, zmq_msg_t *frame)
{
    if (!b->curve)
        return &c->parties[0];
    const char *name = zmq_msg_gets(frame, "User-Id");
    for (size_t i = 0; name && i < c->party_count; i++)
        if (strcmp(c->parties[i].rights->name, name) == 0)
            return &c->parties[i];
    return NULL;
}

void client_hold(struct client *client)
{
    client->holds++;
}

void client_release(struct clients *c, struct client *client)
{
    if (--client->holds > 0)
        return;
    if (!client->is_past)
        map_remove(c->by_key, &client->key);
    free(client);
}

/* Its connection ended. It lives on while a question of its is under way, and hears nothing more.
 */
static void retire(struct clients *c, struct broker *b, struct client *client)
{
    client_hold(client);
    waits_forget(b, client);
    map_remove(c->by_key, &client->key);
    client->is_past = true;
    client_release(c, client);
}

/* ZeroMQ's own identities begin with a zero byte and are not given twice. */
static bool is_chosen(const uint8_t *identity, size_t length)
{
    return length > 0 && identity[0] != 0;
}

static struct client *new_client(
    struct party *party, int fd, const struct uuid *key, const uint8_t *identity, size_t length)
{
    struct client *client = mem_zero(1, sizeof *client + length);
    client->key = *key;
    client->party = party;
    client->fd = fd;
    client->identity_length = length;
    memcpy(client->identity, identity, length);
    return client;
}

/*
 * The client behind a routing identity, held. An identity a client chose for itself can come back
 * with another key or connection: answers of the one before are not for it. A descriptor is reused
 * only after its end was told, so that is heard first.
 */
static struct client *client_of(
    struct clients *c, struct broker *b, zmq_msg_t *identity, zmq_msg_t *last)
{
    struct party *party = party_of(c, b, last);
    if (!party)
        return NULL;
    const uint8_t *bytes = zmq_msg_data(identity);
    size_t length = zmq_msg_size(identity);
    int fd = zmq_msg_get(last, ZMQ_SRCFD);
    struct uuid key = routing_key(bytes, length);
    if (is_chosen(bytes, length) || !map_get(c->by_key, &key))
        clients_watch(c, b);
    struct client *client = map_get(c->by_key, &key);
    if (client && (client->party != party || client->fd != fd)) {
        retire(c, b, client);
        client = NULL;
    }
    if (!client) {
        client = new_client(party, fd, &key, bytes, length);
        map_put(c->by_key, &client->key, client);
    }
    client_hold(client);
    return client;
}

size_t clients_count(const struct clients *c)
{
    return map_count(c->by_key);
}

void clients_watch(struct clients *c, struct broker *b)
{
    for (;;) {
        zmq_msg_t event, address;
        zmq_msg_init(&event);
        if (zmq_msg_recv(&event, c->monitor, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&event);
            return;
        }
        uint16_t what;
        uint32_t fd;
        memcpy(&what, zmq_msg_data(&event), 2);
        memcpy(&fd, (uint8_t *)zmq_msg_data(&event) + 2, 4);
        zmq_msg_close(&event);
        zmq_msg_init(&address);
        zmq_msg_recv(&address, c->monitor, 0);
        zmq_msg_close(&address);
        if (what != ZMQ_EVENT_DISCONNECTED)
            continue;
        size_t at = 0;
        struct client *client;
        while ((client = map_next(c->by_key, &at, NULL)))
            if (client->fd == (int)fd)
                retire(c, b, client);
    }
}

static void mark_gone(struct clients *c, struct client *client)
{
    if (client->is_gone)
        return;
    client->is_gone = true;
    client_hold(client);
    if (c->gone_count == c->gone_room) {
        c->gone_room = c->gone_room ? c->gone_room * 2 : 16;
        c->gone = mem_resize(c->gone, c->gone_room, sizeof(struct client *));
    }
    c->gone[c->gone_count++] = client;
}

void clients_sweep(struct clients *c, struct broker *b)
{
    for (size_t i = 0; i < c->gone_count; i++) {
        c->gone[i]->is_gone = false;
        waits_forget(b, c->gone[i]);
        client_release(c, c->gone[i]);
    }
    c->gone_count = 0;
}

/* ---- sending ---- */

static bool send_frame(void *socket, struct bytes frame, bool more)
{
    return zmq_send(socket, frame.data, frame.length, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0;
}

void client_send(struct broker *b, const struct asker *asker, enum client_answer answer,
    const struct bytes *frames, size_t n)
{
    struct clients *c = b->clients;
    struct client *client = asker->client;
    if (client->is_gone || client->is_past)
        return;
    /* Only the identity can be refused: what follows goes where it went. */
    if (!send_frame(c->socket, (struct bytes){client->identity, client->identity_length}, true)) {
        metric_count(UNSENT);
        if (errno == EHOSTUNREACH)
            mark_gone(c, client);
        return;
    }
    struct bytes envelope[4];
    size_t head =
        client_envelope(asker->version, asker->empty_frame, answer, asker->service, envelope);
    for (size_t i = 0; i < head; i++)
        send_frame(c->socket, envelope[i], i + 1 < head || n > 0);
    for (size_t i = 0; i < n; i++)
        send_frame(c->socket, frames[i], i + 1 < n);
}

void client_reject(struct broker *b, const struct asker *asker, const struct uuid *id_or_null,
    const struct err *err)
{
    metric_refused(err->code);
    AUTO_BUF text = {0};
    answer_error_write(id_or_null, "rejected", err->code, err->text, &text);
    struct bytes frame = buf_bytes(&text);
    client_send(b, asker, CLIENT_FINAL, &frame, 1);
}

/* ---- receiving ---- */

struct message {
    zmq_msg_t frames[FRAMES_MOST];
    size_t count;
    bool is_cut; /* it had more frames than we take */
};

static bool receive(void *socket, struct message *m)
{
    m->count = 0;
    m->is_cut = false;
    for (bool more = true; more;) {
        zmq_msg_t spare, *frame = m->count < FRAMES_MOST ? &m->frames[m->count] : &spare;
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(frame);
            return false; /* messages are atomic: only a first frame can be missing */
        }
        more = zmq_msg_more(frame);
        if (frame == &spare) {
            m->is_cut = true;
            zmq_msg_close(&spare);
        } else {
            m->count++;
        }
    }
    return true;
}

static void handle(struct clients *c, struct broker *b, struct message *m)
{
    metric_count(REQUESTS);
    struct client *client =
        m->count < 2 ? NULL : client_of(c, b, &m->frames[0], &m->frames[m->count - 1]);
    if (!client) {
        metric_count(BAD_FRAMES);
        return;
    }
    struct bytes frames[FRAMES_MOST];
    for (size_t i = 1; i < m->count; i++)
        frames[i - 1] = (struct bytes){zmq_msg_data(&m->frames[i]), zmq_msg_size(&m->frames[i])};
    struct client_request request;
    struct err err = {0};
    int bad = client_request_parse(frames, m->count - 1, &request, &err);
    if (!bad && m->is_cut)
        bad = err_set(&err, ERR_INPUT, "too-large", "the message has too many frames");
    struct asker asker = {client, request.version, request.empty_frame, request.service};
    if (!bad) {
        requests_handle(b, &asker, &request);
    } else {
        metric_count(BAD_FRAMES);
        log_debug("client.message_bad", "client=%s error=%s", client->party->rights->name,
            log_q(err.text));
        if (request.service.length)
            client_reject(b, &asker, NULL, &err);
    }
    client_release(c, client);
}

size_t clients_receive(struct clients *c, struct broker *b, size_t most)
{
    struct message m;
    size_t n = 0;
    while (n < most && receive(c->socket, &m)) {
        n++;
        handle(c, b, &m);
        for (size_t i = 0; i < m.count; i++)
            zmq_msg_close(&m.frames[i]);
    }
    return n;
}

/* ---- the socket ---- */

static void set_int(void *socket, int option, int value)
{
    zmq_setsockopt(socket, option, &value, sizeof value);
}

static int bind_socket(struct clients *c, struct broker *b, struct err *err)
{
    const struct config_broker *config = &b->config->broker;
    const int64_t most = FRAME_BYTES;
    set_int(c->socket, ZMQ_ROUTER_MANDATORY, 1);
    set_int(c->socket, ZMQ_LINGER, 1000);
    set_int(c->socket, ZMQ_SNDHWM, QUEUE_MOST);
    set_int(c->socket, ZMQ_RCVHWM, 1000);
    set_int(c->socket, ZMQ_TCP_KEEPALIVE, 1);
    set_int(c->socket, ZMQ_TCP_KEEPALIVE_IDLE, 60);
    set_int(c->socket, ZMQ_TCP_KEEPALIVE_INTVL, 10);
    set_int(c->socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
    set_int(c->socket, ZMQ_BACKLOG, 1024);
    zmq_setsockopt(c->socket, ZMQ_MAXMSGSIZE, &most, sizeof most);
    if (b->curve && (zap_guard(c->socket, ZAP_DOMAIN_CLIENTS, err) ||
                        curve_as_server(c->socket, b->curve, err)))
        return -1;
    if (zmq_socket_monitor(c->socket, MONITOR, ZMQ_EVENT_DISCONNECTED) ||
        zmq_connect(c->monitor, MONITOR))
        return err_set(err, ERR_FATAL, NULL, "client monitor: %s", zmq_strerror(zmq_errno()));
    if (zmq_bind(c->socket, config->clients))
        return err_set(err, ERR_TEMPORARY, NULL, "broker.clients: %s: %s", config->clients,
            zmq_strerror(zmq_errno()));
    size_t size = sizeof c->endpoint;
    zmq_getsockopt(c->socket, ZMQ_LAST_ENDPOINT, c->endpoint, &size);
    return 0;
}

int clients_new(struct broker *b, struct clients **ret, struct err *err)
{
    struct clients *c = MEM_NEW(struct clients);
    c->by_key = map_new();
    c->socket = zmq_socket(b->zmq, ZMQ_ROUTER);
    c->monitor = zmq_socket(b->zmq, ZMQ_PAIR);
    make_parties(c, &b->config->broker);
    if (bind_socket(c, b, err)) {
        clients_free(c);
        return -1;
    }
    *ret = c;
    return 0;
}

void clients_free(struct clients *c)
{
    if (!c)
        return;
    zmq_socket_monitor(c->socket, NULL, 0);
    zmq_close(c->socket);
    zmq_close(c->monitor);
    size_t at = 0;
    struct client *client;
    while ((client = map_next(c->by_key, &at, NULL)))
        free(client);
    map_free(c->by_key);
    free(c->parties);
    free(c->gone);
    free(c);
}

void *clients_socket(const struct clients *c)
{
    return c->socket;
}

void *clients_monitor(const struct clients *c)
{
    return c->monitor;
}

const char *clients_endpoint(const struct clients *c)
{
    return c->endpoint;
}

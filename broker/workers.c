#include "workers_inside.h"

#include "broker.h"
#include "metrics.h"
#include "outcomes.h"
#include "routing.h"
#include "zap.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "wire/curve.h"

#include <inttypes.h>
#include <string.h>
#include <zmq.h>

enum {
    MESSAGE_MOST = 64 << 20, /* a report of a thousand results */
    QUEUE_MOST = 1000,
};

/* ---- sending ---- */

static bool send_to(struct workers *w, const void *identity, size_t length, const struct buf *body)
{
    if (zmq_send(w->socket, identity, length, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        metric_count(UNSENT);
        return false;
    }
    zmq_send(w->socket, WORKER_PROTOCOL, 4, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send(w->socket, body->data, body->length, ZMQ_DONTWAIT);
    return true;
}

bool worker_send(struct workers *w, struct worker *worker, const struct buf *body)
{
    return send_to(w, worker->identity, worker->identity_length, body);
}

static void send_plain(struct workers *w, struct worker *worker, enum worker_command command)
{
    AUTO_BUF body = {0};
    worker_plain_write(command, &body);
    worker_send(w, worker, &body);
}

static void send_error(
    struct workers *w, const void *identity, size_t length, const char *code, const char *text)
{
    const struct worker_error m = {bytes_of_text(code), bytes_of_text(text)};
    AUTO_BUF body = {0};
    worker_error_write(&m, &body);
    send_to(w, identity, length, &body);
}

void workers_welcome(struct workers *w, struct broker *b, struct worker *worker)
{
    const struct worker_welcome m = {.life = b->life,
        .name = bytes_of_text(b->config->broker.name),
        .shift_ms = clock_shift_ms(),
        .clock_epoch = b->clock_epoch};
    AUTO_BUF body = {0};
    worker_welcome_write(&m, &body);
    worker_send(w, worker, &body);
}

static void send_heartbeat(struct workers *w, struct broker *b, struct worker *worker)
{
    struct uuid *ids = mem_zero(worker->groups.count + 1, sizeof *ids);
    uint32_t n = 0;
    for (const struct group *g = worker->groups.first; g; g = g->next)
        ids[n++] = g->id;
    const struct worker_heartbeat m = {clock_shift_ms(), b->clock_epoch, n, ids};
    AUTO_BUF body = {0};
    worker_heartbeat_write(&m, &body);
    worker_send(w, worker, &body);
    free(ids);
    worker->beat_due_ms = b->tick_ms + WORKER_HEARTBEAT_MS;
}

void worker_drain(struct workers *w, struct worker *worker)
{
    worker->is_draining = true;
    send_plain(w, worker, WORKER_DRAIN);
}

void workers_bye(struct workers *w)
{
    for (struct worker *worker = w->first; worker; worker = worker->next)
        send_plain(w, worker, WORKER_BYE);
}

void workers_beat_now(struct workers *w)
{
    for (struct worker *worker = w->first; worker; worker = worker->next)
        worker->beat_due_ms = 0;
}
/* ---- receiving ---- */

struct frames {
    zmq_msg_t frames[3];
    size_t count;
    bool is_bad;
};

static bool receive(void *socket, struct frames *f)
{
    f->count = 0;
    f->is_bad = false;
    for (bool more = true; more;) {
        zmq_msg_t spare, *frame = f->count < 3 ? &f->frames[f->count] : &spare;
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(frame);
            return false; /* messages are atomic: only a first frame can be missing */
        }
        more = zmq_msg_more(frame);
        if (frame == &spare) {
            f->is_bad = true;
            zmq_msg_close(&spare);
        } else {
            f->count++;
        }
    }
    return true;
}

static const struct config_worker_key *key_named(const struct broker *b, const char *name)
{
    const struct config_broker *c = &b->config->broker;
    for (size_t i = 0; name && i < c->worker_key_count; i++)
        if (strcmp(c->worker_keys[i].name, name) == 0)
            return &c->worker_keys[i];
    return NULL;
}

static void handle(struct workers *w, struct broker *b, struct frames *f)
{
    struct err err = {0};
    struct sender from = {zmq_msg_data(&f->frames[0]), zmq_msg_size(&f->frames[0]), {{0}}, NULL};
    if (f->is_bad || f->count != 3 || zmq_msg_size(&f->frames[1]) != 4 ||
        memcmp(zmq_msg_data(&f->frames[1]), WORKER_PROTOCOL, 4) != 0) {
        err_set(&err, ERR_INPUT, "bad-request", "a message that is not two frames of %s",
            WORKER_PROTOCOL);
    } else {
        from.key = routing_key(from.identity, from.length);
        if (b->curve)
            from.owner = key_named(b, zmq_msg_gets(&f->frames[2], "User-Id"));
        struct bytes body = {zmq_msg_data(&f->frames[2]), zmq_msg_size(&f->frames[2])};
        workers_message(w, b, &from, body, &err);
    }
    if (!err.kind)
        return;
    if (err.kind != ERR_NOT_FOUND) {
        metric_count(BAD_WORKER);
        log_warn("worker.message_bad", "error=%s", log_q(err.text));
    }
    send_error(w, from.identity, from.length, err.code, err.text);
}

size_t workers_receive(struct workers *w, struct broker *b, size_t most)
{
    struct frames f;
    size_t n = 0;
    while (n < most && receive(w->socket, &f)) {
        n++;
        handle(w, b, &f);
        for (size_t i = 0; i < f.count; i++)
            zmq_msg_close(&f.frames[i]);
    }
    return n;
}

/* ---- time ---- */

static void lose_groups(struct broker *b, struct worker *worker)
{
    struct group *next;
    for (struct group *g = worker->groups.first; g; g = next) {
        next = g->next;
        if (group_is_lost(g, b->tick_ms))
            outcomes_lost(b, g, false);
    }
}

int64_t workers_turn(struct workers *w, struct broker *b, int64_t stalled_ms)
{
    struct worker *next;
    int64_t wait = WORKER_HEARTBEAT_MS;
    for (struct worker *worker = w->first; worker; worker = next) {
        next = worker->next;
        worker->heard_ms += stalled_ms;
        if (b->tick_ms - worker->heard_ms > WORKER_SILENCE_MS) {
            log_warn("worker.silent", "worker=%s life=%s groups=%zu", log_q(worker->name),
                uuid_s(&worker->life), worker->groups.count);
            workers_remove(w, b, worker, false);
            continue;
        }
        if (b->tick_ms >= worker->beat_due_ms) {
            lose_groups(b, worker);
            send_heartbeat(w, b, worker);
        }
        if (worker->beat_due_ms - b->tick_ms < wait)
            wait = worker->beat_due_ms - b->tick_ms;
    }
    return wait;
}

/* ---- questions ---- */

struct worker *workers_first(const struct workers *w)
{
    return w->first;
}

size_t workers_count(const struct workers *w)
{
    return w->count;
}

uint64_t workers_kinds(const struct workers *w)
{
    uint64_t kinds = 0;
    for (const struct worker *worker = w->first; worker; worker = worker->next)
        if (!worker->is_draining)
            kinds |= worker->kinds;
    return kinds;
}

size_t workers_serving(const struct workers *w, enum kind_id kind)
{
    size_t n = 0;
    for (const struct worker *worker = w->first; worker; worker = worker->next)
        n += !worker->is_draining && (worker->kinds >> kind & 1);
    return n;
}

int64_t workers_clock_epoch(const struct workers *w, int64_t none)
{
    int64_t least = none;
    for (const struct worker *worker = w->first; worker; worker = worker->next)
        if (worker->clock_epoch < least)
            least = worker->clock_epoch;
    return least;
}

/* ---- the socket ---- */

static void set_int(void *socket, int option, int value)
{
    zmq_setsockopt(socket, option, &value, sizeof value);
}

int workers_new(struct broker *b, struct workers **ret, struct err *err)
{
    struct workers *w = MEM_NEW(struct workers);
    const int64_t most = MESSAGE_MOST;
    w->by_key = map_new();
    w->by_life = map_new();
    w->socket = zmq_socket(b->zmq, ZMQ_ROUTER);
    set_int(w->socket, ZMQ_ROUTER_MANDATORY, 1);
    set_int(w->socket, ZMQ_LINGER, 1000);
    set_int(w->socket, ZMQ_SNDHWM, QUEUE_MOST);
    set_int(w->socket, ZMQ_RCVHWM, QUEUE_MOST);
    set_int(w->socket, ZMQ_HEARTBEAT_IVL, 2000);
    set_int(w->socket, ZMQ_HEARTBEAT_TIMEOUT, 10000);
    zmq_setsockopt(w->socket, ZMQ_MAXMSGSIZE, &most, sizeof most);
    int failed = b->curve && (zap_guard(w->socket, ZAP_DOMAIN_WORKERS, err) ||
                                 curve_as_server(w->socket, b->curve, err));
    if (!failed && zmq_bind(w->socket, b->config->broker.workers))
        failed = err_set(err, ERR_TEMPORARY, NULL, "broker.workers: %s: %s",
            b->config->broker.workers, zmq_strerror(zmq_errno()));
    if (failed) {
        workers_free(w);
        return -1;
    }
    size_t size = sizeof w->endpoint;
    zmq_getsockopt(w->socket, ZMQ_LAST_ENDPOINT, w->endpoint, &size);
    *ret = w;
    return 0;
}

void workers_free(struct workers *w)
{
    if (!w)
        return;
    zmq_close(w->socket);
    while (w->first) {
        struct worker *worker = w->first;
        w->first = worker->next;
        free(worker);
    }
    map_free(w->by_key);
    map_free(w->by_life);
    free(w);
}

void *workers_socket(const struct workers *w)
{
    return w->socket;
}

const char *workers_endpoint(const struct workers *w)
{
    return w->endpoint;
}

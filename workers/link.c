#include "link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "report.h"
#include "wire/curve.h"
#include "wire/worker.h"

#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <zmq.h>

enum { SPARE_CREDIT = 1, URGENT_CREDIT = 1, BURST = 64 };

enum link_state { LINK_CALLING, LINK_UP };

struct broker_link {
    const struct config_endpoint *endpoint;
    void *socket;
    enum link_state state;
    struct uuid life; /* the broker's, once it welcomed us */
    int64_t heard_ms, beat_due_ms;
    struct uuid *held; /* groups of this broker in this process */
    size_t held_count;
    struct group *unsent; /* ran while it was being called again */
};

struct link_loop {
    const struct worker *worker;
    struct mailbox *mailbox;
    void *zmq;
    struct curve_pair *keys; /* NULL: plain */
    struct broker_link *links;
    size_t count;
    size_t groups; /* in this process, all brokers */
    bool draining;
    int signals;
    int64_t shift_ms, clock_epoch;
};

static void send_body(struct broker_link *l, const struct buf *body)
{
    /* A full pipe means the broker is gone: the silence timer deals with that. */
    if (zmq_send(l->socket, WORKER_PROTOCOL, 4, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return;
    zmq_send(l->socket, body->data, body->length, ZMQ_DONTWAIT);
}

static void send_plain(struct broker_link *l, enum worker_command command)
{
    AUTO_BUF body = {0};
    worker_plain_write(command, &body);
    send_body(l, &body);
}

static void send_ready(const struct link_loop *loop, struct broker_link *l)
{
    const struct worker *w = loop->worker;
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    struct worker_ready ready = {
        .life = w->life,
        .name = bytes_of_text(w->name),
        .host = bytes_of_text(host),
        .pid = (uint32_t)getpid(),
        .credit = (uint16_t)(w->lanes + SPARE_CREDIT), /* a group waits while others run */
        .urgent = URGENT_CREDIT,
        .group = (uint16_t)w->group_most,
    };
    for (size_t i = 0; i < KINDS; i++)
        if (w->serves[i])
            ready.kinds[ready.kind_count++] = bytes_of_text(kind_name((enum kind_id)i));
    AUTO_BUF body = {0};
    worker_ready_write(&ready, &body);
    send_body(l, &body);
}

static void send_heartbeat(const struct link_loop *loop, struct broker_link *l)
{
    const struct worker_heartbeat beat = {
        loop->shift_ms, loop->clock_epoch, (uint32_t)l->held_count, l->held};
    AUTO_BUF body = {0};
    worker_heartbeat_write(&beat, &body);
    send_body(l, &body);
}

static int open_socket(struct link_loop *loop, struct broker_link *l, struct err *err)
{
    if (l->socket)
        zmq_close(l->socket);
    l->socket = zmq_socket(loop->zmq, ZMQ_DEALER);
    const int zero = 0, hwm = 1000;
    zmq_setsockopt(l->socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(l->socket, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt(l->socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    if (loop->keys && curve_as_client(l->socket, loop->keys, l->endpoint->key, err))
        return -1;
    if (zmq_connect(l->socket, l->endpoint->workers))
        return err_set(err, ERR_INPUT, NULL, "connect.brokers: %s: %s", l->endpoint->workers,
            zmq_strerror(zmq_errno()));
    l->state = LINK_CALLING;
    l->heard_ms = clock_monotonic_ms();
    l->beat_due_ms = 0;
    return 0;
}

static void take_clock(struct link_loop *loop, int64_t shift_ms, int64_t epoch)
{
    if (epoch <= loop->clock_epoch)
        return;
    loop->clock_epoch = epoch;
    if (shift_ms != loop->shift_ms)
        log_warn(
            "clock.shifted", "shift_ms=%lld epoch=%lld", (long long)shift_ms, (long long)epoch);
    loop->shift_ms = shift_ms;
    clock_set_shift_ms(shift_ms);
}

/* No longer held, so that heartbeats do not name it. */
static void let_go(struct link_loop *loop, struct broker_link *l, struct group *g)
{
    for (size_t i = 0; i < l->held_count; i++) {
        if (uuid_equal(&l->held[i], &g->id)) {
            l->held[i] = l->held[--l->held_count];
            break;
        }
    }
    loop->groups--;
    group_free(g);
}

static void drop_report(struct link_loop *loop, struct broker_link *l, struct group *g)
{
    log_warn("report.unsent", "group=%s kind=%s jobs=%zu endpoint=%s", uuid_s(&g->id),
        g->kind->name, g->n, l->endpoint->workers);
    let_go(loop, l, g);
}

/*
 * A broker that came back under another life knows nothing of the group: the report is advice. One
 * that we call again, because it was silent, may still have it: the report waits for its WELCOME,
 * and the group stays held.
 */
static void send_report(struct link_loop *loop, struct group *g)
{
    struct broker_link *l = &loop->links[g->link];
    const bool is_known = uuid_equal(&l->life, &g->broker);
    if (is_known && l->state == LINK_UP) {
        send_body(l, &g->report);
        let_go(loop, l, g);
    } else if (is_known && !loop->draining) {
        g->next = l->unsent;
        l->unsent = g;
    } else {
        drop_report(loop, l, g);
    }
}

static void send_unsent(struct link_loop *loop, struct broker_link *l)
{
    struct group *next;
    for (struct group *g = TAKE(l->unsent); g; g = next) {
        next = g->next;
        send_report(loop, g);
    }
}

static void start_drain(struct link_loop *loop, const char *why)
{
    if (loop->draining)
        return;
    loop->draining = true;
    sd_notify(0, "STOPPING=1");
    log_info("worker.draining", "why=%s groups=%zu", why, loop->groups);
    for (size_t i = 0; i < loop->count; i++) {
        send_plain(&loop->links[i], WORKER_DRAIN);
        send_unsent(loop, &loop->links[i]); /* nobody calls again while draining */
    }
}

static int on_welcome(
    struct link_loop *loop, struct broker_link *l, struct bytes body, struct err *err)
{
    struct worker_welcome m;
    if (worker_welcome_parse(body, &m, err))
        return -1;
    if (l->state != LINK_UP || !uuid_equal(&l->life, &m.life)) {
        AUTO_TEXT name = bytes_to_text(m.name);
        log_info("broker.joined", "broker=%s endpoint=%s life=%s", log_q(name),
            l->endpoint->workers, uuid_s(&m.life));
    }
    l->state = LINK_UP;
    l->life = m.life;
    take_clock(loop, m.shift_ms, m.clock_epoch);
    if (loop->draining)
        send_plain(l, WORKER_DRAIN);
    send_unsent(loop, l);
    send_heartbeat(loop, l);
    return 0;
}

static int on_jobs(
    struct link_loop *loop, struct broker_link *l, struct bytes body, struct err *err)
{
    AUTO_BUF frame = {0};
    buf_add(&frame, body.data, body.length);
    struct group *g = NULL;
    if (group_new(&frame, loop->worker->serves, &g, err))
        return -1;
    g->link = (size_t)(l - loop->links);
    g->broker = l->life;
    l->held = mem_resize(l->held, l->held_count + 1, sizeof *l->held);
    l->held[l->held_count++] = g->id;
    loop->groups++;
    log_debug("group.taken", "group=%s kind=%s jobs=%zu", uuid_s(&g->id), g->kind->name, g->n);
    mailbox_put(loop->mailbox, g);
    return 0;
}

static int on_heartbeat(
    struct link_loop *loop, struct broker_link *l, struct bytes body, struct err *err)
{
    struct worker_heartbeat m;
    if (worker_heartbeat_parse(body, &m, err))
        return -1;
    int64_t before = loop->clock_epoch;
    take_clock(loop, m.shift_ms, m.clock_epoch);
    worker_heartbeat_free(&m);
    if (loop->clock_epoch != before) /* `certq clock set` waits for this answer */
        send_heartbeat(loop, l);
    return 0;
}

static int on_error(
    const struct link_loop *loop, struct broker_link *l, struct bytes body, struct err *err)
{
    struct worker_error m;
    if (worker_error_parse(body, &m, err))
        return -1;
    AUTO_TEXT code = bytes_to_text(m.code);
    AUTO_TEXT text = bytes_to_text(m.text);
    if (strcmp(code, "unknown-worker") == 0) { /* the broker is new: tell it who we are */
        l->state = LINK_CALLING;
        send_ready(loop, l);
        return 0;
    }
    log_error("broker.refused", "endpoint=%s code=%s text=%s", l->endpoint->workers, log_q(code),
        log_q(text));
    return 0;
}

static int on_body(
    struct link_loop *loop, struct broker_link *l, struct bytes body, struct err *err)
{
    enum worker_command command;
    if (worker_command_of(body, &command, err))
        return -1;
    switch (command) {
    case WORKER_WELCOME:
        return on_welcome(loop, l, body, err);
    case WORKER_JOBS:
        return on_jobs(loop, l, body, err);
    case WORKER_HEARTBEAT:
        return on_heartbeat(loop, l, body, err);
    case WORKER_ERROR:
        return on_error(loop, l, body, err);
    case WORKER_DRAIN:
        start_drain(loop, "broker");
        return 0;
    case WORKER_BYE:
        l->state = LINK_CALLING;
        log_info("broker.left", "endpoint=%s", l->endpoint->workers);
        return 0;
    case WORKER_READY:
    case WORKER_REPORT:
        break;
    }
    return err_set(err, ERR_INPUT, NULL, "command %d is a worker's, not a broker's", command);
}

/* Receives one message; false when there is none. Malformed ones are logged and dropped. */
static bool receive(struct link_loop *loop, struct broker_link *l)
{
    struct err err = {0};
    zmq_msg_t frames[2];
    size_t n = 0;
    bool more = true, bad = false;
    while (more) {
        zmq_msg_t *frame = &frames[n];
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, l->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(frame);
            return false; /* messages are atomic: only the first frame can be missing */
        }
        more = zmq_msg_more(frame);
        if (n == 1 && more) {
            bad = true;
            zmq_msg_close(frame);
        } else {
            n++;
        }
    }
    if (bad || n != 2 || zmq_msg_size(&frames[0]) != 4 ||
        memcmp(zmq_msg_data(&frames[0]), WORKER_PROTOCOL, 4) != 0)
        err_set(&err, ERR_INPUT, NULL, "a message that is not two frames of " WORKER_PROTOCOL);
    else
        on_body(loop, l, (struct bytes){zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1])}, &err);
    for (size_t i = 0; i < n; i++)
        zmq_msg_close(&frames[i]);
    if (err.kind)
        log_warn(
            "broker.message_bad", "endpoint=%s error=%s", l->endpoint->workers, log_q(err.text));
    else
        l->heard_ms = clock_monotonic_ms();
    return true;
}

static int tick(struct link_loop *loop, int64_t now, struct err *err)
{
    for (size_t i = 0; i < loop->count; i++) {
        struct broker_link *l = &loop->links[i];
        if (now - l->heard_ms > WORKER_SILENCE_MS) {
            if (l->state == LINK_UP)
                log_warn("broker.silent", "endpoint=%s ms=%lld", l->endpoint->workers,
                    (long long)(now - l->heard_ms));
            if (open_socket(loop, l, err))
                return -1;
        }
        if (now < l->beat_due_ms)
            continue;
        l->beat_due_ms = now + WORKER_HEARTBEAT_MS;
        if (l->state == LINK_UP)
            send_heartbeat(loop, l);
        else if (!loop->draining)
            send_ready(loop, l);
    }
    sd_notify(0, "WATCHDOG=1");
    return 0;
}

/* Reads a signal; true for the second one. */
static bool on_signal(struct link_loop *loop, int signal_fd)
{
    struct signalfd_siginfo info;
    if (read(signal_fd, &info, sizeof info) != sizeof info)
        return false;
    if (++loop->signals > 1)
        return true;
    start_drain(loop, "signal");
    return false;
}

/* Groups that wait behind a long one go to whoever has time for them. */
static void hand_back(struct link_loop *loop)
{
    struct group *g;
    while ((g = mailbox_take_overdue(loop->mailbox))) {
        log_info(
            "group.returned", "group=%s kind=%s jobs=%zu", uuid_s(&g->id), g->kind->name, g->n);
        for (size_t i = 0; i < g->n; i++)
            g->tasks[i].outcome = OUTCOME_BUSY;
        report_write(g);
        send_report(loop, g);
    }
}

static int wait_and_serve(
    struct link_loop *loop, int signal_fd, zmq_pollitem_t *items, struct err *err)
{
    items[0] = (zmq_pollitem_t){NULL, signal_fd, ZMQ_POLLIN, 0};
    items[1] = (zmq_pollitem_t){NULL, mailbox_fd(loop->mailbox), ZMQ_POLLIN, 0};
    for (size_t i = 0; i < loop->count; i++)
        items[2 + i] = (zmq_pollitem_t){loop->links[i].socket, 0, ZMQ_POLLIN, 0};
    zmq_poll(items, (int)loop->count + 2, 200);
    if ((items[0].revents & ZMQ_POLLIN) && on_signal(loop, signal_fd))
        return 1;
    struct group *g;
    while ((g = mailbox_take_done(loop->mailbox)))
        send_report(loop, g);
    hand_back(loop);
    for (size_t i = 0; i < loop->count; i++)
        for (int n = 0; n < BURST && receive(loop, &loop->links[i]); n++) {
        }
    return tick(loop, clock_monotonic_ms(), err);
}

static void close_links(struct link_loop *loop)
{
    const int linger = 500;
    for (size_t i = 0; i < loop->count; i++) {
        struct broker_link *l = &loop->links[i];
        if (l->socket) {
            zmq_setsockopt(l->socket, ZMQ_LINGER, &linger, sizeof linger);
            send_plain(l, WORKER_BYE);
            zmq_close(l->socket);
        }
        for (struct group *g = l->unsent, *next; g; g = next) {
            next = g->next;
            group_free(g);
        }
        free(l->held);
    }
    free(loop->links);
    curve_pair_free(loop->keys);
    zmq_ctx_term(loop->zmq);
}

int link_run(const struct worker *w, struct mailbox *mailbox, int signal_fd, struct err *err)
{
    const struct config_connect *connect = &w->config->connect;
    struct link_loop loop = {.worker = w, .mailbox = mailbox, .count = connect->broker_count};
    if (connect->curve_key && curve_load(connect->curve_key, &loop.keys, err))
        return -1;
    loop.zmq = zmq_ctx_new();
    loop.links = mem_zero(loop.count, sizeof *loop.links);
    zmq_pollitem_t *items = mem_zero(loop.count + 2, sizeof *items);
    int result = 0;
    for (size_t i = 0; i < loop.count && result == 0; i++) {
        loop.links[i].endpoint = &connect->brokers[i];
        result = open_socket(&loop, &loop.links[i], err);
    }
    while (result == 0 && !(loop.draining && loop.groups == 0))
        result = wait_and_serve(&loop, signal_fd, items, err);
    free(items);
    close_links(&loop);
    return result;
}

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "handle.h"

#include <string.h>
#include <zmq.h>

#define SILENCE_MS 3000
#define AGAIN_MS 10000
#define GIVE_UP_MS 30000
#define IN_FLIGHT 1000

static void certq_free(struct certq *c)
{
    while (c->first)
        handle_remove(c, c->first);
    map_free(c->requests);
    for (size_t i = 0; i < c->link_count; i++)
        link_free(c->links[i]);
    if (c->zmq)
        zmq_ctx_term(c->zmq);
    sealer_free(c->sealer);
    buf_free(&c->text);
    free(c);
}
DEFINE_AUTO_STRUCT(certq);

static int open_links(
    struct certq *c, const struct certq_options *o, const struct curve_pair *own, struct err *err)
{
    if (!o->brokers || !o->broker_count)
        return err_set(err, ERR_INPUT, NULL, "no broker is given");
    if (o->broker_count > LINKS_MAX)
        return err_set(err, ERR_INPUT, NULL, "%zu brokers are given, at most %d are taken",
            o->broker_count, LINKS_MAX);
    for (size_t i = 0; i < o->broker_count; i++) {
        const struct certq_broker *b = &o->brokers[i];
        if (!b->endpoint)
            return err_set(err, ERR_INPUT, NULL, "broker %zu has no endpoint", i);
        if (b->key && !own)
            return err_set(err, ERR_INPUT, NULL,
                "%s has a CURVE key, but no key pair of our own is given", b->endpoint);
        if (link_open(c->zmq, b->endpoint, b->key, own, &c->links[i], err))
            return -1;
        c->link_count++;
        c->has_remote_plain |= !b->key && !link_is_local(b->endpoint);
    }
    c->current = random_below(c->link_count);
    return 0;
}

static int check_times(const struct certq_options *o, struct err *err)
{
    if (o->silence_ms < 0 || o->again_ms < 0 || o->give_up_ms < 0 || o->connect_ms < 0)
        return err_set(err, ERR_INPUT, NULL, "a time is negative");
    return 0;
}

static int open_handle(const struct certq_options *o, struct certq **ret, struct err *err)
{
    if (check_times(o, err))
        return -1;
    AUTO(certq) c = MEM_NEW(struct certq);
    c->silence_ms = o->silence_ms ? o->silence_ms : SILENCE_MS;
    c->again_ms = o->again_ms ? o->again_ms : AGAIN_MS;
    c->give_up_ms = o->give_up_ms ? o->give_up_ms : GIVE_UP_MS;
    c->connect_ms = o->connect_ms ? o->connect_ms : c->give_up_ms;
    c->in_flight_most = o->in_flight ? o->in_flight : IN_FLIGHT;
    c->on_answer = o->on_answer;
    c->user = o->user;
    c->requests = map_new();
    c->zmq = zmq_ctx_new();
    if (!c->zmq)
        return err_set(
            err, ERR_FATAL, NULL, "ZeroMQ has no context: %s", zmq_strerror(zmq_errno()));
    AUTO(curve_pair) own = NULL;
    if (o->curve_key_file && curve_load(o->curve_key_file, &own, err))
        return -1;
    if (o->intake_certificate && sealer_load(o->intake_certificate, &c->sealer, err))
        return -1;
    if (open_links(c, o, own, err))
        return -1;
    *ret = TAKE(c);
    return 0;
}

int certq_open(const struct certq_options *options, struct certq **ret, struct certq_error *error)
{
    struct err err = {0};
    if (open_handle(options, ret, &err))
        return error_give(error, CERTQ_FAULT_USAGE, &err);
    return 0;
}

void certq_close(struct certq *c)
{
    if (c)
        certq_free(c);
}

void certq_make_id(char ret[CERTQ_ID_TEXT])
{
    struct uuid id = uuid_new();
    uuid_format(&id, ret);
}

size_t certq_in_flight(const struct certq *c)
{
    return c->submissions;
}

int certq_poll(struct certq *c, int timeout_ms)
{
    size_t before = c->delivered;
    int64_t until = timeout_ms < 0 ? INT64_MAX : clock_monotonic_ms() + timeout_ms;
    for (;;) {
        int64_t left = timeout_ms < 0 ? -1 : until - clock_monotonic_ms();
        handle_turn(c, timeout_ms < 0 ? -1 : left > 0 ? left : 0);
        size_t n = c->delivered - before;
        if (n > 0 || !c->first || clock_monotonic_ms() >= until)
            return (int)n;
    }
}

char *certq_describe(const struct certq *c)
{
    struct buf text = {0};
    for (size_t i = 0; i < c->link_count; i++)
        link_describe(c->links[i], clock_monotonic_ms(), &text);
    return buf_take_text(&text);
}

/*
 * A client and a broker of straw: the library as programs use it, against scripts of what a broker
 * may do.
 */
#ifndef STRAW_H
#define STRAW_H

#include "certq.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "wire/client.h"
#include "wire/curve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <zmq.h>

#define DEADLINE_MS 20000

/*
 * A broker of straw: a ROUTER in a thread of its own that answers as a script says. The script is
 * called for each request and may use reply(); `seen` counts requests, `n` is this request's number
 * from 0.
 */
struct straw;
struct heard {
    zmq_msg_t identity;
    struct bytes service, body;
    json_t *json;
    const char *id; /* of a job, or the tag of a call; "" when there is none */
};
typedef void script(struct straw *s, struct heard *h, size_t n);
struct straw {
    void *zmq, *socket;
    char endpoint[128];
    pthread_t thread;
    atomic_bool stops;
    atomic_size_t seen;
    script *script;
    char first_body[4096];
    bool bodies_differ;
    char last_id[64];
};

static UNUSED void reply_frames(struct straw *s, struct heard *h, struct bytes *frames, size_t n)
{
    zmq_msg_t to;
    zmq_msg_init(&to);
    zmq_msg_copy(&to, &h->identity);
    zmq_msg_send(&to, s->socket, ZMQ_SNDMORE);
    for (size_t i = 0; i < n; i++)
        zmq_send(s->socket, frames[i].data, frames[i].length, i + 1 < n ? ZMQ_SNDMORE : 0);
}

static UNUSED void reply(
    struct straw *s, struct heard *h, enum client_answer answer, const char *body)
{
    struct bytes frames[5];
    size_t n = client_envelope(CLIENT_MDP02, false, answer, h->service, frames);
    frames[n++] = bytes_of_text(body);
    reply_frames(s, h, frames, n);
}

#define SAY(s, h, answer, ...)                                                                     \
    do {                                                                                           \
        AUTO_TEXT said = mem_printf(__VA_ARGS__);                                                  \
        reply((s), (h), (answer), said);                                                           \
    } while (0)

static UNUSED void accept_it(struct straw *s, struct heard *h)
{
    SAY(s, h, CLIENT_PARTIAL, "{\"id\":\"%s\",\"state\":\"accepted\"}", h->id);
}

static UNUSED void finish_it(struct straw *s, struct heard *h)
{
    SAY(s, h, CLIENT_FINAL, "{\"id\":\"%s\",\"state\":\"done\",\"result\":{\"n\":1}}", h->id);
}

static UNUSED void reject_it(struct straw *s, struct heard *h, const char *code)
{
    SAY(s, h, CLIENT_FINAL,
        "{\"id\":\"%s\",\"state\":\"rejected\",\"error\":{\"code\":\"%s\",\"message\":\"no\"}}",
        h->id, code);
}

static UNUSED void hear(struct straw *s)
{
    struct heard h = {0};
    zmq_msg_init(&h.identity);
    if (zmq_msg_recv(&h.identity, s->socket, ZMQ_DONTWAIT) < 0)
        return;
    zmq_msg_t parts[8];
    struct bytes frames[8];
    size_t count = 0;
    do {
        zmq_msg_init(&parts[count]);
        zmq_msg_recv(&parts[count], s->socket, 0);
        frames[count] = (struct bytes){zmq_msg_data(&parts[count]), zmq_msg_size(&parts[count])};
        count++;
    } while (zmq_msg_more(&parts[count - 1]) && count < 8);
    struct client_request r;
    struct err err = {0};
    if (client_request_parse(frames, count, &r, &err) || r.body_count != 1 ||
        json_parse_object(r.body[0], &h.json, &err)) {
        fprintf(stderr, "straw: %s\n", err.text);
        abort();
    }
    h.service = r.service;
    h.body = r.body[0];
    const char *tag = json_text_at(h.json, "tag"), *id = json_text_at(h.json, "id");
    h.id = tag ? tag : id ? id : "";
    size_t n = atomic_fetch_add(&s->seen, 1); /* before the answer, which may be heard at once */
    if (n == 0)
        snprintf(s->first_body, sizeof s->first_body, "%.*s", (int)h.body.length, h.body.data);
    else if (!bytes_equal(bytes_of_text(s->first_body), h.body))
        s->bodies_differ = true;
    snprintf(s->last_id, sizeof s->last_id, "%s", h.id);
    s->script(s, &h, n);
    json_decref(h.json);
    zmq_msg_close(&h.identity);
    while (count > 0)
        zmq_msg_close(&parts[--count]);
}

static UNUSED void *straw_run(void *arg)
{
    struct straw *s = arg;
    while (!atomic_load(&s->stops)) {
        zmq_pollitem_t item = {s->socket, 0, ZMQ_POLLIN, 0};
        if (zmq_poll(&item, 1, 10) > 0)
            hear(s);
    }
    zmq_close(s->socket);
    return NULL;
}

static UNUSED void straw_start(struct straw *s, script *does, const struct curve_pair *keys)
{
    *s = (struct straw){.zmq = zmq_ctx_new(), .script = does};
    s->socket = zmq_socket(s->zmq, ZMQ_ROUTER);
    int zero = 0;
    zmq_setsockopt(s->socket, ZMQ_LINGER, &zero, sizeof zero);
    struct err err = {0};
    if (keys)
        assert_int_equal(curve_as_server(s->socket, keys, &err), 0);
    assert_int_equal(zmq_bind(s->socket, "tcp://127.0.0.1:*"), 0);
    size_t length = sizeof s->endpoint;
    zmq_getsockopt(s->socket, ZMQ_LAST_ENDPOINT, s->endpoint, &length);
    pthread_create(&s->thread, NULL, straw_run, s);
}

static UNUSED void straw_stop(struct straw *s)
{
    if (!s->zmq)
        return;
    atomic_store(&s->stops, true);
    pthread_join(s->thread, NULL);
    zmq_ctx_term(s->zmq);
    s->zmq = NULL;
}

/* ---- what the client was told ---- */

struct told {
    size_t accepted, ended, gave_up;
    char state[16], code[32], text[128], json[512], id[CERTQ_ID_TEXT];
    void *context;
};

static UNUSED void tell(void *user, const struct certq_answer *a)
{
    struct told *t = user;
    t->accepted += a->event == CERTQ_ACCEPTED;
    t->ended += a->event == CERTQ_ENDED;
    t->gave_up += a->event == CERTQ_GAVE_UP;
    snprintf(t->state, sizeof t->state, "%s", a->state);
    snprintf(t->code, sizeof t->code, "%s", a->error_code);
    snprintf(t->text, sizeof t->text, "%s", a->error_text);
    snprintf(t->json, sizeof t->json, "%s", a->json);
    snprintf(t->id, sizeof t->id, "%s", a->id);
    t->context = a->context;
}

struct setting {
    const char *endpoints[2], *keys[2];
    const char *curve, *intake;
    int silence, again, give_up;
    size_t in_flight;
};

static UNUSED struct certq *open_client(const struct setting *set, struct told *told)
{
    struct certq_broker brokers[2] = {
        {set->endpoints[0], set->keys[0]}, {set->endpoints[1], set->keys[1]}};
    struct certq_options o = {.brokers = brokers,
        .broker_count = set->endpoints[1] ? 2 : 1,
        .curve_key_file = set->curve,
        .intake_certificate = set->intake,
        .silence_ms = set->silence,
        .again_ms = set->again,
        .give_up_ms = set->give_up,
        .in_flight = set->in_flight,
        .on_answer = tell,
        .user = told};
    struct certq *c = NULL;
    struct certq_error error;
    *told = (struct told){0};
    if (certq_open(&o, &c, &error))
        fail_msg("%s", error.text);
    return c;
}

static UNUSED void submit(struct certq *c, const char *kind, bool wants_end)
{
    struct certq_error error;
    struct certq_job job = {.kind = kind,
        .args = "{\"a\":\"〇〇\"}",
        .priority = -1,
        .wants_end = wants_end,
        .context = c};
    if (certq_submit(c, &job, NULL, &error))
        fail_msg("%s", error.text);
}

/* Polls until nothing is in flight. */
static UNUSED void drain(struct certq *c)
{
    int64_t until = clock_monotonic_ms() + DEADLINE_MS;
    while (certq_in_flight(c) && clock_monotonic_ms() < until)
        certq_poll(c, 1000);
    assert_int_equal(certq_in_flight(c), 0);
}

/* ---- scripts ---- */

static UNUSED void does_it(struct straw *s, struct heard *h, size_t n)
{
    (void)n;
    accept_it(s, h);
    finish_it(s, h);
}

static UNUSED void only_accepts(struct straw *s, struct heard *h, size_t n)
{
    (void)n;
    accept_it(s, h);
}

static UNUSED void is_silent(struct straw *s, struct heard *h, size_t n)
{
    (void)s;
    (void)h;
    (void)n;
}

#endif

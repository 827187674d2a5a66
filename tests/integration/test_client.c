/* links: client */
#include "certq.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/intake.h"
#include "crypto/seal.h"
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

static void reply_frames(struct straw *s, struct heard *h, struct bytes *frames, size_t n)
{
    zmq_msg_t to;
    zmq_msg_init(&to);
    zmq_msg_copy(&to, &h->identity);
    zmq_msg_send(&to, s->socket, ZMQ_SNDMORE);
    for (size_t i = 0; i < n; i++)
        zmq_send(s->socket, frames[i].data, frames[i].length, i + 1 < n ? ZMQ_SNDMORE : 0);
}

static void reply(struct straw *s, struct heard *h, enum client_answer answer, const char *body)
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

static void accept_it(struct straw *s, struct heard *h)
{
    SAY(s, h, CLIENT_PARTIAL, "{\"id\":\"%s\",\"state\":\"accepted\"}", h->id);
}

static void finish_it(struct straw *s, struct heard *h)
{
    SAY(s, h, CLIENT_FINAL, "{\"id\":\"%s\",\"state\":\"done\",\"result\":{\"n\":1}}", h->id);
}

static void reject_it(struct straw *s, struct heard *h, const char *code)
{
    SAY(s, h, CLIENT_FINAL,
        "{\"id\":\"%s\",\"state\":\"rejected\",\"error\":{\"code\":\"%s\",\"message\":\"no\"}}",
        h->id, code);
}

static void hear(struct straw *s)
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
    size_t n = atomic_load(&s->seen);
    if (n == 0)
        snprintf(s->first_body, sizeof s->first_body, "%.*s", (int)h.body.length, h.body.data);
    else if (!bytes_equal(bytes_of_text(s->first_body), h.body))
        s->bodies_differ = true;
    snprintf(s->last_id, sizeof s->last_id, "%s", h.id);
    s->script(s, &h, n);
    atomic_store(&s->seen, n + 1);
    json_decref(h.json);
    zmq_msg_close(&h.identity);
    while (count > 0)
        zmq_msg_close(&parts[--count]);
}

static void *straw_run(void *arg)
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

static void straw_start(struct straw *s, script *does, const struct curve_pair *keys)
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

static void straw_stop(struct straw *s)
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

static void tell(void *user, const struct certq_answer *a)
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

static struct certq *open_client(const struct setting *set, struct told *told)
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

static void submit(struct certq *c, const char *kind, bool wants_end)
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
static void drain(struct certq *c)
{
    int64_t until = clock_monotonic_ms() + DEADLINE_MS;
    while (certq_in_flight(c) && clock_monotonic_ms() < until)
        certq_poll(c, 1000);
    assert_int_equal(certq_in_flight(c), 0);
}

/* ---- scripts ---- */

static void does_it(struct straw *s, struct heard *h, size_t n)
{
    (void)n;
    accept_it(s, h);
    finish_it(s, h);
}

static void only_accepts(struct straw *s, struct heard *h, size_t n)
{
    (void)n;
    accept_it(s, h);
}

static void is_silent(struct straw *s, struct heard *h, size_t n)
{
    (void)s;
    (void)h;
    (void)n;
}

static void loses_two(struct straw *s, struct heard *h, size_t n)
{
    if (n >= 2)
        does_it(s, h, n);
}

static void loses_the_end(struct straw *s, struct heard *h, size_t n)
{
    accept_it(s, h);
    if (n >= 2)
        finish_it(s, h);
}

static void is_busy_thrice(struct straw *s, struct heard *h, size_t n)
{
    if (n < 3)
        reject_it(s, h, n == 1 ? "unavailable" : "busy");
    else
        does_it(s, h, n);
}

static void is_unavailable(struct straw *s, struct heard *h, size_t n)
{
    (void)n;
    reject_it(s, h, "unavailable");
}

static void rejects(struct straw *s, struct heard *h, size_t n)
{
    (void)n;
    reject_it(s, h, "bad-request");
}

static void rejects_without_id(struct straw *s, struct heard *h, size_t n)
{
    (void)n;
    reply(s, h, CLIENT_FINAL,
        "{\"state\":\"rejected\",\"error\":{\"code\":\"unknown-kind\",\"message\":\"no\"}}");
}

static void says_everything_twice(struct straw *s, struct heard *h, size_t n)
{
    does_it(s, h, n);
    accept_it(s, h);
    does_it(s, h, n);
}

static void talks_garbage_first(struct straw *s, struct heard *h, size_t n)
{
    struct bytes bad[][5] = {
        {bytes_of_text("x")},
        {bytes_of_text(""), bytes_of_text("MDPC01"), h->service, bytes_of_text("{}")},
        {bytes_of_text("MDPC02"), bytes_of_text("\007"), h->service, bytes_of_text("{}")},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service, bytes_of_text("{")},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service, bytes_of_text("\xff\xfe")},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service, bytes_of_text("[]")},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service,
            bytes_of_text("{\"id\":7,\"state\":[]}")},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service,
            bytes_of_text("{\"id\":\"0190a0b0-0000-7000-8000-000000000001\",\"state\":\"done\"}")},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        size_t count = 0;
        while (count < 5 && bad[i][count].data)
            count++;
        reply_frames(s, h, bad[i], count);
    }
    SAY(s, h, CLIENT_FINAL, "{\"id\":\"%s\",\"state\":\"odd\"}", h->id);
    SAY(s, h, CLIENT_FINAL, "{\"id\":\"%s\"}", h->id);
    does_it(s, h, n);
}

/* ---- submitting ---- */

static void submissions_end_once_whatever_one_broker_does(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        script *does;
        bool wants_end;
        size_t accepted, ended, gave_up, seen_least;
        const char *state, *code;
    } rows[] = {
        {"does it", does_it, true, 1, 1, 0, 1, "done", ""},
        {"accepts", only_accepts, false, 1, 0, 0, 1, "accepted", ""},
        {"loses two", loses_two, true, 1, 1, 0, 3, "done", ""},
        {"loses the end", loses_the_end, true, 1, 1, 0, 3, "done", ""},
        {"busy", is_busy_thrice, true, 1, 1, 0, 4, "done", ""},
        {"unavailable", is_unavailable, true, 0, 0, 1, 2, "", "unavailable"},
        {"silent", is_silent, true, 0, 0, 1, 2, "", "unavailable"},
        {"rejects", rejects, true, 0, 1, 0, 1, "rejected", "bad-request"},
        {"no id", rejects_without_id, true, 0, 1, 0, 1, "rejected", "unknown-kind"},
        {"twice", says_everything_twice, true, 1, 1, 0, 1, "done", ""},
        {"garbage", talks_garbage_first, true, 1, 1, 0, 1, "done", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct straw s;
        straw_start(&s, rows[i].does, NULL);
        struct told told;
        struct certq *c = open_client(
            &(struct setting){
                .endpoints = {s.endpoint}, .silence = 100, .again = 150, .give_up = 1500},
            &told);
        submit(c, "noop", rows[i].wants_end);
        drain(c);
        straw_stop(&s);
        if (told.accepted != rows[i].accepted || told.ended != rows[i].ended ||
            told.gave_up != rows[i].gave_up || s.seen < rows[i].seen_least ||
            strcmp(told.state, rows[i].state) != 0 || strcmp(told.code, rows[i].code) != 0)
            fail_msg("%s: %zu accepted %zu ended %zu gave up, %zu seen, %s %s", rows[i].name,
                told.accepted, told.ended, told.gave_up, s.seen, told.state, told.code);
        assert_false(s.bodies_differ);
        assert_string_equal(s.last_id, told.id);
        assert_ptr_equal(told.context, c);
        certq_close(c);
    }
}

static void what_is_asked_arrives(void **state)
{
    (void)state;
    struct straw s;
    straw_start(&s, does_it, NULL);
    struct told told;
    struct certq *c = open_client(&(struct setting){.endpoints = {s.endpoint}}, &told);
    struct certq_job job = {.kind = "issue",
        .id = "0190A0B0000070008000000000000001",
        .args = "{\"a\":1}",
        .at_ms = 1775001600000,
        .priority = 9,
        .wants_end = true};
    struct certq_error error;
    char id[CERTQ_ID_TEXT];
    assert_int_equal(certq_submit(c, &job, id, &error), 0);
    assert_int_equal(certq_submit(c, &job, id, &error), -1); /* in flight */
    assert_string_equal(error.code, "conflict");
    assert_string_equal(id, "0190a0b0-0000-7000-8000-000000000001");
    drain(c);
    straw_stop(&s);
    assert_string_equal(s.first_body,
        "{\"id\":\"0190a0b0-0000-7000-8000-000000000001\",\"at\":\"2026-04-01T00:00:00Z\","
        "\"priority\":9,\"args\":{\"a\":1}}");
    assert_non_null(strstr(told.json, "\"result\":{\"n\":1}"));

    const struct certq_job bad[] = {
        {.kind = "", .priority = -1},
        {.kind = "noop", .priority = 10},
        {.kind = "noop", .priority = -1, .id = "7"},
        {.kind = "noop", .priority = -1, .args = "{\"a\":"},
        {.kind = "noop", .priority = -1, .args = "[]"},
        {.kind = "noop", .priority = -1, .args = "{\"password\":7}"},
        {.kind = "noop",
            .priority = -1,
            .secrets = &(struct certq_secret){"passwort", "x", 1},
            .secret_count = 1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (certq_submit(c, &bad[i], NULL, &error) == 0)
            fail_msg("row %zu", i);
        assert_int_equal(error.fault, CERTQ_FAULT_USAGE);
    }
    assert_int_equal(certq_in_flight(c), 0);
    certq_close(c);
}

static void another_broker_is_asked(void **state)
{
    (void)state;
    static const struct {
        script *first;
        bool dead;
        int silence;
    } rows[] = {{is_silent, false, 200}, {is_unavailable, false, 5000}, {NULL, true, 5000}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        /* Where it starts is drawn, so more than one try. */
        for (int round = 0; round < 4; round++) {
            struct straw bad = {0}, good;
            straw_start(&bad, rows[i].dead ? is_silent : rows[i].first, NULL);
            straw_start(&good, does_it, NULL);
            if (rows[i].dead)
                straw_stop(&bad);
            struct told told;
            struct certq *c =
                open_client(&(struct setting){.endpoints = {bad.endpoint, good.endpoint},
                                .silence = rows[i].silence},
                    &told);
            for (int n = 0; n < 20; n++)
                submit(c, "noop", true);
            drain(c);
            assert_int_equal(told.ended, 20);
            assert_int_equal(told.accepted, 20);
            certq_close(c);
            straw_stop(&bad);
            straw_stop(&good);
        }
    }
}

static void a_broken_connection_is_noticed_before_silence(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct straw dying, good;
        straw_start(&dying, only_accepts, NULL);
        straw_start(&good, does_it, NULL);
        struct told told;
        struct certq *c = open_client(
            &(struct setting){
                .endpoints = {dying.endpoint, good.endpoint}, .silence = 60000, .again = 60000},
            &told);
        submit(c, "noop", true);
        int64_t until = clock_monotonic_ms() + DEADLINE_MS;
        while (told.accepted == 0 && clock_monotonic_ms() < until)
            certq_poll(c, 100);
        straw_stop(&dying);
        drain(c);
        assert_int_equal(told.ended, 1);
        assert_int_equal(told.accepted, 1);
        certq_close(c);
        straw_stop(&good);
    }
}

static void many_are_pipelined_within_bounds(void **state)
{
    (void)state;
    struct straw s;
    straw_start(&s, only_accepts, NULL);
    struct told told;
    struct certq *c =
        open_client(&(struct setting){.endpoints = {s.endpoint}, .in_flight = 100}, &told);
    for (int i = 0; i < 5000; i++) {
        submit(c, "noop", false);
        assert_true(certq_in_flight(c) <= 100);
    }
    drain(c);
    straw_stop(&s);
    assert_int_equal(told.accepted, 5000);
    assert_int_equal(s.seen, 5000);
    assert_int_equal(certq_poll(c, -1), 0);
    certq_close(c);
}

/* ---- secrets and keys ---- */

static char folder[64];
static char *path_of(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static void secrets_are_sealed_to_job_and_path(void **state)
{
    (void)state;
    AUTO_TEXT key = path_of("intake.key");
    AUTO_TEXT certificate = path_of("intake.pem");
    struct err err = {0};
    assert_int_equal(intake_generate(key, certificate, 1775001600000, &err), 0);
    struct straw s;
    straw_start(&s, does_it, NULL);
    struct told told;
    struct certq *c =
        open_client(&(struct setting){.endpoints = {s.endpoint}, .intake = certificate}, &told);
    struct certq_secret secret = {"password", "a secret one", 12};
    struct certq_job job = {.kind = "retrieve",
        .args = "{\"code\":\"another secret\",\"deep\":[{\"new\":null}]}",
        .secrets = &secret,
        .secret_count = 1,
        .priority = -1};
    struct certq_error error;
    assert_int_equal(certq_submit(c, &job, NULL, &error), 0);
    drain(c);
    straw_stop(&s);
    certq_close(c);
    assert_null(strstr(s.first_body, "secret"));

    AUTO_TYPE(json, json_t) *body = NULL;
    assert_int_equal(json_parse_object(bytes_of_text(s.first_body), &body, &err), 0);
    AUTO(seal_opener) opener = NULL;
    assert_int_equal(seal_opener_load(key, certificate, &opener, &err), 0);
    struct uuid id;
    assert_true(uuid_parse(json_text_at(body, "id"), 36, &id));
    static const char *const paths[][2] = {
        {"password", "a secret one"}, {"code", "another secret"}};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        AUTO(secret) opened = NULL;
        AUTO_TEXT at = mem_printf("args.%s.sealed", paths[i][0]);
        const char *sealed = json_text_at(body, at);
        assert_non_null(sealed);
        if (unseal_text(opener, &id, paths[i][0], bytes_of_text(sealed), &opened, &err))
            fail_msg("%s", err.text);
        assert_string_equal((const char *)opened->data, paths[i][1]);
    }
    unlink(key);
    unlink(certificate);
}

static void plain_secrets_stay_near(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint;
        int result;
    } rows[] = {
        {"tcp://127.0.0.1:9", 0},
        {"tcp://127.1.2.3:9", 0},
        {"tcp://localhost:9", 0},
        {"ipc:///tmp/certq-no-such-socket", 0},
        {"tcp://192.0.2.1:7101", -1},
        {"tcp://127.0.0.1.example.jp:7101", -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct told told;
        struct certq *c = open_client(&(struct setting){.endpoints = {rows[i].endpoint}}, &told);
        struct certq_job job = {
            .kind = "retrieve", .args = "{\"a\":[{\"password\":\"x\"}]}", .priority = -1};
        struct certq_error error = {0};
        if (certq_submit(c, &job, NULL, &error) != rows[i].result)
            fail_msg("%s: %s", rows[i].endpoint, error.text);
        certq_close(c);
    }
}

static void curve_is_spoken_and_wrong_keys_are_told(void **state)
{
    (void)state;
    AUTO_TEXT server_file = path_of("server");
    AUTO_TEXT client_file = path_of("client");
    struct err err = {0};
    AUTO(curve_pair) server = NULL;
    AUTO(curve_pair) client = NULL;
    assert_int_equal(curve_generate(server_file, &err), 0);
    assert_int_equal(curve_generate(client_file, &err), 0);
    assert_int_equal(curve_load(server_file, &server, &err), 0);
    assert_int_equal(curve_load(client_file, &client, &err), 0);
    struct straw s;
    straw_start(&s, does_it, server);
    struct told told;
    struct certq *c = open_client(
        &(struct setting){
            .endpoints = {s.endpoint}, .keys = {curve_public(server)}, .curve = client_file},
        &told);
    submit(c, "noop", true);
    drain(c);
    assert_int_equal(told.ended, 1);
    certq_close(c);

    c = open_client(&(struct setting){.endpoints = {s.endpoint},
                        .keys = {curve_public(client)},
                        .curve = client_file,
                        .give_up = 1000},
        &told);
    submit(c, "noop", true);
    drain(c);
    assert_int_equal(told.gave_up, 1);
    char *description = certq_describe(c);
    assert_non_null(strstr(description, s.endpoint));
    assert_null(strstr(description, "connected, "));
    free(description);
    certq_close(c);
    straw_stop(&s);

    struct certq_broker broker = {"tcp://127.0.0.1:9", curve_public(server)};
    struct certq_options o = {.brokers = &broker, .broker_count = 1};
    struct certq_error error;
    assert_int_equal(certq_open(&o, &c, &error), -1);
    assert_non_null(strstr(error.text, "no key pair of our own"));
    o.curve_key_file = "/nonexistent/key";
    assert_int_equal(certq_open(&o, &c, &error), -1);
    broker = (struct certq_broker){"nonsense", NULL};
    o.curve_key_file = NULL;
    assert_int_equal(certq_open(&o, &c, &error), -1);
    assert_non_null(strstr(error.text, "nonsense"));
    o.broker_count = 0;
    assert_int_equal(certq_open(&o, &c, &error), -1);
    unlink(server_file);
    unlink(client_file);
}

/* ---- calls ---- */

static void answers_calls(struct straw *s, struct heard *h, size_t n)
{
    const char *op = json_text_at(h->json, "op");
    if (strcmp(op, "list") == 0) {
        SAY(s, h, CLIENT_FINAL, "{\"ok\":true,\"tag\":\"%s\",\"result\":{\"jobs\":[]}}",
            "0190a0b0-0000-7000-8000-000000000001"); /* a late one, of another call */
        SAY(s, h, CLIENT_FINAL, "{\"ok\":true,\"tag\":\"%s\",\"result\":{\"jobs\":[1]}}", h->id);
    } else if (strcmp(op, "lost") == 0) {
        if (n % 3 == 2)
            SAY(s, h, CLIENT_FINAL, "{\"ok\":true,\"tag\":\"%s\",\"result\":{}}", h->id);
    } else if (strcmp(op, "busy") == 0) {
        SAY(s, h, CLIENT_FINAL,
            "{\"tag\":\"%s\",\"error\":{\"code\":\"busy\",\"message\":\"much to do\"}}", h->id);
    } else if (strcmp(op, "untagged") == 0) {
        SAY(s, h, CLIENT_FINAL, "{\"error\":{\"code\":\"forbidden\",\"message\":\"not you\"}}");
    } else if (strcmp(op, "show") == 0) {
        SAY(s, h, CLIENT_FINAL,
            "{\"tag\":\"%s\",\"error\":{\"code\":\"not-found\",\"message\":\"no such job\"}}",
            h->id);
    } else if (strcmp(op, "empty") == 0) {
        SAY(s, h, CLIENT_FINAL, "{\"tag\":\"%s\",\"ok\":true}", h->id);
    } else if (strcmp(op, "wait") == 0) {
        SAY(s, h, CLIENT_PARTIAL,
            "{\"ok\":true,\"tag\":\"%s\",\"result\":{\"id\":\"%s\",\"state\":\"running\"}}", h->id,
            json_text_at(h->json, "id"));
        if (n > 0)
            SAY(s, h, CLIENT_FINAL,
                "{\"ok\":true,\"tag\":\"%s\",\"result\":{\"id\":\"%s\",\"state\":\"done\"}}", h->id,
                json_text_at(h->json, "id"));
    }
}

static void calls_bring_results_and_errors(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *result; /* or */
        enum certq_fault fault;
        const char *code;
    } rows[] = {
        {"{\"op\":\"list\"}", "{\"jobs\":[1]}", CERTQ_FAULT_NONE, ""},
        {"{\"op\":\"lost\"}", "{}", CERTQ_FAULT_NONE, ""},
        {"{\"op\":\"busy\"}", NULL, CERTQ_FAULT_UNREACHABLE, "busy"},
        {"{\"op\":\"untagged\"}", NULL, CERTQ_FAULT_REFUSED, "forbidden"},
        {"{\"op\":\"show\"}", NULL, CERTQ_FAULT_REFUSED, "not-found"},
        {"{\"op\":\"empty\"}", NULL, CERTQ_FAULT_UNREACHABLE, "unavailable"},
        {"{\"op\":\"silence\"}", NULL, CERTQ_FAULT_UNREACHABLE, "unavailable"},
        {"{\"op\"", NULL, CERTQ_FAULT_USAGE, "bad-request"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct straw s;
        straw_start(&s, answers_calls, NULL);
        struct told told;
        struct certq *c = open_client(
            &(struct setting){.endpoints = {s.endpoint}, .silence = 150, .give_up = 1200}, &told);
        char *result = NULL;
        struct certq_error error = {0};
        int failed = certq_call(c, "certq.job", rows[i].request, 0, &result, &error);
        if ((failed != 0) != (rows[i].result == NULL) || error.fault != rows[i].fault ||
            strcmp(error.code, rows[i].code) != 0)
            fail_msg("%s: %d %s: %s", rows[i].request, failed, error.code, error.text);
        if (!failed)
            assert_string_equal(result, rows[i].result);
        free(result);
        certq_close(c);
        straw_stop(&s);
    }
}

static void waiting_asks_again_until_the_end(void **state)
{
    (void)state;
    struct straw s;
    straw_start(&s, answers_calls, NULL);
    struct told told;
    struct certq *c = open_client(
        &(struct setting){.endpoints = {s.endpoint}, .silence = 100, .again = 100}, &told);
    char *result = NULL;
    struct certq_error error;
    const char *id = "0190a0b0-0000-7000-8000-000000000001";
    if (certq_wait(c, id, DEADLINE_MS, &result, &error))
        fail_msg("%s", error.text);
    assert_string_equal(
        result, "{\"id\":\"0190a0b0-0000-7000-8000-000000000001\",\"state\":\"done\"}");
    free(result);
    assert_true(s.seen >= 2);
    straw_stop(&s);
    certq_close(c);

    straw_start(&s, answers_calls, NULL);
    c = open_client(&(struct setting){.endpoints = {s.endpoint}}, &told);
    assert_int_equal(certq_wait(c, id, 500, &result, &error), -1);
    assert_int_equal(error.fault, CERTQ_FAULT_TIMED_OUT);
    straw_stop(&s);
    certq_close(c);

    c = open_client(&(struct setting){.endpoints = {s.endpoint}, .give_up = 300}, &told);
    assert_int_equal(certq_wait(c, id, -1, &result, &error), -1);
    assert_int_equal(error.fault, CERTQ_FAULT_UNREACHABLE);
    assert_int_equal(certq_wait(c, "x", -1, &result, &error), -1);
    assert_int_equal(error.fault, CERTQ_FAULT_USAGE);
    certq_close(c);
    certq_close(NULL);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/certq-client-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submissions_end_once_whatever_one_broker_does),
        cmocka_unit_test(what_is_asked_arrives),
        cmocka_unit_test(another_broker_is_asked),
        cmocka_unit_test(a_broken_connection_is_noticed_before_silence),
        cmocka_unit_test(many_are_pipelined_within_bounds),
        cmocka_unit_test(secrets_are_sealed_to_job_and_path),
        cmocka_unit_test(plain_secrets_stay_near),
        cmocka_unit_test(curve_is_spoken_and_wrong_keys_are_told),
        cmocka_unit_test(calls_bring_results_and_errors),
        cmocka_unit_test(waiting_asks_again_until_the_end),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

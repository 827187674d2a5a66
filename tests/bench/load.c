/*
 * certq-load: a pipelining Majordomo 0.2 client for scripts/bench. Keeps `--outstanding` requests
 * in flight until --seconds are over, then waits for the rest (bounded), and prints one JSON line.
 *
 *   certq-load --endpoint tcp://127.0.0.1:7101 --kind noop --outstanding 256 --seconds 10
 *              [--count N] [--final] [--ids v4] [--args FILE] [--bytes 300] [--prefix TEXT]
 *              [--first N]
 *
 * Without --final a request counts when it is durably accepted; with it, when its final answer
 * came. In args, the text %ID% is replaced by the prefix (the time of the start unless given) and
 * the request's number (from --first), so that each is another subscriber. --count ends it earlier.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/uuid.h"
#include "tool.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

enum { WAIT_MOST_MS = 60000, LATENCIES_MOST = 2000000 };

struct load {
    const char *endpoint, *kind;
    char *args;
    const char *prefix;
    int64_t ms;
    long outstanding, bytes, count, first;
    bool wants_final, v4;
    void *socket;
    long sent, accepted, finals, errors, in_flight;
    char first_error[400];
    struct latencies latencies; /* with one outstanding */
    int64_t sent_us, last_us;
};

static struct uuid draw_id(const struct load *l)
{
    if (!l->v4)
        return uuid_new();
    struct uuid id;
    random_bytes(id.b, sizeof id.b);
    id.b[6] = (uint8_t)((id.b[6] & 0x0f) | 0x40);
    id.b[8] = (uint8_t)((id.b[8] & 0x3f) | 0x80);
    return id;
}

static void write_args(const struct load *l, long number, struct buf *ret)
{
    const char *p = l->args, *place;
    while ((place = strstr(p, "%ID%"))) {
        buf_add(ret, p, (size_t)(place - p));
        buf_printf(ret, "%s%ld", l->prefix, l->first + number);
        p = place + 4;
    }
    buf_add_text(ret, p);
}

static void send_one(struct load *l, struct buf *body)
{
    const struct uuid id = draw_id(l);
    buf_clear(body);
    buf_printf(body, "{\"id\":\"%s\",\"args\":", uuid_s(&id));
    write_args(l, l->sent, body);
    buf_add_char(body, '}');
    zmq_send(l->socket, "MDPC02", 6, ZMQ_SNDMORE);
    zmq_send(l->socket, "\x01", 1, ZMQ_SNDMORE);
    zmq_send(l->socket, l->kind, strlen(l->kind), ZMQ_SNDMORE);
    zmq_send(l->socket, body->data, body->length, 0);
    l->sent_us = clock_monotonic_us();
    l->sent++;
    l->in_flight++;
}

static bool contains(const char *text, size_t length, const char *word)
{
    return memmem(text, length, word, strlen(word)) != NULL;
}

static void take_answer(struct load *l, bool is_final, const char *body, size_t length)
{
    bool bad = contains(body, length, "\"rejected\"") || contains(body, length, "\"refused\"") ||
               contains(body, length, "\"dead\"");
    if (bad) {
        if (!l->errors++)
            snprintf(l->first_error, sizeof l->first_error, "%.*s", (int)length, body);
        if (l->wants_final || !is_final || contains(body, length, "\"rejected\""))
            l->in_flight--;
        return;
    }
    if (is_final)
        l->finals++;
    else
        l->accepted++;
    if (is_final != l->wants_final)
        return;
    l->in_flight--;
    l->last_us = clock_monotonic_us();
    if (l->outstanding == 1)
        latencies_add(&l->latencies, l->last_us - l->sent_us);
}

static void receive_all(struct load *l, long wait_ms)
{
    zmq_pollitem_t item = {l->socket, 0, ZMQ_POLLIN, 0};
    zmq_poll(&item, 1, wait_ms);
    for (;;) {
        zmq_msg_t frame;
        bool is_final = false, more = true;
        for (int i = 0; more; i++) {
            zmq_msg_init(&frame);
            if (zmq_msg_recv(&frame, l->socket, ZMQ_DONTWAIT) < 0) {
                zmq_msg_close(&frame);
                return;
            }
            more = zmq_msg_more(&frame);
            const char *data = zmq_msg_data(&frame);
            if (i == 1)
                is_final = zmq_msg_size(&frame) == 1 && data[0] == 3;
            if (i == 3)
                take_answer(l, is_final, data, zmq_msg_size(&frame));
            zmq_msg_close(&frame);
        }
    }
}

static void report(struct load *l, int64_t started_us)
{
    long count = l->wants_final ? l->finals : l->accepted;
    double seconds = (double)(l->last_us - started_us) / 1e6;
    printf("{\"kind\":\"%s\",\"count\":%ld,\"seconds\":%.3f,\"rate\":%.0f,\"errors\":%ld,"
           "\"missing\":%ld",
        l->kind, count, seconds, seconds > 0 ? (double)count / seconds : 0, l->errors,
        l->in_flight);
    latencies_print(&l->latencies);
    printf("}\n");
    if (l->errors)
        fprintf(stderr, "certq-load: %ld errors; the first: %s\n", l->errors, l->first_error);
}

static void run(struct load *l)
{
    AUTO_BUF body = {0};
    int64_t started = clock_monotonic_us(), end = started + l->ms * 1000;
    while (clock_monotonic_us() < end && (l->sent < l->count || l->in_flight > 0)) {
        while (l->in_flight < l->outstanding && l->sent < l->count)
            send_one(l, &body);
        receive_all(l, 100);
    }
    int64_t patience = clock_monotonic_ms() + WAIT_MOST_MS;
    while (l->in_flight > 0 && clock_monotonic_ms() < patience)
        receive_all(l, 100);
    report(l, started);
}

static char *filler(long bytes)
{
    AUTO_BUF args = {0};
    buf_add_text(&args, "{\"note\":\"");
    while ((long)args.length < bytes - 2)
        buf_add_char(&args, (char)('a' + args.length % 26));
    buf_add_text(&args, "\"}");
    return buf_take_text(&args);
}

int main(int argc, char **argv)
{
    struct load l = {
        .kind = "noop", .outstanding = 256, .ms = 5000, .bytes = 300, .count = LONG_MAX};
    const char *file = NULL;
    static const struct option options[] = {{"endpoint", 1, 0, 'e'}, {"kind", 1, 0, 'k'},
        {"outstanding", 1, 0, 'o'}, {"seconds", 1, 0, 's'}, {"bytes", 1, 0, 'b'},
        {"args", 1, 0, 'a'}, {"final", 0, 0, 'f'}, {"ids", 1, 0, 'i'}, {"count", 1, 0, 'c'},
        {"prefix", 1, 0, 'p'}, {"first", 1, 0, 'n'}, {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'e':
            l.endpoint = optarg;
            break;
        case 'k':
            l.kind = optarg;
            break;
        case 'o':
            l.outstanding = tool_number(optarg, 1, 100000);
            break;
        case 's':
            l.ms = tool_seconds_ms(optarg);
            break;
        case 'b':
            l.bytes = tool_number(optarg, 12, 60000);
            break;
        case 'a':
            file = optarg;
            break;
        case 'c':
            l.count = tool_number(optarg, 1, 10000000);
            break;
        case 'n':
            l.first = tool_number(optarg, 0, 1000000000);
            break;
        case 'p':
            l.prefix = optarg;
            break;
        case 'f':
            l.wants_final = true;
            break;
        case 'i':
            l.v4 = strcmp(optarg, "v4") == 0;
            break;
        default:
            return 64;
        }
    }
    if (!l.endpoint)
        return 64;
    struct err err = {0};
    AUTO_BUF text = {0};
    if (file && file_read(file, 65536, &text, &err)) {
        fprintf(stderr, "certq-load: %s\n", err.text);
        return 1;
    }
    l.args = file ? buf_take_text(&text) : filler(l.bytes);
    latencies_init(&l.latencies, LATENCIES_MOST);
    AUTO_TEXT start = mem_printf("%lld-", (long long)(clock_monotonic_us() % 100000000000));
    if (!l.prefix)
        l.prefix = start;
    void *context = zmq_ctx_new();
    l.socket = zmq_socket(context, ZMQ_DEALER);
    const int zero = 0;
    zmq_setsockopt(l.socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(l.socket, ZMQ_SNDHWM, &zero, sizeof zero);
    zmq_setsockopt(l.socket, ZMQ_RCVHWM, &zero, sizeof zero);
    if (zmq_connect(l.socket, l.endpoint)) {
        fprintf(stderr, "certq-load: %s: %s\n", l.endpoint, zmq_strerror(zmq_errno()));
        return 1;
    }
    run(&l);
    zmq_close(l.socket);
    zmq_ctx_term(context);
    free(l.args);
    latencies_clear(&l.latencies);
    return l.errors || l.in_flight ? 1 : 0;
}

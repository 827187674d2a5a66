#include "wire/client.h"

#include <string.h>

#define MDP01 "MDPC01"
#define MDP02 "MDPC02"
#define MDP02_REQUEST 0x01
#define MDP02_PARTIAL 0x02
#define MDP02_FINAL 0x03

static bool is_text(struct bytes frame, const char *text)
{
    return bytes_equal(frame, bytes_of_text(text));
}

static int parse_service(
    struct bytes frame, size_t number, struct client_request *r, struct err *err)
{
    if (frame.length == 0)
        return err_set(err, ERR_INPUT, NULL, "frame %zu (service) is empty", number);
    if (frame.length > CLIENT_SERVICE_MAX)
        return err_set(err, ERR_INPUT, NULL,
            "frame %zu (service) has %zu bytes, at most %d are taken", number, frame.length,
            CLIENT_SERVICE_MAX);
    for (size_t i = 0; i < frame.length; i++)
        if (frame.data[i] <= ' ' || frame.data[i] > '~')
            return err_set(err, ERR_INPUT, NULL,
                "frame %zu (service) has byte 0x%02x; printable ASCII is wanted", number,
                frame.data[i]);
    r->service = frame;
    return 0;
}

static int parse_version(const struct bytes *frames, size_t count, struct client_request *r,
    size_t *ret_at, struct err *err)
{
    r->empty_frame = count > 0 && frames[0].length == 0;
    size_t at = r->empty_frame ? 1 : 0;
    if (at >= count)
        return err_set(
            err, ERR_INPUT, NULL, "the message ends before frame %zu (MDPC01 or MDPC02)", at);
    if (is_text(frames[at], MDP01))
        r->version = CLIENT_MDP01;
    else if (is_text(frames[at], MDP02))
        r->version = CLIENT_MDP02;
    else
        return err_set(err, ERR_INPUT, NULL, "frame %zu is neither MDPC01 nor MDPC02", at);
    *ret_at = at + 1;
    return 0;
}

/* 0.2 has a command frame between the version and the service. */
static int parse_command(struct bytes frame, size_t number, struct err *err)
{
    if (frame.length != 1)
        return err_set(err, ERR_INPUT, NULL, "frame %zu (command) has %zu bytes, one is wanted",
            number, frame.length);
    if (frame.data[0] != MDP02_REQUEST)
        return err_set(err, ERR_INPUT, NULL,
            "frame %zu (command) is 0x%02x; a client sends only 0x01 (REQUEST)", number,
            frame.data[0]);
    return 0;
}

int client_request_parse(
    const struct bytes *frames, size_t count, struct client_request *ret, struct err *err)
{
    *ret = (struct client_request){0};
    size_t at = 0;
    if (parse_version(frames, count, ret, &at, err))
        return -1;
    size_t command = at;
    if (ret->version == CLIENT_MDP02)
        at++;
    if (at >= count)
        return err_set(err, ERR_INPUT, NULL, "the message ends before frame %zu (%s)", count,
            count == command && ret->version == CLIENT_MDP02 ? "command" : "service");
    /* The service first, so that whatever else is wrong can be answered. */
    if (parse_service(frames[at], at, ret, err))
        return -1;
    if (ret->version == CLIENT_MDP02 && parse_command(frames[command], command, err))
        return -1;
    if (ret->version == CLIENT_MDP01 && !ret->empty_frame)
        return err_set(err, ERR_INPUT, NULL, "MDP 0.1: frame 0 must be empty (RFC 7)");
    size_t bodies = count - at - 1;
    if (bodies > CLIENT_FRAMES_MAX)
        return err_set(err, ERR_INPUT, "too-large", "%zu body frames, at most %d are taken", bodies,
            CLIENT_FRAMES_MAX);
    for (size_t i = 0; i < bodies; i++)
        ret->body[i] = frames[at + 1 + i];
    ret->body_count = bodies;
    return 0;
}

size_t client_envelope(enum client_version version, bool empty_frame, enum client_answer answer,
    struct bytes service, struct bytes frames[static 4])
{
    static const uint8_t partial = MDP02_PARTIAL, final = MDP02_FINAL;
    size_t n = 0;
    if (version == CLIENT_MDP01) {
        frames[n++] = bytes_of_text("");
        frames[n++] = bytes_of_text(MDP01);
    } else {
        if (empty_frame)
            frames[n++] = bytes_of_text("");
        frames[n++] = bytes_of_text(MDP02);
        frames[n++] = (struct bytes){answer == CLIENT_PARTIAL ? &partial : &final, 1};
    }
    frames[n++] = service;
    return n;
}

size_t client_request_envelope(struct bytes service, struct bytes frames[static 3])
{
    static const uint8_t request = MDP02_REQUEST;
    frames[0] = bytes_of_text(MDP02);
    frames[1] = (struct bytes){&request, 1};
    frames[2] = service;
    return 3;
}

int client_reply_parse(
    const struct bytes *frames, size_t count, struct client_reply *ret, struct err *err)
{
    struct client_request r = {0};
    size_t at = 0;
    if (parse_version(frames, count, &r, &at, err))
        return -1;
    if (r.version != CLIENT_MDP02)
        return err_set(err, ERR_INPUT, NULL, "frame %zu is MDPC01; this client speaks 0.2", at - 1);
    if (count - at < 2)
        return err_set(err, ERR_INPUT, NULL, "the answer ends before frame %zu (%s)", count,
            count == at ? "command" : "service");
    struct bytes command = frames[at];
    if (command.length != 1 || (command.data[0] != MDP02_PARTIAL && command.data[0] != MDP02_FINAL))
        return err_set(
            err, ERR_INPUT, NULL, "frame %zu (command) is neither PARTIAL nor FINAL", at);
    if (parse_service(frames[at + 1], at + 1, &r, err))
        return -1;
    *ret = (struct client_reply){
        .answer = command.data[0] == MDP02_PARTIAL ? CLIENT_PARTIAL : CLIENT_FINAL,
        .service = r.service,
        .body = count > at + 2 ? frames[at + 2] : (struct bytes){0},
    };
    return 0;
}

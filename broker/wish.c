#include "wish.h"

#include "broker.h"
#include "metrics.h"

#include "base/json.h"

bool wish_ends_accepted(const struct wish *wish)
{
    return wish->style == WISH_TITANIC || wish->accept_only;
}

bool wish_says_accepted(const struct wish *wish)
{
    return wish_ends_accepted(wish) ||
           (wish->style == WISH_JOB && wish->asker.version == CLIENT_MDP02);
}

static void send_one(
    struct broker *b, const struct wish *wish, enum client_answer answer, const struct buf *text)
{
    struct bytes frame = buf_bytes(text);
    client_send(b, &wish->asker, answer, &frame, 1);
}

void wish_accepted(struct broker *b, const struct wish *wish, const struct uuid *id)
{
    if (wish->style == WISH_TITANIC) {
        char hex[33];
        uuid_format_hex(id, hex);
        struct bytes frames[] = {bytes_of_text("200"), {(const uint8_t *)hex, 32}};
        client_send(b, &wish->asker, CLIENT_FINAL, frames, 2);
        return;
    }
    AUTO_BUF text = {0};
    answer_write(id, "accepted", (struct bytes){0}, &text);
    send_one(b, wish, wish->accept_only ? CLIENT_FINAL : CLIENT_PARTIAL, &text);
}

static void add_tag(const struct wish *wish, struct buf *ret)
{
    if (wish->tag.length) {
        buf_add_text(ret, ",\"tag\":");
        buf_add(ret, wish->tag.data, wish->tag.length);
    }
    buf_add_char(ret, '}');
}

void wish_op_done(
    struct broker *b, const struct wish *wish, enum client_answer answer, struct bytes result)
{
    AUTO_BUF text = {0};
    buf_add_text(&text, "{\"ok\":true,\"result\":");
    if (result.length)
        buf_add(&text, result.data, result.length);
    else
        buf_add_text(&text, "{}");
    add_tag(wish, &text);
    send_one(b, wish, answer, &text);
}

/* error: {"code","message",…} as JSON. */
static void send_op_error(struct broker *b, const struct wish *wish, struct bytes error)
{
    AUTO_BUF text = {0};
    buf_add_text(&text, "{\"error\":");
    buf_add(&text, error.data, error.length);
    add_tag(wish, &text);
    send_one(b, wish, CLIENT_FINAL, &text);
}

void wish_op_failed(struct broker *b, const struct wish *wish, const char *code, const char *text)
{
    AUTO_TYPE(json, json_t) *error = json_pack("{s:s, s:s}", "code", code, "message", text);
    if (!error) /* not UTF-8: somebody's bytes are quoted in it */
        error = json_pack("{s:s, s:s}", "code", code, "message", "the request is not UTF-8");
    AUTO_BUF json = {0};
    json_write(error, &json);
    send_op_error(b, wish, buf_bytes(&json));
}

void wish_end(struct broker *b, const struct wish *wish, const struct uuid *id,
    enum job_state state, struct bytes result)
{
    AUTO_BUF text = {0};
    switch (wish->style) {
    case WISH_TITANIC:
        return;
    case WISH_INSPECT:
        if (state == JOB_DONE)
            wish_op_done(b, wish, CLIENT_FINAL, result);
        else if (result.length)
            send_op_error(b, wish, result);
        else
            wish_op_failed(b, wish, "unavailable", "the question was not answered");
        return;
    case WISH_OP:
        answer_write(id, job_state_name(state), result, &text);
        wish_op_done(b, wish, CLIENT_FINAL, buf_bytes(&text));
        return;
    case WISH_JOB:
        break;
    }
    answer_write(id, job_state_name(state), result, &text);
    send_one(b, wish, CLIENT_FINAL, &text);
}

/* RFC 9: 400 is the asker's fault, 500 is ours. */
static void send_titanic_error(struct broker *b, const struct wish *wish, const struct err *err)
{
    AUTO_BUF text = {0};
    answer_error_write(NULL, "rejected", err->code, err->text, &text);
    const char *status = err->kind == ERR_TEMPORARY ? "500" : "400";
    struct bytes frames[] = {bytes_of_text(status), buf_bytes(&text)};
    client_send(b, &wish->asker, CLIENT_FINAL, frames, 2);
    metric_refused(err->code);
}

void wish_reject(
    struct broker *b, const struct wish *wish, const struct uuid *id_or_null, const struct err *err)
{
    switch (wish->style) {
    case WISH_TITANIC:
        send_titanic_error(b, wish, err);
        return;
    case WISH_OP:
    case WISH_INSPECT:
        metric_refused(err->code);
        wish_op_failed(b, wish, err->code, err->text);
        return;
    case WISH_JOB:
        break;
    }
    client_reject(b, &wish->asker, id_or_null, err);
}

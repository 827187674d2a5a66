#include "base/clock.h"
#include "base/mem.h"
#include "handle.h"

#include <string.h>

static char *json_text(const json_t *value)
{
    struct buf text = {0};
    json_write(value, &text);
    return buf_take_text(&text);
}

/* The request's end in the caller's hands: its result, or why there is none. */
static int take_end(struct request *r, json_t **ret, struct certq_error *error)
{
    struct err err = r->refusal;
    if (!r->answer)
        return error_give(error, CERTQ_FAULT_UNREACHABLE, &err);
    const char *code = json_text_at(r->answer, "error.code");
    const char *message = json_text_at(r->answer, "error.message");
    if (code) {
        err_set(&err, ERR_INPUT, code, "%s", message ? message : code);
        return error_give(error, error_fault(code), &err);
    }
    json_t *result = json_object_get(r->answer, "result");
    if (!json_is_object(result)) {
        err_set(&err, ERR_TEMPORARY, "unavailable", "the broker's answer has no result");
        return error_give(error, CERTQ_FAULT_UNREACHABLE, &err);
    }
    *ret = json_incref(result);
    return 0;
}

/*
 * Sends `body` with a tag until it is answered. accept_ms: for so long somebody must at least take
 * it; end_ms: for so long it may take (-1: for ever).
 */
static int run(struct certq *c, const char *service, json_t *body, int64_t accept_ms,
    int64_t end_ms, json_t **ret, struct certq_error *error)
{
    struct err err = {0};
    int64_t now_ms = clock_monotonic_ms();
    struct request *r = request_new(service);
    r->is_call = true;
    r->id = uuid_new();
    r->give_up_ms = now_ms + accept_ms;
    json_object_set_new(body, "tag", json_string(uuid_s(&r->id)));
    json_write(body, &r->body);
    if (handle_add(c, r, &err))
        return error_give(error, CERTQ_FAULT_USAGE, &err);
    int64_t until_ms = end_ms < 0 ? INT64_MAX : now_ms + end_ms;
    while (!r->has_ended && now_ms < until_ms) {
        handle_turn(c, until_ms == INT64_MAX ? -1 : until_ms - now_ms);
        now_ms = clock_monotonic_ms();
    }
    int result;
    if (!r->has_ended && r->is_accepted) {
        err_set(&err, ERR_TEMPORARY, "timed-out", "it has not ended in time");
        result = error_give(error, CERTQ_FAULT_TIMED_OUT, &err);
    } else {
        if (!r->has_ended)
            handle_give_up(c, r);
        result = take_end(r, ret, error);
    }
    handle_remove(c, r);
    return result;
}

int certq_call(struct certq *c, const char *service, const char *request, int timeout_ms,
    char **ret, struct certq_error *error)
{
    struct err err = {0};
    AUTO_TYPE(json, json_t) *body = NULL, *result = NULL;
    if (json_parse_object(bytes_of_text(request), &body, &err)) {
        err_context(&err, "request");
        return error_give(error, CERTQ_FAULT_USAGE, &err);
    }
    int64_t ms = timeout_ms > 0 ? timeout_ms : c->give_up_ms;
    if (run(c, service, body, ms, ms, &result, error))
        return -1;
    *ret = json_text(result);
    return 0;
}

int certq_wait(
    struct certq *c, const char *id, int timeout_ms, char **ret, struct certq_error *error)
{
    struct err err = {0};
    struct uuid parsed;
    if (!uuid_parse(id, strlen(id), &parsed)) {
        err_set(&err, ERR_INPUT, NULL, "id %.64s: no UUID", id);
        return error_give(error, CERTQ_FAULT_USAGE, &err);
    }
    AUTO_TYPE(json, json_t) *body = json_object(), *result = NULL;
    json_object_set_new(body, "op", json_string("wait"));
    json_object_set_new(body, "id", json_string(uuid_s(&parsed)));
    if (run(c, "certq.job", body, c->give_up_ms, timeout_ms, &result, error))
        return -1;
    *ret = json_text(result);
    return 0;
}

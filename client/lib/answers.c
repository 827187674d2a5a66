#include "base/random.h"
#include "handle.h"

#include <stdio.h>
#include <string.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MOST_MS 3000

static bool is_word(const char *text, const char *const *words)
{
    for (; text && *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool is_passing(const char *code)
{
    static const char *const codes[] = {"busy", "unavailable", NULL};
    return is_word(code, codes);
}

enum certq_fault error_fault(const char *code)
{
    return is_passing(code) ? CERTQ_FAULT_UNREACHABLE : CERTQ_FAULT_REFUSED;
}

int error_give(struct certq_error *error, enum certq_fault fault, const struct err *err)
{
    if (!error)
        return -1;
    error->fault = fault;
    memcpy(error->code, err->code, sizeof error->code);
    memcpy(error->text, err->text, sizeof error->text);
    return -1;
}

static const char *text_or_empty(const json_t *object, const char *path)
{
    const char *text = object ? json_text_at(object, path) : NULL;
    return text ? text : "";
}

/* ---- events ---- */

static void deliver(struct certq *c, const struct request *r, enum certq_event event,
    const json_t *json, struct bytes body)
{
    buf_clear(&c->text);
    buf_add(&c->text, body.data, body.length);
    char id[UUID_TEXT];
    struct certq_answer answer = {
        .id = uuid_format(&r->id, id),
        .context = r->context,
        .event = event,
        .state = text_or_empty(json, "state"),
        .error_code = json ? text_or_empty(json, "error.code") : r->refusal.code,
        .error_text = json ? text_or_empty(json, "error.message") : r->refusal.text,
        .json = buf_text(&c->text),
        .json_length = c->text.length,
    };
    c->delivered++;
    if (c->on_answer)
        c->on_answer(c->user, &answer);
}

void handle_give_up(struct certq *c, struct request *r)
{
    if (r->refusal.kind == ERR_NONE)
        err_set(&r->refusal, ERR_TEMPORARY, "unavailable", "%s",
            r->was_sent ? "no broker answered" : "no broker could be reached");
    if (r->is_call) {
        r->has_ended = true;
        return;
    }
    deliver(c, r, CERTQ_GAVE_UP, NULL, (struct bytes){0});
    handle_remove(c, r);
}

/* ---- what an answer says ---- */

static void back_off(struct certq *c, struct request *r, const json_t *json, int64_t now_ms)
{
    err_set(&r->refusal, ERR_TEMPORARY, text_or_empty(json, "error.code"), "%s",
        text_or_empty(json, "error.message"));
    int64_t ms = r->backoff_ms ? r->backoff_ms * 2 : BACKOFF_FIRST_MS;
    r->backoff_ms = ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS;
    if (r->link != NO_LINK)
        handle_avoid(c, r->link);
    r->link = NO_LINK;
    r->act_ms = now_ms + r->backoff_ms / 2 + (int64_t)random_below((uint64_t)r->backoff_ms);
}

/* Somebody has it: no giving up any more; ask again now and then. */
static void note_accepted(struct certq *c, struct request *r, int64_t now_ms)
{
    r->is_accepted = true;
    r->backoff_ms = 0;
    r->act_ms = now_ms + c->again_ms;
}

static void job_answer(struct certq *c, struct request *r, const struct client_reply *reply,
    const json_t *json, int64_t now_ms)
{
    static const char *const waiting[] = {"accepted", "ready", "scheduled", "running", NULL};
    static const char *const ended[] = {"done", "refused", "dead", "cancelled", "rejected", NULL};
    const char *state = json_text_at(json, "state");
    if (is_word(state, waiting)) {
        bool is_new = !r->is_accepted;
        note_accepted(c, r, now_ms);
        if (is_new)
            deliver(c, r, CERTQ_ACCEPTED, json, reply->body);
        if (!r->wants_end)
            handle_remove(c, r);
        return;
    }
    if (!is_word(state, ended))
        return; /* not in the protocol: the silence timer asks again */
    if (strcmp(state, "rejected") == 0 && is_passing(json_text_at(json, "error.code"))) {
        back_off(c, r, json, now_ms);
        return;
    }
    deliver(c, r, CERTQ_ENDED, json, reply->body);
    handle_remove(c, r);
}

static void call_answer(struct certq *c, struct request *r, const struct client_reply *reply,
    json_t *json, int64_t now_ms)
{
    if (r->has_ended)
        return;
    if (is_passing(json_text_at(json, "error.code"))) {
        back_off(c, r, json, now_ms);
        return;
    }
    if (reply->answer == CLIENT_PARTIAL) {
        note_accepted(c, r, now_ms);
        return;
    }
    r->answer = json_incref(json);
    r->has_ended = true;
}

static struct request *find(struct certq *c, const char *text, bool is_call)
{
    struct uuid id;
    if (!text || !uuid_parse(text, strlen(text), &id))
        return NULL;
    struct request *r = map_get(c->requests, &id);
    return r && r->is_call == is_call ? r : NULL;
}

/*
 * Whose is an error without id and tag? The service was refused before the body was read: of an
 * unknown kind, say. So it is as true of the oldest unanswered request for it as of any other.
 */
static struct request *find_unread(struct certq *c, struct bytes service)
{
    for (struct request *r = c->first; r; r = r->next)
        if (!r->is_accepted && !r->has_ended && bytes_equal(bytes_of_text(r->service), service))
            return r;
    return NULL;
}

void handle_answer(struct certq *c, const struct client_reply *reply, int64_t now_ms)
{
    AUTO_TYPE(json, json_t) *json = NULL;
    struct err err;
    if (json_parse_object(reply->body, &json, &err))
        return;
    const char *tag = json_text_at(json, "tag"), *id = json_text_at(json, "id");
    struct request *r = tag ? find(c, tag, true) : id ? find(c, id, false) : NULL;
    if (!r && !tag && !id && json_object_get(json, "error"))
        r = find_unread(c, reply->service);
    if (!r)
        return; /* a repeat, or an answer to what was given up */
    if (r->is_call)
        call_answer(c, r, reply, json, now_ms);
    else
        job_answer(c, r, reply, json, now_ms);
}

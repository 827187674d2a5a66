#include "admin.h"

#include "broker.h"
#include "call.h"
#include "intake.h"
#include "metrics.h"
#include "waits.h"
#include "workers.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

struct admin {
    struct call *first;
};

struct admin *admin_new(void)
{
    return MEM_NEW(struct admin);
}

/* ---- calls ---- */

static void unlink_call(struct admin *a, struct call *call)
{
    if (call->before)
        call->before->next = call->next;
    else
        a->first = call->next;
    if (call->next)
        call->next->before = call->before;
}

static void free_call(struct broker *b, struct call *call)
{
    unlink_call(b->admin, call);
    client_release(b->clients, call->wish.asker.client);
    free((void *)(uintptr_t)call->wish.tag.data);
    json_decref(call->body);
    json_decref(call->result);
    free(call);
}

void admin_free(struct broker *b, struct admin *a)
{
    if (!a)
        return;
    while (a->first)
        free_call(b, a->first);
    free(a);
}

void call_fail(struct broker *b, struct call *call, const char *code, const char *text)
{
    if (!call->is_answered) {
        metric_refused(code);
        wish_op_failed(b, &call->wish, code, text);
    }
    call->is_answered = true;
    if (!call->is_at_desk)
        free_call(b, call);
}

void call_finish(struct broker *b, struct call *call)
{
    if (!call->is_answered) {
        AUTO_BUF text = {0};
        json_write(call->result, &text);
        wish_op_done(b, &call->wish, CLIENT_FINAL, buf_bytes(&text));
    }
    call->is_answered = true;
    if (!call->is_at_desk)
        free_call(b, call);
}

static int run_call(struct task *task, struct db *db, struct err *err)
{
    struct call *call = (struct call *)task;
    return call->op->run(call, db, err);
}

static void fail(struct broker *b, struct call *call, const struct err *err)
{
    bool is_away = err->kind == ERR_TEMPORARY || err->kind == ERR_UNSURE;
    const char *code = is_away && strcmp(err->code, "busy") != 0 ? "unavailable" : err->code;
    call_fail(b, call, code, err->text);
}

static void done_call(struct task *task, struct broker *b)
{
    struct call *call = (struct call *)task;
    call->is_at_desk = false;
    struct err err = task->err;
    enum call_step step = CALL_DONE;
    if (err.kind && call->op->undo)
        call->op->undo(b, call);
    if (err.kind)
        step = CALL_FAILED;
    else if (call->op->finish)
        step = call->op->finish(b, call, &err);
    if (step == CALL_FAILED)
        fail(b, call, &err);
    else if (step == CALL_DONE)
        call_finish(b, call);
}

static void begin(struct broker *b, struct call *call)
{
    struct err err = {0};
    switch (call->op->begin(b, call, &err)) {
    case CALL_DONE:
        call_finish(b, call);
        return;
    case CALL_ASK:
        call->is_at_desk = true;
        call->task = (struct task){.run = run_call, .done = done_call};
        clerk_ask(b->desk, &call->task);
        return;
    case CALL_FAILED:
        fail(b, call, &err);
        return;
    case CALL_KEPT:
        return;
    }
}

/* ---- members ---- */

json_t *json_of_id(const struct uuid *id)
{
    return json_string(uuid_s(id));
}

json_t *json_of_time(int64_t ms)
{
    return json_string(clock_s(ms));
}

static int missing(const char *name, struct err *err)
{
    return err_set(err, ERR_INPUT, "bad-request", "%s: missing", name);
}

int call_text(
    const struct call *call, const char *name, bool is_needed, const char **ret, struct err *err)
{
    const json_t *value = json_object_get(call->body, name);
    if (!value)
        return is_needed ? missing(name, err) : 0;
    if (!json_is_string(value))
        return err_set(err, ERR_INPUT, "bad-request", "%s: a text is wanted", name);
    *ret = json_string_value(value);
    return 0;
}

int call_number(
    const struct call *call, const char *name, int least, int most, int *ret, struct err *err)
{
    const json_t *value = json_object_get(call->body, name);
    if (!value)
        return 0;
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < least || n > most)
        return err_set(
            err, ERR_INPUT, "bad-request", "%s: an integer %d..%d is wanted", name, least, most);
    *ret = (int)n;
    return 0;
}

int call_time(
    const struct call *call, const char *name, bool is_needed, int64_t *ret_ms, struct err *err)
{
    const char *text = NULL;
    if (call_text(call, name, is_needed, &text, err))
        return -1;
    if (text && !clock_parse(text, strlen(text), ret_ms))
        return err_set(err, ERR_INPUT, "bad-request", "%s: an RFC 3339 time is wanted", name);
    return 0;
}

static int read_id(const json_t *value, const char *name, struct uuid *ret, struct err *err)
{
    const char *text = json_string_value(value);
    if (!text || !uuid_parse(text, json_string_length(value), ret))
        return err_set(err, ERR_INPUT, "bad-request", "%s: a UUID is wanted", name);
    return 0;
}

int call_id(struct call *call, struct err *err)
{
    const json_t *value = json_object_get(call->body, "id");
    call->id_count = 1;
    return value ? read_id(value, "id", &call->ids[0], err) : missing("id", err);
}

int call_ids(struct call *call, struct err *err)
{
    const json_t *list = json_object_get(call->body, "ids");
    if (!list)
        return missing("ids", err);
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n < 1 || n > CALL_IDS_MOST)
        return err_set(
            err, ERR_INPUT, "bad-request", "ids: a list of 1..%d is wanted", CALL_IDS_MOST);
    for (size_t i = 0; i < n; i++)
        if (read_id(json_array_get(list, i), "ids", &call->ids[i], err))
            return -1;
    call->id_count = n;
    return 0;
}

/* ---- services ---- */

static bool is_listed(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
            return true;
    return false;
}

static int check_members(const struct call *call, struct err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(call->body, name, value)
    {
        if (strcmp(name, "op") != 0 && strcmp(name, "tag") != 0 &&
            !is_listed(call->op->members, name))
            return err_set(err, ERR_INPUT, "bad-request", "%.64s: %s %s has no such member", name,
                call->op->service, call->op->name);
    }
    return 0;
}

static const struct op *find_op(const char *service, const char *name)
{
    static const struct {
        const struct op *ops;
        const size_t *count;
    } tables[] = {
        {job_ops, &job_op_count}, {place_ops, &place_op_count}, {clock_ops, &clock_op_count}};
    for (size_t t = 0; t < ARRAY_LENGTH(tables); t++)
        for (size_t i = 0; i < *tables[t].count; i++)
            if (strcmp(tables[t].ops[i].service, service) == 0 &&
                strcmp(tables[t].ops[i].name, name) == 0)
                return &tables[t].ops[i];
    return NULL;
}

static const char *service_name(struct bytes service)
{
    static const char *const names[] = {
        "certq.job", "certq.queue", "certq.worker", "certq.broker", "certq.clock", "certq.inspect"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (bytes_equal(service, bytes_of_text(names[i])))
            return names[i];
    return NULL;
}

/* Reads body and tag; *ret_body is owned by the caller. */
static int read_body(
    const struct client_request *request, json_t **ret_body, struct buf *ret_tag, struct err *err)
{
    if (request->body_count != 1)
        return err_set(
            err, ERR_INPUT, "bad-request", "%zu body frames, one is wanted", request->body_count);
    if (json_parse_object(request->body[0], ret_body, err)) {
        snprintf(err->code, sizeof err->code, "bad-request");
        return err_context(err, "body");
    }
    const json_t *tag = json_object_get(*ret_body, "tag");
    if (!tag)
        return 0;
    if (!json_is_string(tag) || json_string_length(tag) > 64)
        return err_set(err, ERR_INPUT, "bad-request", "tag: a text of at most 64 bytes is wanted");
    json_write(tag, ret_tag);
    return 0;
}

static int inspect(struct broker *b, struct wish *wish, json_t *body,
    const struct config_client *rights, struct err *err)
{
    if (!rights->is_operator)
        return err_set(err, ERR_DENIED, "forbidden", "certq.inspect is for operators");
    if (!json_is_string(json_object_get(body, "op")))
        return err_set(err, ERR_INPUT, "bad-request", "op: a text is wanted");
    if (b->is_draining || !workers_serving(b->workers, KIND_INSPECT))
        return err_set(err, ERR_TEMPORARY, "unavailable",
            "no worker of kind inspect is there: start certq-worker --kinds inspect");
    if (!waits_may_add(b, wish->asker.client))
        return err_set(err, ERR_TEMPORARY, "busy", "too many answers are waited for");
    AUTO_BUF args = {0};
    json_object_del(body, "tag");
    json_write(body, &args);
    wish->style = WISH_INSPECT;
    intake_ask_worker(b, kind_of(KIND_INSPECT), buf_bytes(&args), wish);
    return 0;
}

static int start_call(
    struct broker *b, const struct wish *wish, const char *service, json_t *body, struct err *err)
{
    const struct config_client *rights = wish->asker.client->party->rights;
    const char *name = json_string_value(json_object_get(body, "op"));
    const struct op *op = name ? find_op(service, name) : NULL;
    if (!rights->is_operator && !(op && op->by_owner))
        return err_set(err, ERR_DENIED, "forbidden", "%s%s%.40s is for operators", service,
            op ? " " : "", op ? op->name : "");
    if (!op)
        return err_set(err, ERR_INPUT, "bad-request", "op: %s has no such one", service);
    if (clerk_load(b->desk) >= CALLS_MOST)
        return err_set(err, ERR_TEMPORARY, "busy", "too many questions wait for the database");
    struct call *call = MEM_NEW(struct call);
    call->op = op;
    call->wish = *wish;
    call->wish.tag.data =
        mem_copy(wish->tag.data ? wish->tag.data : (const uint8_t *)"", wish->tag.length + 1);
    call->body = json_incref(body);
    call->since_ms = b->tick_ms;
    call->now_ms = b->now_ms;
    call->slot = b->next_slot;
    call->client = rights->is_operator ? NULL : rights->name;
    client_hold(wish->asker.client);
    call->next = b->admin->first;
    if (call->next)
        call->next->before = call;
    b->admin->first = call;
    if (check_members(call, err)) {
        free_call(b, call);
        return -1;
    }
    begin(b, call);
    return 0;
}

void admin_handle(struct broker *b, const struct asker *asker, const struct client_request *request)
{
    struct err err = {0};
    AUTO_TYPE(json, json_t) *body = NULL;
    AUTO_BUF tag = {0};
    struct wish wish = {.asker = *asker, .style = WISH_OP};
    const char *service = service_name(request->service);
    if (!service) {
        err_set(&err, ERR_INPUT, "unknown-kind", "%.*s: no such service",
            (int)request->service.length, (const char *)request->service.data);
        client_reject(b, asker, NULL, &err);
        return;
    }
    wish.asker.service = bytes_of_text(service);
    int failed = read_body(request, &body, &tag, &err);
    wish.tag = buf_bytes(&tag);
    if (!failed && strcmp(service, "certq.inspect") == 0)
        failed = inspect(b, &wish, body, asker->client->party->rights, &err);
    else if (!failed)
        failed = start_call(b, &wish, service, body, &err);
    if (failed)
        wish_reject(b, &wish, NULL, &err);
}

void admin_turn(struct broker *b)
{
    struct call *next;
    for (struct call *call = b->admin->first; call; call = next) {
        next = call->next;
        if (call->is_at_desk) {
            if (!call->is_answered && b->tick_ms - call->since_ms > CALL_MS)
                call_fail(b, call, "unavailable", "the database did not answer in time");
        } else if (call->op->finish) { /* kept: waits for something */
            struct err err = {0};
            enum call_step step = call->op->finish(b, call, &err);
            if (step == CALL_FAILED)
                fail(b, call, &err);
            else if (step == CALL_DONE)
                call_finish(b, call);
        }
    }
}

#include "titanic.h"

#include "broker.h"
#include "intake.h"
#include "metrics.h"
#include "questions.h"

#include "base/kind.h"
#include "base/mem.h"
#include "db/job_store.h"

#include <string.h>

static void send_status(
    struct broker *b, const struct asker *asker, const char *status, struct bytes body)
{
    struct bytes frames[] = {bytes_of_text(status), body};
    client_send(b, asker, CLIENT_FINAL, frames, body.length ? 2 : 1);
}

static void send_error(
    struct broker *b, const struct asker *asker, const char *status, const struct err *err)
{
    metric_refused(err->code);
    AUTO_BUF text = {0};
    answer_error_write(NULL, "rejected", err->code, err->text, &text);
    send_status(b, asker, status, buf_bytes(&text));
}

static void bad_request(struct broker *b, const struct asker *asker, const char *what)
{
    struct err err = {0};
    err_set(&err, ERR_INPUT, "bad-request", "%s", what);
    send_error(b, asker, "400", &err);
}

static void handle_request(
    struct broker *b, struct asker *asker, const struct client_request *request)
{
    asker->service = bytes_of_text("titanic.request");
    if (request->body_count != 2) {
        bad_request(b, asker, "titanic.request: two body frames are wanted, kind and body");
        return;
    }
    struct err err = {0};
    struct uuid id;
    struct wish wish = {.asker = *asker, .style = WISH_TITANIC};
    const struct kind *kind =
        kind_find((const char *)request->body[0].data, request->body[0].length);
    if (!kind)
        err_set(&err, ERR_INPUT, "unknown-kind", "no such kind of job");
    else if (!kind->durable)
        err_set(
            &err, ERR_INPUT, "bad-request", "%s is not stored: ask for it directly", kind->name);
    else if (intake_submit(b, kind, request->body[1], &wish, &id, &err) == 0)
        return;
    wish_reject(b, &wish, NULL, &err);
}

/* ---- reply and close: what the tables say ---- */

struct look_up { /* one id, for one asker */
    struct task task;
    struct asker asker;
    struct uuid id;
    bool close;
    bool is_known, is_pending, is_closed;
    enum job_state state;
    char client[JOB_CLIENT_MAX + 1];
    struct buf result;
};

static void on_record(void *context, struct job_record *record)
{
    struct look_up *l = context;
    if (record->in_history || !l->is_known) {
        l->is_known = true;
        l->is_pending = !record->in_history;
        l->is_closed = record->closed;
        l->state = record->state;
        memcpy(l->client, record->client, sizeof l->client);
        buf_clear(&l->result);
        buf_add(&l->result, record->result.data, record->result.length);
    }
    job_record_clear(record);
}

static bool may_see(const struct asker *asker, const char *client)
{
    const struct config_client *rights = asker->client->party->rights;
    return rights->is_operator || strcmp(rights->name, client) == 0;
}

static int run(struct task *task, struct db *db, struct err *err)
{
    struct look_up *l = (struct look_up *)task;
    if (job_read_records(db, &l->id, 1, on_record, l, err))
        return -1;
    bool known;
    if (l->close && l->is_known && may_see(&l->asker, l->client))
        return job_close(db, &l->id, true, &known, err);
    return 0;
}

static void answer_reply(struct broker *b, const struct look_up *l)
{
    if (!l->is_known || l->is_closed || !may_see(&l->asker, l->client)) {
        send_status(b, &l->asker, "400", (struct bytes){0});
    } else if (l->is_pending) {
        send_status(b, &l->asker, "300", (struct bytes){0});
    } else {
        AUTO_BUF text = {0};
        answer_write(&l->id, job_state_name(l->state), buf_bytes(&l->result), &text);
        send_status(b, &l->asker, "200", buf_bytes(&text));
    }
}

/* What has not ended can be marked where it is in memory only; elsewhere nothing is promised. */
static void answer_close(struct broker *b, const struct look_up *l)
{
    struct item *item = map_get(b->items, &l->id);
    bool is_pending = l->is_known && l->is_pending && may_see(&l->asker, l->client);
    if (is_pending && item && item_is_row(item))
        item->unwanted = true;
    else if (is_pending) {
        struct err err = {0};
        err_set(&err, ERR_TEMPORARY, "unavailable",
            "the job has not ended and is not with this broker: ask again when it has");
        send_error(b, &l->asker, "500", &err);
        return;
    }
    send_status(b, &l->asker, "200", (struct bytes){0});
}

static void done(struct task *task, struct broker *b)
{
    struct look_up *l = (struct look_up *)task;
    if (task->err.kind) {
        err_set(&task->err, ERR_TEMPORARY, "unavailable", "the database is away: ask again");
        send_error(b, &l->asker, "500", &task->err);
    } else if (l->close) {
        answer_close(b, l);
    } else {
        answer_reply(b, l);
    }
    client_release(b->clients, l->asker.client);
    buf_free(&l->result);
    free(l);
}

static void look_up(struct broker *b, const struct asker *asker,
    const struct client_request *request, const char *service, bool close)
{
    struct look_up *l = MEM_NEW(struct look_up);
    l->task.run = run;
    l->task.done = done;
    l->asker = *asker;
    l->asker.service = bytes_of_text(service);
    l->close = close;
    if (request->body_count != 1 ||
        !uuid_parse((const char *)request->body[0].data, request->body[0].length, &l->id)) {
        bad_request(b, &l->asker, "the body is an id, 32 hex digits");
        free(l);
        return;
    }
    client_hold(asker->client);
    if (!questions_ask(b, &l->task)) {
        err_set(&l->task.err, ERR_TEMPORARY, "busy", "too many questions wait");
        l->task.done(&l->task, b);
    }
}

/* ---- closed before it ended ---- */

struct closing {
    struct task task;
    struct uuid id;
};

static int run_closing(struct task *task, struct db *db, struct err *err)
{
    bool known;
    return job_close(db, &((struct closing *)task)->id, true, &known, err);
}

static void done_closing(struct task *task, struct broker *b)
{
    (void)b;
    free(task);
}

void titanic_unwanted(struct broker *b, const struct uuid *id)
{
    struct closing *c = MEM_NEW(struct closing);
    c->task = (struct task){.run = run_closing, .done = done_closing, .patient = true};
    c->id = *id;
    clerk_ask(b->desk, &c->task);
}

void titanic_handle(
    struct broker *b, const struct asker *asker, const struct client_request *request)
{
    struct asker copy = *asker;
    if (bytes_equal(request->service, bytes_of_text("titanic.request")))
        handle_request(b, &copy, request);
    else if (bytes_equal(request->service, bytes_of_text("titanic.reply")))
        look_up(b, &copy, request, "titanic.reply", false);
    else if (bytes_equal(request->service, bytes_of_text("titanic.close")))
        look_up(b, &copy, request, "titanic.close", true);
    else
        send_status(b, &copy, "501", (struct bytes){0});
}

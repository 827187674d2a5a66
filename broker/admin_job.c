/* certq.job (docs/protocol.md section 5.2). */
#include "broker.h"
#include "call.h"
#include "questions.h"
#include "waits.h"

#include "db/job_store.h"

#include <string.h>

/* ---- rows as JSON ---- */

static void put_json(json_t *o, const char *name, const struct buf *text)
{
    json_t *value =
        text->length ? json_loadb((const char *)text->data, text->length, 0, NULL) : NULL;
    if (value)
        json_object_set_new(o, name, value);
}

static bool has_failed(const struct job_record *r)
{
    return r->state == JOB_REFUSED || r->state == JOB_DEAD;
}

/* A waiting job is ready or scheduled by the clock; that it runs only the broker knows. */
static enum job_state state_at(const struct job_record *r, int64_t now_ms)
{
    return !r->in_history && r->run_at_ms > now_ms ? JOB_SCHEDULED : r->state;
}

static json_t *json_of_record(const struct job_record *r, int64_t now_ms)
{
    json_t *o = json_object();
    json_object_set_new(o, "id", json_of_id(&r->id));
    json_object_set_new(o, "kind", json_string(r->kind));
    json_object_set_new(o, "state", json_string(job_state_name(state_at(r, now_ms))));
    json_object_set_new(o, "client", json_string(r->client));
    json_object_set_new(o, "attempt", json_integer(r->attempt));
    json_object_set_new(o, "failures", json_integer(r->failures));
    json_object_set_new(o, "crashes", json_integer(r->crashes));
    json_object_set_new(o, "created", json_of_time(r->created_ms));
    json_object_set_new(o, "run_at", json_of_time(r->run_at_ms));
    if (r->in_history)
        json_object_set_new(o, "finished", json_of_time(r->finished_ms));
    else
        json_object_set_new(o, "priority", json_integer(r->priority));
    if (!uuid_is_zero(&r->parent))
        json_object_set_new(o, "parent", json_of_id(&r->parent));
    put_json(o, "error", r->in_history && has_failed(r) ? &r->result : &r->error);
    return o;
}

static json_t *json_of_shown(const struct job_record *r, int64_t now_ms)
{
    json_t *o = json_of_record(r, now_ms), *followups = json_array();
    if (r->in_history) {
        json_object_set_new(o, "group", json_of_id(&r->group));
        if (r->state == JOB_DONE)
            put_json(o, "result", &r->result);
    } else {
        json_object_set_new(o, "slot", json_integer(r->slot));
    }
    for (size_t at = 0; at + 16 <= r->followups.length; at += 16) {
        struct uuid id;
        memcpy(&id, r->followups.data + at, sizeof id);
        json_array_append_new(followups, json_of_id(&id));
    }
    json_object_set_new(o, "followups", followups);
    json_object_set_new(o, "closed", json_boolean(r->closed));
    return o;
}

/* What the tables call ready or scheduled may be running here. */
static void mark_running(const struct broker *b, json_t *job)
{
    const char *text = json_text_at(job, "id");
    struct uuid id;
    if (!text || !uuid_parse(text, strlen(text), &id))
        return;
    const struct item *item = map_get(b->items, &id);
    if (item && item->state == ITEM_RUNNING && !json_object_get(job, "finished"))
        json_object_set_new(job, "state", json_string(job_state_name(JOB_RUNNING)));
}

static bool may_see(const struct call *call, const char *client)
{
    return !call->client || strcmp(call->client, client) == 0;
}

static int set_forbidden(struct err *err)
{
    return err_set(err, ERR_DENIED, "forbidden", "id: another client's job");
}

static int set_not_found(struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "not-found", "id: there is no such job");
}

/* ---- list ---- */

static enum call_step begin_list(struct broker *b, struct call *call, struct err *err)
{
    (void)b;
    const char *state = NULL;
    enum job_state known;
    if (call_text(call, "state", false, &state, err))
        return CALL_FAILED;
    if (state && !job_state_parse(state, &known)) {
        err_set(err, ERR_INPUT, "bad-request", "state: there is no %.20s", state);
        return CALL_FAILED;
    }
    return CALL_ASK;
}

struct listing {
    json_t *jobs;
    int64_t now_ms;
};

static void add_listed(void *context, struct job_record *r)
{
    struct listing *l = context;
    json_array_append_new(l->jobs, json_of_record(r, l->now_ms));
    job_record_clear(r);
}

static int run_list(struct call *call, struct db *db, struct err *err)
{
    struct job_filter filter = {0};
    const char *state = NULL;
    int limit = 100;
    if (call_text(call, "kind", false, &filter.kind, err) ||
        call_text(call, "client", false, &filter.client, err) ||
        call_text(call, "state", false, &state, err) ||
        call_time(call, "since", false, &filter.since_ms, err) ||
        call_number(call, "limit", 1, 1000, &limit, err))
        return -1;
    filter.has_state = state && job_state_parse(state, &filter.state);
    /* Running is this process's knowledge: in the table those are ready. */
    if (filter.has_state && filter.state == JOB_RUNNING)
        filter.state = JOB_READY;
    filter.most = (size_t)limit + 1;
    AUTO_TYPE(json, json_t) *jobs = json_array();
    struct listing listing = {jobs, call->now_ms};
    if (job_list(db, &filter, call->now_ms, add_listed, &listing, err))
        return -1;
    bool more = json_array_size(jobs) > (size_t)limit;
    if (more)
        json_array_remove(jobs, (size_t)limit);
    call->result = json_pack("{s:O, s:b}", "jobs", jobs, "more", (int)more);
    return 0;
}

static enum call_step finish_list(struct broker *b, struct call *call, struct err *err)
{
    (void)err;
    json_t *jobs = json_object_get(call->result, "jobs");
    const char *wanted = json_string_value(json_object_get(call->body, "state"));
    for (size_t i = json_array_size(jobs); i-- > 0;) {
        json_t *job = json_array_get(jobs, i);
        mark_running(b, job);
        if (wanted && strcmp(wanted, json_text_at(job, "state")) != 0)
            json_array_remove(jobs, i);
    }
    return CALL_DONE;
}

/* ---- show ---- */

struct found {
    struct job_record record; /* history's, when both have it */
    bool is_there;
};

static void on_found(void *context, struct job_record *r)
{
    struct found *f = context;
    if (f->is_there && !r->in_history) {
        job_record_clear(r);
        return;
    }
    if (f->is_there)
        job_record_clear(&f->record);
    f->record = *r;
    f->is_there = true;
}

static void found_clear(struct found *f)
{
    if (f->is_there)
        job_record_clear(&f->record);
}

static int find(
    struct call *call, struct db *db, const struct uuid *id, struct found *ret, struct err *err)
{
    if (job_read_records(db, id, 1, on_found, ret, err))
        return -1;
    if (!ret->is_there)
        return set_not_found(err);
    return may_see(call, ret->record.client) ? 0 : set_forbidden(err);
}

static enum call_step begin_id(struct broker *b, struct call *call, struct err *err)
{
    (void)b;
    return call_id(call, err) ? CALL_FAILED : CALL_ASK;
}

static int run_show(struct call *call, struct db *db, struct err *err)
{
    CLEANUP(found_clear) struct found f = {0};
    if (find(call, db, &call->ids[0], &f, err))
        return -1;
    call->result = json_pack("{s:o}", "job", json_of_shown(&f.record, call->now_ms));
    return 0;
}

static enum call_step finish_show(struct broker *b, struct call *call, struct err *err)
{
    (void)err;
    mark_running(b, json_object_get(call->result, "job"));
    return CALL_DONE;
}

/* ---- wait ---- */

static void say_waiting(struct broker *b, struct call *call, const char *state)
{
    const struct uuid *id = &call->ids[0];
    if (call->wish.asker.version == CLIENT_MDP02 && !call->is_answered) {
        AUTO_BUF text = {0};
        answer_write(id, state, (struct bytes){0}, &text);
        wish_op_done(b, &call->wish, CLIENT_PARTIAL, buf_bytes(&text));
    }
    struct wish wish = call->wish;
    wish.style = WISH_OP;
    waits_add(b, id, &wish, true);
    call->is_answered = true; /* the waiter answers */
    call_finish(b, call);
}

static enum call_step begin_wait(struct broker *b, struct call *call, struct err *err)
{
    if (call_id(call, err))
        return CALL_FAILED;
    if (!waits_may_add(b, call->wish.asker.client)) {
        err_set(err, ERR_TEMPORARY, "busy", "too many answers are waited for");
        return CALL_FAILED;
    }
    const struct item *item = map_get(b->items, &call->ids[0]);
    if (!item || item->state == ITEM_STORING)
        return CALL_ASK;
    if (!may_see(call, item->job.client)) {
        set_forbidden(err);
        return CALL_FAILED;
    }
    say_waiting(b, call, item_state_name(item->state));
    return CALL_KEPT;
}

static int run_wait(struct call *call, struct db *db, struct err *err)
{
    CLEANUP(found_clear) struct found f = {0};
    if (find(call, db, &call->ids[0], &f, err))
        return -1;
    AUTO_BUF text = {0};
    const char *state = job_state_name(state_at(&f.record, call->now_ms));
    answer_write(&f.record.id, state,
        f.record.in_history ? buf_bytes(&f.record.result) : (struct bytes){0}, &text);
    call->result = json_loadb((const char *)text.data, text.length, 0, NULL);
    call->slot = f.record.in_history ? SLOTS_MAX : f.record.slot;
    call->epoch = f.record.in_history;
    return call->result ? 0 : err_set(err, ERR_TEMPORARY, NULL, "the stored result is not JSON");
}

static enum call_step finish_wait(struct broker *b, struct call *call, struct err *err)
{
    (void)err;
    if (call->epoch || call->is_answered) /* it has ended, or nobody waits any more */
        return CALL_DONE;
    struct uuid id = call->ids[0];
    uint16_t slot = call->slot;
    say_waiting(b, call, json_text_at(call->result, "state"));
    const struct item *item = map_get(b->items, &id);
    if (!item || !item_is_row(item))
        waits_absent(b, &id, slot);
    return CALL_KEPT;
}

/* ---- cancel and retry ---- */

static json_t *one_state(const struct uuid *id, const char *state)
{
    return json_pack("{s:o, s:s}", "id", json_of_id(id), "state", state);
}

static json_t *one_error(const struct uuid *id, const struct err *err)
{
    return json_pack("{s:o, s:{s:s, s:s}}", "id", json_of_id(id), "error", "code", err->code,
        "message", err->text);
}

/* Items to be cancelled do not go out meanwhile; one that runs goes on. */
static enum call_step begin_cancel(struct broker *b, struct call *call, struct err *err)
{
    if (call_ids(call, err))
        return CALL_FAILED;
    for (size_t i = 0; i < call->id_count; i++) {
        struct item *item = map_get(b->items, &call->ids[i]);
        if (!item)
            continue;
        call->is_running[i] = item->state == ITEM_RUNNING;
        if (item->heap && item->kind->durable && !item->kind->internal &&
            may_see(call, item->job.client)) {
            ready_remove(&b->ready, item);
            item->state = ITEM_ASKING;
        }
    }
    return CALL_ASK;
}

/* Whatever was held back in begin_cancel: what became of it decides how it goes on. */
static void release_held(struct broker *b, struct call *call)
{
    for (size_t i = 0; i < call->id_count; i++) {
        const struct item *item = map_get(b->items, &call->ids[i]);
        if ((item && item->state == ITEM_ASKING) || waits_has(b->waits, &call->ids[i]))
            ask_fate(b, &call->ids[i]);
    }
}

static int cancel_one(
    struct call *call, struct db *db, size_t i, const char **ret_state, struct err *err)
{
    CLEANUP(found_clear) struct found f = {0};
    if (find(call, db, &call->ids[i], &f, err))
        return -1;
    const struct job_record *r = &f.record;
    const struct kind *kind = kind_find(r->kind, strlen(r->kind));
    if (kind && kind->internal)
        return err_set(
            err, ERR_DENIED, "forbidden", "id: %s is certq's own: cancel what it serves", r->kind);
    *ret_state = job_state_name(r->state);
    if (r->in_history)
        return 0;
    *ret_state = job_state_name(JOB_RUNNING);
    if (call->is_running[i])
        return 0;
    struct job_change change = {.id = r->id, .attempt = r->attempt, .what = JOB_CHANGE_CANCEL};
    if (job_change(db, &change, 1, call->now_ms, err))
        return -1;
    if (change.applied)
        *ret_state = job_state_name(JOB_CANCELLED);
    return 0;
}

static int retry_one(
    struct call *call, struct db *db, size_t i, const char **ret_state, struct err *err)
{
    CLEANUP(found_clear) struct found f = {0};
    if (find(call, db, &call->ids[i], &f, err))
        return -1;
    const struct job_record *r = &f.record;
    bool done = false;
    *ret_state = job_state_name(JOB_READY);
    if (!r->in_history)
        return 0; /* finish_retry lets it go out at once, if it is here */
    if (r->state == JOB_DEAD &&
        job_retry_dead(db, &r->id, call->slot, call->now_ms, call->client, &done, err))
        return -1;
    return done ? 0
                : err_set(err, ERR_CONFLICT, "conflict",
                      "the job is %s: only a dead one starts anew", job_state_name(r->state));
}

typedef int each_id(
    struct call *call, struct db *db, size_t i, const char **ret_state, struct err *err);

/* An id's own error is its answer; the database being away is the call's. */
static int run_each(struct call *call, struct db *db, each_id *one, struct err *err)
{
    AUTO_TYPE(json, json_t) *jobs = json_array();
    for (size_t i = 0; i < call->id_count; i++) {
        const char *state = NULL;
        struct err why = {0};
        if (one(call, db, i, &state, &why) == 0) {
            json_array_append_new(jobs, one_state(&call->ids[i], state));
        } else if (why.kind == ERR_TEMPORARY || why.kind == ERR_UNSURE) {
            *err = why;
            return -1;
        } else {
            json_array_append_new(jobs, one_error(&call->ids[i], &why));
        }
    }
    call->result = json_pack("{s:O}", "jobs", jobs);
    return 0;
}

static int run_cancel(struct call *call, struct db *db, struct err *err)
{
    return run_each(call, db, cancel_one, err);
}

static enum call_step finish_cancel(struct broker *b, struct call *call, struct err *err)
{
    (void)err;
    release_held(b, call);
    return CALL_DONE;
}

static enum call_step begin_retry(struct broker *b, struct call *call, struct err *err)
{
    (void)b;
    return call_ids(call, err) ? CALL_FAILED : CALL_ASK;
}

static int run_retry(struct call *call, struct db *db, struct err *err)
{
    return run_each(call, db, retry_one, err);
}

/* One that waits for its next attempt goes out now; one put back is read. */
static enum call_step finish_retry(struct broker *b, struct call *call, struct err *err)
{
    (void)err;
    json_t *jobs = json_object_get(call->result, "jobs");
    for (size_t i = 0; i < call->id_count; i++) {
        struct item *item = map_get(b->items, &call->ids[i]);
        json_t *job = json_array_get(jobs, i);
        if (!json_text_at(job, "state"))
            continue;
        if (!item)
            ask_rows(b, &call->ids[i], 1);
        else if (item->state == ITEM_RUNNING)
            json_object_set_new(job, "state", json_string(job_state_name(JOB_RUNNING)));
        else if (item->state == ITEM_SCHEDULED && item->job.failures > 0) {
            ready_remove(&b->ready, item);
            item->job.run_at_ms = b->now_ms;
            ready_put(&b->ready, item, b->now_ms);
        } else if (item->state == ITEM_SCHEDULED) {
            json_object_set_new(job, "state", json_string(job_state_name(JOB_SCHEDULED)));
        }
    }
    return CALL_DONE;
}

const struct op job_ops[] = {
    {"certq.job", "list", "state kind client since limit", false, begin_list, run_list, finish_list,
        NULL},
    {"certq.job", "show", "id", true, begin_id, run_show, finish_show, NULL},
    {"certq.job", "wait", "id", true, begin_wait, run_wait, finish_wait, NULL},
    {"certq.job", "cancel", "ids", true, begin_cancel, run_cancel, finish_cancel, release_held},
    {"certq.job", "retry", "ids", true, begin_retry, run_retry, finish_retry, NULL},
};
const size_t job_op_count = ARRAY_LENGTH(job_ops);

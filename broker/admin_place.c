/* certq.queue, certq.worker, certq.broker: what waits, who is there (docs/protocol.md 5.3–5.5). */
#include "broker.h"
#include "call.h"
#include "metrics.h"
#include "workers.h"

#include "db/job_store.h"

#include <string.h>

enum { COUNTS_MS = 5000 }; /* counting reads the whole index: not more often */

static json_t *json_of_kinds(uint64_t kinds)
{
    json_t *list = json_array();
    for (int k = 0; k < KINDS; k++)
        if (kinds >> k & 1)
            json_array_append_new(list, json_string(kind_name((enum kind_id)k)));
    return list;
}

/* ---- certq.queue ---- */

static void on_count(void *context, const char *kind, int64_t count, int64_t oldest_ms)
{
    json_t *queue = json_object_get(context, kind);
    if (!queue)
        return;
    json_object_set_new(queue, "waiting", json_integer(count));
    if (count > 0)
        json_object_set_new(queue, "oldest", json_of_time(oldest_ms));
}

static void on_paused(void *context, const char *kind, const char *by, int64_t at_ms)
{
    json_t *queue = json_object_get(context, kind);
    if (!queue)
        return;
    json_object_set_new(queue, "paused", json_true());
    json_object_set_new(queue, "paused_by", json_string(by));
    json_object_set_new(queue, "paused_at", json_of_time(at_ms));
}

static enum call_step finish_queues(struct broker *b, struct call *call, struct err *err);

static enum call_step begin_queues(struct broker *b, struct call *call, struct err *err)
{
    if (!b->counts || b->tick_ms - b->counts_ms > COUNTS_MS)
        return CALL_ASK;
    call->result = json_incref(b->counts);
    return finish_queues(b, call, err);
}

/* Result on the way: an object of queues by kind, as the database sees them. */
static int run_queues(struct call *call, struct db *db, struct err *err)
{
    json_decref(call->result);
    call->result = json_object();
    for (int k = 0; k < KINDS; k++) {
        const struct kind *kind = kind_of((enum kind_id)k);
        json_t *queue = json_pack("{s:s, s:b, s:i}", "kind", kind->name, "paused", 0, "waiting", 0);
        json_object_set_new(call->result, kind->name, queue);
    }
    return job_count(db, on_count, call->result, err) ||
                   registry_read_paused(db, on_paused, call->result, err)
               ? -1
               : 0;
}

static size_t running_of(const struct broker *b, enum kind_id kind)
{
    size_t n = 0;
    for (const struct worker *w = workers_first(b->workers); w; w = w->next)
        for (const struct group *g = w->groups.first; g; g = g->next)
            n += g->kind->id == kind ? g->count : 0;
    return n;
}

static enum call_step finish_queues(struct broker *b, struct call *call, struct err *err)
{
    (void)err;
    if (call->result != b->counts) {
        json_decref(b->counts);
        b->counts = json_incref(call->result);
        b->counts_ms = b->tick_ms;
    }
    json_t *list = json_array();
    for (int k = 0; k < KINDS; k++) {
        enum kind_id id = (enum kind_id)k;
        json_t *queue = json_copy(json_object_get(call->result, kind_name(id)));
        json_object_set_new(queue, "ready", json_integer((json_int_t)b->ready.kinds[k].count));
        json_object_set_new(
            queue, "scheduled", json_integer((json_int_t)b->ready.scheduled_by_kind[k]));
        json_object_set_new(queue, "running", json_integer((json_int_t)running_of(b, id)));
        json_object_set_new(
            queue, "workers", json_integer((json_int_t)workers_serving(b->workers, id)));
        json_array_append_new(list, queue);
    }
    json_decref(call->result);
    call->result = json_pack("{s:o}", "queues", list);
    return CALL_DONE;
}

static const struct kind *kind_member(const struct call *call, struct err *err)
{
    const char *name = NULL;
    if (call_text(call, "kind", true, &name, err))
        return NULL;
    const struct kind *kind = kind_find(name, strlen(name));
    if (!kind)
        err_set(err, ERR_NOT_FOUND, "not-found", "kind: there is no %.40s", name);
    return kind;
}

static enum call_step begin_pause(struct broker *b, struct call *call, struct err *err)
{
    (void)b;
    return kind_member(call, err) ? CALL_ASK : CALL_FAILED;
}

static int run_pause(struct call *call, struct db *db, struct err *err)
{
    const struct kind *kind = kind_member(call, err);
    bool paused = strcmp(call->op->name, "pause") == 0;
    const char *by = call->wish.asker.client->party->rights->name;
    if (!kind || registry_pause(db, kind->name, paused, by, call->now_ms, err))
        return -1;
    call->result = json_pack("{s:s, s:b}", "kind", kind->name, "paused", (int)paused);
    return 0;
}

static enum call_step finish_pause(struct broker *b, struct call *call, struct err *err)
{
    (void)err;
    const char *name = json_text_at(call->result, "kind");
    uint64_t bit = UINT64_C(1) << kind_find(name, strlen(name))->id;
    if (json_is_true(json_object_get(call->result, "paused")))
        b->paused |= bit;
    else
        b->paused &= ~bit;
    b->counts_ms = 0;
    keeper_poke(b->keeper); /* its next note says the same; other brokers hear by theirs */
    return CALL_DONE;
}

/* ---- certq.worker ---- */

static json_t *json_of_worker(const struct broker *b, const struct worker *w)
{
    json_t *o = json_object();
    size_t held = w->groups.count + w->ghosts, most = (size_t)w->credit + w->urgent;
    json_object_set_new(o, "name", json_string(w->name));
    json_object_set_new(o, "life", json_of_id(&w->life));
    json_object_set_new(o, "host", json_string(w->host));
    json_object_set_new(o, "pid", json_integer(w->pid));
    json_object_set_new(o, "state", json_string(w->is_draining ? "draining" : "ready"));
    json_object_set_new(o, "kinds", json_of_kinds(w->kinds));
    json_object_set_new(o, "credit", json_integer(held < most ? (json_int_t)(most - held) : 0));
    json_object_set_new(o, "groups", json_integer((json_int_t)w->groups.count));
    json_object_set_new(o, "jobs", json_integer((json_int_t)w->groups.jobs));
    json_object_set_new(o, "since", json_of_time(w->joined_ms));
    json_object_set_new(o, "silent_ms", json_integer(b->tick_ms - w->heard_ms));
    return o;
}

static enum call_step begin_workers(struct broker *b, struct call *call, struct err *err)
{
    (void)err;
    json_t *list = json_array();
    for (const struct worker *w = workers_first(b->workers); w; w = w->next)
        json_array_append_new(list, json_of_worker(b, w));
    call->result = json_pack("{s:o}", "workers", list);
    return CALL_DONE;
}

static enum call_step begin_drain(struct broker *b, struct call *call, struct err *err)
{
    const char *name = NULL;
    if (call_text(call, "name", true, &name, err))
        return CALL_FAILED;
    json_t *list = json_array();
    for (struct worker *w = workers_first(b->workers); w; w = w->next) {
        if (strcmp(w->name, name) != 0)
            continue;
        worker_drain(b->workers, w);
        json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "name", w->name, "life",
                                        json_of_id(&w->life), "state", "draining"));
    }
    if (json_array_size(list) == 0) {
        json_decref(list);
        err_set(err, ERR_NOT_FOUND, "not-found", "name: no worker of this broker is called %.64s",
            name);
        return CALL_FAILED;
    }
    call->result = json_pack("{s:o}", "workers", list);
    return CALL_DONE;
}

/* ---- certq.broker ---- */

static json_t *slots_of(const struct keeper_note *note, const struct uuid *life)
{
    json_t *list = json_array();
    for (size_t i = 0; i < note->slot_count; i++)
        if (uuid_equal(&note->slots[i].broker, life))
            json_array_append_new(list, json_integer(note->slots[i].id));
    return list;
}

static json_t *kinds_of_text(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        size_t n = strcspn(text, ",");
        json_array_append_new(list, json_stringn(text, n));
        text += n + (text[n] == ',');
    }
    return list;
}

static json_t *json_of_peer(const struct keeper_note *note, const struct keeper_peer *p)
{
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(p->row.name));
    json_object_set_new(o, "life", json_of_id(&p->row.life));
    json_object_set_new(o, "host", json_string(p->row.host));
    json_object_set_new(o, "pid", json_integer(p->row.pid));
    json_object_set_new(o, "clients", json_string(p->row.clients));
    json_object_set_new(o, "workers", json_string(p->row.workers));
    json_object_set_new(o, "started", json_of_time(p->row.started_ms));
    json_object_set_new(o, "self", json_boolean(p->is_self));
    json_object_set_new(o, "slots", slots_of(note, &p->row.life));
    json_object_set_new(o, "kinds", kinds_of_text(p->row.kinds));
    return o;
}

static enum call_step begin_brokers(struct broker *b, struct call *call, struct err *err)
{
    if (!b->note) {
        err_set(err, ERR_TEMPORARY, "unavailable", "the database was not reached yet");
        return CALL_FAILED;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < b->note->peer_count; i++)
        json_array_append_new(list, json_of_peer(b->note, &b->note->peers[i]));
    const struct uuid nobody = {{0}};
    call->result = json_pack("{s:o, s:o}", "brokers", list, "free", slots_of(b->note, &nobody));
    return CALL_DONE;
}

/* What this broker counted since it started (`certq top`). */
static enum call_step begin_metrics(struct broker *b, struct call *call, struct err *err)
{
    (void)err;
    call->result = json_pack("{s:s, s:o, s:o}", "name", b->config->broker.name, "life",
        json_of_id(&b->life), "metrics", metrics_json());
    return CALL_DONE;
}

const struct op place_ops[] = {
    {"certq.queue", "list", "", false, begin_queues, run_queues, finish_queues, NULL},
    {"certq.queue", "pause", "kind", false, begin_pause, run_pause, finish_pause, NULL},
    {"certq.queue", "resume", "kind", false, begin_pause, run_pause, finish_pause, NULL},
    {"certq.worker", "list", "", false, begin_workers, NULL, NULL, NULL},
    {"certq.worker", "drain", "name", false, begin_drain, NULL, NULL, NULL},
    {"certq.broker", "list", "", false, begin_brokers, NULL, NULL, NULL},
    {"certq.broker", "metrics", "", false, begin_metrics, NULL, NULL, NULL},
};
const size_t place_op_count = ARRAY_LENGTH(place_ops);

#include "intake.h"

#include "broker.h"
#include "jobs.h"
#include "metrics.h"
#include "quick.h"
#include "sealing.h"
#include "waits.h"

#include "base/clock.h"
#include "base/json.h"
#include "crypto/fingerprint.h"
#include "crypto/secrets.h"
#include "lifecycle/urgency.h"

#include <string.h>

enum {
    VOLATILE_MOST = 10000, /* of a kind without rows, waiting for a worker: seconds of work */
};

static bool lists(char *const *words, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static int check_kind(const struct config_client *rights, const struct kind *kind, struct err *err)
{
    if (kind->internal)
        return err_set(
            err, ERR_DENIED, "forbidden", "%s is certq's own: nobody submits it", kind->name);
    if (kind->operators && !rights->is_operator)
        return err_set(err, ERR_DENIED, "forbidden", "%s is for operators", kind->name);
    if (rights->kinds && !lists(rights->kinds, rights->kind_count, kind->name))
        return err_set(
            err, ERR_DENIED, "forbidden", "client %s may not submit %s", rights->name, kind->name);
    return 0;
}

/* Kinds about somebody's certificate, on whose behalf somebody acts. */
static bool has_actor(const struct kind *kind)
{
    return kind->id == KIND_LOOKUP || kind->id == KIND_NOTICES ||
           (kind->durable && kind->id != KIND_NOOP && kind->id != KIND_CRL);
}

/*
 * Without `by` it is the subscriber with credentials (for `notices`: in a session), for `decide`
 * the operator that args name (docs/protocol.md), and that is asserted too. An operator without
 * `how` is one on their own key.
 */
static int check_actor(const struct config_client *rights, const struct kind *kind,
    const json_t *args, struct err *err)
{
    if (!rights->roles && !rights->channels)
        return 0;
    const json_t *by = json_object_get(args, "by");
    if (!by && !has_actor(kind))
        return 0;
    const char *role = json_string_value(json_object_get(by, "role"));
    const char *how = json_string_value(json_object_get(by, "how"));
    role = role ? role : kind->id == KIND_DECIDE ? "operator" : "subscriber";
    if (!how && strcmp(role, "operator") != 0)
        how = !by && kind->id == KIND_NOTICES ? "session" : "credentials";
    if (rights->roles && !lists(rights->roles, rights->role_count, role))
        return err_set(err, ERR_DENIED, "forbidden", "by.role: client %s may not act for %.40s",
            rights->name, role);
    if (how && rights->channels && !lists(rights->channels, rights->channel_count, how))
        return err_set(err, ERR_DENIED, "forbidden", "by.how: client %s may not assert %.40s",
            rights->name, how);
    return 0;
}

static int check_priority(
    const struct config_client *rights, const struct job_request *r, int *ret, struct err *err)
{
    int most = rights->priority;
    if (r->has_priority && r->priority > most)
        return err_set(err, ERR_DENIED, "forbidden", "priority: client %s may ask for at most %d",
            rights->name, most);
    int usual = most < JOB_PRIORITY_DEFAULT ? most : JOB_PRIORITY_DEFAULT;
    *ret = r->has_priority ? r->priority : usual;
    return 0;
}

/* Ids carry the real time, which the test clock does not move. */
static int check_id(const struct broker *b, const struct kind *kind, const struct wish *wish,
    const struct job_request *r, struct err *err)
{
    if (!r->has_id) {
        if (kind->durable && wish->style != WISH_TITANIC)
            return err_set(err, ERR_INPUT, "bad-request", "id: %s needs one", kind->name);
        return 0;
    }
    int64_t made_ms = uuid_time_ms(&r->id), now_ms = b->now_ms - clock_shift_ms();
    if (made_ms >= 0 && made_ms < now_ms - b->config->broker.retention_ms)
        return err_set(err, ERR_INPUT, "bad-request",
            "id: made at %s, before what is remembered (%lld days): it could be a repeat",
            clock_s(made_ms), (long long)(b->config->broker.retention_ms / DAY_MS));
    return 0;
}

static int note_plain(const struct secret_member *m, void *context, struct err *err)
{
    const char **first = context;
    if (m->form == SECRET_PLAIN && !*first)
        *first = m->name;
    const struct bytes text = {(const uint8_t *)m->text, m->length};
    return secret_form_check(m->form, text, err) ? err_context(err, "%s", m->path) : 0;
}

static int check_secrets(struct broker *b, json_t *args, bool *ret_plain, struct err *err)
{
    const char *plain = NULL;
    if (secrets_each(args, note_plain, (void *)&plain, err))
        return -1;
    if (plain && !b->sealing)
        return err_set(err, ERR_INPUT, "bad-request",
            "%s: send it sealed, this broker takes no "
            "plain secrets",
            plain);
    *ret_plain = plain != NULL;
    return 0;
}

/*
 * An id in memory: the same request again waits with the first one. Whose the id is says only the
 * table (I3): a request that is not in it yet cannot put another client's in the wrong.
 */
static int join(struct broker *b, const struct item *item, const struct job *job,
    const struct wish *wish, struct err *err)
{
    bool is_row = item_is_row(item);
    if (!is_row && strcmp(item->job.client, job->client) != 0)
        return err_set(err, ERR_TEMPORARY, "busy",
            "id: another client's request with this id is not judged yet: ask again");
    if (strcmp(item->job.client, job->client) != 0 ||
        memcmp(item->job.fingerprint, job->fingerprint, sizeof job->fingerprint) != 0)
        return err_set(err, ERR_CONFLICT, "conflict", "id: taken by a request with other content");
    metric_count(REPEATED);
    waits_add(b, &job->id, wish, is_row);
    return 0;
}

static int pass_on(struct broker *b, struct item *item, struct err *err)
{
    if (!item->kind->durable) {
        if (b->ready.kinds[item->kind->id].count >= VOLATILE_MOST)
            return err_set(err, ERR_TEMPORARY, "busy", "too many %s wait", item->kind->name);
        jobs_put(b, item);
        return 0;
    }
    if (!store_put(b->store, item))
        return err_set(err, ERR_TEMPORARY, "busy", "too many requests wait for the database");
    return 0;
}

/* Takes `seal`: args that go to the sealer's thread are nobody else's from then on. */
static int add_item(struct broker *b, struct job *job, const struct kind *kind, json_t *seal,
    const struct wish *wish, struct err *err)
{
    struct item *item = item_new(job, kind);
    item->state = ITEM_STORING;
    item->since_ms = b->tick_ms;
    if (seal) {
        item->seal = seal;
        if (!sealing_put(b->sealing, item)) {
            item_free(item);
            return err_set(err, ERR_TEMPORARY, "busy", "too many secrets wait to be sealed");
        }
    } else if (pass_on(b, item, err)) {
        item_free(item);
        return -1;
    }
    map_put(b->items, &item->job.id, item);
    waits_add(b, &item->job.id, wish, false);
    return 0;
}

/* A request read the quick way has no tree, but its canonical text. */
struct reading {
    struct job_request request;
    struct buf *canonical; /* NULL: the long way */
    bool is_plain;         /* it has secrets that are still to be sealed */
};

static int make_fingerprint(struct broker *b, const struct kind *kind, const struct reading *r,
    uint8_t ret[static FINGERPRINT_LENGTH], struct err *err)
{
    int64_t at_ms = r->request.has_at ? r->request.at_ms : FINGERPRINT_NO_AT;
    if (!r->canonical)
        return fingerprint_compute(b->fingerprints, kind->name, at_ms, r->request.args, ret, err);
    fingerprint_of_text(b->fingerprints, kind->name, at_ms, buf_bytes(r->canonical), ret);
    return 0;
}

static int make_job(struct broker *b, const struct kind *kind, const struct reading *reading,
    const struct config_client *rights, struct job *job, struct err *err)
{
    const struct job_request *r = &reading->request;
    int priority = 0;
    if (check_priority(rights, r, &priority, err))
        return -1;
    if (urgency_concerns(kind->id) &&
        urgency_of(b->policies, kind->id, r->args)) /* the service's rule, not the client's wish */
        priority = JOB_PRIORITY_URGENT;
    job->id = r->has_id ? r->id : uuid_new();
    job->slot = b->next_slot;
    job->priority = (uint8_t)priority;
    job->run_at_ms = r->has_at && r->at_ms > b->now_ms ? r->at_ms : b->now_ms;
    job->rank = job_rank(job->run_at_ms, priority);
    job->created_ms = b->now_ms;
    job->client = rights->name;
    return make_fingerprint(b, kind, reading, job->fingerprint, err);
}

/* What only the tree tells. */
static int check_args(struct broker *b, const struct kind *kind, const struct config_client *rights,
    struct reading *r, struct err *err)
{
    if (r->canonical)
        return 0; /* no plain secrets, and nobody's rights depend on what is in it */
    return check_actor(rights, kind, r->request.args, err) ||
                   check_secrets(b, r->request.args, &r->is_plain, err)
               ? -1
               : 0;
}

static int submit(struct broker *b, const struct kind *kind, struct reading *reading,
    const struct wish *asked, struct uuid *ret_id, struct err *err)
{
    const struct config_client *rights = asked->asker.client->party->rights;
    const struct job_request *r = &reading->request;
    struct job job = {0};
    if (check_id(b, kind, asked, r, err) || check_args(b, kind, rights, reading, err) ||
        make_job(b, kind, reading, rights, &job, err))
        return -1;
    *ret_id = job.id;
    struct wish wish = *asked;
    wish.accept_only = wish.style == WISH_JOB && wish.asker.version == CLIENT_MDP01 && r->has_at &&
                       r->at_ms > b->now_ms + WISH_FAR_AHEAD_MS;
    const struct item *known = map_get(b->items, &job.id);
    if (known)
        return join(b, known, &job, &wish, err);
    if (!kind->durable && waits_has(b->waits, &job.id)) /* they wait for a row */
        return err_set(err, ERR_CONFLICT, "conflict", "id: taken by a job that is waited for");
    AUTO_BUF rewritten = {0};
    struct bytes args = r->args_text;
    if (!args.length) {
        json_write(r->args, &rewritten);
        args = buf_bytes(&rewritten);
    }
    if (!reading->is_plain) { /* else the sealer writes them: no copy of a secret is kept */
        job.args = (uint8_t *)(uintptr_t)args.data;
        job.args_length = args.length;
    }
    return add_item(
        b, &job, kind, reading->is_plain ? TAKE(reading->request.args) : NULL, &wish, err);
}

static int check_and_submit(struct broker *b, const struct kind *kind, struct reading *r,
    const struct wish *wish, struct uuid *ret_id, struct err *err)
{
    const struct party *party = wish->asker.client->party;
    if (b->is_draining)
        return err_set(err, ERR_TEMPORARY, "unavailable", "this broker is stopping");
    if (check_kind(party->rights, kind, err))
        return -1;
    if (!waits_may_add(b, wish->asker.client))
        return err_set(err, ERR_TEMPORARY, "busy", "client %s waits for too many answers",
            party->rights->name);
    return submit(b, kind, r, wish, ret_id, err);
}

int intake_submit(struct broker *b, const struct kind *kind, struct bytes body,
    const struct wish *wish, struct uuid *ret_id, struct err *err)
{
    const struct config_client *rights = wish->asker.client->party->rights;
    const size_t most = b->config->broker.args_bytes;
    struct reading r = {0};
    bool looks_into_args = rights->roles || rights->channels || urgency_concerns(kind->id);
    int failed = 0;
    if (!looks_into_args && quick_parse(body, most, &r.request, &b->canonical))
        r.canonical = &b->canonical;
    else
        failed = job_request_parse(body, most, &r.request, err);
    *ret_id = r.request.has_id ? r.request.id : (struct uuid){{0}};
    if (!failed)
        failed = check_and_submit(b, kind, &r, wish, ret_id, err);
    job_request_clear(&r.request);
    return failed;
}

void intake_read_id(const struct broker *b, struct bytes body, struct uuid *ret_id)
{
    struct job_request r;
    struct err ignored = {0};
    if (job_request_parse(body, b->config->broker.args_bytes, &r, &ignored) == 0)
        job_request_clear(&r);
    *ret_id = r.has_id ? r.id : (struct uuid){{0}};
}

void intake_ask_worker(
    struct broker *b, const struct kind *kind, struct bytes args, const struct wish *wish)
{
    struct job job = {
        .id = uuid_new(),
        .priority = JOB_PRIORITY_DEFAULT,
        .run_at_ms = b->now_ms,
        .rank = job_rank(b->now_ms, JOB_PRIORITY_DEFAULT),
        .created_ms = b->now_ms,
        .client = wish->asker.client->party->rights->name,
        .args = (uint8_t *)(uintptr_t)args.data,
        .args_length = args.length,
    };
    struct item *item = item_new(&job, kind);
    item->since_ms = b->tick_ms;
    map_put(b->items, &item->job.id, item);
    waits_add(b, &item->job.id, wish, false);
    jobs_put(b, item);
}

void intake_sealed(struct broker *b, struct item *item, const struct err *err)
{
    struct err why = *err;
    if (!why.kind && pass_on(b, item, &why) == 0)
        return;
    waits_reject(b, &item->job.id, &why);
    jobs_drop(b, item);
}

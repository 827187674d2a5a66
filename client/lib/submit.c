#include "base/clock.h"
#include "base/kind.h"
#include "base/mem.h"
#include "crypto/secrets.h"
#include "handle.h"

#include <string.h>

/* ---- secrets ---- */

static int put_secret(struct certq *c, const struct uuid *id, const struct certq_secret *s,
    json_t *args, struct err *err)
{
    const char *dot = s->path ? strrchr(s->path, '.') : NULL;
    if (!s->path || !secret_is_name(dot ? dot + 1 : s->path))
        return err_set(err, ERR_INPUT, NULL, "%.64s: a secret is called password, old, new or code",
            s->path ? s->path : "(no path)");
    json_t *member = NULL;
    if (c->sealer) {
        AUTO(secret) value = secret_new(s->value, s->length);
        if (seal_member(c->sealer, id, s->path, value, &member, err))
            return -1;
    } else {
        member = json_stringn(s->value, s->length);
        if (!member)
            return err_set(err, ERR_INPUT, NULL, "%.64s: not UTF-8", s->path);
    }
    json_put(args, s->path, member);
    return 0;
}

static int find_plain(const struct secret_member *m, void *context, struct err *err)
{
    if (m->form != SECRET_PLAIN)
        return 0;
    *(bool *)context = true;
    (void)err;
    return 0;
}

/* Seals what is plain in args, or sees to it that it stays near. */
static int guard_secrets(
    struct certq *c, const struct uuid *id, json_t *args, bool *ret_changed, struct err *err)
{
    bool has_plain = false;
    if (secrets_each(args, find_plain, &has_plain, err))
        return -1;
    if (!has_plain)
        return 0;
    if (c->sealer) {
        *ret_changed = true;
        return seal_args(c->sealer, id, args, err);
    }
    if (c->has_remote_plain)
        return err_set(err, ERR_INPUT, NULL,
            "args hold a secret, a broker is neither local nor reached by CURVE, and there is no "
            "intake certificate to seal it to");
    return 0;
}

/* ---- the body ---- */

static void write_body(
    const struct certq_job *job, const struct uuid *id, struct bytes args, struct buf *ret)
{
    char text[UUID_TEXT];
    buf_reserve(ret, args.length + 128);
    buf_add_text(ret, "{\"id\":\"");
    buf_add_text(ret, uuid_format(id, text));
    buf_add_char(ret, '"');
    if (job->at_ms)
        buf_printf(ret, ",\"at\":\"%s\"", clock_s(job->at_ms));
    if (job->priority >= 0)
        buf_printf(ret, ",\"priority\":%d", job->priority);
    buf_add_text(ret, ",\"args\":");
    buf_add(ret, args.data, args.length);
    buf_add_char(ret, '}');
}

static int build_body(struct certq *c, const struct certq_job *job, const struct uuid *id,
    struct buf *ret, struct err *err)
{
    struct bytes text = bytes_of_text(job->args ? job->args : "{}");
    AUTO_TYPE(json, json_t) *args = NULL;
    if (json_parse_object(text, &args, err))
        return err_context(err, "args");
    bool is_changed = job->secret_count > 0;
    for (size_t i = 0; i < job->secret_count; i++)
        if (put_secret(c, id, &job->secrets[i], args, err))
            return -1;
    if (guard_secrets(c, id, args, &is_changed, err))
        return -1;
    AUTO_BUF dumped = {0};
    if (is_changed) {
        json_write(args, &dumped);
        text = buf_bytes(&dumped);
    }
    write_body(job, id, text, ret);
    if (is_changed)
        secret_wipe(dumped.data, dumped.length);
    return 0;
}

static int check_job(const struct certq_job *job, struct uuid *ret_id, struct err *err)
{
    size_t length = job->kind ? strlen(job->kind) : 0;
    if (length == 0 || length > CLIENT_SERVICE_MAX)
        return err_set(err, ERR_INPUT, NULL, "the kind is missing or too long");
    if (job->priority < -1 || job->priority > 9)
        return err_set(err, ERR_INPUT, NULL, "priority %d: 0 to 9 is wanted", job->priority);
    if (!job->id)
        *ret_id = uuid_new();
    else if (!uuid_parse(job->id, strlen(job->id), ret_id))
        return err_set(err, ERR_INPUT, NULL, "id %.64s: no UUID", job->id);
    return 0;
}

static int submit(
    struct certq *c, const struct certq_job *job, struct uuid *ret_id, struct err *err)
{
    if (check_job(job, ret_id, err))
        return -1;
    AUTO(request) r = request_new(job->kind);
    if (build_body(c, job, ret_id, &r->body, err))
        return -1;
    while (c->submissions >= c->in_flight_most)
        handle_turn(c, -1);
    r->id = *ret_id;
    r->context = job->context;
    r->wants_end = job->wants_end;
    r->give_up_ms = clock_monotonic_ms() + c->give_up_ms;
    return handle_add(c, TAKE(r), err);
}

int certq_submit(struct certq *c, const struct certq_job *job, char ret_id[CERTQ_ID_TEXT],
    struct certq_error *error)
{
    struct err err = {0};
    struct uuid id;
    if (submit(c, job, &id, &err))
        return error_give(error, CERTQ_FAULT_USAGE, &err);
    if (ret_id)
        uuid_format(&id, ret_id);
    return 0;
}

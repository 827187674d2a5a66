#include "lifecycle/plan.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void drop_followups(struct plan *p, bool all)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->followup_count; i++) {
        if (!all && p->followups[i].is_regardless) {
            p->followups[kept++] = p->followups[i];
            continue;
        }
        json_decref(p->followups[i].args);
        free(p->followups[i].args_text);
    }
    if (all) {
        free(p->followups);
        p->followups = NULL;
    }
    free(p->cancels);
    p->cancels = NULL;
    p->followup_count = kept;
    p->cancel_count = 0;
}

void plan_clear(struct plan *p)
{
    drop_followups(p, true);
    for (size_t i = 0; i < p->audit_count; i++)
        json_decref(p->audits[i].detail);
    free(p->audits);
    free(p->message);
    free(p->actor);
    free(p->answer);
    json_decref(p->by);
    json_decref(p->fields);
    json_decref(p->result);
    *p = (struct plan){0};
}

static void refuse(struct plan *p, const char *code, char *message)
{
    if (p->refused) {
        free(message);
        return;
    }
    p->refused = true;
    snprintf(p->code, sizeof p->code, "%s", code);
    p->message = message;
    json_decref(p->result);
    p->result = NULL;
    drop_followups(p, false);
}

void plan_refuse(struct plan *p, const char *code, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    utf8_mend(line);
    refuse(p, code, mem_text(line));
}

void plan_bad_field(struct plan *p, const char *path, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    utf8_mend(line);
    refuse(p, "bad-request", mem_text("some fields are missing or wrong; see fields"));
    if (!p->fields)
        p->fields = json_object();
    json_object_set_new(p->fields, path, json_string(line));
}

void plan_result(struct plan *p, json_t *result)
{
    json_decref(p->result);
    p->result = p->refused ? NULL : result;
    if (p->refused)
        json_decref(result);
}

void plan_by(struct plan *p, const char *role, const char *channel, const char *actor)
{
    p->role = role;
    p->channel = channel;
    free(p->actor);
    p->actor = mem_text(actor);
}

void plan_by_more(struct plan *p, json_t *by)
{
    json_decref(p->by);
    p->by = json_object_size(by) ? by : NULL;
    if (!p->by)
        json_decref(by);
}

void plan_audit(struct plan *p, const char *event, const struct uuid *subject, json_t *detail)
{
    p->audits = mem_resize(p->audits, p->audit_count + 1, sizeof *p->audits);
    p->audits[p->audit_count++] = (struct plan_audit){event, *subject, detail};
}

struct uuid plan_followup(
    struct plan *p, enum kind_id kind, int priority, int64_t run_at_ms, json_t *args)
{
    if (p->refused) {
        json_decref(args);
        return (struct uuid){{0}};
    }
    struct uuid id = plan_followup_regardless(p, kind, priority, run_at_ms, args);
    p->followups[p->followup_count - 1].is_regardless = false;
    return id;
}

struct uuid plan_followup_regardless(
    struct plan *p, enum kind_id kind, int priority, int64_t run_at_ms, json_t *args)
{
    p->followups = mem_resize(p->followups, p->followup_count + 1, sizeof *p->followups);
    p->followups[p->followup_count++] = (struct plan_followup){.id = uuid_new(),
        .kind = kind,
        .priority = priority,
        .run_at_ms = run_at_ms,
        .is_regardless = true,
        .args = args};
    return p->followups[p->followup_count - 1].id;
}

void plan_cancel(struct plan *p, const struct uuid *job)
{
    if (p->refused)
        return;
    p->cancels = mem_resize(p->cancels, p->cancel_count + 1, sizeof *p->cancels);
    p->cancels[p->cancel_count++] = *job;
}

json_t *plan_error(const struct plan *p)
{
    json_t *error = json_pack("{s:s, s:s}", "code", p->code, "message", p->message);
    if (p->fields)
        json_object_set(error, "fields", p->fields);
    return error;
}

void plan_write(struct plan *p, int64_t now_ms)
{
    for (size_t i = 0; i < p->followup_count; i++) {
        struct plan_followup *f = &p->followups[i];
        if (!f->run_at_ms)
            f->run_at_ms = now_ms;
        if (!f->created_ms)
            f->created_ms = now_ms;
        if (!f->args_text)
            f->args_text = json_compact(f->args);
    }
    if (p->answer)
        return;
    AUTO_TYPE(json, json_t) *error = p->refused ? plan_error(p) : NULL;
    const json_t *answer = error ? error : p->result;
    p->answer = answer ? json_compact(answer) : mem_text("{}");
}

#include "store/audit_store.h"

#include "audit/line_store.h"
#include "base/mem.h"

static size_t count(const struct audit_source *sources, size_t n)
{
    size_t lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += sources[i].plan->audit_count;
    return lines;
}

/* A line's detail, with what else is known of its requester (D10); NULL: none. */
static char *detail_of(const struct plan *plan, const struct plan_audit *a)
{
    if (!plan->by)
        return a->detail ? json_compact(a->detail) : NULL;
    AUTO_TYPE(json, json_t) *all = a->detail ? json_copy(a->detail) : json_object();
    json_object_set(all, "by", plan->by);
    return json_compact(all);
}

static struct audit_line line_of(
    const struct audit_source *source, const struct plan_audit *a, int64_t now_ms)
{
    const struct plan *p = source->plan;
    char *detail = detail_of(p, a);
    return (struct audit_line){.id = uuid_new(),
        .at_ms = now_ms,
        .job = source->job->id,
        .client = bytes_of_text(source->job->client ? source->job->client : ""),
        .role = bytes_of_text(p->role ? p->role : ""),
        .channel = bytes_of_text(p->channel ? p->channel : ""),
        .actor = bytes_of_text(p->actor ? p->actor : ""),
        .event = bytes_of_text(a->event),
        .subject = a->subject,
        .detail = detail ? bytes_of_text(detail) : (struct bytes){0}};
}

int audit_insert(
    struct db *db, const struct audit_source *sources, size_t n, int64_t now_ms, struct err *err)
{
    size_t lines = count(sources, n), at = 0;
    if (!lines)
        return 0;
    struct audit_line *list = mem_zero(lines, sizeof *list);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sources[i].plan->audit_count; k++)
            list[at++] = line_of(&sources[i], &sources[i].plan->audits[k], now_ms);
    int result = audit_append(db, list, lines, err);
    for (size_t i = 0; i < lines; i++)
        free((void *)(uintptr_t)list[i].detail.data);
    free(list);
    return result;
}

#include "store/audit_store.h"

#include "store/value.h"

#include <string.h>

static const struct statement insert = {"audit.insert",
    "INSERT INTO audit (id, at_ms, job, client, role, channel, actor, event, subject, detail) "
    "VALUES (?,?,?,?,?,?,?,?,?,?)",
    "bibtttttbt", ""};

struct line {
    struct uuid id;
    char *detail;
};

static size_t count(const struct audit_source *sources, size_t n)
{
    size_t lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += sources[i].plan->audit_count;
    return lines;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

int audit_insert(
    struct db *db, const struct audit_source *sources, size_t n, int64_t now_ms, struct err *err)
{
    enum { WIDTH = 10 };
    size_t lines = count(sources, n), at = 0;
    struct db_value *v = mem_zero(lines * WIDTH, sizeof *v);
    struct line *kept = mem_zero(lines, sizeof *kept);
    for (size_t i = 0; i < n; i++) {
        const struct plan *p = sources[i].plan;
        for (size_t k = 0; k < p->audit_count; k++, at++) {
            const struct plan_audit *a = &p->audits[k];
            kept[at].id = uuid_new();
            kept[at].detail = a->detail ? json_dumps(a->detail, JSON_COMPACT) : NULL;
            struct db_value row[WIDTH] = {db_uuid(&kept[at].id), db_int(now_ms),
                db_uuid(&sources[i].job->id), db_text(or_empty(sources[i].job->client)),
                db_text(or_empty(p->role)), db_text(or_empty(p->channel)),
                db_text(or_empty(p->actor)), db_text(a->event), db_uuid(&a->subject),
                db_text(kept[at].detail)};
            memcpy(&v[at * WIDTH], row, sizeof row);
        }
    }
    int result = db_run_bulk(db, &insert, v, lines, NULL, err);
    for (size_t i = 0; i < lines; i++)
        free(kept[i].detail);
    free(kept);
    free(v);
    return result;
}

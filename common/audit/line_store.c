#include "audit/line_store.h"

#include "base/mem.h"

#include <string.h>

#define COLUMNS "id, at_ms, job, client, role, channel, actor, event, subject, detail"
#define TYPES "bibtttttbt"
enum { WIDTH = 10 };

static struct db_value text_of(struct bytes text)
{
    struct db_value v = {.type = text.data ? DB_TEXT : DB_NULL, .bytes = text};
    return v;
}

static int note_unsealed(struct db *db, const struct audit_line *lines, size_t n, struct err *err)
{
    static const struct statement note = {
        "audit.note", "INSERT INTO audit_unsealed (id, ids) VALUES (?, ?)", "bb", ""};
    AUTO_BUF ids = {0};
    for (size_t i = 0; i < n; i++)
        buf_add(&ids, lines[i].id.b, sizeof lines[i].id.b);
    const struct db_value params[] = {db_uuid(&lines[0].id), db_bytes(buf_bytes(&ids))};
    return db_run(db, &note, params, NULL, err);
}

int audit_append(struct db *db, const struct audit_line *lines, size_t n, struct err *err)
{
    static const struct statement insert = {
        "audit.insert", "INSERT INTO audit (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?)", TYPES, ""};
    if (!n)
        return 0;
    AUTO_VALUES v = mem_zero(n * WIDTH, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const struct audit_line *a = &lines[i];
        const struct db_value row[WIDTH] = {db_uuid(&a->id), db_int(a->at_ms), db_uuid(&a->job),
            text_of(a->client), text_of(a->role), text_of(a->channel), text_of(a->actor),
            text_of(a->event), db_uuid(&a->subject), text_of(a->detail)};
        memcpy(&v[i * WIDTH], row, sizeof row);
    }
    return db_run_bulk(db, &insert, v, n, NULL, err) || note_unsealed(db, lines, n, err) ? -1 : 0;
}

static void copy_id(struct uuid *to, struct bytes from)
{
    *to = (struct uuid){{0}};
    memcpy(to->b, from.data, from.length < sizeof to->b ? from.length : sizeof to->b);
}

static int visit_rows(struct db *db, const struct statement *s, const struct db_value *params,
    audit_visit *visit, void *context, struct err *err)
{
    struct db_value v[WIDTH];
    if (db_query(db, s, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, v, err)) > 0) {
        struct audit_line line = {.at_ms = v[1].integer,
            .client = v[3].bytes,
            .role = v[4].bytes,
            .channel = v[5].bytes,
            .actor = v[6].bytes,
            .event = v[7].bytes};
        copy_id(&line.id, v[0].bytes);
        copy_id(&line.job, v[2].bytes);
        copy_id(&line.subject, v[8].bytes);
        if (v[9].type != DB_NULL)
            line.detail = (struct bytes){
                v[9].bytes.data ? v[9].bytes.data : (const uint8_t *)"", v[9].bytes.length};
        if (visit(context, &line))
            break;
    }
    db_finish(db);
    return row < 0 ? -1 : 0;
}

int audit_read(struct db *db, const struct uuid *ids, size_t n, audit_visit *visit, void *context,
    struct err *err)
{
    static const struct statement read = {"audit.read",
        "SELECT a.id, a.at_ms, a.job, a.client, a.role, a.channel, a.actor, a.event, a.subject, "
        "a.detail FROM " DB_JOIN_IDS("audit a", "a.id"),
        "bi", TYPES};
    const struct db_value params[] = {
        db_bytes((struct bytes){ids[0].b, n * sizeof *ids}), db_int((int64_t)n)};
    return visit_rows(db, &read, params, visit, context, err);
}

static struct db_value optional_id(const struct uuid *id)
{
    return id ? db_uuid(id) : db_null();
}

#define FILTER                                                                                     \
    "(? IS NULL OR id < ?) AND (? IS NULL OR actor = ? OR client = ?) AND (? IS NULL OR event = "  \
    "?) AND at_ms >= ? ORDER BY id DESC LIMIT ?"

int audit_list(struct db *db, const struct audit_filter *filter, audit_visit *visit, void *context,
    struct err *err)
{
    static const struct statement all = {
        "audit.list", "SELECT " COLUMNS " FROM audit WHERE " FILTER, "bbtttttii", TYPES};
    static const struct statement of_subject = {"audit.list.subject",
        "SELECT " COLUMNS " FROM audit WHERE subject = ? AND " FILTER, "bbbtttttii", TYPES};
    const struct db_value before = optional_id(filter->before), actor = db_text(filter->actor),
                          event = db_text(filter->event);
    const struct db_value params[] = {optional_id(filter->subject), before, before, actor, actor,
        actor, event, event, db_int(filter->since_ms), db_int(filter->limit)};
    if (filter->subject)
        return visit_rows(db, &of_subject, params, visit, context, err);
    return visit_rows(db, &all, params + 1, visit, context, err);
}

int audit_each_id(struct db *db, audit_id_visit *visit, void *context, struct err *err)
{
    static const struct statement ids = {"audit.ids", "SELECT id FROM audit ORDER BY id", "", "b"};
    struct db_value v;
    if (db_query(db, &ids, NULL, err))
        return -1;
    int row;
    while ((row = db_fetch(db, &v, err)) > 0) {
        struct uuid id;
        copy_id(&id, v.bytes);
        visit(context, &id);
    }
    return row;
}

#include "audit/seal_store.h"

#include "audit/line_store.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define HEAD                                                                                       \
    "number, after_number, at_ms, entries, first_id, last_id, previous, members_hash, hash, "      \
    "key_id, signature"
#define HEAD_TYPES "iiiibbbbbtb"
enum { HEAD_WIDTH = 11 };

static bool take(const struct db_value *v, void *to, size_t length)
{
    if (v->bytes.length != length)
        return false;
    memcpy(to, v->bytes.data, length);
    return true;
}

static int read_head(const struct db_value *v, struct audit_seal *s, struct err *err)
{
    *s = (struct audit_seal){.number = (uint64_t)v[0].integer,
        .after = (uint64_t)v[1].integer,
        .at_ms = v[2].integer,
        .count = (uint32_t)v[3].integer,
        .signature_length = v[10].bytes.length};
    /* A number below 0 is one above all that can be; it would be the last for ever. */
    if (v[0].integer > 0 && take(&v[4], &s->first, sizeof s->first) &&
        take(&v[5], &s->last, sizeof s->last) && take(&v[6], s->previous, AUDIT_HASH) &&
        take(&v[7], s->members_hash, AUDIT_HASH) && take(&v[8], s->hash, AUDIT_HASH) &&
        v[9].bytes.length < sizeof s->key_id && v[10].bytes.length <= sizeof s->signature) {
        memcpy(s->key_id, v[9].bytes.data, v[9].bytes.length);
        memcpy(s->signature, v[10].bytes.data, v[10].bytes.length);
        return 0;
    }
    return err_set(
        err, ERR_INPUT, "bad-row", "seal %llu: its row was changed", (unsigned long long)s->number);
}

/* A list that was cut or grew is told by its hash, so the check goes on with what is there. */
static void read_members(const struct db_value *v, struct audit_seal *s)
{
    const size_t n = v->bytes.length / sizeof *s->members;
    const struct uuid none = {{0}};
    s->members = mem_zero(n ? n : 1, sizeof *s->members);
    if (n)
        memcpy(s->members, v->bytes.data, n * sizeof *s->members);
    s->is_damaged = v->bytes.length % sizeof *s->members || n != s->count ||
                    !uuid_equal(&s->first, n ? &s->members[0].id : &none) ||
                    !uuid_equal(&s->last, n ? &s->members[n - 1].id : &none);
    s->count = (uint32_t)n;
}

/* 1: read, 0: there is none. */
static int read_one(struct db *db, const struct statement *s, const struct db_value *params,
    bool with_members, struct audit_seal *ret, struct err *err)
{
    struct db_value v[HEAD_WIDTH + 1];
    struct audit_seal found = {0};
    if (db_query(db, s, params, err))
        return -1;
    int row = db_fetch(db, v, err);
    if (row > 0 && read_head(v, &found, err))
        row = -1;
    else if (row > 0 && with_members)
        read_members(&v[HEAD_WIDTH], &found);
    db_finish(db);
    if (row > 0)
        *ret = found;
    return row;
}

int audit_seal_last(struct db *db, struct audit_seal *ret, struct err *err)
{
    static const struct statement last = {"audit_seal.last",
        "SELECT " HEAD " FROM audit_seal ORDER BY number DESC LIMIT 1", "", HEAD_TYPES};
    *ret = (struct audit_seal){0};
    return read_one(db, &last, NULL, false, ret, err) < 0 ? -1 : 0;
}

int audit_seal_after(
    struct db *db, uint64_t number, bool with_members, struct audit_seal *ret, struct err *err)
{
    static const struct statement head = {"audit_seal.head",
        "SELECT " HEAD " FROM audit_seal WHERE number > ? ORDER BY number LIMIT 1", "i",
        HEAD_TYPES};
    static const struct statement whole = {"audit_seal.whole",
        "SELECT " HEAD ", members FROM audit_seal WHERE number > ? ORDER BY number LIMIT 1", "i",
        HEAD_TYPES "b"};
    const struct db_value param = db_int((int64_t)number);
    return read_one(db, with_members ? &whole : &head, &param, with_members, ret, err);
}

static struct db_value hash_of(const uint8_t *hash)
{
    return db_bytes((struct bytes){hash, AUDIT_HASH});
}

int audit_seal_add(
    struct db *db, const struct audit_seal *s, const struct uuid *job, struct err *err)
{
    static const struct statement add = {"audit_seal.add",
        "INSERT INTO audit_seal (" HEAD ", members, job) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
        HEAD_TYPES "bb", ""};
    const struct db_value row[] = {db_int((int64_t)s->number), db_int((int64_t)s->after),
        db_int(s->at_ms), db_int(s->count), db_uuid(&s->first), db_uuid(&s->last),
        hash_of(s->previous), hash_of(s->members_hash), hash_of(s->hash), db_text(s->key_id),
        db_bytes((struct bytes){s->signature, s->signature_length}),
        db_bytes((struct bytes){(const uint8_t *)s->members, s->count * sizeof *s->members}),
        db_uuid(job)};
    return db_run(db, &add, row, NULL, err);
}

/* ---- restores ---- */

bool audit_restored_seals(struct bytes detail, uint64_t *ret_database, uint64_t *ret_file)
{
    struct err ignored = {0};
    AUTO_TYPE(json, json_t) *o = NULL;
    if (!detail.data || json_parse_object(detail, &o, &ignored))
        return false;
    const json_t *database = json_at(o, "seals.database"), *file = json_at(o, "seals.file");
    if (!json_is_integer(database) || !json_is_integer(file))
        return false;
    *ret_database = (uint64_t)json_integer_value(database);
    *ret_file = (uint64_t)json_integer_value(file);
    return true;
}

static int note_restore(void *context, const struct audit_line *line)
{
    uint64_t *most = context, database, file;
    if (audit_restored_seals(line->detail, &database, &file) && file > *most)
        *most = file;
    return 0;
}

int audit_restored_number(struct db *db, uint64_t *ret, struct err *err)
{
    const struct uuid nobody = {{0}};
    const struct audit_filter filter = {
        .subject = &nobody, .event = AUDIT_RESTORED, .limit = INT32_MAX};
    *ret = 0;
    return audit_list(db, &filter, note_restore, ret, err);
}

/* ---- what waits ---- */

int audit_unsealed_read(
    struct db *db, size_t most, struct buf *notes, struct buf *ids, struct err *err)
{
    static const struct statement read = {
        "audit_unsealed.read", "SELECT id, ids FROM audit_unsealed ORDER BY id LIMIT ?", "i", "bb"};
    const struct db_value param = db_int(DB_IDS_MOST);
    struct db_value v[2];
    if (db_query(db, &read, &param, err))
        return -1;
    int row;
    while (ids->length / sizeof(struct uuid) < most && (row = db_fetch(db, v, err)) != 0) {
        if (row < 0 || v[0].bytes.length != sizeof(struct uuid) ||
            v[1].bytes.length % sizeof(struct uuid)) {
            db_finish(db);
            return row < 0 ? -1
                           : err_set(err, ERR_INPUT, "bad-row",
                                 "audit_unsealed: a row is no list of ids");
        }
        buf_add(notes, v[0].bytes.data, v[0].bytes.length);
        buf_add(ids, v[1].bytes.data, v[1].bytes.length);
    }
    db_finish(db);
    return 0;
}

int audit_unsealed_delete(struct db *db, const struct buf *notes, struct err *err)
{
    static const struct statement delete = {"audit_unsealed.delete",
        "DELETE u FROM " DB_JOIN_IDS("audit_unsealed u", "u.id"), "bi", ""};
    const struct db_value params[] = {
        db_bytes(buf_bytes(notes)), db_int((int64_t)(notes->length / sizeof(struct uuid)))};
    return db_run(db, &delete, params, NULL, err);
}

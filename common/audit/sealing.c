#include "audit/sealing.h"

#include "audit/line_store.h"
#include "audit/seal_store.h"
#include "base/mem.h"

#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

/* Ascending, each once; returns how many. */
static size_t put_in_order(struct uuid *ids, size_t n)
{
    size_t kept = 0;
    qsort(ids, n, sizeof *ids, compare_ids);
    for (size_t i = 0; i < n; i++)
        if (!kept || !uuid_equal(&ids[kept - 1], &ids[i]))
            ids[kept++] = ids[i];
    return kept;
}

struct filling {
    struct audit_member *members;
    size_t count, at; /* members before `at` have had their turn */
};

/* Lines come in the members' order; one that does not come keeps its zeros. */
static int fill_digest(void *context, const struct audit_line *line)
{
    struct filling *f = context;
    while (f->at < f->count && uuid_compare(&f->members[f->at].id, &line->id) < 0)
        f->at++;
    if (f->at < f->count && uuid_equal(&f->members[f->at].id, &line->id))
        audit_line_digest(line, f->members[f->at++].digest);
    return 0;
}

static int read_members(
    struct db *db, const struct uuid *ids, size_t n, struct audit_member *members, struct err *err)
{
    struct filling f = {members, n, 0};
    for (size_t i = 0; i < n; i++)
        members[i].id = ids[i];
    for (size_t at = 0; at < n; at += DB_IDS_MOST)
        if (audit_read(
                db, ids + at, n - at < DB_IDS_MOST ? n - at : DB_IDS_MOST, fill_digest, &f, err))
            return -1;
    return 0;
}

/* Number and chain; numbers that a restore gave up are not used again. */
static int follow_last(struct db *db, struct audit_seal *s, struct err *err)
{
    AUTO_SEAL last = {0};
    uint64_t given_up;
    if (audit_seal_last(db, &last, err) || audit_restored_number(db, &given_up, err))
        return -1;
    s->after = last.number;
    s->number = (last.number > given_up ? last.number : given_up) + 1;
    memcpy(s->previous, last.hash, AUDIT_HASH);
    return 0;
}

int audit_seal_next(struct db *db, struct audit_signer *signer, int64_t now_ms,
    const struct uuid *job, struct audit_seal *ret, struct err *err)
{
    AUTO_BUF notes = {0}, ids = {0};
    AUTO_SEAL s = {.at_ms = now_ms};
    *ret = (struct audit_seal){0};
    if (follow_last(db, &s, err) || audit_unsealed_read(db, AUDIT_SEAL_LINES, &notes, &ids, err))
        return -1;
    if (!notes.length)
        return 0;
    struct uuid *list = (struct uuid *)(void *)ids.data;
    size_t n = put_in_order(list, ids.length / sizeof *list);
    struct audit_member *members = mem_zero(n ? n : 1, sizeof *members);
    int result = read_members(db, list, n, members, err);
    audit_seal_take_members(&s, members, n);
    if (result || audit_sign(signer, &s, err) || audit_seal_add(db, &s, job, err) ||
        audit_unsealed_delete(db, &notes, err))
        return -1;
    *ret = s;
    s.members = NULL;
    return 0;
}

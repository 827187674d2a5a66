#include "audit/check.h"

#include "audit/check_file.h"
#include "audit/line_store.h"
#include "audit/seal_store.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct gap {
    uint64_t from, to; /* numbers that are missing */
    bool is_excused;
};

struct check {
    struct db *db;
    const struct audit_checker *keys;
    audit_finding_visit *visit;
    void *context;
    struct audit_report *report;
    struct file_seals file;
    bool has_file;
    struct buf ids; /* of lines that are sealed or wait */
    struct gap *gaps;
    size_t gap_count;
    /* of the seal at hand */
    const struct audit_seal *seal;
    size_t at; /* members before it have had their turn */
    uint8_t (*found)[AUDIT_HASH];
    bool *is_found;
};

static const struct {
    const char *name;
    bool is_note;
} words[AUDIT_FAULTS] = {
    [AUDIT_CHANGED] = {"changed", false},
    [AUDIT_MOVED] = {"moved", false},
    [AUDIT_REMOVED] = {"removed", false},
    [AUDIT_ADDED] = {"added", false},
    [AUDIT_SEAL_CHANGED] = {"seal-changed", false},
    [AUDIT_SEAL_REMOVED] = {"seal-removed", false},
    [AUDIT_SEAL_CUT] = {"seal-cut", false},
    [AUDIT_SEAL_DIFFERS] = {"seal-differs", false},
    [AUDIT_FILE_LACKS] = {"file-lacks", false},
    [AUDIT_RESTORE] = {"restore", true},
    [AUDIT_FILE_BEHIND] = {"file-behind", true},
    [AUDIT_FILE_LINE] = {"file-line", true},
};

const char *audit_fault_name(enum audit_fault fault)
{
    return words[fault].name;
}

bool audit_fault_is_note(enum audit_fault fault)
{
    return words[fault].is_note;
}

static void tell(struct check *c, struct audit_finding finding, const char *format, ...)
    PRINTF_LIKE(3, 4);
static void tell(struct check *c, struct audit_finding finding, const char *format, ...)
{
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    finding.text = text;
    if (words[finding.fault].is_note)
        c->report->notes++;
    else
        c->report->faults++;
    c->visit(c->context, &finding);
}
#define NUMBER(n) ((unsigned long long)(n))

/* ---- the lines of one seal ---- */

/* A restore explains the numbers it gave up, if it is in a seal itself: only then is it reached. */
static void excuse(struct check *c, struct bytes detail)
{
    uint64_t database, file;
    if (!audit_restored_seals(detail, &database, &file))
        return;
    for (size_t i = 0; i < c->gap_count; i++)
        if (c->gaps[i].from == database + 1 && c->gaps[i].to == file)
            c->gaps[i].is_excused = true;
}

static int take_line(void *context, const struct audit_line *line)
{
    struct check *c = context;
    const struct audit_seal *s = c->seal;
    while (c->at < s->count && uuid_compare(&s->members[c->at].id, &line->id) < 0)
        c->at++;
    if (c->at == s->count || !uuid_equal(&s->members[c->at].id, &line->id))
        return 0;
    audit_line_digest(line, c->found[c->at]);
    c->is_found[c->at++] = true;
    if (bytes_equal(line->event, bytes_of_text(AUDIT_RESTORED)))
        excuse(c, line->detail);
    return 0;
}

static bool is_same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, AUDIT_HASH) == 0;
}

static void judge_line(struct check *c, size_t i)
{
    static const uint8_t nothing[AUDIT_HASH];
    const struct audit_seal *s = c->seal;
    const struct audit_member *m = &s->members[i];
    struct audit_finding f = {.fault = AUDIT_REMOVED, .seal = s->number, .line = m->id};
    if (is_same(m->digest, nothing) && !c->is_found[i]) {
        tell(c, f, "was gone before it could be sealed");
    } else if (!c->is_found[i]) {
        tell(c, f, "was sealed and is gone");
    } else if (is_same(m->digest, c->found[i])) {
        c->report->lines++;
    } else {
        f.fault = AUDIT_CHANGED;
        for (size_t k = 0; k < s->count && f.fault == AUDIT_CHANGED; k++)
            if (is_same(s->members[k].digest, c->found[i])) {
                f.fault = AUDIT_MOVED;
                f.other = s->members[k].id;
            }
        tell(c, f,
            f.fault == AUDIT_MOVED ? "holds what another line held when it was sealed"
                                   : "is not what was sealed");
    }
}

static int check_lines(struct check *c, struct err *err)
{
    const struct audit_seal *s = c->seal;
    AUTO_BUF found = {0}, is_found = {0}, ids = {0};
    int result = 0;
    if (!s->count)
        return 0;
    c->found = (uint8_t(*)[AUDIT_HASH])(void *)buf_reserve(&found, s->count * AUDIT_HASH);
    c->is_found = (bool *)(void *)buf_reserve(&is_found, s->count);
    memset(c->is_found, 0, s->count);
    c->at = 0;
    for (size_t i = 0; i < s->count; i++)
        buf_add(&ids, s->members[i].id.b, sizeof s->members[i].id);
    const struct uuid *list = (const struct uuid *)(const void *)ids.data;
    for (size_t at = 0; result == 0 && at < s->count; at += DB_IDS_MOST)
        result = audit_read(c->db, list + at,
            s->count - at < DB_IDS_MOST ? s->count - at : DB_IDS_MOST, take_line, c, err);
    for (size_t i = 0; result == 0 && i < s->count; i++)
        judge_line(c, i);
    buf_add(&c->ids, ids.data, ids.length);
    return result;
}

/* ---- the chain ---- */

static void add_gap(struct check *c, uint64_t from, uint64_t to)
{
    c->gaps = mem_resize(c->gaps, c->gap_count + 1, sizeof *c->gaps);
    c->gaps[c->gap_count++] = (struct gap){.from = from, .to = to};
}

/* Numbers may be skipped only where a restore says so; the chain may never be. */
static void check_place(struct check *c, const struct audit_seal *last)
{
    const struct audit_seal *s = c->seal;
    const struct audit_finding f = {.fault = AUDIT_SEAL_REMOVED, .seal = s->number};
    if (s->after != last->number || !is_same(s->previous, last->hash)) {
        if (s->number == last->number + 1)
            tell(c, f, "does not follow the seal before it");
        else
            tell(c, f, "seals %llu to %llu before it are gone", NUMBER(last->number + 1),
                NUMBER(s->number - 1));
    } else if (s->number != last->number + 1) {
        add_gap(c, last->number + 1, s->number - 1);
    }
}

static void check_seal(struct check *c, const struct audit_seal *stored)
{
    const struct audit_seal *s = c->seal; /* members_hash is of the members there are */
    const struct audit_finding f = {.fault = AUDIT_SEAL_CHANGED, .seal = s->number};
    uint8_t hash[AUDIT_HASH];
    audit_seal_hash(s, hash);
    if (!is_same(hash, stored->hash) || !is_same(s->members_hash, stored->members_hash) ||
        stored->is_damaged)
        tell(c, f, "its list of lines, its numbers or its hash was changed");
    else if (!audit_checker_knows(c->keys, s->key_id))
        tell(c, f, "is signed by key %s, whose public key is not among those given", s->key_id);
    else if (!audit_signed(c->keys, s))
        tell(c, f, "its signature is wrong");
}

static void compare_file(struct check *c)
{
    const struct audit_seal *s = c->seal, *outside = file_seals_find(&c->file, s->number);
    const struct audit_seal *end = c->file.items + c->file.count;
    if (!c->has_file)
        return;
    if (!outside && s->number < c->report->file_last)
        tell(c, (struct audit_finding){.fault = AUDIT_FILE_LACKS, .seal = s->number},
            "the file has later seals and lacks this one");
    for (; outside && outside < end && outside->number == s->number; outside++)
        if (!is_same(outside->hash, s->hash))
            tell(c, (struct audit_finding){.fault = AUDIT_SEAL_DIFFERS, .seal = s->number},
                "the file outside has another seal of this number%s",
                audit_signed(c->keys, outside) ? ", rightly signed" : "");
}

static int check_seals(struct check *c, struct err *err)
{
    AUTO_SEAL last = {0};
    for (;;) {
        AUTO_SEAL stored = {0};
        int row = audit_seal_after(c->db, last.number, true, &stored, err);
        if (row <= 0)
            return row;
        struct audit_seal s = stored;
        struct audit_member *members = stored.members;
        audit_seal_take_members(&s, members, s.count);
        c->seal = &s;
        check_place(c, &last);
        check_seal(c, &stored);
        compare_file(c);
        if (check_lines(c, err))
            return -1;
        c->report->seals++;
        last = stored;
        last.members = NULL;
    }
}

/* ---- what no seal covers ---- */

static int compare_ids(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

struct present {
    const struct uuid *ids;
    size_t count, at;
    struct check *check;
};

/* Both in the order of ids. */
static void take_id(void *context, const struct uuid *id)
{
    struct present *p = context;
    while (p->at < p->count && uuid_compare(&p->ids[p->at], id) < 0)
        p->at++;
    if (p->at < p->count && uuid_equal(&p->ids[p->at], id))
        return;
    tell(p->check, (struct audit_finding){.fault = AUDIT_ADDED, .line = *id},
        "is in no seal and was not waiting for one");
}

struct waiting {
    struct check *check;
    const struct uuid *ids;
    size_t count, at;
};

static void tell_gone(struct waiting *w, const struct uuid *until)
{
    for (; w->at < w->count && (!until || uuid_compare(&w->ids[w->at], until) < 0); w->at++)
        tell(w->check, (struct audit_finding){.fault = AUDIT_REMOVED, .line = w->ids[w->at]},
            "was waiting for its seal and is gone");
}

static int see_waiting(void *context, const struct audit_line *line)
{
    struct waiting *w = context;
    tell_gone(w, &line->id);
    if (w->at < w->count && uuid_equal(&w->ids[w->at], &line->id))
        w->at++;
    return 0;
}

/* Notes are read by pages of their ids, which are those of their first lines. */
static int read_waiting(struct check *c, struct buf *ret, struct err *err)
{
    static const struct statement read = {
        "audit_unsealed.all", "SELECT ids FROM audit_unsealed ORDER BY id", "", "b"};
    struct db_value v;
    if (db_query(c->db, &read, NULL, err))
        return -1;
    int row;
    while ((row = db_fetch(c->db, &v, err)) > 0)
        buf_add(ret, v.bytes.data, v.bytes.length / sizeof(struct uuid) * sizeof(struct uuid));
    return row;
}

static int check_waiting(struct check *c, struct err *err)
{
    AUTO_BUF all = {0};
    if (read_waiting(c, &all, err))
        return -1;
    const size_t n = all.length / sizeof(struct uuid);
    struct uuid *ids = (struct uuid *)(void *)all.data;
    if (!n)
        return 0;
    qsort(ids, n, sizeof *ids, compare_ids);
    c->report->waiting = n;
    for (size_t at = 0; at < n; at += DB_IDS_MOST) {
        struct waiting w = {c, ids + at, n - at < DB_IDS_MOST ? n - at : DB_IDS_MOST, 0};
        if (audit_read(c->db, w.ids, w.count, see_waiting, &w, err))
            return -1;
        tell_gone(&w, NULL);
    }
    buf_add(&c->ids, all.data, all.length);
    return 0;
}

static int check_added(struct check *c, struct err *err)
{
    struct uuid *ids = (struct uuid *)(void *)c->ids.data;
    struct present p = {.ids = ids, .count = c->ids.length / sizeof *ids, .check = c};
    if (p.count)
        qsort(ids, p.count, sizeof *ids, compare_ids);
    return audit_each_id(c->db, take_id, &p, err);
}

/* ---- gaps and the file's end ---- */

static bool is_given_up(const struct check *c, uint64_t number)
{
    for (size_t i = 0; i < c->gap_count; i++)
        if (c->gaps[i].is_excused && number >= c->gaps[i].from && number <= c->gaps[i].to)
            return true;
    return false;
}

static void tell_gaps(struct check *c)
{
    for (size_t i = 0; i < c->gap_count; i++) {
        const struct gap *g = &c->gaps[i];
        struct audit_finding f = {
            .fault = g->is_excused ? AUDIT_RESTORE : AUDIT_SEAL_REMOVED, .seal = g->from};
        if (g->is_excused)
            tell(c, f, "seals %llu to %llu were lost with a restore, which says so",
                NUMBER(g->from), NUMBER(g->to));
        else
            tell(c, f, "seals %llu to %llu were never made or are gone, and no restore says so",
                NUMBER(g->from), NUMBER(g->to));
    }
}

static void tell_cut(struct check *c)
{
    for (size_t i = 0; i < c->file.count; i++) {
        const struct audit_seal *s = &c->file.items[i];
        uint8_t hash[AUDIT_HASH];
        audit_seal_hash(s, hash);
        if (s->number <= c->report->last_seal || is_given_up(c, s->number))
            continue;
        const bool is_ours = is_same(hash, s->hash) && audit_signed(c->keys, s);
        tell(c,
            (struct audit_finding){
                .fault = AUDIT_SEAL_CUT, .seal = s->number, .line = s->first, .other = s->last},
            is_ours ? "the file has it, the database does not: %lu lines from %s"
                    : "the file has it, wrongly signed, the database does not: %lu lines from %s",
            (unsigned long)s->count, clock_s(s->at_ms));
    }
}

static void tell_file(struct check *c)
{
    const uint64_t last = c->report->last_seal, in_file = c->report->file_last;
    if (c->has_file && c->file.is_missing && last)
        tell(c, (struct audit_finding){.fault = AUDIT_FILE_LACKS},
            "there is no such file, and there are seals");
    else if (c->has_file && in_file < last)
        tell(c, (struct audit_finding){.fault = AUDIT_FILE_BEHIND, .seal = in_file},
            "the file ends with it, the database with %llu: certq audit seal", NUMBER(last));
    for (size_t i = 0; i < c->file.bad_count; i++)
        tell(c, (struct audit_finding){.fault = AUDIT_FILE_LINE},
            "line %zu of the file is no seal; a crash may have cut it short", c->file.bad_lines[i]);
}

/* ---- all of it ---- */

static int begin_snapshot(struct db *db, struct err *err)
{
    /* Whoever reads the findings in a pager may take long. */
    static const char *const statements[] = {
        "SET SESSION idle_transaction_timeout = 0",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(statements); i++)
        if (db_execute(db, bytes_of_text(statements[i]), err))
            return -1;
    return 0;
}

static int run(struct check *c, struct err *err)
{
    AUTO_SEAL last = {0};
    if (audit_seal_last(c->db, &last, err))
        return -1;
    c->report->last_seal = last.number;
    c->report->last_ms = last.at_ms;
    if (check_seals(c, err) || check_waiting(c, err) || check_added(c, err))
        return -1;
    tell_gaps(c);
    tell_cut(c);
    tell_file(c);
    return 0;
}

int audit_check(struct db *db, const struct audit_checker *keys, const char *file,
    audit_finding_visit *visit, void *context, struct audit_report *ret, struct err *err)
{
    struct check c = {.db = db,
        .keys = keys,
        .visit = visit,
        .context = context,
        .report = ret,
        .has_file = file != NULL};
    *ret = (struct audit_report){0};
    /* The file first: seals are in the database before they are in the file. */
    int result = file ? file_seals_read(file, &c.file, err) : 0;
    ret->file_last = file_seals_last(&c.file);
    if (result == 0)
        result = db_open(db, err) || begin_snapshot(db, err) || run(&c, err) ? -1 : 0;
    if (db_is_open(db))
        db_rollback(db);
    file_seals_clear(&c.file);
    buf_free(&c.ids);
    free(c.gaps);
    return result;
}

#include "store/notice_store.h"

#include "store/value.h"

#include <string.h>

/* --- who is due --- */

/* The marks there are, one step of the index each, so that a threshold a product no longer has
 * hides nobody. */
static const struct statement next_mark = {"notice.next-mark",
    "SELECT MIN(noticed_days) FROM certificate FORCE INDEX (due) WHERE product = ? AND "
    "noticed_days > ?",
    "ti", "i"};
static const struct statement find_due = {"notice.find-due",
    "SELECT id FROM certificate FORCE INDEX (due) WHERE product = ? AND noticed_days = ? AND "
    "not_after_ms >= ? AND not_after_ms < ? ORDER BY not_after_ms, id",
    "tiii", "b"};

static int find_marked(struct db *db, const char *product, int64_t mark,
    const struct notice_band *band, struct buf *ret_ids, struct err *err)
{
    const struct db_value params[] = {
        db_text(product), db_int(mark), db_int(band->from_ms), db_int(band->until_ms)};
    struct db_value v;
    int more;
    if (db_query(db, &find_due, params, err))
        return -1;
    while ((more = db_fetch(db, &v, err)) > 0) {
        const struct uuid id = value_uuid(&v);
        buf_add(ret_ids, id.b, sizeof id.b);
    }
    db_finish(db);
    return more;
}

int notice_find_due(struct db *db, const char *product, const struct notice_band *band,
    struct buf *ret_ids, struct err *err)
{
    for (int64_t mark = band->days;;) {
        const struct db_value params[] = {db_text(product), db_int(mark)};
        struct db_value v;
        if (db_query(db, &next_mark, params, err) || db_fetch(db, &v, err) < 0)
            return -1;
        const bool is_last = v.type == DB_NULL;
        mark = value_int(&v);
        db_finish(db);
        if (is_last)
            return 0;
        if (find_marked(db, product, mark, band, ret_ids, err))
            return -1;
    }
}

/* --- locking and reading --- */

static const struct statement lock = {"notice.lock",
    "SELECT c.id FROM " DB_JOIN_IDS("certificate c", "c.id") " WHERE c.noticed_days > ? FOR UPDATE",
    "bii", "b"};

int notice_lock(struct db *db, struct uuid *ids, size_t n, int days, size_t *ret_n, struct err *err)
{
    const struct db_value params[] = {
        db_bytes(id_list_bytes(ids, n)), db_int((int64_t)n), db_int(days)};
    struct uuid held[DB_IDS_MOST];
    struct db_value v;
    size_t m = 0;
    int more;
    if (db_query(db, &lock, params, err))
        return -1;
    while ((more = db_fetch(db, &v, err)) > 0 && m < n)
        held[m++] = value_uuid(&v);
    db_finish(db);
    if (more < 0)
        return -1;
    memcpy(ids, held, m * sizeof *ids);
    *ret_n = m;
    return 0;
}

/* Whether it is renewed: notice_is_renewed. */
static const struct statement load = {"notice.load",
    "SELECT c.id, c.subscriber, c.state, c.serial, c.not_after_ms, c.noticed_days, s.state, "
    "s.language, s.profile, EXISTS (SELECT 1 FROM certificate o WHERE o.subscriber = c.subscriber "
    "AND o.id <> c.id AND o.state = 'valid' AND (o.predecessor = c.id OR (o.root = c.root AND "
    "o.issued_ms > c.issued_ms) OR (? AND o.not_after_ms > c.not_after_ms) OR EXISTS (SELECT 1 "
    "FROM "
    "certificate r WHERE r.id = o.root AND r.predecessor = c.id))), (SELECT JSON_OBJECTAGG(t.role, "
    "JSON_COMPACT(t.profile)) FROM contact t WHERE "
    "t.contract = s.contract) FROM " DB_JOIN_IDS("certificate c",
        "c.id") " JOIN subscriber s ON s.id = c.subscriber WHERE c.state IN ('valid', 'revoked')",
    "ibi", "bbtbiitttit"};

void notice_row_clear(struct notice_row *row)
{
    json_decref(row->profile);
    json_decref(row->contacts);
    row->profile = row->contacts = NULL;
}

static int take_json(const struct db_value *v, const char *what, const struct uuid *of,
    json_t **ret, struct err *err)
{
    struct err why = {0};
    if (v->type == DB_NULL || json_parse_object(v->bytes, ret, &why) == 0)
        return 0;
    return err_set(
        err, ERR_TEMPORARY, "damaged", "subscriber %s: %s: %s", uuid_s(of), what, why.text);
}

static int take_row(const struct db_value *v, struct notice_row *row, struct err *err)
{
    *row =
        (struct notice_row){.facts = {.certificate = value_uuid(&v[0]),
                                .subscriber = value_uuid(&v[1]),
                                .not_after_ms = value_int(&v[4]),
                                .noticed_days = (int)value_int(&v[5]),
                                .is_valid = bytes_equal(v[2].bytes, bytes_of_text("valid")),
                                .is_withdrawn = !bytes_equal(v[6].bytes, bytes_of_text("active")),
                                .is_renewed = value_int(&v[9]) != 0}};
    value_fixed(&v[3], row->serial, sizeof row->serial);
    row->facts.serial.length =
        v[3].bytes.length < sizeof row->serial ? v[3].bytes.length : sizeof row->serial;
    value_word(&v[7], row->language, sizeof row->language);
    const struct uuid *subscriber = &row->facts.subscriber;
    return take_json(&v[8], "profile", subscriber, &row->profile, err) ||
                   take_json(&v[10], "contacts", subscriber, &row->contacts, err)
               ? -1
               : 0;
}

/* Pointers into the row itself, which has come to stay. */
static void point(struct notice_row *row)
{
    row->facts.serial.data = row->serial;
    row->facts.language = row->language;
    row->facts.profile = row->profile;
    row->facts.contacts = row->contacts;
}

int notice_load(struct db *db, const struct policy *policy, const struct uuid *ids, size_t n,
    struct notice_row *ret, size_t *ret_n, struct err *err)
{
    const struct db_value params[] = {
        db_int(notice_takes_later(policy)), db_bytes(id_list_bytes(ids, n)), db_int((int64_t)n)};
    struct db_value v[11];
    int more;
    *ret_n = 0;
    if (db_query(db, &load, params, err))
        return -1;
    while ((more = db_fetch(db, v, err)) > 0 && *ret_n < n) {
        if (take_row(v, &ret[*ret_n], err)) {
            db_finish(db);
            return -1;
        }
        point(&ret[(*ret_n)++]);
    }
    db_finish(db);
    return more < 0 ? -1 : 0;
}

/* --- writing --- */

static const struct statement insert = {"notice.insert",
    "INSERT INTO notice (certificate, threshold, recipient, product, state, reason, mail, job, "
    "created_ms) VALUES (?,?,?,?,?,?,?,?,?)",
    "bittttbbi", ""};

int notice_insert(struct db *db, const struct notice_insert *rows, size_t n, const struct uuid *job,
    int64_t now_ms, struct err *err)
{
    enum { WIDTH = 9 };
    AUTO_VALUES v = mem_zero(n * WIDTH, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const struct notice_insert *r = &rows[i];
        const bool is_queued = r->reason == NOTICE_WANTED;
        const struct db_value row[WIDTH] = {db_uuid(&r->certificate), db_int(r->days),
            db_text(r->recipient), db_text(r->product), db_text(is_queued ? "queued" : "skipped"),
            db_word_or_null(notice_reason_word(r->reason)), db_id_or_null(&r->mail), db_uuid(job),
            db_int(now_ms)};
        memcpy(&v[i * WIDTH], row, sizeof row);
    }
    return db_run_bulk(db, &insert, v, n, NULL, err);
}

static const struct statement mark_all = {"notice.mark",
    "UPDATE " DB_JOIN_IDS("certificate c", "c.id") " SET c.noticed_days = ?", "bii", ""};

int notice_mark(struct db *db, const struct uuid *ids, size_t n, int days, struct err *err)
{
    const struct db_value params[] = {
        db_bytes(id_list_bytes(ids, n)), db_int((int64_t)n), db_int(days)};
    return n ? db_run(db, &mark_all, params, NULL, err) : 0;
}

/* --- counting --- */

static const struct statement count_due = {"notice.count-due",
    "SELECT product, threshold, COUNT(DISTINCT certificate) FROM notice WHERE job = ? AND NOT "
    "(reason <=> 'nearer') GROUP BY product, threshold",
    "b", "tii"};
/* FIELD gives the place in the list of reasons, 0 for a mail that was queued. */
static const struct statement count_reasons = {"notice.count-reasons",
    "SELECT product, FIELD(COALESCE(reason, ''), 'renewed', 'revoked', 'withdrawn', 'opted-out', "
    "'nearer', 'no-address') AS place, COUNT(*) FROM notice WHERE job = ? GROUP BY product, place",
    "b", "tii"};

static int count(struct db *db, const struct statement *s, const struct uuid *job,
    notice_each *each, void *context, struct err *err)
{
    const struct db_value params[] = {db_uuid(job)};
    struct db_value v[3];
    char product[MODEL_WORD];
    int more;
    if (db_query(db, s, params, err))
        return -1;
    while ((more = db_fetch(db, v, err)) > 0) {
        value_word(&v[0], product, sizeof product);
        each(context, product, value_int(&v[1]), value_int(&v[2]));
    }
    db_finish(db);
    return more;
}

int notice_count_due(
    struct db *db, const struct uuid *job, notice_each *each, void *context, struct err *err)
{
    return count(db, &count_due, job, each, context, err);
}

int notice_count_reasons(
    struct db *db, const struct uuid *job, notice_each *each, void *context, struct err *err)
{
    return count(db, &count_reasons, job, each, context, err);
}

#include "store/subscriber_store.h"

#include "store/value.h"

#include <string.h>

static const struct statement lock = {"subscriber.lock",
    "UPDATE " DB_JOIN_IDS("subscriber s", "s.id") " SET s.version = s.version + 1", "bi", ""};

int subscriber_lock(struct db *db, const struct uuid *ids, size_t n, struct err *err)
{
    struct db_value params[] = {db_bytes(id_list_bytes(ids, n)), db_int((int64_t)n)};
    return db_run(db, &lock, params, NULL, err);
}

#define COLUMNS                                                                                    \
    "s.id, s.product, s.unit_key, s.email, s.user_id, s.language, s.password, s.failures, "        \
    "s.locked_ms, s.state, s.profile, s.created_ms, s.contract"

static const struct statement load = {"subscriber.load",
    "SELECT " COLUMNS " FROM " DB_JOIN_IDS("subscriber s", "s.id"), "bi", "btbttttiittib"};

static struct aggregate *read_row(const struct db_value *v)
{
    struct aggregate *a = aggregate_new();
    struct subscriber *s = &a->subscriber;
    s->id = value_uuid(&v[0]);
    value_word(&v[1], s->product, sizeof s->product);
    s->unit_key = value_text(&v[2]);
    s->email = value_text(&v[3]);
    s->user_id = value_text(&v[4]);
    value_word(&v[5], s->language, sizeof s->language);
    s->password = value_text(&v[6]);
    s->failures = (uint32_t)value_int(&v[7]);
    s->locked_ms = value_int(&v[8]);
    s->is_withdrawn = bytes_equal(v[9].bytes, bytes_of_text("withdrawn"));
    s->profile = value_text(&v[10]);
    s->created_ms = value_int(&v[11]);
    s->contract = value_uuid(&v[12]);
    return a;
}

int subscriber_load(struct db *db, const struct uuid *ids, size_t n,
    void (*take)(void *arg, struct aggregate *a), void *arg, struct err *err)
{
    struct db_value params[] = {db_bytes(id_list_bytes(ids, n)), db_int((int64_t)n)};
    struct db_value row[13];
    if (db_query(db, &load, params, err))
        return -1;
    int more;
    while ((more = db_fetch(db, row, err)) > 0)
        take(arg, read_row(row));
    db_finish(db);
    return more;
}

static const struct statement insert = {"subscriber.insert",
    "INSERT INTO subscriber (id, product, unit_key, email, user_id, language, password, failures, "
    "locked_ms, state, profile, created_ms, contract, version) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,1)",
    "btbttttiittib", ""};

static struct db_value state_of(const struct subscriber *s)
{
    return db_text(s->is_withdrawn ? "withdrawn" : "active");
}

int subscriber_insert(
    struct db *db, const struct subscriber *const *rows, size_t n, struct err *err)
{
    enum { WIDTH = 13 };
    struct db_value *v = mem_zero(n * WIDTH, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const struct subscriber *s = rows[i];
        struct db_value row[WIDTH] = {db_uuid(&s->id), db_text(s->product),
            db_raw(s->unit_key, strlen(s->unit_key)), db_text(s->email), db_text(s->user_id),
            db_text(s->language), db_text(s->password), db_int(s->failures),
            db_time_or_null(s->locked_ms), state_of(s), db_text(s->profile), db_int(s->created_ms),
            db_id_or_null(&s->contract)};
        memcpy(&v[i * WIDTH], row, sizeof row);
    }
    int result = db_run_bulk(db, &insert, v, n, NULL, err);
    free(v);
    return result;
}

static const struct statement update = {"subscriber.update",
    "UPDATE subscriber SET unit_key = ?, email = ?, user_id = ?, language = ?, password = ?, "
    "failures = ?, locked_ms = ?, state = ?, profile = ? WHERE id = ?",
    "bttttiittb", ""};

int subscriber_update(
    struct db *db, const struct subscriber *const *rows, size_t n, struct err *err)
{
    enum { WIDTH = 10 };
    struct db_value *v = mem_zero(n * WIDTH, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const struct subscriber *s = rows[i];
        struct db_value row[WIDTH] = {db_raw(s->unit_key, strlen(s->unit_key)), db_text(s->email),
            db_text(s->user_id), db_text(s->language), db_text(s->password), db_int(s->failures),
            db_time_or_null(s->locked_ms), state_of(s), db_text(s->profile), db_uuid(&s->id)};
        memcpy(&v[i * WIDTH], row, sizeof row);
    }
    int result = db_run_bulk(db, &update, v, n, NULL, err);
    free(v);
    return result;
}

/* The subscriber is locked: nobody else adds the same row meanwhile. */
static const struct statement keep_former = {"subscriber.keep-former",
    "INSERT INTO former_email (email, product, subscriber) SELECT ?, ?, ? FROM DUAL WHERE NOT "
    "EXISTS (SELECT 1 FROM former_email WHERE email = ? AND product = ? AND subscriber = ?)",
    "ttbttb", ""};

int former_email_insert(
    struct db *db, const struct subscriber *const *rows, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct subscriber *s = rows[i];
        if (!s->former_email)
            continue;
        const struct db_value email = db_text(s->former_email), product = db_text(s->product),
                              id = db_uuid(&s->id);
        const struct db_value params[] = {email, product, id, email, product, id};
        if (db_run(db, &keep_former, params, NULL, err))
            return -1;
    }
    return 0;
}

/* --- finding --- */

/*
 * Keys differ in length: they are packed one after another, and a directory of 8 digits a key (5 of
 * the offset, 3 of the length) says where each is. Parameters: directory, keys, how many, product.
 */
#define UNITS_MOST 200 /* 200 keys of 400 bytes have 5-digit offsets */
static const struct statement find_units = {"subscriber.find-units",
    "SELECT v.at, s.id, s.password FROM (SELECT seq AS at, SUBSTR(p.packed, SUBSTR(p.places, seq * "
    "8 + 1, 5) + "
    "1, SUBSTR(p.places, seq * 8 + 6, 3)) AS unit_key FROM (SELECT CAST(? AS BINARY) AS places, "
    "CAST(? AS BINARY) AS packed) p STRAIGHT_JOIN seq_0_to_1023 WHERE seq < ?) v STRAIGHT_JOIN "
    "subscriber s FORCE INDEX (unit) ON s.product = ? AND s.unit_key = v.unit_key",
    "bbit", "ibt"};

static int find_some(struct db *db, const char *product, const char *const *unit_keys, size_t n,
    struct subscriber_hit *ret, struct err *err)
{
    AUTO_BUF places = {0}, packed = {0};
    struct db_value row[3];
    for (size_t i = 0; i < n; i++) {
        /* One that is longer than any unit's has no place in the directory: it goes as none. */
        const size_t length = strlen(unit_keys[i]), kept = length > UNIT_KEY_MOST ? 0 : length;
        buf_printf(&places, "%05zu%03zu", packed.length, kept);
        buf_add(&packed, unit_keys[i], kept);
    }
    struct db_value params[] = {db_bytes(buf_bytes(&places)), db_bytes(buf_bytes(&packed)),
        db_int((int64_t)n), db_text(product)};
    if (db_query(db, &find_units, params, err))
        return -1;
    int more;
    while ((more = db_fetch(db, row, err)) > 0)
        if (row[0].integer >= 0 && (size_t)row[0].integer < n)
            ret[row[0].integer] = (struct subscriber_hit){value_uuid(&row[1]), value_text(&row[2])};
    db_finish(db);
    return more;
}

static int find(struct db *db, const struct statement *s, const struct db_value *params,
    struct subscriber_hit *ret, size_t most, size_t *ret_n, struct err *err)
{
    struct db_value row[2];
    *ret_n = 0;
    if (db_query(db, s, params, err))
        return -1;
    int more;
    while ((more = db_fetch(db, row, err)) > 0 && *ret_n < most)
        ret[(*ret_n)++] = (struct subscriber_hit){value_uuid(&row[0]), value_text(&row[1])};
    db_finish(db);
    return more < 0 ? -1 : 0;
}

static const struct statement find_email = {"subscriber.find-email",
    "SELECT id, password FROM subscriber WHERE email = ? AND product = ? UNION SELECT s.id, "
    "s.password FROM former_email f JOIN subscriber s ON s.id = f.subscriber WHERE f.email = ? AND "
    "f.product = ? ORDER BY id LIMIT ?",
    "tttti", "bt"};

int subscriber_find_email(struct db *db, const char *product, const char *email,
    struct subscriber_hit *ret, size_t most, size_t *ret_n, struct err *err)
{
    const struct db_value by = db_text(email), of = db_text(product);
    const struct db_value params[] = {by, of, by, of, db_int((int64_t)most)};
    return find(db, &find_email, params, ret, most, ret_n, err);
}

static const struct statement find_user = {"subscriber.find-user",
    "SELECT id, password FROM subscriber WHERE user_id = ? AND product = ? ORDER BY id LIMIT ?",
    "tti", "bt"};

int subscriber_find_user(struct db *db, const char *product, const char *user_id,
    struct subscriber_hit *ret, size_t most, size_t *ret_n, struct err *err)
{
    struct db_value params[] = {db_text(user_id), db_text(product), db_int((int64_t)most)};
    return find(db, &find_user, params, ret, most, ret_n, err);
}

static const struct statement find_unit = {"subscriber.find-unit",
    "SELECT id, password FROM subscriber WHERE product = ? AND unit_key = ?", "tb", "bt"};

int subscriber_find_unit(struct db *db, const char *product, const char *unit_key,
    struct subscriber_hit *ret, size_t *ret_n, struct err *err)
{
    struct db_value params[] = {db_text(product), db_raw(unit_key, strlen(unit_key))};
    return find(db, &find_unit, params, ret, 1, ret_n, err);
}

int subscriber_find_units(struct db *db, const char *product, const char *const *unit_keys,
    size_t n, struct subscriber_hit *ret, struct err *err)
{
    size_t found;
    memset(ret, 0, n * sizeof *ret);
    if (n == 1)
        return subscriber_find_unit(db, product, unit_keys[0], ret, &found, err);
    for (size_t at = 0; at < n; at += UNITS_MOST) {
        size_t some = n - at < UNITS_MOST ? n - at : UNITS_MOST;
        if (find_some(db, product, unit_keys + at, some, ret + at, err))
            return -1;
    }
    return 0;
}

static const struct statement find_id = {
    "subscriber.find-id", "SELECT id, password FROM subscriber WHERE id = ?", "b", "bt"};

int subscriber_find_id(struct db *db, const struct uuid *id, struct subscriber_hit *ret,
    size_t *ret_n, struct err *err)
{
    struct db_value param = db_uuid(id);
    return find(db, &find_id, &param, ret, 1, ret_n, err);
}

#include "store/certificate_store.h"

#include "store/value.h"

#include <string.h>

static const struct statement load = {"certificate.load",
    "SELECT c.id, c.subscriber, c.application, c.product, c.issuer, c.state, c.serial, c.code_key, "
    "c.code_generation, c.code_nonce, c.code_issued_ms, c.predecessor, c.root, c.not_before_ms, "
    "c.not_after_ms, c.issued_ms, c.request_sha256, c.spki_sha256, c.subject, c.revoked_ms, "
    "c.reason, c.created_ms, c.device, c.revoked_online FROM " DB_JOIN_IDS_BY(
        "certificate c", "subscriber", "c.subscriber"),
    "bi", "bbbtttbtibibbiiibbtiiiti"};

static void read_row(const struct db_value *v, struct certificate *c)
{
    *c = (struct certificate){.row = ROW_STORED,
        .id = value_uuid(&v[0]),
        .subscriber = value_uuid(&v[1]),
        .application = value_uuid(&v[2]),
        .code_generation = (uint32_t)value_int(&v[8]),
        .code_issued_ms = value_int(&v[10]),
        .predecessor = value_uuid(&v[11]),
        .root = value_uuid(&v[12]),
        .not_before_ms = value_int(&v[13]),
        .not_after_ms = value_int(&v[14]),
        .issued_ms = value_int(&v[15]),
        .has_request = v[16].type != DB_NULL,
        .subject = value_text(&v[18]),
        .revoked_ms = value_int(&v[19]),
        .reason = (enum reason)value_int(&v[20]),
        .created_ms = value_int(&v[21]),
        .device = value_text(&v[22]),
        .was_revoked_online = value_int(&v[23]) != 0};
    value_word(&v[3], c->product, sizeof c->product);
    value_word(&v[4], c->issuer, sizeof c->issuer);
    certificate_state_find(v[5].bytes, &c->state);
    c->serial_length = v[6].bytes.length < SERIAL_MOST ? v[6].bytes.length : SERIAL_MOST;
    value_fixed(&v[6], c->serial, c->serial_length);
    value_word(&v[7], c->code_key, sizeof c->code_key);
    value_fixed(&v[9], c->code_nonce, sizeof c->code_nonce);
    value_fixed(&v[16], c->request_sha256, sizeof c->request_sha256);
    value_fixed(&v[17], c->spki_sha256, sizeof c->spki_sha256);
}

/* Moves the newest row to its place by id (as application_store.c does, and why). */
static void put_in_order(struct aggregate *a)
{
    struct certificate **rows = a->certificates;
    for (size_t i = a->certificate_count - 1;
         i > 0 && uuid_compare(&rows[i - 1]->id, &rows[i]->id) > 0; i--) {
        struct certificate *later = rows[i - 1];
        rows[i - 1] = rows[i];
        rows[i] = later;
    }
}

int certificate_load(struct db *db, const struct uuid *subscribers, size_t n,
    struct aggregate *(*of)(void *arg, const struct uuid *subscriber), void *arg, struct err *err)
{
    struct db_value params[] = {db_bytes(id_list_bytes(subscribers, n)), db_int((int64_t)n)};
    struct db_value row[24];
    if (db_query(db, &load, params, err))
        return -1;
    int more;
    while ((more = db_fetch(db, row, err)) > 0) {
        struct uuid subscriber = value_uuid(&row[1]);
        struct aggregate *a = of(arg, &subscriber);
        if (a) {
            read_row(row, aggregate_add_certificate(a));
            put_in_order(a);
        }
    }
    db_finish(db);
    return more;
}

static const struct statement load_der = {
    "certificate.load-der", "SELECT der FROM certificate WHERE id = ?", "b", "b"};

int certificate_load_der(struct db *db, const struct uuid *id, struct buf *ret, struct err *err)
{
    struct db_value param = db_uuid(id), row;
    if (db_query(db, &load_der, &param, err))
        return -1;
    int found = db_fetch(db, &row, err);
    bool has = found > 0 && row.type != DB_NULL && row.bytes.length;
    if (has)
        buf_add(ret, row.bytes.data, row.bytes.length);
    db_finish(db);
    if (found < 0)
        return -1;
    if (!has)
        return err_set(err, ERR_TEMPORARY, "damaged", "certificate %s has no DER", uuid_s(id));
    return 0;
}

#define WIDTH_INSERT 25
static const struct statement insert = {"certificate.insert",
    "INSERT INTO certificate (id, subscriber, application, product, issuer, state, serial, "
    "code_key, code_generation, code_nonce, code_issued_ms, predecessor, root, not_before_ms, "
    "not_after_ms, issued_ms, request_sha256, spki_sha256, subject, revoked_ms, reason, "
    "created_ms, der, device, revoked_online) VALUES "
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "bbbtttbtibibbiiibbtiiibti", ""};

static struct db_value der_of(const struct certificate *c)
{
    return c->der.length ? db_bytes(buf_bytes(&c->der)) : db_null();
}

static struct db_value hash_of(const struct certificate *c, const uint8_t hash[static 32])
{
    return c->has_request ? db_raw(hash, 32) : db_null();
}

static struct db_value nonce_of(const struct certificate *c)
{
    return c->code_key[0] ? db_raw(c->code_nonce, sizeof c->code_nonce) : db_null();
}

static struct db_value reason_of(const struct certificate *c)
{
    return c->state == CERTIFICATE_REVOKED ? db_int((int64_t)c->reason) : db_null();
}

int certificate_insert(
    struct db *db, const struct certificate *const *rows, size_t n, struct err *err)
{
    struct db_value *v = mem_zero(n * WIDTH_INSERT, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const struct certificate *c = rows[i];
        struct db_value row[WIDTH_INSERT] = {db_uuid(&c->id), db_uuid(&c->subscriber),
            db_uuid(&c->application), db_text(c->product), db_text(c->issuer),
            db_text(certificate_state_word(c->state)), db_raw(c->serial, c->serial_length),
            db_word_or_null(c->code_key), db_int(c->code_generation), nonce_of(c),
            db_time_or_null(c->code_issued_ms), db_id_or_null(&c->predecessor), db_uuid(&c->root),
            db_time_or_null(c->not_before_ms), db_time_or_null(c->not_after_ms),
            db_time_or_null(c->issued_ms), hash_of(c, c->request_sha256),
            hash_of(c, c->spki_sha256), db_text(c->subject), db_time_or_null(c->revoked_ms),
            reason_of(c), db_int(c->created_ms), der_of(c), db_text(c->device),
            db_int(c->was_revoked_online)};
        memcpy(&v[i * WIDTH_INSERT], row, sizeof row);
    }
    int result = db_run_bulk(db, &insert, v, n, NULL, err);
    free(v);
    return result;
}

#define WIDTH_UPDATE 17
static const struct statement update = {"certificate.update",
    "UPDATE certificate SET state = ?, code_key = ?, code_generation = ?, code_nonce = ?, "
    "code_issued_ms = ?, not_before_ms = ?, not_after_ms = ?, issued_ms = ?, request_sha256 = ?, "
    "spki_sha256 = ?, subject = ?, revoked_ms = ?, reason = ?, der = COALESCE(?, der), "
    "device = ?, revoked_online = ? WHERE id = ?",
    "ttibiiiibbtiibtib", ""};

int certificate_update(
    struct db *db, const struct certificate *const *rows, size_t n, struct err *err)
{
    struct db_value *v = mem_zero(n * WIDTH_UPDATE, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const struct certificate *c = rows[i];
        struct db_value row[WIDTH_UPDATE] = {db_text(certificate_state_word(c->state)),
            db_word_or_null(c->code_key), db_int(c->code_generation), nonce_of(c),
            db_time_or_null(c->code_issued_ms), db_time_or_null(c->not_before_ms),
            db_time_or_null(c->not_after_ms), db_time_or_null(c->issued_ms),
            hash_of(c, c->request_sha256), hash_of(c, c->spki_sha256), db_text(c->subject),
            db_time_or_null(c->revoked_ms), reason_of(c), der_of(c), db_text(c->device),
            db_int(c->was_revoked_online), db_uuid(&c->id)};
        memcpy(&v[i * WIDTH_UPDATE], row, sizeof row);
    }
    int result = db_run_bulk(db, &update, v, n, NULL, err);
    free(v);
    return result;
}

static const struct statement revoke = {"revocation.insert",
    "INSERT INTO revocation (issuer, serial, certificate, revoked_ms, reason, not_after_ms, job) "
    "VALUES (?,?,?,?,?,?,?)",
    "tbbiiib", ""};

int revocation_insert(
    struct db *db, const struct certificate *const *rows, size_t n, struct err *err)
{
    enum { WIDTH = 7 };
    struct db_value *v = mem_zero(n * WIDTH, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const struct certificate *c = rows[i];
        struct db_value row[WIDTH] = {db_text(c->issuer), db_raw(c->serial, c->serial_length),
            db_uuid(&c->id), db_int(c->revoked_ms), db_int((int64_t)c->reason),
            db_int(c->not_after_ms), db_uuid(&c->revoked_by)};
        memcpy(&v[i * WIDTH], row, sizeof row);
    }
    int result = db_run_bulk(db, &revoke, v, n, NULL, err);
    free(v);
    return result;
}

static const struct statement compromise = {"compromised-key.insert",
    "INSERT INTO compromised_key (spki_sha256, certificate, job, reported_ms) SELECT k.* FROM "
    "(SELECT ? AS spki, ? AS certificate, ? AS job, ? AS at_ms) k WHERE NOT EXISTS "
    "(SELECT 1 FROM compromised_key c WHERE c.spki_sha256 = k.spki)",
    "bbbi", ""};

/* Rare, so one by one. Two at once for one key: the later is a duplicate, ERR_CONFLICT, tried
 * again. */
int compromised_key_insert(
    struct db *db, const struct certificate *const *rows, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct certificate *c = rows[i];
        const struct db_value row[] = {db_raw(c->spki_sha256, sizeof c->spki_sha256),
            db_uuid(&c->id), db_uuid(&c->reported_by), db_int(c->reported_ms)};
        if (db_run(db, &compromise, row, NULL, err))
            return -1;
    }
    return 0;
}

/* As DB_JOIN_IDS, with keys of 32 bytes. */
static const struct statement find_compromised = {"compromised-key.find",
    "SELECT k.spki_sha256 FROM seq_0_to_1023 list STRAIGHT_JOIN compromised_key k FORCE INDEX "
    "(PRIMARY) ON k.spki_sha256 = SUBSTR(CAST(? AS BINARY), list.seq * 32 + 1, 32) AND list.seq < "
    "?",
    "bi", "b"};

int compromised_key_find(
    struct db *db, const struct key_hash *keys, size_t n, struct buf *ret, struct err *err)
{
    const struct db_value params[] = {db_raw(keys, n * sizeof *keys), db_int((int64_t)n)};
    struct db_value row;
    if (db_query(db, &find_compromised, params, err))
        return -1;
    int more;
    while ((more = db_fetch(db, &row, err)) > 0)
        buf_add(ret, row.bytes.data, row.bytes.length);
    db_finish(db);
    return more;
}

static const struct statement find = {"certificate.find",
    "SELECT list.seq, c.subscriber FROM " DB_JOIN_IDS("certificate c", "c.id"), "bi", "ib"};

int certificate_find(
    struct db *db, const struct uuid *ids, size_t n, struct uuid *ret_subscribers, struct err *err)
{
    return id_find_each(db, &find, ids, n, ret_subscribers, err);
}

static const struct statement find_serial = {"certificate.find-serial",
    "SELECT id, subscriber FROM certificate WHERE issuer = ? AND serial = ?", "tb", "bb"};

int certificate_find_serial(struct db *db, const char *issuer, struct bytes serial,
    struct uuid *ret_id, struct uuid *ret_subscriber, struct err *err)
{
    struct db_value params[] = {db_text(issuer), db_bytes(serial)};
    struct db_value row[2];
    *ret_id = *ret_subscriber = (struct uuid){{0}};
    if (db_query(db, &find_serial, params, err))
        return -1;
    int found = db_fetch(db, row, err);
    if (found > 0) {
        *ret_id = value_uuid(&row[0]);
        *ret_subscriber = value_uuid(&row[1]);
    }
    db_finish(db);
    return found < 0 ? -1 : 0;
}

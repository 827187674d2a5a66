#include "restore_store.h"

#include "base/mem.h"
#include "base/random.h"
#include "pki/certificate.h"

#include <string.h>

enum { PIECE_BYTES = 1 << 20, NONCE_LENGTH = 16 };

/* ---- CRLs ---- */

int restore_crl_number(struct db *db, const char *issuer, uint64_t *ret, struct err *err)
{
    static const struct statement read = {"restore.crl_number",
        "SELECT number FROM crl WHERE issuer = ? ORDER BY number DESC LIMIT 1", "t", "i"};
    const struct db_value param = db_text(issuer);
    struct db_value v;
    *ret = 0;
    if (db_query(db, &read, &param, err))
        return -1;
    int row = db_fetch(db, &v, err);
    if (row > 0)
        *ret = (uint64_t)v.integer;
    db_finish(db);
    return row < 0 ? -1 : 0;
}

int restore_has_issued(struct db *db, const char *issuer, bool *ret, struct err *err)
{
    static const struct statement read = {
        "restore.has_issued", "SELECT id FROM certificate WHERE issuer = ? LIMIT 1", "t", "b"};
    const struct db_value param = db_text(issuer);
    struct db_value v;
    if (db_query(db, &read, &param, err))
        return -1;
    int row = db_fetch(db, &v, err);
    *ret = row > 0;
    db_finish(db);
    return row < 0 ? -1 : 0;
}

int restore_crl_add(struct db *db, const char *issuer, const struct crl_facts *facts,
    size_t entries, struct bytes der, struct err *err)
{
    static const struct statement add = {"restore.crl",
        "INSERT INTO crl (issuer, number, this_update_ms, next_update_ms, entries, der, job) "
        "VALUES (?, ?, ?, ?, ?, '', ?)",
        "tiiiib", ""};
    static const struct statement piece = {"restore.crl_piece",
        "INSERT INTO crl_piece (issuer, number, piece, der) VALUES (?, ?, ?, ?)", "tiib", ""};
    const struct uuid none = {{0}};
    const struct db_value row[] = {db_text(issuer), db_int((int64_t)facts->number),
        db_int(facts->this_update_ms), db_int(facts->next_update_ms), db_int((int64_t)entries),
        db_uuid(&none)};
    if (db_run(db, &add, row, NULL, err))
        return -1;
    for (int64_t i = 0; der.length; i++) {
        const size_t n = der.length < PIECE_BYTES ? der.length : PIECE_BYTES;
        const struct db_value part[] = {db_text(issuer), db_int((int64_t)facts->number), db_int(i),
            db_bytes((struct bytes){der.data, n})};
        if (db_run(db, &piece, part, NULL, err))
            return -1;
        der = (struct bytes){der.data + n, der.length - n};
    }
    return 0;
}

/* ---- revocations ---- */

void restore_serial(struct bytes serial, uint8_t ret[static RESTORE_SERIAL])
{
    size_t n = serial.length < CRL_SERIAL_MAX ? serial.length : CRL_SERIAL_MAX;
    memset(ret, 0, RESTORE_SERIAL);
    ret[0] = (uint8_t)n;
    memcpy(ret + 1, serial.data, n);
}

int restore_revoked(struct db *db, const char *issuer, struct buf *ret, struct err *err)
{
    static const struct statement read = {"restore.revoked",
        "SELECT serial FROM revocation WHERE issuer = ? ORDER BY LENGTH(serial), serial", "t", "b"};
    const struct db_value param = db_text(issuer);
    struct db_value v;
    if (db_query(db, &read, &param, err))
        return -1;
    int row;
    while ((row = db_fetch(db, &v, err)) > 0) {
        uint8_t serial[RESTORE_SERIAL];
        restore_serial(v.bytes, serial);
        buf_add(ret, serial, sizeof serial);
    }
    return row;
}

struct known {
    struct uuid id; /* zero: the backup has no such certificate */
    int64_t not_after_ms;
};

static int find_certificate(
    struct db *db, const char *issuer, struct bytes serial, struct known *k, struct err *err)
{
    static const struct statement find = {"restore.certificate",
        "SELECT id, not_after_ms FROM certificate WHERE issuer = ? AND serial = ?", "tb", "bi"};
    const struct db_value params[] = {db_text(issuer), db_bytes(serial)};
    struct db_value v[2];
    if (db_query(db, &find, params, err))
        return -1;
    int row = db_fetch(db, v, err);
    if (row > 0) {
        memcpy(k->id.b, v[0].bytes.data, sizeof k->id.b);
        if (v[1].type != DB_NULL)
            k->not_after_ms = v[1].integer;
    }
    db_finish(db);
    return row < 0 ? -1 : 0;
}

int restore_revoke(struct db *db, const char *issuer, const struct crl_entry *entry,
    int64_t not_after_ms, int64_t now_ms, struct uuid *ret_certificate, struct err *err)
{
    static const struct statement insert = {"restore.revocation",
        "INSERT INTO revocation (issuer, serial, certificate, revoked_ms, reason, not_after_ms, "
        "job) VALUES (?, ?, ?, ?, ?, ?, ?)",
        "tbbiiib", ""};
    static const struct statement revoke = {"restore.revoke",
        "UPDATE certificate SET state = IF(state = 'valid', 'revoked', 'cancelled'), revoked_ms = "
        "?, reason = ? WHERE id = ? AND state IN ('valid', 'awaiting-retrieval', "
        "'awaiting-approval')",
        "iib", ""};
    static const struct statement refuse_key = {"restore.refuse_key",
        "INSERT INTO compromised_key (spki_sha256, certificate, job, reported_ms) SELECT "
        "c.spki_sha256, c.id, ?, ? FROM certificate c WHERE c.id = ? AND c.spki_sha256 IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM compromised_key k WHERE k.spki_sha256 = c.spki_sha256)",
        "bib", ""};
    const struct uuid none = {{0}};
    struct known k = {.not_after_ms = not_after_ms};
    if (find_certificate(db, issuer, entry->serial, &k, err))
        return -1;
    const struct db_value row[] = {db_text(issuer), db_bytes(entry->serial), db_uuid(&k.id),
        db_int(entry->revoked_at_ms), db_int(entry->reason), db_int(k.not_after_ms),
        db_uuid(&none)};
    const struct db_value state[] = {
        db_int(entry->revoked_at_ms), db_int(entry->reason), db_uuid(&k.id)};
    const struct db_value key[] = {db_uuid(&none), db_int(now_ms), db_uuid(&k.id)};
    *ret_certificate = k.id;
    if (db_run(db, &insert, row, NULL, err) || db_run(db, &revoke, state, NULL, err))
        return -1;
    return entry->reason == REASON_KEY_COMPROMISE ? db_run(db, &refuse_key, key, NULL, err) : 0;
}

/* ---- codes and serials ---- */

int restore_unissued(struct db *db, const struct uuid *after, struct uuid ids[static RESTORE_PAGE],
    size_t *ret, struct err *err)
{
    static const struct statement read = {"restore.unissued",
        "SELECT id FROM certificate WHERE id > ? AND state IN ('awaiting-retrieval', "
        "'awaiting-approval') ORDER BY id LIMIT ?",
        "bi", "b"};
    const struct db_value params[] = {db_uuid(after), db_int(RESTORE_PAGE)};
    struct db_value v;
    *ret = 0;
    if (db_query(db, &read, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, &v, err)) > 0)
        memcpy(ids[(*ret)++].b, v.bytes.data, sizeof ids->b);
    return row;
}

int restore_redraw(struct db *db, const struct uuid *ids, size_t n, struct err *err)
{
    static const struct statement redraw = {"restore.redraw",
        "UPDATE certificate SET serial = ?, code_generation = code_generation + IF(code_nonce IS "
        "NULL, 0, 1), code_nonce = IF(code_nonce IS NULL, NULL, ?) WHERE id = ?",
        "bbb", ""};
    for (size_t i = 0; i < n; i++) {
        uint8_t serial[SERIAL_LENGTH], nonce[NONCE_LENGTH];
        serial_draw(serial);
        random_bytes(nonce, sizeof nonce);
        const struct db_value params[] = {db_bytes((struct bytes){serial, sizeof serial}),
            db_bytes((struct bytes){nonce, sizeof nonce}), db_uuid(&ids[i])};
        if (db_run(db, &redraw, params, NULL, err))
            return -1;
    }
    return 0;
}

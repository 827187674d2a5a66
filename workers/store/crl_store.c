#include "store/crl_store.h"

#include "store/value.h"

#define PIECE_BYTES ((size_t)1 << 20)

/* Raises a counter in the issuer's row, which locks it; makes the row when there is none. */
static int raise_row(struct db *db, const struct statement *update, const struct statement *insert,
    const char *issuer, struct err *err)
{
    const struct db_value issuer_value = db_text(issuer);
    int64_t rows = 0;
    if (db_run(db, update, &issuer_value, &rows, err))
        return -1;
    return rows ? 0 : db_run(db, insert, &issuer_value, NULL, err);
}

int crl_store_turn(struct db *db, const char *issuer, struct err *err)
{
    static const struct statement update = {
        "crl_turn", "UPDATE crl_maker SET turn = turn + 1 WHERE issuer = ?", "t", ""};
    static const struct statement insert = {
        "crl_turn_first", "INSERT INTO crl_maker (issuer, turn) VALUES (?, 1)", "t", ""};
    return raise_row(db, &update, &insert, issuer, err);
}

int crl_store_last(struct db *db, const char *issuer, struct crl_row *ret, struct err *err)
{
    static const struct statement last = {"crl_last",
        "SELECT number, this_update_ms, entries FROM crl WHERE issuer = ? ORDER BY number DESC "
        "LIMIT 1",
        "t", "iii"};
    *ret = (struct crl_row){0};
    const struct db_value issuer_value = db_text(issuer);
    struct db_value columns[3];
    if (db_query(db, &last, &issuer_value, err))
        return -1;
    int row = db_fetch(db, columns, err);
    if (row > 0)
        *ret = (struct crl_row){
            (uint64_t)columns[0].integer, columns[1].integer, (size_t)columns[2].integer};
    db_finish(db);
    return row < 0 ? -1 : 0;
}

int crl_store_feed(
    struct db *db, const char *issuer, int64_t since_ms, struct crl *crl, struct err *err)
{
    /* The primary key's order is the serials' order: all are of one length. By `issuer, serial` a
     * prepared statement would sort a million rows. */
    static const struct statement feed = {"crl_feed",
        "SELECT serial, revoked_ms, reason FROM revocation FORCE INDEX (PRIMARY) "
        "WHERE issuer = ? AND not_after_ms >= ? ORDER BY serial",
        "ti", "bii"};
    const struct db_value params[] = {db_text(issuer), db_int(since_ms)};
    struct db_value columns[3];
    if (db_query(db, &feed, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, columns, err)) > 0) {
        if (!reason_is_code((int)columns[2].integer)) {
            db_finish(db);
            return err_set(err, ERR_FATAL, "bad-row",
                "revocation of issuer %s: reason %lld is none", issuer,
                (long long)columns[2].integer);
        }
        const struct crl_entry entry = {
            columns[0].bytes, columns[1].integer, (enum reason)columns[2].integer};
        if (crl_add(crl, &entry, err)) {
            db_finish(db);
            return -1;
        }
    }
    db_finish(db);
    return row;
}

static int add_pieces(
    struct db *db, const char *issuer, uint64_t number, struct bytes der, struct err *err)
{
    static const struct statement add = {"crl_add_piece",
        "INSERT INTO crl_piece (issuer, number, piece, der) VALUES (?, ?, ?, ?)", "tiib", ""};
    for (int64_t piece = 0; der.length; piece++) {
        const size_t n = der.length < PIECE_BYTES ? der.length : PIECE_BYTES;
        const struct db_value params[] = {db_text(issuer), db_int((int64_t)number), db_int(piece),
            db_bytes((struct bytes){der.data, n})};
        if (db_run_bulk(db, &add, params, 1, NULL, err))
            return -1;
        der = (struct bytes){der.data + n, der.length - n};
    }
    return 0;
}

static int drop_old_pieces(struct db *db, const char *issuer, uint64_t number, struct err *err)
{
    static const struct statement drop = {
        "crl_drop_pieces", "DELETE FROM crl_piece WHERE issuer = ? AND number <= ?", "ti", ""};
    const struct db_value params[] = {db_text(issuer), db_int((int64_t)number - CRL_STORE_KEPT)};
    return db_run(db, &drop, params, NULL, err);
}

int crl_store_add(struct db *db, const char *issuer, const struct crl_facts *facts, size_t entries,
    struct bytes der, const struct uuid *job, struct err *err)
{
    static const struct statement add = {"crl_add",
        "INSERT INTO crl (issuer, number, this_update_ms, next_update_ms, entries, der, job) "
        "VALUES (?, ?, ?, ?, ?, '', ?)",
        "tiiiib", ""};
    const struct db_value params[] = {db_text(issuer), db_int((int64_t)facts->number),
        db_int(facts->this_update_ms), db_int(facts->next_update_ms), db_int((int64_t)entries),
        db_uuid(job)};
    return db_run(db, &add, params, NULL, err) || add_pieces(db, issuer, facts->number, der, err) ||
                   drop_old_pieces(db, issuer, facts->number, err)
               ? -1
               : 0;
}

/* --- the CRL asked for --- */

int crl_wanted_lock(struct db *db, const char *issuer, struct crl_wanted *ret, struct err *err)
{
    static const struct statement update = {
        "crl_wanted_lock", "UPDATE crl_wanted SET version = version + 1 WHERE issuer = ?", "t", ""};
    static const struct statement insert = {
        "crl_wanted_first", "INSERT INTO crl_wanted (issuer, version) VALUES (?, 1)", "t", ""};
    static const struct statement read = {"crl_wanted_read",
        "SELECT w.job, w.urgent, j.attempt FROM crl_wanted w LEFT JOIN job j ON j.id = w.job WHERE "
        "w.issuer = ?",
        "t", "bii"};
    const struct db_value issuer_value = db_text(issuer);
    struct db_value columns[3];
    if (raise_row(db, &update, &insert, issuer, err) || db_query(db, &read, &issuer_value, err))
        return -1;
    const int row = db_fetch(db, columns, err);
    if (row > 0)
        *ret = (struct crl_wanted){
            value_uuid(&columns[0]), columns[1].integer != 0, columns[2].type != DB_NULL};
    db_finish(db);
    return row < 0 ? -1 : 0;
}

int crl_wanted_set(
    struct db *db, const char *issuer, const struct crl_wanted *wanted, struct err *err)
{
    static const struct statement set = {
        "crl_wanted_set", "UPDATE crl_wanted SET job = ?, urgent = ? WHERE issuer = ?", "bit", ""};
    const struct db_value params[] = {
        db_id_or_null(&wanted->job), db_int(wanted->is_urgent), db_text(issuer)};
    return db_run(db, &set, params, NULL, err);
}

int crl_wanted_clear(struct db *db, const char *issuer, const struct uuid *job, struct err *err)
{
    static const struct statement clear = {"crl_wanted_clear",
        "UPDATE crl_wanted SET version = version + 1, job = NULL, urgent = 0 "
        "WHERE issuer = ? AND job = ?",
        "tb", ""};
    const struct db_value params[] = {db_text(issuer), db_uuid(job)};
    return db_run(db, &clear, params, NULL, err);
}

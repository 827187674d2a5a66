#include "store/crl_store.h"

int crl_store_last(struct db *db, const char *issuer, struct crl_row *ret, struct err *err)
{
    static const struct statement last = {"crl_last",
        "SELECT number, this_update_ms FROM crl WHERE issuer = ? ORDER BY number DESC LIMIT 1", "t",
        "ii"};
    *ret = (struct crl_row){0};
    const struct db_value issuer_value = db_text(issuer);
    struct db_value columns[2];
    if (db_query(db, &last, &issuer_value, err))
        return -1;
    int row = db_fetch(db, columns, err);
    if (row > 0)
        *ret = (struct crl_row){(uint64_t)columns[0].integer, columns[1].integer};
    db_finish(db);
    return row < 0 ? -1 : 0;
}

int crl_store_count(
    struct db *db, const char *issuer, int64_t since_ms, size_t *ret, struct err *err)
{
    static const struct statement count = {"crl_count",
        "SELECT COUNT(*) FROM revocation WHERE issuer = ? AND not_after_ms >= ?", "ti", "i"};
    const struct db_value params[] = {db_text(issuer), db_int(since_ms)};
    struct db_value column;
    if (db_query(db, &count, params, err))
        return -1;
    int row = db_fetch(db, &column, err);
    *ret = row > 0 ? (size_t)column.integer : 0;
    db_finish(db);
    return row < 0 ? -1 : 0;
}

int crl_store_feed(
    struct db *db, const char *issuer, int64_t since_ms, struct crl *crl, struct err *err)
{
    /* The primary key's order is the serials' order: all are of one length. */
    static const struct statement feed = {"crl_feed",
        "SELECT serial, revoked_ms, reason FROM revocation WHERE issuer = ? AND not_after_ms >= ? "
        "ORDER BY issuer, serial",
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

int crl_store_add(struct db *db, const char *issuer, const struct crl_facts *facts, size_t entries,
    struct bytes der, const struct uuid *job, struct err *err)
{
    static const struct statement add = {"crl_add",
        "INSERT INTO crl (issuer, number, this_update_ms, next_update_ms, entries, der, job) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        "tiiiibb", ""};
    const struct db_value params[] = {db_text(issuer), db_int((int64_t)facts->number),
        db_int(facts->this_update_ms), db_int(facts->next_update_ms), db_int((int64_t)entries),
        db_bytes(der), db_uuid(job)};
    return db_run(db, &add, params, NULL, err);
}

#include "db/registry_store.h"

#include "db/job_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- slots ---- */

int registry_read_slots(
    struct db *db, struct slot_row rows[static SLOTS_MAX], size_t *ret_n, struct err *err)
{
    static const struct statement read = {.name = "slot.read",
        .sql = "SELECT id, broker, epoch, beat FROM slot ORDER BY id LIMIT 64",
        .columns = "ibii"};
    struct db_value c[4];
    size_t n = 0;
    if (db_query(db, &read, NULL, err))
        return -1;
    int row;
    while ((row = db_fetch(db, c, err)) > 0) {
        rows[n++] = (struct slot_row){.id = (uint16_t)c[0].integer,
            .broker = uuid_of(&c[1]),
            .epoch = (uint64_t)c[2].integer,
            .beat = (uint64_t)c[3].integer};
    }
    if (row == 0)
        *ret_n = n;
    return row;
}

int registry_take_slot(struct db *db, uint16_t slot, uint64_t epoch, const struct uuid *life,
    bool *ret_taken, struct err *err)
{
    static const struct statement take = {.name = "slot.take",
        .sql = "UPDATE slot SET broker = ?, epoch = epoch + 1, beat = 0 WHERE id = ? AND epoch = ?",
        .params = "bii"};
    const struct db_value params[] = {db_uuid(life), db_int(slot), db_int((int64_t)epoch)};
    int64_t rows;
    if (db_run(db, &take, params, &rows, err))
        return -1;
    *ret_taken = rows == 1;
    return 0;
}

static int give_slots(
    struct db *db, const struct uuid *life, const uint16_t *slots, size_t n, struct err *err)
{
    static const struct statement give = {.name = "slot.give",
        .sql = "UPDATE slot SET broker = NULL, epoch = epoch + 1 WHERE id = ? AND broker = ?",
        .params = "ib"};
    struct db_value params[SLOTS_MAX * 2];
    for (size_t i = 0; i < n; i++) {
        params[2 * i] = db_int(slots[i]);
        params[2 * i + 1] = db_uuid(life);
    }
    return db_run_bulk(db, &give, params, n, NULL, err);
}

int registry_give_slots(
    struct db *db, const struct uuid *life, const uint16_t *slots, size_t n, struct err *err)
{
    if (n > SLOTS_MAX)
        return err_set(err, ERR_INPUT, NULL, "%zu slots: there are at most %d", n, SLOTS_MAX);
    if (db_begin(db, err))
        return -1;
    if (give_slots(db, life, slots, n, err)) {
        db_rollback(db);
        return -1;
    }
    return db_commit(db, err);
}

/* ---- brokers ---- */

int registry_beat(struct db *db, const struct broker_row *self, struct err *err)
{
    static const struct statement beat_slots = {.name = "slot.beat",
        .sql = "UPDATE slot SET beat = beat + 1 WHERE broker = ?",
        .params = "b"};
    static const struct statement beat_broker = {.name = "broker.beat",
        .sql = "UPDATE broker SET beat = beat + 1, clock_epoch = ?, kinds = ? WHERE life = ?",
        .params = "itb"};
    const struct db_value life = db_uuid(&self->life);
    const struct db_value row[] = {db_int((int64_t)self->clock_epoch), db_text(self->kinds), life};
    int64_t rows = 0;
    if (db_begin(db, err))
        return -1;
    if (db_run(db, &beat_slots, &life, NULL, err) || db_run(db, &beat_broker, row, &rows, err)) {
        db_rollback(db);
        return -1;
    }
    if (db_commit(db, err))
        return -1;
    return rows == 0 ? registry_join(db, self, err) : 0;
}

int registry_join(struct db *db, const struct broker_row *self, struct err *err)
{
    /* Twice with the same life (the first answer was lost) is once. */
    static const struct statement join = {.name = "broker.join",
        .sql = "REPLACE INTO broker (life, name, host, pid, clients, workers, started_ms, beat, "
               "clock_epoch, kinds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        .params = "bttittiiit"};
    const struct db_value row[] = {db_uuid(&self->life), db_text(self->name), db_text(self->host),
        db_int(self->pid), db_text(self->clients), db_text(self->workers), db_int(self->started_ms),
        db_int((int64_t)self->beat), db_int((int64_t)self->clock_epoch), db_text(self->kinds)};
    return db_run(db, &join, row, NULL, err);
}

int registry_leave(struct db *db, const struct uuid *life, struct err *err)
{
    static const struct statement give_all = {.name = "slot.give_all",
        .sql = "UPDATE slot SET broker = NULL, epoch = epoch + 1 WHERE broker = ?",
        .params = "b"};
    static const struct statement leave = {
        .name = "broker.leave", .sql = "DELETE FROM broker WHERE life = ?", .params = "b"};
    const struct db_value param = db_uuid(life);
    if (db_begin(db, err))
        return -1;
    if (db_run(db, &give_all, &param, NULL, err) || db_run(db, &leave, &param, NULL, err)) {
        db_rollback(db);
        return -1;
    }
    return db_commit(db, err);
}

int registry_read_brokers(struct db *db, broker_each *each, void *context, struct err *err)
{
    static const struct statement read = {.name = "broker.read",
        .sql = "SELECT life, name, host, pid, clients, workers, started_ms, beat, clock_epoch, "
               "kinds FROM broker ORDER BY life",
        .columns = "bttittiiit"};
    struct db_value c[10];
    if (db_query(db, &read, NULL, err))
        return -1;
    int row;
    while ((row = db_fetch(db, c, err)) > 0) {
        struct broker_row b = {.life = uuid_of(&c[0]),
            .pid = (uint32_t)c[3].integer,
            .started_ms = c[6].integer,
            .beat = (uint64_t)c[7].integer,
            .clock_epoch = (uint64_t)c[8].integer};
        text_of(&c[1], b.name, sizeof b.name);
        text_of(&c[2], b.host, sizeof b.host);
        text_of(&c[4], b.clients, sizeof b.clients);
        text_of(&c[5], b.workers, sizeof b.workers);
        text_of(&c[9], b.kinds, sizeof b.kinds);
        each(context, &b);
    }
    return row;
}

/* ---- paused kinds ---- */

int registry_read_paused(struct db *db, paused_each *each, void *context, struct err *err)
{
    static const struct statement read = {.name = "queue.read",
        .sql = "SELECT kind, by_name, at_ms FROM queue WHERE paused ORDER BY kind",
        .columns = "tti"};
    struct db_value c[3];
    if (db_query(db, &read, NULL, err))
        return -1;
    int row;
    while ((row = db_fetch(db, c, err)) > 0)
        each(context, (const char *)c[0].bytes.data, (const char *)c[1].bytes.data, c[2].integer);
    return row;
}

int registry_pause(
    struct db *db, const char *kind, bool paused, const char *by, int64_t now_ms, struct err *err)
{
    static const struct statement pause = {.name = "queue.pause",
        .sql = "REPLACE INTO queue (kind, paused, by_name, at_ms) VALUES (?, ?, ?, ?)",
        .params = "titi"};
    const struct db_value row[] = {db_text(kind), db_int(paused), db_text(by), db_int(now_ms)};
    return db_run(db, &pause, row, NULL, err);
}

/* ---- the test clock ---- */

int registry_read_clock(struct db *db, int64_t *ret_shift_ms, uint64_t *ret_epoch, struct err *err)
{
    static const struct statement read = {.name = "clock.read",
        .sql = "SELECT shift_ms, epoch FROM clock WHERE id = 1",
        .columns = "ii"};
    struct db_value c[2];
    if (db_query(db, &read, NULL, err))
        return -1;
    const int row = db_fetch(db, c, err);
    if (row < 0)
        return -1;
    if (row == 0)
        return err_set(err, ERR_FATAL, "schema", "the table clock has no row");
    *ret_shift_ms = c[0].integer;
    *ret_epoch = (uint64_t)c[1].integer;
    db_finish(db);
    return 0;
}

int registry_set_clock(struct db *db, int64_t shift_ms, uint64_t *ret_epoch, struct err *err)
{
    static const struct statement set = {.name = "clock.set",
        .sql = "UPDATE clock SET shift_ms = ?, epoch = epoch + 1 WHERE id = 1",
        .params = "i"};
    const struct db_value param = db_int(shift_ms);
    int64_t shift;
    uint64_t epoch;
    if (db_begin(db, err))
        return -1;
    if (db_run(db, &set, &param, NULL, err) || registry_read_clock(db, &shift, &epoch, err)) {
        db_rollback(db);
        return -1;
    }
    if (db_commit(db, err))
        return -1;
    *ret_epoch = epoch;
    return 0;
}

/* ---- CRLs ---- */

static int no_crl(const char *issuer, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, NULL, "no CRL of %s has been made", issuer);
}

int registry_newest_crl(struct db *db, const char *issuer, uint64_t *ret_number,
    int64_t *ret_next_update_ms, struct err *err)
{
    static const struct statement newest = {.name = "crl.newest",
        .sql = "SELECT number, next_update_ms FROM crl WHERE issuer = ? ORDER BY number DESC "
               "LIMIT 1",
        .params = "t",
        .columns = "ii"};
    const struct db_value param = db_text(issuer);
    struct db_value c[2];
    if (db_query(db, &newest, &param, err))
        return -1;
    const int row = db_fetch(db, c, err);
    if (row < 0)
        return -1;
    if (row == 0)
        return no_crl(issuer, err);
    *ret_number = (uint64_t)c[0].integer;
    *ret_next_update_ms = c[1].integer;
    db_finish(db);
    return 0;
}

/* Before schema 3 a CRL was one value. */
static int read_whole_crl(
    struct db *db, const struct db_value *key, struct buf *ret_der, struct err *err)
{
    static const struct statement read = {.name = "crl.read",
        .sql = "SELECT der FROM crl WHERE issuer = ? AND number = ?",
        .params = "ti",
        .columns = "b"};
    struct db_value der;
    if (db_query(db, &read, key, err))
        return -1;
    const int row = db_fetch(db, &der, err);
    if (row > 0)
        buf_add(ret_der, der.bytes.data, der.bytes.length);
    db_finish(db);
    return row < 0 ? -1 : 0;
}

static int read_crl_pieces(
    struct db *db, const struct db_value *key, struct buf *ret_der, struct err *err)
{
    static const struct statement read = {.name = "crl.pieces",
        .sql = "SELECT der FROM crl_piece WHERE issuer = ? AND number = ? ORDER BY piece",
        .params = "ti",
        .columns = "b"};
    struct db_value der;
    int row;
    if (db_query(db, &read, key, err))
        return -1;
    while ((row = db_fetch(db, &der, err)) > 0)
        buf_add(ret_der, der.bytes.data, der.bytes.length);
    return row;
}

int registry_read_crl(
    struct db *db, const char *issuer, uint64_t *ret_number, struct buf *ret_der, struct err *err)
{
    uint64_t number;
    int64_t ignored;
    AUTO_BUF der = {0};
    if (registry_newest_crl(db, issuer, &number, &ignored, err))
        return -1;
    const struct db_value key[] = {db_text(issuer), db_int((int64_t)number)};
    if (read_whole_crl(db, key, &der, err) || read_crl_pieces(db, key, &der, err))
        return -1;
    if (!der.length)
        return err_set(err, ERR_TEMPORARY, NULL, "CRL %" PRIu64 " of %s is not there any more",
            number, issuer);
    if (ret_der->length) {
        buf_add(ret_der, der.data, der.length);
    } else {
        buf_free(ret_der);
        *ret_der = der;
        der = (struct buf){0};
    }
    *ret_number = number;
    return 0;
}

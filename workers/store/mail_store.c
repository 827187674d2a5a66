#include "store/mail_store.h"

#include "base/mem.h"
#include "store/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *mail_state_name(enum mail_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        MAIL_STATES(X)
#undef X
    };
    return names[state];
}

static bool find_state(struct bytes word, enum mail_state *ret)
{
    for (int i = 0; i < MAIL_STATE_COUNT; i++) {
        if (bytes_equal(word, bytes_of_text(mail_state_name((enum mail_state)i)))) {
            *ret = (enum mail_state)i;
            return true;
        }
    }
    return false;
}

static int compare_row(const void *id, const void *row)
{
    return uuid_compare(id, &((const struct mail_row *)row)->id);
}

static int take_row(struct mail_row *row, const struct db_value *v, struct err *err)
{
    row->exists = true;
    if (!find_state(v[1].bytes, &row->state))
        return err_set(err, ERR_FATAL, "bad-row", "mail %s: unknown state", uuid_s(&row->id));
    row->holder = (struct uuid){0};
    if (v[2].type != DB_NULL && v[2].bytes.length == 16)
        memcpy(row->holder.b, v[2].bytes.data, 16);
    row->until_ms = v[3].integer;
    row->tries = (uint32_t)v[4].integer;
    row->sent_ms = v[5].type == DB_NULL ? 0 : v[5].integer;
    value_word(&v[6], row->reply, sizeof row->reply);
    return 0;
}

/* What the database says, not what an earlier try of the transaction made of it. */
static void forget(struct mail_row *row)
{
    row->exists = false;
    row->state = MAIL_IS_SENDING;
    row->holder = (struct uuid){0};
    row->until_ms = row->sent_ms = 0;
    row->tries = 0;
    row->reply[0] = '\0';
}

int mail_store_read(struct db *db, struct mail_row *rows, size_t n, struct err *err)
{
    static const struct statement read = {"mail_read",
        "SELECT m.id, m.state, m.holder, m.until_ms, m.tries, m.sent_ms, m.reply "
        "FROM " DB_JOIN_IDS("mail m", "m.id"),
        "bi", "btbiiit"};
    AUTO_BUF ids = {0};
    for (size_t i = 0; i < n; i++) {
        forget(&rows[i]);
        buf_add(&ids, rows[i].id.b, 16);
    }
    const struct db_value params[] = {db_bytes(buf_bytes(&ids)), db_int((int64_t)n)};
    struct db_value columns[7];
    if (db_query(db, &read, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, columns, err)) > 0) {
        struct uuid id;
        memcpy(id.b, columns[0].bytes.data, 16);
        struct mail_row *found = bsearch(&id, rows, n, sizeof *rows, compare_row);
        if (found && take_row(found, columns, err)) {
            db_finish(db);
            return -1;
        }
    }
    db_finish(db);
    return row;
}

static struct uuid id_of(const struct db_value *v)
{
    struct uuid id = {{0}};
    if (v->type != DB_NULL && v->bytes.length == sizeof id.b)
        memcpy(id.b, v->bytes.data, sizeof id.b);
    return id;
}

int mail_store_find(struct db *db, const struct uuid *id, struct mail_found *ret, struct err *err)
{
    static const struct statement find = {"mail_find",
        "SELECT certificate, subscriber, template, language, generation FROM mail WHERE id = ?",
        "b", "bbtti"};
    const struct db_value params[] = {db_uuid(id)};
    struct db_value v[5];
    *ret = (struct mail_found){0};
    if (db_query(db, &find, params, err))
        return -1;
    int row = db_fetch(db, v, err);
    if (row > 0) {
        ret->exists = true;
        ret->certificate = id_of(&v[0]);
        ret->subscriber = id_of(&v[1]);
        value_word(&v[2], ret->template, sizeof ret->template);
        value_word(&v[3], ret->language, sizeof ret->language);
        ret->generation = (uint32_t)v[4].integer;
    }
    db_finish(db);
    return row < 0 ? -1 : 0;
}

static struct db_value id_or_null(const struct uuid *id)
{
    return uuid_is_zero(id) ? db_null() : db_uuid(id);
}

enum { INSERT_COLUMNS = 15 };

static void insert_params(const struct mail_row *r, struct db_value *p)
{
    const struct db_value row[INSERT_COLUMNS] = {db_uuid(&r->id), id_or_null(&r->certificate),
        id_or_null(&r->subscriber), db_text(r->template), db_text(r->language),
        db_text(r->recipient), db_int(r->generation), db_text(mail_state_name(r->state)),
        id_or_null(&r->holder), db_int(r->until_ms), db_int(r->tries),
        r->reply[0] ? db_text(r->reply) : db_null(), db_text(r->message_id), db_int(r->date_ms),
        db_int(r->created_ms)};
    memcpy(p, row, sizeof row);
}

static bool is_alike(const struct mail_row *a, const struct mail_row *b)
{
    return a->state == b->state && uuid_equal(&a->holder, &b->holder) &&
           a->until_ms == b->until_ms && a->tries == b->tries && a->sent_ms == b->sent_ms;
}

/*
 * Rows that differ by their reply alone. Mails of a group mostly do, and one statement for all
 * costs the server a fraction of one for each, as bulk binding makes of an UPDATE.
 */
static int update_alike(
    struct db *db, const struct mail_row *const *rows, size_t n, struct err *err)
{
    static const struct statement update = {"mail_update",
        "UPDATE " DB_JOIN_IDS("mail m", "m.id") " SET m.state = ?, m.holder = ?, m.until_ms = ?, "
                                                "m.tries = ?, m.sent_ms = ?, m.reply = "
                                                "NULLIF(CONVERT(RTRIM(SUBSTR(CAST(? AS BINARY), "
                                                "list.seq * ? + 1, ?)) USING utf8mb4), '')",
        "bitbiiibii", ""};
    const struct mail_row *first = rows[0];
    size_t width = 1;
    for (size_t i = 0; i < n; i++)
        if (strlen(rows[i]->reply) > width)
            width = strlen(rows[i]->reply);
    AUTO_BUF ids = {0};
    AUTO_BUF replies = {0};
    for (size_t i = 0; i < n; i++) {
        buf_add(&ids, rows[i]->id.b, sizeof rows[i]->id.b);
        buf_printf(&replies, "%-*s", (int)width, rows[i]->reply);
    }
    const struct db_value params[] = {db_bytes(buf_bytes(&ids)), db_int((int64_t)n),
        db_text(mail_state_name(first->state)), id_or_null(&first->holder), db_int(first->until_ms),
        db_int(first->tries), first->sent_ms ? db_int(first->sent_ms) : db_null(),
        db_bytes(buf_bytes(&replies)), db_int((int64_t)width), db_int((int64_t)width)};
    return db_run(db, &update, params, NULL, err);
}

/* Takes the first of the rows and all that are alike out of `left`, and writes them. */
static int update_some(struct db *db, const struct mail_row **left, size_t *n, struct err *err)
{
    const struct mail_row *alike[DB_IDS_MOST];
    size_t count = 1, kept = 0;
    alike[0] = left[0];
    for (size_t i = 1; i < *n; i++) {
        if (count < DB_IDS_MOST && is_alike(left[i], alike[0]))
            alike[count++] = left[i];
        else
            left[kept++] = left[i];
    }
    *n = kept;
    return update_alike(db, alike, count, err);
}

int mail_store_write(struct db *db, const struct mail_row *rows, size_t n, struct err *err)
{
    static const struct statement insert = {"mail_insert",
        "INSERT INTO mail (id, certificate, subscriber, template, language, recipient, generation, "
        "state, holder, until_ms, tries, reply, message_id, date_ms, created_ms) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "bbbtttitbiittii", ""};
    AUTO_VALUES inserts = mem_zero(n * INSERT_COLUMNS, sizeof *inserts);
    AUTO_TEXT memory = mem_zero(n, sizeof(struct mail_row *));
    const struct mail_row **updates = (const struct mail_row **)(void *)memory;
    size_t new_rows = 0, old_rows = 0;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].exists)
            updates[old_rows++] = &rows[i];
        else
            insert_params(&rows[i], inserts + new_rows++ * INSERT_COLUMNS);
    }
    if (new_rows && db_run_bulk(db, &insert, inserts, new_rows, NULL, err))
        return -1;
    while (old_rows)
        if (update_some(db, updates, &old_rows, err))
            return -1;
    return 0;
}

static int compare_codes(const void *a, const void *b)
{
    return uuid_compare(
        &((const struct mail_code *)a)->certificate, &((const struct mail_code *)b)->certificate);
}

static void take_code(struct mail_code *c, const struct db_value *v)
{
    c->found = v[2].type != DB_NULL && v[4].bytes.length == sizeof c->nonce &&
               v[2].bytes.length < sizeof c->key;
    if (!c->found)
        return;
    c->is_dead = bytes_equal(v[1].bytes, bytes_of_text("cancelled")) ||
                 bytes_equal(v[1].bytes, bytes_of_text("revoked"));
    memcpy(c->key, v[2].bytes.data, v[2].bytes.length);
    c->key[v[2].bytes.length] = '\0';
    c->generation = (uint32_t)v[3].integer;
    memcpy(c->nonce, v[4].bytes.data, sizeof c->nonce);
}

int mail_store_codes(struct db *db, struct mail_code *codes, size_t n, struct err *err)
{
    static const struct statement read = {"mail_codes",
        "SELECT c.id, c.state, c.code_key, c.code_generation, c.code_nonce FROM " DB_JOIN_IDS(
            "certificate c", "c.id"),
        "bi", "bttib"};
    qsort(codes, n, sizeof *codes, compare_codes);
    AUTO_BUF ids = {0};
    for (size_t i = 0; i < n; i++)
        buf_add(&ids, codes[i].certificate.b, 16);
    const struct db_value params[] = {db_bytes(buf_bytes(&ids)), db_int((int64_t)n)};
    struct db_value columns[5];
    if (db_query(db, &read, params, err))
        return -1;
    int row;
    while ((row = db_fetch(db, columns, err)) > 0) {
        struct mail_code key;
        memcpy(key.certificate.b, columns[0].bytes.data, 16);
        /* Ids may repeat: a resend beside the first mail. */
        struct mail_code *found = bsearch(&key, codes, n, sizeof *codes, compare_codes);
        while (found && found > codes && compare_codes(found - 1, &key) == 0)
            found--;
        for (; found && found < codes + n && compare_codes(found, &key) == 0; found++)
            take_code(found, columns);
    }
    db_finish(db);
    return row;
}

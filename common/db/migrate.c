#include "db/migrate.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "db/schema_file.h"

#include <stdio.h>
#include <string.h>

/* A row of schema_version. */
struct record {
    int number;
    char name[128];
    uint8_t sha256[32];
    bool is_done;
    int64_t applied_ms;
};
struct history {
    struct record *records;
    size_t count;
};

static void history_clear(struct history *h)
{
    free(h->records);
}

static int refuse(struct err *err, const char *name, const char *why)
{
    return err_set(err, ERR_FATAL, "schema", "schema %s: %s", name, why);
}

static bool is_plain_name(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const size_t length = strlen(name);
    return length >= 1 && length <= 48 && strspn(name, plain) == length;
}

/* ---- schema_version ---- */

static int read_history(struct db *db, struct history *h, struct err *err)
{
    /* Looked up first: a table that is not there must not be an error of the server's. */
    static const struct statement find = {.name = "schema.find",
        .sql = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() "
               "AND table_name = 'schema_version'",
        .columns = "i"};
    static const struct statement read = {.name = "schema.read",
        .sql = "SELECT number, name, sha256, state = 'done', applied_ms FROM schema_version "
               "ORDER BY number LIMIT 999",
        .columns = "itbii"};
    struct db_value c[5];
    if (db_query(db, &find, NULL, err) || db_fetch(db, c, err) < 0)
        return -1;
    db_finish(db);
    if (c[0].integer == 0)
        return 0;
    if (db_query(db, &read, NULL, err))
        return -1;
    int row;
    while ((row = db_fetch(db, c, err)) > 0) {
        h->records = mem_resize(h->records, h->count + 1, sizeof *h->records);
        struct record *r = &h->records[h->count++];
        *r = (struct record){
            .number = (int)c[0].integer, .is_done = c[3].integer == 1, .applied_ms = c[4].integer};
        snprintf(r->name, sizeof r->name, "%s", (const char *)c[1].bytes.data);
        if (c[2].bytes.length == sizeof r->sha256)
            memcpy(r->sha256, c[2].bytes.data, sizeof r->sha256);
    }
    return row;
}

static int record_start(struct db *db, const struct schema_file *f, struct err *err)
{
    static const struct statement add = {.name = "schema.start",
        .sql = "INSERT INTO schema_version (number, name, sha256, state, applied_ms) "
               "VALUES (?, ?, ?, 'running', ?)",
        .params = "itbi"};
    const struct db_value params[] = {db_int(f->number), db_text(f->name),
        db_bytes((struct bytes){f->sha256, sizeof f->sha256}), db_int(clock_now_ms())};
    return db_run(db, &add, params, NULL, err);
}

static int record_done(struct db *db, const struct schema_file *f, int64_t now_ms, struct err *err)
{
    static const struct statement done = {.name = "schema.done",
        .sql = "UPDATE schema_version SET state = 'done', applied_ms = ? WHERE number = ?",
        .params = "ii"};
    const struct db_value params[] = {db_int(now_ms), db_int(f->number)};
    return db_run(db, &done, params, NULL, err);
}

/* ---- comparing ---- */

static const struct record *find_record(const struct history *h, int number)
{
    for (size_t i = 0; i < h->count; i++) {
        if (h->records[i].number == number)
            return &h->records[i];
    }
    return NULL;
}

static struct migration_state state_of_file(const struct schema_file *f, const struct record *r)
{
    struct migration_state state = {.number = f->number, .state = MIGRATION_MISSING};
    snprintf(state.name, sizeof state.name, "%s", f->name);
    if (r) {
        state.applied_ms = r->applied_ms;
        if (!r->is_done)
            state.state = MIGRATION_BROKEN;
        else if (memcmp(r->sha256, f->sha256, sizeof f->sha256) != 0)
            state.state = MIGRATION_CHANGED;
        else
            state.state = MIGRATION_DONE;
    }
    return state;
}

static struct migration_state state_of_future(const struct record *r)
{
    struct migration_state state = {
        .number = r->number, .state = MIGRATION_FUTURE, .applied_ms = r->applied_ms};
    snprintf(state.name, sizeof state.name, "%s", r->name);
    return state;
}

static bool has_file(const struct schema_files *files, int number)
{
    for (size_t i = 0; i < files->count; i++) {
        if (files->items[i].number == number)
            return true;
    }
    return false;
}

/* Every file and every record once, in the order of files, the unknown ones last. */
static void tell_states(
    const struct schema_files *files, const struct history *h, migration_each *each, void *context)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct schema_file *f = &files->items[i];
        const struct migration_state state = state_of_file(f, find_record(h, f->number));
        each(context, &state);
    }
    for (size_t i = 0; i < h->count; i++) {
        if (has_file(files, h->records[i].number))
            continue;
        const struct migration_state state = state_of_future(&h->records[i]);
        each(context, &state);
    }
}

struct check {
    struct err *err;
    bool is_bad;
};

static void check_state(void *context, const struct migration_state *state)
{
    struct check *c = context;
    const char *why = NULL;
    if (state->state == MIGRATION_BROKEN)
        why = "was begun and not finished: put right by hand what it left, then delete its row in "
              "schema_version (to run it again) or set its state to 'done'";
    else if (state->state == MIGRATION_CHANGED)
        why = "the file has changed since it was applied: a change needs a new file";
    else if (state->state == MIGRATION_FUTURE)
        why = "the database has it and this program does not know it: use a newer program";
    if (why && !c->is_bad) {
        c->is_bad = true;
        refuse(c->err, state->name, why);
    }
}

/* ---- applying ---- */

static int apply_file(struct db *db, const struct schema_file *f, migration_each *each,
    void *context, struct err *err)
{
    if (record_start(db, f, err) || schema_run(db, buf_bytes(&f->content), err))
        return err_context(err, "schema %s", f->name);
    struct migration_state state = {
        .number = f->number, .state = MIGRATION_DONE, .applied_ms = clock_now_ms()};
    snprintf(state.name, sizeof state.name, "%s", f->name);
    if (record_done(db, f, state.applied_ms, err))
        return err_context(err, "schema %s", f->name);
    if (each)
        each(context, &state);
    return 0;
}

static int open_database(struct db *db, const char *database, struct err *err)
{
    AUTO_BUF sql = {0};
    if (!is_plain_name(database))
        return err_set(err, ERR_INPUT, NULL,
            "database name '%s': 1 to 48 letters, digits and _ are taken", database);
    buf_printf(&sql, "CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        database);
    if (db_execute(db, buf_bytes(&sql), err))
        return -1;
    buf_clear(&sql);
    buf_printf(&sql, "USE `%s`", database);
    return db_execute(db, buf_bytes(&sql), err);
}

/* Two migrations at once take turns. */
static int take_turn(struct db *db, const char *database, struct err *err)
{
    static const struct statement lock = {.name = "schema.lock",
        .sql = "SELECT GET_LOCK(CONCAT('certq.schema.', ?), 60)",
        .params = "t",
        .columns = "i"};
    const struct db_value name = db_text(database);
    struct db_value got;
    if (db_query(db, &lock, &name, err) || db_fetch(db, &got, err) < 0)
        return -1;
    db_finish(db);
    if (got.type != DB_INT || got.integer != 1)
        return err_set(err, ERR_TEMPORARY, NULL, "another migration of %s is running", database);
    return 0;
}

static int end_turn(struct db *db, const char *database, struct err *err)
{
    static const struct statement unlock = {.name = "schema.unlock",
        .sql = "DO RELEASE_LOCK(CONCAT('certq.schema.', ?))",
        .params = "t"};
    const struct db_value name = db_text(database);
    return db_run(db, &unlock, &name, NULL, err);
}

static int migrate_locked(struct db *db, const struct schema_files *files, migration_each *each,
    void *context, struct err *err)
{
    static const char table[] =
        "CREATE TABLE IF NOT EXISTS schema_version (number INT NOT NULL PRIMARY KEY, "
        "name VARCHAR(128) NOT NULL, sha256 BINARY(32) NOT NULL, "
        "state ENUM('running','done') NOT NULL, applied_ms BIGINT NOT NULL) "
        "ENGINE=InnoDB DEFAULT CHARSET=ascii COLLATE=ascii_bin";
    CLEANUP(history_clear) struct history h = {0};
    struct check check = {.err = err};
    if (db_execute(db, bytes_of_text(table), err) || read_history(db, &h, err))
        return -1;
    tell_states(files, &h, check_state, &check);
    if (check.is_bad)
        return -1;
    for (size_t i = 0; i < files->count; i++) {
        const struct schema_file *f = &files->items[i];
        if (!find_record(&h, f->number) && apply_file(db, f, each, context, err))
            return -1;
    }
    return 0;
}

int migrate_run(struct db *db, const char *folder, const char *database,
    const struct migrate_users *users, migration_each *each, void *context, struct err *err)
{
    CLEANUP(schema_files_clear) struct schema_files files = {0};
    if (schema_files_read(folder, &files, err) || open_database(db, database, err) ||
        take_turn(db, database, err))
        return -1;
    struct err ignored;
    if (migrate_locked(db, &files, each, context, err) ||
        schema_grant(db, folder, database, users, err)) {
        if (end_turn(db, database, &ignored))
            db_close(db); /* gives the lock back as well */
        return -1;
    }
    return end_turn(db, database, err);
}

int migrate_status(
    struct db *db, const char *folder, migration_each *each, void *context, struct err *err)
{
    CLEANUP(schema_files_clear) struct schema_files files = {0};
    CLEANUP(history_clear) struct history h = {0};
    if (schema_files_read(folder, &files, err) || read_history(db, &h, err))
        return -1;
    tell_states(&files, &h, each, context);
    return 0;
}

int migrate_check(struct db *db, int number, struct err *err)
{
    CLEANUP(history_clear) struct history h = {0};
    if (read_history(db, &h, err))
        return err_context(err, "the database's schema");
    int newest = 0;
    for (size_t i = 0; i < h.count; i++) {
        if (!h.records[i].is_done)
            return refuse(
                err, h.records[i].name, "was begun and not finished: see `certq db status`");
        newest = h.records[i].number;
    }
    if (newest == number)
        return 0;
    return err_set(err, ERR_FATAL, "schema",
        "the database has schema %d and this program needs %d: %s", newest, number,
        newest < number ? "run `certq db migrate`" : "use a newer program");
}

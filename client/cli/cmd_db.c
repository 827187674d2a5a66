/* certq db: the schema. */
#include "cli.h"
#include "cmd_restored.h"
#include "people.h"
#include "table.h"

#include "base/clock.h"
#include "base/mem.h"
#include "db/migrate.h"
#include "setup/database.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct option schema_option[] = {
    {"--schema", OPTION_VALUE, "FOLDER", "numbered SQL files (else $CERTQ_SCHEMA, else certq's)"},
    {0},
};

static const char *schema_folder(const struct args *args)
{
    const char *folder = args_value(args, "--schema");
    if (!folder)
        folder = getenv("CERTQ_SCHEMA");
    if (!folder || !*folder)
        folder =
            access(CERTQ_SCHEMA_SOURCE, R_OK) == 0 ? CERTQ_SCHEMA_SOURCE : CERTQ_SCHEMA_INSTALLED;
    return folder;
}

static int open_database(struct cli *cli, struct db **ret, struct err *err)
{
    AUTO(db) db = NULL;
    if (setup_database(cli->config, DB_ADMIN, 3, &db, err) || db_open(db, err))
        return -1;
    *ret = TAKE(db);
    return 0;
}

static const char *state_word(const struct migration_state *s)
{
    static const char *const words[] = {
        [MIGRATION_MISSING] = "missing",
        [MIGRATION_DONE] = "done",
        [MIGRATION_BROKEN] = "broken",
        [MIGRATION_CHANGED] = "changed",
        [MIGRATION_FUTURE] = "future",
    };
    return words[s->state];
}

static void collect(void *context, const struct migration_state *s)
{
    json_t *row =
        json_pack("{s:i, s:s, s:s}", "number", s->number, "name", s->name, "state", state_word(s));
    if (s->applied_ms)
        json_object_set_new(row, "applied", json_string(clock_s(s->applied_ms)));
    json_array_append_new(context, row);
}

static const struct column columns[] = {
    {"NUMBER", "number", COLUMN_COUNT},
    {"NAME", "name", COLUMN_SQUEEZE},
    {"STATE", "state", COLUMN_TEXT},
    {"APPLIED", "applied", COLUMN_TIME},
    {0},
};

static int migrate(struct cli *cli, const struct args *args)
{
    int status = cli_config(cli);
    if (status)
        return status;
    const struct config_database *d = &cli->config->database;
    const struct migrate_users users = {d->users[DB_BROKER].user, d->users[DB_WORKER].user,
        d->users[DB_MAIL].user, d->users[DB_READER].user};
    struct err err = {0};
    AUTO(db) db = NULL;
    AUTO_TYPE(json, json_t) *rows = json_array();
    int failed = open_database(cli, &db, &err) ||
                 migrate_run(db, schema_folder(args), d->name, &users, collect, rows, &err);
    if (cli->json || json_array_size(rows))
        table_print(cli, rows, columns, NULL);
    if (failed)
        return cli_error(cli, "db migrate", &err);
    if (!cli->json)
        printf("database %s has schema %d%s\n", d->name, SCHEMA_NUMBER,
            json_array_size(rows) ? "" : ", nothing was to be done");
    return 0;
}

/* The administrator's connection has no database chosen: it may have to make it. */
static int choose_database(struct db *db, const char *name, struct err *err)
{
    AUTO_BUF sql = {0};
    buf_add_text(&sql, "USE `");
    for (; *name; name++) {
        if (*name == '`')
            buf_add_char(&sql, '`');
        buf_add_char(&sql, *name);
    }
    buf_add_char(&sql, '`');
    return db_execute(db, buf_bytes(&sql), err);
}

static bool is_complete(const json_t *rows)
{
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (strcmp(json_text_at(json_array_get(rows, i), "state"), "done") != 0)
            return false;
    return true;
}

static int show_status(struct cli *cli, const struct args *args)
{
    int status = cli_config(cli);
    if (status)
        return status;
    struct err err = {0};
    AUTO(db) db = NULL;
    AUTO_TYPE(json, json_t) *rows = json_array();
    if (open_database(cli, &db, &err))
        return cli_error(cli, "db status", &err);
    if (choose_database(db, cli->config->database.name, &err)) {
        err_context(&err, "db status: run `certq db migrate` if there is no database %s yet",
            cli->config->database.name);
        return cli_fail(cli, EXIT_REFUSED, NULL, &err);
    }
    if (migrate_status(db, schema_folder(args), collect, rows, &err))
        return cli_error(cli, "db status", &err);
    table_print(cli, rows, columns, NULL);
    return is_complete(rows) ? 0 : EXIT_REFUSED;
}

static int restored(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    AUTO(db) db = NULL;
    int status = cli_config(cli);
    if (status)
        return status;
    if (open_database(cli, &db, &err) || choose_database(db, cli->config->database.name, &err) ||
        migrate_check(db, SCHEMA_NUMBER, &err))
        return cli_error(cli, "db restored", &err);
    return db_restored(cli, args, db);
}

static const struct option restored_options[] = {
    {"--yes", OPTION_FLAG, NULL, "do it; without it only tell what would be done"},
    {"--operator", OPTION_VALUE, "NAME", "who does this, for the audit [your login]"},
    {"--crl-folder", OPTION_VALUE, "FOLDER", "where the newest CRLs are [crl_folder]"},
    {"--without-crl", OPTION_FLAG, NULL, "go on for an issuer of which there is no CRL"},
    {"--seals", OPTION_VALUE, "FILE", "the seals outside the database [audit: seals]"},
    {"--no-seals", OPTION_FLAG, NULL, "they are lost too"},
    {0},
};

const struct command db_commands[] = {
    {"migrate", NULL, 0, 0, "Bring the database to this program's schema",
        "Makes the database when there is none, applies the schema files that are missing, and\n"
        "grants the programs' users what they need. Safe to run twice, and by two at once.\n"
        "Connects as database: users: admin.\n",
        schema_option, migrate},
    {"status", NULL, 0, 0, "Show which schema files are applied",
        "Exit status 1 when one is missing, broken or changed.\n", schema_option, show_status},
    {"restored", NULL, 0, 0, "After a backup was restored without binary logs",
        "Run it before any broker or worker starts. Takes in the newest published CRLs, so that\n"
        "nothing is un-revoked; draws codes and serial numbers of certificates not yet issued\n"
        "anew, so that none is given twice; holds the queues, mail among them, until you have\n"
        "looked; and writes it down in the audit. docs/operations.md tells the whole procedure.\n",
        restored_options, restored},
    {0},
};

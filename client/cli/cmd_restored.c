/* certq db restored: what it did, and what is left to people, in words. */
#include "cmd_restored.h"
#include "cli.h"
#include "restore.h"

#include "base/buf.h"
#include "setup/database.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *who_am_i(void)
{
    const struct passwd *p = getpwuid(getuid());
    return p ? p->pw_name : "unknown";
}

static long long number(const json_t *o, const char *path)
{
    return (long long)json_integer_value(json_at(o, path));
}

static void print_issuer(const json_t *o)
{
    const char *name = json_text_at(o, "issuer");
    if (!json_object_get(o, "number") && json_is_false(json_object_get(o, "lacking")))
        printf("CRL of %s: none, and it has issued nothing\n", name);
    else if (!json_object_get(o, "number"))
        printf("CRL of %s: NONE WAS GIVEN; what was revoked since is valid again\n", name);
    else
        printf("CRL of %s: number %lld, %lld entries, %lld of them missing here\n", name,
            number(o, "number"), number(o, "entries"), number(o, "added"));
}

static void print_held(const json_t *held)
{
    size_t columns = (size_t)printf("held:");
    for (size_t i = 0; i < json_array_size(held); i++) {
        const char *kind = json_string_value(json_array_get(held, i));
        if (columns + 1 + strlen(kind) > 78)
            columns = (size_t)printf("\n     ") - 1;
        columns += (size_t)printf(" %s", kind);
    }
    putchar('\n');
}

static void print_report(const json_t *o)
{
    size_t at;
    json_t *issuer;
    const bool is_done = json_is_true(json_object_get(o, "done"));
    json_array_foreach(json_object_get(o, "issuers"), at, issuer) print_issuer(issuer);
    printf("certificates not issued yet: %lld; codes and serial numbers %s\n", number(o, "codes"),
        is_done ? "drawn anew" : "would be drawn anew");
    if (number(o, "seals.file") > number(o, "seals.database"))
        printf("seals of the audit: %lld to %lld are lost, the next is %lld\n",
            number(o, "seals.database") + 1, number(o, "seals.file"), number(o, "seals.file") + 1);
    print_held(json_object_get(o, "held"));
    if (!is_done)
        printf("\nNothing was changed. If this is the restored database, run it with --yes.\n");
    else
        printf("\nNow start brokers and workers, then\n"
               "  certq crl publish                 a CRL with all of it\n"
               "  certq audit seal                  the audit goes on\n"
               "  certq job list --state ready      what was waiting in the backup and may\n"
               "                                    have been done since: cancel what was\n"
               "  certq queue resume KIND           when you have looked, mail last\n"
               "Codes mailed before are dead: reissue what still waits to be retrieved\n"
               "  certq cert list --state awaiting-retrieval\n");
}

int db_restored(struct cli *cli, const struct args *args, struct db *db)
{
    struct err err = {0};
    AUTO_TYPE(json, json_t) *report = NULL;
    const char *folder = args_value(args, "--crl-folder"), *seals = args_value(args, "--seals");
    const char *who = args_value(args, "--operator");
    if (!seals)
        seals = cli->config->audit.seals;
    const struct restore r = {.db = db,
        .config = cli->config,
        .crl_folder = folder ? folder : cli->config->crl_folder,
        .seals = args_has(args, "--no-seals") ? NULL : seals,
        .who = who ? who : who_am_i(),
        .is_trial = !args_has(args, "--yes"),
        .may_lack_crl = args_has(args, "--without-crl")};
    if (restore_run(&r, &report, &err))
        return cli_error(cli, "db restored", &err);
    if (cli->json)
        cli_line(report);
    else
        print_report(report);
    return EXIT_DONE;
}

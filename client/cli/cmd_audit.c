/*
 * certq audit: what was done, and whether what is written of it is still what was written. list and
 * verify read the database themselves, as its reader: they do not depend on a broker's word.
 */
#include "answer_text.h"
#include "audit_text.h"
#include "cli.h"
#include "follow.h"
#include "people.h"

#include "audit/check.h"
#include "audit/line_store.h"
#include "base/clock.h"
#include "base/mem.h"
#include "setup/database.h"

#include <stdio.h>
#include <string.h>

enum { LIST_USUAL = 50, LIST_MOST = 100000, WAIT_MOST_S = 2000000 };

static int open_reader(struct cli *cli, struct db **ret)
{
    struct err err = {0};
    AUTO(db) db = NULL;
    int status = cli_config(cli);
    if (status)
        return status;
    if (setup_database(cli->config, DB_READER, 3, &db, &err) || db_open(db, &err))
        return cli_error(cli, "audit", &err);
    *ret = TAKE(db);
    return 0;
}

/* ---- list ---- */

struct listing {
    const struct cli *cli;
    int64_t limit, count;
};

static int print_line(void *context, const struct audit_line *line)
{
    struct listing *l = context;
    if (l->count++ == l->limit)
        return 1; /* it was asked for to know that there are more */
    if (l->cli->json) {
        AUTO_TYPE(json, json_t) *object = audit_line_json(line);
        cli_line(object);
    } else {
        AUTO_BUF text = {0};
        audit_line_write(line, PEOPLE_ZONE, &text);
        fputs(buf_text(&text), stdout);
    }
    return 0;
}

static int read_id(const char *text, const char *option, struct uuid *ret, struct err *err)
{
    return uuid_parse(text, strlen(text), ret)
               ? 0
               : err_set(err, ERR_INPUT, "usage", "%s: an id (a UUID) is wanted", option);
}

static int read_filter(
    const struct args *args, struct audit_filter *f, struct uuid ids[static 2], struct err *err)
{
    const char *since = args_value(args, "--since"), *subject = args_value(args, "--subject"),
               *before = args_value(args, "--before");
    if ((since && people_time_parse(since, clock_now_ms(), &f->since_ms, err)) ||
        (subject && read_id(subject, "--subject", &ids[0], err)) ||
        (before && read_id(before, "--before", &ids[1], err)) ||
        args_number(args, "--limit", 1, LIST_MOST, &f->limit, err))
        return -1;
    f->subject = subject ? &ids[0] : NULL;
    f->before = before ? &ids[1] : NULL;
    f->actor = args_value(args, "--actor");
    f->event = args_value(args, "--event");
    return 0;
}

static int list(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    struct uuid ids[2];
    struct audit_filter filter = {.limit = LIST_USUAL};
    AUTO(db) db = NULL;
    if (read_filter(args, &filter, ids, &err))
        return cli_usage(cli, &err);
    int status = open_reader(cli, &db);
    if (status)
        return status;
    struct listing l = {cli, filter.limit++, 0};
    if (audit_list(db, &filter, print_line, &l, &err))
        return cli_error(cli, "audit list", &err);
    if (!cli->json && !l.count)
        printf("no audit lines of that kind\n");
    if (l.count > l.limit)
        fprintf(stderr, "there are more: --limit, or --before with the last line's id\n");
    return EXIT_DONE;
}

/* ---- verify ---- */

static void print_finding(void *context, const struct audit_finding *f)
{
    const struct cli *cli = context;
    if (cli->json) {
        AUTO_TYPE(json, json_t) *object = audit_finding_json(f);
        cli_line(object);
    } else {
        AUTO_BUF text = {0};
        audit_finding_write(f, &text);
        fputs(buf_text(&text), stdout);
    }
}

static void print_report(const struct cli *cli, const struct audit_report *r, const char *file)
{
    if (cli->json) {
        AUTO_TYPE(json, json_t) *object = audit_report_json(r, file);
        cli_line(object);
    } else {
        AUTO_BUF text = {0};
        audit_report_write(r, file, PEOPLE_ZONE, &text);
        fputs(buf_text(&text), stdout);
    }
}

static int verify(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    struct audit_report report;
    AUTO(db) db = NULL;
    AUTO(audit_checker) keys = NULL;
    int status = open_reader(cli, &db);
    if (status)
        return status;
    const char *public = args_value(args, "--keys"), *file = args_value(args, "--file");
    file = args_has(args, "--no-file") ? NULL : file ? file : cli->config->audit.seals;
    if (audit_checker_load(public ? public : cli->config->audit.public, &keys, &err))
        return cli_fail(cli, EXIT_REFUSED, "audit verify", &err);
    if (audit_check(db, keys, file, print_finding, (void *)(uintptr_t)cli, &report, &err)) {
        status = cli_error(cli, "audit verify", &err);
        return status ? status : EXIT_REFUSED;
    }
    print_report(cli, &report, file);
    return report.faults ? EXIT_REFUSED : EXIT_DONE;
}

/* ---- seal ---- */

static int seal(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    int64_t wait_s = -1;
    if (args_number(args, "--wait", 0, WAIT_MOST_S, &wait_s, &err))
        return cli_usage(cli, &err);
    const struct certq_job job = {
        .kind = "audit-seal", .args = "{}", .priority = -1, .wants_end = true};
    AUTO_TYPE(json, json_t) *answer = NULL;
    int status = follow_job(cli, &job, wait_s, &answer);
    return answer ? answer_print(cli, answer) : status;
}

static const struct option list_options[] = {
    {"--since", OPTION_VALUE, "TIME", "from then on: RFC 3339, 2026-04-01, or 90m, 2h, 3d ago"},
    {"--subject", OPTION_VALUE, "ID", "of this certificate, subscriber, mail..."},
    {"--actor", OPTION_VALUE, "NAME", "by this actor, or through this client"},
    {"--event", OPTION_VALUE, "EVENT", "of this kind: certificate.revoked"},
    {"--limit", OPTION_VALUE, "N", "at most so many [50]"},
    {"--before", OPTION_VALUE, "ID", "older than this line"},
    {0},
};
static const struct option verify_options[] = {
    {"--file", OPTION_VALUE, "SEALS", "the file outside the database [audit: seals]"},
    {"--no-file", OPTION_FLAG, NULL, "the database alone: a cut tail is not seen"},
    {"--keys", OPTION_VALUE, "FILE", "public keys of the seals [audit: public]"},
    {0},
};
static const struct option seal_options[] = {
    {"--wait", OPTION_VALUE, "SECONDS", "at most so long [until it has ended]"},
    {0},
};

const struct command audit_commands[] = {
    {"list", NULL, 0, 0, "Show who did what, the newest first",
        "Each line of the audit with its event and who did it, the subject's id, the job, and\n"
        "the details.\n",
        list_options, list},
    {"verify", NULL, 0, 0, "Check that the audit is as it was sealed",
        "Reads every seal and every line, and the file outside. Names each line that was changed,\n"
        "removed, added or moved, and each seal that is wrong or gone: exit status 1.\n",
        verify_options, verify},
    {"seal", NULL, 0, 0, "Seal what was written since the last seal",
        "Submits audit-seal, which a schedule runs otherwise, and waits for it.\n", seal_options,
        seal},
    {0},
};

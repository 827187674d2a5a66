/* certq cert, mail, subscriber, contract: what the domain's tables hold, asked through
 * certq.inspect. */
#include "answer_text.h"
#include "cli.h"
#include "follow.h"
#include "table.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/uuid.h"

#include <stdio.h>
#include <string.h>

#define PAGE 1000

/* The zone people read an object's times in. */
static const char *zone_of(const json_t *object)
{
    return json_text_at(object, "zone");
}

static int inspect(struct cli *cli, json_t *request, const char *context, json_t **ret)
{
    return cli_call(cli, "certq.inspect", request, context, ret);
}

/* Option --NAME goes into the request as NAME. */
static void put_text(const struct args *args, const char *option, json_t *request)
{
    if (args_has(args, option))
        json_object_set_new(request, option + 2, json_string(args_value(args, option)));
}

/* Reads pages until `limit` rows are there. `request` is taken. */
static int read_pages(struct cli *cli, json_t *request, const char *member, const char *key,
    int64_t limit, json_t *rows, bool *ret_more)
{
    AUTO_TYPE(json, json_t) *owned = request;
    *ret_more = true;
    while (*ret_more && (int64_t)json_array_size(rows) < limit) {
        int64_t left = limit - (int64_t)json_array_size(rows);
        json_object_set_new(owned, "limit", json_integer(left < PAGE ? left : PAGE));
        AUTO_TYPE(json, json_t) *result = NULL;
        int status = inspect(cli, json_deep_copy(owned), json_text_at(owned, "op"), &result);
        if (status)
            return status;
        const json_t *page = json_object_get(result, member);
        json_array_extend(rows, (json_t *)(uintptr_t)page);
        const char *last = json_text_at(json_array_get(page, json_array_size(page) - 1), key);
        *ret_more = last && json_is_true(json_object_get(result, "more"));
        if (last)
            json_object_set_new(owned, "after", json_string(last));
    }
    return 0;
}

static int list_pages(struct cli *cli, const struct args *args, json_t *request, const char *member,
    const char *key, const struct column *columns)
{
    struct err err = {0};
    int64_t limit = 100;
    if (args_number(args, "--limit", 1, 1000000, &limit, &err)) {
        json_decref(request);
        return cli_usage(cli, &err);
    }
    put_text(args, "--after", request);
    AUTO_TYPE(json, json_t) *rows = json_array();
    bool more;
    int status = read_pages(cli, request, member, key, limit, rows, &more);
    if (status)
        return status;
    table_print(cli, rows, columns, zone_of(json_array_get(rows, 0)));
    if (more)
        fprintf(stderr, "there is more: --limit, or --after with the last id\n");
    return 0;
}

/* A hyphenated UUID is an id, anything else a serial number. */
static json_t *by_id_or_serial(const char *op, const char *text)
{
    struct uuid id;
    bool is_id = strlen(text) == 36 && uuid_parse(text, 36, &id);
    return json_pack("{s:s, s:s}", "op", op, is_id ? "id" : "serial", text);
}

/* ---- cert ---- */

static const struct option cert_list_options[] = {
    {"--product", OPTION_VALUE, "P", "only this product's"},
    {"--state", OPTION_VALUE, "S",
        "awaiting-approval, awaiting-retrieval, valid, revoked, cancelled"},
    {"--expiring", OPTION_VALUE, "DAYS", "valid, and ending within so many days"},
    {"--email", OPTION_VALUE, "ADDRESS", "only of this subscriber"},
    {"--subscriber", OPTION_VALUE, "ID", "only of this subscriber"},
    {"--limit", OPTION_VALUE, "N", "at most so many [100]"},
    {"--after", OPTION_VALUE, "ID", "go on behind this certificate"},
    {0},
};
static const struct column cert_columns[] = {
    {"CERTIFICATE", "certificate", COLUMN_TEXT},
    {"STATE", "state", COLUMN_TEXT},
    {"UNTIL", "not_after", COLUMN_DAY},
    {"SUBSCRIBER", "email", COLUMN_SQUEEZE},
    {"PRODUCT", "product", COLUMN_SQUEEZE},
    {0},
};

static int cert_list(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    int64_t days = -1;
    if (args_number(args, "--expiring", 0, 3650, &days, &err))
        return cli_usage(cli, &err);
    json_t *request = json_pack("{s:s}", "op", "cert.list");
    put_text(args, "--product", request);
    put_text(args, "--state", request);
    put_text(args, "--email", request);
    put_text(args, "--subscriber", request);
    if (days >= 0)
        json_object_set_new(request, "expiring", json_integer(days));
    return list_pages(cli, args, request, "certificates", "certificate", cert_columns);
}

static int cert_show(struct cli *cli, const struct args *args)
{
    AUTO_TYPE(json, json_t) *result = NULL;
    int status =
        inspect(cli, by_id_or_serial("cert.show", args->values[0]), args->values[0], &result);
    const json_t *certificate = result ? json_object_get(result, "certificate") : NULL;
    if (!status)
        record_print(cli, certificate, zone_of(certificate));
    return status;
}

static const struct option export_options[] = {
    {"--chain", OPTION_FLAG, NULL, "with the certificates above it, without the root"},
    {"--out", OPTION_VALUE, "FILE", "into a file instead of stdout"},
    {0},
};

static int cert_export(struct cli *cli, const struct args *args)
{
    AUTO_TYPE(json, json_t) *result = NULL;
    int status =
        inspect(cli, by_id_or_serial("cert.export", args->values[0]), args->values[0], &result);
    if (status)
        return status;
    const char *pem = json_text_at(result, "pem"), *chain = json_text_at(result, "chain");
    const char *out = args_value(args, "--out");
    AUTO_BUF text = {0};
    buf_add_text(&text, pem ? pem : "");
    if (args_has(args, "--chain"))
        buf_add_text(&text, chain ? chain : "");
    struct err err = {0};
    if (out && file_write(out, buf_bytes(&text), 0644, &err))
        return cli_fail(cli, EXIT_REFUSED, "cert export", &err);
    if (cli->json)
        cli_line(result);
    else if (!out)
        fputs(buf_text(&text), stdout);
    return 0;
}

const struct command cert_commands[] = {
    {"list", NULL, 0, 0, "List certificates, newest first", NULL, cert_list_options, cert_list},
    {"show", "ID|SERIAL", 1, 1, "Show a certificate, its mails and its history",
        "An id is written with hyphens; anything else is taken for a serial number in hex.\n", NULL,
        cert_show},
    {"export", "ID|SERIAL", 1, 1, "Print a certificate in PEM", NULL, export_options, cert_export},
    {0},
};

/* ---- mail ---- */

static const struct option mail_list_options[] = {
    {"--to", OPTION_VALUE, "ADDRESS", "only to this address"},
    {"--state", OPTION_VALUE, "S", "sending, deferred, sent, rejected, superseded"},
    {"--certificate", OPTION_VALUE, "ID", "only about this certificate"},
    {"--limit", OPTION_VALUE, "N", "at most so many [100]"},
    {"--after", OPTION_VALUE, "ID", "go on behind this mail"},
    {0},
};

static int mail_list(struct cli *cli, const struct args *args)
{
    static const struct column columns[] = {
        {"MAIL", "mail", COLUMN_TEXT},
        {"STATE", "state", COLUMN_TEXT},
        {"SENT", "sent", COLUMN_TIME},
        {"TO", "recipient", COLUMN_SQUEEZE},
        {"TEMPLATE", "template", COLUMN_SQUEEZE},
        {0},
    };
    json_t *request = json_pack("{s:s}", "op", "mail.list");
    put_text(args, "--to", request);
    put_text(args, "--state", request);
    put_text(args, "--certificate", request);
    return list_pages(cli, args, request, "mails", "mail", columns);
}

static int mail_show(struct cli *cli, const struct args *args)
{
    AUTO_TYPE(json, json_t) *result = NULL;
    int status = inspect(cli, json_pack("{s:s, s:s}", "op", "mail.show", "id", args->values[0]),
        args->values[0], &result);
    const json_t *mail = result ? json_object_get(result, "mail") : NULL;
    if (!status)
        record_print(cli, mail, zone_of(mail));
    return status;
}

static const struct option mail_resend_options[] = {
    {"--operator", OPTION_VALUE, "NAME", "who asks, for the audit"},
    {0},
};

static int mail_resend(struct cli *cli, const struct args *args)
{
    AUTO_TYPE(json, json_t) *request = json_pack("{s:s}", "mail", args->values[0]);
    put_text(args, "--operator", request);
    AUTO_BUF text = {0};
    json_write(request, &text);
    const struct certq_job job = {
        .kind = "mail-resend", .args = buf_text(&text), .priority = -1, .wants_end = true};
    AUTO_TYPE(json, json_t) *answer = NULL;
    int status = follow_job(cli, &job, -1, &answer);
    return answer ? answer_print(cli, answer) : status;
}

const struct command mail_commands[] = {
    {"list", NULL, 0, 0, "List mails, newest first",
        "A mail that no worker has taken yet is a job: certq job list --kind mail.\n",
        mail_list_options, mail_list},
    {"show", "ID", 1, 1, "Show what became of a mail", NULL, NULL, mail_show},
    {"resend", "ID", 1, 1, "Send a certificate code once more",
        "A new mail with the same code goes to the subscriber's present address. Refused where "
        "the\n"
        "product has no code.resend, and when the code no longer counts.\n",
        mail_resend_options, mail_resend},
    {0},
};

/* ---- subscriber ---- */

static const struct option subscriber_options[] = {
    {"--product", OPTION_VALUE, "P", "only in this product"},
    {0},
};

static int subscriber_show(struct cli *cli, const struct args *args)
{
    const char *who = args->values[0];
    json_t *request =
        json_pack("{s:s, s:s}", "op", "subscriber.show", strchr(who, '@') ? "email" : "id", who);
    put_text(args, "--product", request);
    AUTO_TYPE(json, json_t) *result = NULL;
    int status = inspect(cli, request, who, &result);
    const json_t *rows = result ? json_object_get(result, "subscribers") : NULL;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (i && !cli->json)
            putchar('\n');
        record_print(cli, row, zone_of(row));
    }
    return status;
}

const struct command subscriber_commands[] = {
    {"show", "ID|EMAIL", 1, 1, "Show a subscriber with applications and certificates", NULL,
        subscriber_options, subscriber_show},
    {0},
};

/* ---- contract ---- */

static int contract_show(struct cli *cli, const struct args *args)
{
    AUTO_TYPE(json, json_t) *result = NULL;
    const char *id = args->values[0];
    int status =
        inspect(cli, json_pack("{s:s, s:s}", "op", "contract.show", "id", id), id, &result);
    const json_t *contract = result ? json_object_get(result, "contract") : NULL;
    if (!status)
        record_print(cli, contract, zone_of(contract));
    return status;
}

const struct command contract_commands[] = {
    {"show", "ID", 1, 1, "Show a contract: contacts, requests, and what hangs on it", NULL, NULL,
        contract_show},
    {0},
};

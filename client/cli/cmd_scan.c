/* certq scan: an expiry scan, waited for, as tables. */
#include "answer_text.h"
#include "cli.h"
#include "follow.h"
#include "table.h"

#include "base/buf.h"

#include <stdio.h>

#define WAIT_MOST_S 2000000

static json_t *args_of(const struct args *args)
{
    static const char *const texts[][2] = {{"--as-of", "as_of"}, {"--product", "product"}};
    json_t *o = json_object();
    for (size_t i = 0; i < 2; i++)
        if (args_has(args, texts[i][0]))
            json_object_set_new(o, texts[i][1], json_string(args_value(args, texts[i][0])));
    if (args_has(args, "--dry-run"))
        json_object_set_new(o, "dry_run", json_true());
    return o;
}

/* {"30": 2, "10": 0} as "30: 2, 10: 0". */
static json_t *counts(const json_t *object)
{
    AUTO_BUF text = {0};
    const char *name;
    json_t *n;
    json_object_foreach((json_t *)(uintptr_t)object, name, n) buf_printf(
        &text, "%s%s: %lld", text.length ? ", " : "", name, (long long)json_integer_value(n));
    return json_string(text.length ? buf_text(&text) : "-");
}

static void print_products(const struct cli *cli, const json_t *products)
{
    static const struct column columns[] = {
        {"PRODUCT", "product", COLUMN_TEXT},
        {"SCANNED", "scanned", COLUMN_COUNT},
        {"DUE AT DAYS", "due", COLUMN_TEXT},
        {"SENT", "sent", COLUMN_COUNT},
        {"SKIPPED", "skipped", COLUMN_SQUEEZE},
        {0},
    };
    AUTO_TYPE(json, json_t) *rows = json_array();
    const char *name;
    json_t *p;
    json_object_foreach((json_t *)(uintptr_t)products, name, p) json_array_append_new(
        rows, json_pack("{s:s, s:O, s:o, s:O, s:o}", "product", name, "scanned",
                  json_object_get(p, "scanned"), "due", counts(json_object_get(p, "due")), "sent",
                  json_object_get(p, "sent"), "skipped", counts(json_object_get(p, "skipped"))));
    table_print(cli, rows, columns, NULL);
}

static void print_notices(const struct cli *cli, const json_t *result)
{
    static const struct column columns[] = {
        {"RECIPIENT", "recipient", COLUMN_TEXT},
        {"DAYS", "threshold", COLUMN_COUNT},
        {"UNTIL", "not_after", COLUMN_DAY},
        {"SKIPPED", "skipped", COLUMN_TEXT},
        {"PRODUCT", "product", COLUMN_SQUEEZE},
        {"CERTIFICATE", "certificate", COLUMN_TEXT},
        {0},
    };
    const json_t *notices = json_object_get(result, "notices");
    if (!json_array_size(notices))
        return;
    putchar('\n');
    table_print(cli, notices, columns, NULL);
    if (json_is_true(json_object_get(result, "more")))
        fprintf(stderr, "there are more; --product shows those of one product\n");
}

static int print(const struct cli *cli, const json_t *answer)
{
    const json_t *result = json_object_get(answer, "result");
    if (cli->json || !json_object_get(result, "products"))
        return answer_print(cli, answer);
    print_products(cli, json_object_get(result, "products"));
    print_notices(cli, result);
    return EXIT_DONE;
}

static int scan(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    int64_t wait_s = -1;
    if (args_number(args, "--wait", 0, WAIT_MOST_S, &wait_s, &err))
        return cli_usage(cli, &err);
    AUTO_TYPE(json, json_t) *object = args_of(args);
    AUTO_BUF text = {0};
    json_write(object, &text);
    const struct certq_job job = {
        .kind = "expiry-scan", .args = buf_text(&text), .priority = -1, .wants_end = true};
    json_t *answer = NULL;
    int status = follow_job(cli, &job, wait_s, &answer);
    if (answer)
        status = print(cli, answer);
    json_decref(answer);
    return status;
}

static const struct option options[] = {
    {"--as-of", OPTION_VALUE, "DATE", "as if it were this day, 2026-04-01 [today]"},
    {"--product", OPTION_VALUE, "P", "only this product's certificates"},
    {"--dry-run", OPTION_FLAG, NULL, "only tell who would get what"},
    {"--wait", OPTION_VALUE, "SECONDS", "at most so long [until it has ended]"},
    {0},
};

const struct command scan_commands[] = {
    {NULL, NULL, 0, 0, "Send the expiry notices that are due",
        "Looks for certificates that come to a threshold of their product (notices: mail) and\n"
        "queues their mails. A certificate gets one notice a threshold however often this is run,\n"
        "and days on which it was not run are caught up. Counts of what was due, sent and "
        "skipped,\n"
        "and why, are printed for each product. A later day than today sends today what is due\n"
        "then.\n",
        options, scan},
    {0},
};

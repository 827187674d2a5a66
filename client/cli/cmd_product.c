/* certq product: the policies, read and explained. */
#include "cli.h"
#include "table.h"

#include "base/utf8.h"
#include "lifecycle/calendar.h"
#include "lifecycle/policy_set.h"

#include <stdio.h>
#include <string.h>

static json_t *describe(const struct policy *p)
{
    json_t *languages = json_array();
    for (size_t i = 0; i < p->language_count; i++)
        json_array_append_new(languages, json_string(policy_word(language, p->languages[i])));
    json_t *row = json_pack("{s:s, s:o, s:s, s:s, s:s}", "product", p->name, "languages", languages,
        "zone", zone_name(p->zone), "issuer", p->certificate.issuer, "file", p->file);
    for (size_t i = 0; i < p->language_count; i++) {
        const char *service = p->service[p->languages[i]];
        if (service)
            json_object_set_new(row, "service", json_string(service));
        if (service)
            break;
    }
    return row;
}

static int list(struct cli *cli, const struct args *args UNUSED)
{
    static const struct column columns[] = {
        {"PRODUCT", "product", COLUMN_TEXT},
        {"SERVICE", "service", COLUMN_SQUEEZE},
        {"LANGUAGES", "languages", COLUMN_TEXT},
        {"ZONE", "zone", COLUMN_TEXT},
        {"ISSUER", "issuer", COLUMN_SQUEEZE},
        {0},
    };
    struct err err = {0};
    int status = cli_config(cli);
    if (status)
        return status;
    AUTO(policy_set) set = NULL;
    if (policy_set_load(cli->config->products, &set, &err))
        return cli_fail(cli, EXIT_CONFIG, NULL, &err);
    AUTO_TYPE(json, json_t) *rows = json_array();
    for (size_t i = 0; i < set->count; i++)
        json_array_append_new(rows, describe(set->items[i]));
    table_print(cli, rows, columns, NULL);
    return 0;
}

enum { COLUMNS = 80 };

/* A sentence over as many lines as it takes, those after the first under its first letter. */
static void print_wrapped(struct bytes line)
{
    const int indent = line.length && line.data[0] == '-' ? 2 : 0;
    size_t column = 0;
    const char *gap = "";
    while (line.length) {
        const uint8_t *space = memchr(line.data, ' ', line.length);
        const size_t n = space ? (size_t)(space - line.data) : line.length;
        const size_t columns = utf8_columns((struct bytes){line.data, n});
        if (*gap && column + 1 + columns > COLUMNS) {
            printf("\n%*s", indent, "");
            column = (size_t)indent;
        } else {
            fputs(gap, stdout);
            column += strlen(gap);
        }
        fwrite(line.data, 1, n, stdout);
        column += columns;
        gap = " ";
        const size_t passed = n + (space != NULL);
        line = (struct bytes){line.data + passed, line.length - passed};
    }
    putchar('\n');
}

static void print_lines(struct bytes text)
{
    while (text.length) {
        const uint8_t *end = memchr(text.data, '\n', text.length);
        const size_t n = end ? (size_t)(end - text.data) : text.length;
        print_wrapped((struct bytes){text.data, n});
        text = (struct bytes){text.data + n + (end != NULL), text.length - n - (end != NULL)};
    }
}

static void explain(const struct cli *cli, const struct policy *p)
{
    AUTO_BUF text = {0};
    policy_explain(p, &text);
    if (cli->json) {
        AUTO_TYPE(json, json_t) *row = describe(p);
        json_object_set_new(row, "explanation", json_string(buf_text(&text)));
        cli_line(row);
    } else {
        print_lines(buf_bytes(&text));
    }
}

static int check_configured(struct cli *cli)
{
    struct err err = {0};
    int status = cli_config(cli);
    if (status)
        return status;
    AUTO(policy_set) set = NULL;
    if (policy_set_load(cli->config->products, &set, &err) ||
        policy_set_check(set, cli->config, &err))
        return cli_fail(cli, EXIT_CONFIG, NULL, &err);
    for (size_t i = 0; i < set->count; i++) {
        if (i && !cli->json)
            putchar('\n');
        explain(cli, set->items[i]);
    }
    return 0;
}

static int check(struct cli *cli, const struct args *args)
{
    if (!args->count)
        return check_configured(cli);
    int status = 0;
    for (size_t i = 0; i < args->count; i++) {
        struct err err = {0};
        AUTO(policy) p = NULL;
        if (policy_load_file(args->values[i], &p, &err)) {
            status = cli_fail(cli, EXIT_CONFIG, NULL, &err);
            continue;
        }
        if (i && !cli->json)
            putchar('\n');
        explain(cli, p);
    }
    return status;
}

const struct command product_commands[] = {
    {"list", NULL, 0, 0, "List the products of the configuration", NULL, NULL, list},
    {"check", "[FILE...]", 0, 1000, "Check product files and explain them",
        "Without FILE all of the configuration's folder, and that their issuers exist. A file "
        "that\n"
        "contradicts itself: exit status 78 with FILE:LINE: KEY: reason.\n",
        NULL, check},
    {0},
};

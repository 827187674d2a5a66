/* certq crl: making one by hand, and what there is of them, here and in the database. */
#include "answer_text.h"
#include "cli.h"
#include "follow.h"
#include "table.h"

#include "base/clock.h"
#include "base/mem.h"
#include "pki/crl_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MOST_S 2000000

/* ---- publish ---- */

static int publish_one(struct cli *cli, const char *issuer, int64_t wait_s)
{
    AUTO_TYPE(json, json_t) *args = json_pack("{s:s}", "issuer", issuer);
    AUTO_BUF text = {0};
    json_write(args, &text);
    const struct certq_job job = {
        .kind = "crl", .args = buf_text(&text), .priority = -1, .wants_end = true};
    json_t *answer = NULL;
    int status = follow_job(cli, &job, wait_s, &answer);
    if (answer)
        status = answer_print(cli, answer);
    json_decref(answer);
    certq_close(cli->handle); /* its answers went to the job before */
    cli->handle = NULL;
    return status;
}

static int publish(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    int64_t wait_s = -1;
    int status = cli_config(cli);
    if (status)
        return status;
    if (args_number(args, "--wait", 0, WAIT_MOST_S, &wait_s, &err))
        return cli_usage(cli, &err);
    if (args->count)
        return publish_one(cli, args->values[0], wait_s);
    for (size_t i = 0; !status && i < cli->config->issuer_count; i++)
        status = publish_one(cli, cli->config->issuers[i].name, wait_s);
    return status;
}

/* ---- show ---- */

/* "6 d 23 h": the two largest units. */
static json_t *duration(int64_t ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}};
    AUTO_BUF text = {0};
    const char *sign = ms < 0 ? "-" : "";
    ms = ms < 0 ? -ms : ms;
    for (size_t i = 0, left = 2; left && i < ARRAY_LENGTH(units); i++) {
        const int64_t n = ms / units[i].ms;
        if (n || left == 1 || i + 1 == ARRAY_LENGTH(units)) {
            buf_printf(&text, "%s%s%" PRId64 " %s", text.length ? " " : "", text.length ? "" : sign,
                n, units[i].unit);
            ms -= n * units[i].ms;
            left--;
        }
    }
    return json_string(buf_text(&text));
}

/* The file of this machine's crl_folder beside what the database says. */
static json_t *file_of(const struct cli *cli, const char *issuer, int64_t newest)
{
    AUTO_TEXT path = crl_file_path(cli->config->crl_folder, issuer);
    struct crl_facts facts;
    struct err err = {0};
    if (crl_file_facts(path, &facts, &err))
        return json_pack("{s:s, s:s}", "path", path, "state",
            err.kind == ERR_NOT_FOUND ? "not there" : "it cannot be read as a CRL");
    const int64_t number = (int64_t)facts.number;
    return json_pack("{s:s, s:I, s:s}", "path", path, "number", (json_int_t)number, "state",
        number == newest  ? "the newest"
        : number < newest ? "older than the database's"
                          : "newer than the database's: was an old backup restored?");
}

static void put_age(
    const json_t *crl, const json_t *now, const char *from, const char *name, int sign, json_t *to)
{
    int64_t at_ms, now_ms;
    const char *at = json_text_at(crl, from), *then = json_string_value(now);
    if (at && then && clock_parse(at, strlen(at), &at_ms) &&
        clock_parse(then, strlen(then), &now_ms))
        json_object_set_new(to, name, duration(sign * (at_ms - now_ms)));
}

/* In the order people read it. */
static json_t *row_of(const struct cli *cli, const json_t *crl, const json_t *now)
{
    const char *issuer = json_text_at(crl, "issuer");
    const json_t *number = json_object_get(crl, "number"), *asked = json_object_get(crl, "asked");
    const struct config_issuer *known = config_issuer(cli->config, issuer);
    json_t *row = json_deep_copy(crl);
    json_object_del(row, "asked");
    put_age(crl, now, "this_update", "age", -1, row);
    put_age(crl, now, "next_update", "left", 1, row);
    if (!number)
        json_object_set_new(row, "number", json_string("none yet"));
    json_object_set_new(row, "file", file_of(cli, issuer, json_integer_value(number)));
    if (known && known->crl_url)
        json_object_set_new(row, "url", json_string(known->crl_url));
    if (cli->config->broker.http) {
        AUTO_TEXT url = mem_printf("http://%s/crl/%s.crl", cli->config->broker.http, issuer);
        json_object_set_new(row, "broker_url", json_string(url));
    }
    if (asked)
        json_object_set(row, "asked", (json_t *)(uintptr_t)asked);
    return row;
}

static int show(struct cli *cli, const struct args *args)
{
    json_t *request = json_pack("{s:s}", "op", "crl.show");
    const char *issuer = args->count ? args->values[0] : NULL;
    if (issuer)
        json_object_set_new(request, "issuer", json_string(issuer));
    AUTO_TYPE(json, json_t) *result = NULL;
    int status = cli_call(cli, "certq.inspect", request, issuer ? issuer : "crl", &result);
    const json_t *crls = result ? json_object_get(result, "crls") : NULL;
    for (size_t i = 0; i < json_array_size(crls); i++) {
        AUTO_TYPE(json, json_t) *row =
            row_of(cli, json_array_get(crls, i), json_object_get(result, "now"));
        if (i && !cli->json)
            putchar('\n');
        record_print(cli, row, NULL);
    }
    return status;
}

static const struct option publish_options[] = {
    {"--wait", OPTION_VALUE, "SECONDS", "at most so long for each [until it has ended]"},
    {0},
};

const struct command crl_commands[] = {
    {"publish", "[ISSUER]", 0, 1, "Make the next CRL now, of one issuer or of all",
        "A CRL is made by itself soon after every revocation (crl_soon) and by the schedules of\n"
        "certq.yaml; this makes one more.\n",
        publish_options, publish},
    {"show", "[ISSUER]", 0, 1, "Show the newest CRL, its age, and where it is",
        "number, entries and times are those in the database, age and left by its clock; file is\n"
        "what this machine's crl_folder holds; asked is the job that will make the next one for\n"
        "the revocations since.\n",
        NULL, show},
    {0},
};

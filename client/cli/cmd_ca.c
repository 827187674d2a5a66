/* certq ca: the certification authorities of the configuration. */
#include "cli.h"
#include "files.h"
#include "table.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "people.h"
#include "pki/certificate.h"
#include "pki/issuer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOT_DAYS 7300
#define ISSUER_DAYS 3650

static const struct option init_options[] = {
    {"--issuer", OPTION_VALUE, "NAME", "only this issuer of the configuration (else all)"},
    {"--test", OPTION_FLAG, NULL, "mark it as a test CA: may be used with a settable clock"},
    {"--organisation", OPTION_VALUE, "TEXT", "O= of both"},
    {"--name", OPTION_VALUE, "TEXT", "CN= of the issuing CA [the issuer's name]"},
    {"--root-name", OPTION_VALUE, "TEXT", "CN= of the root [certq Root CA]"},
    {"--root", OPTION_VALUE, "FILE", "the root's certificate [root.pem beside the issuer's]"},
    {"--root-key", OPTION_VALUE, "FILE", "its key [root.key beside the issuer's key]"},
    {"--days", OPTION_VALUE, "N", "life of the issuing CA [3650]"},
    {"--root-days", OPTION_VALUE, "N", "life of the root [7300]"},
    {"--from", OPTION_VALUE, "TIME", "when both begin [now]"},
    {0},
};

/* What the options say of all issuers alike. */
static int read_plan(const struct args *args, struct issuer_plan *ret, struct err *err)
{
    int64_t days = ISSUER_DAYS, root_days = ROOT_DAYS, from_ms = clock_now_ms();
    const char *from = args_value(args, "--from");
    if (args_number(args, "--days", 1, 36500, &days, err) ||
        args_number(args, "--root-days", 1, 36500, &root_days, err) ||
        (from && people_time_parse(from, PEOPLE_NO_AGO, &from_ms, err)))
        return -1;
    const char *root_name = args_value(args, "--root-name");
    *ret = (struct issuer_plan){
        .organisation = args_value(args, "--organisation"),
        .root_name = root_name ? root_name : "certq Root CA",
        .not_before_ms = from_ms / 1000 * 1000,
        .root_days = (int)root_days,
        .days = (int)days,
        .is_test = args_has(args, "--test"),
    };
    if (ret->is_test && ret->organisation)
        return err_set(err, ERR_INPUT, "usage", "--organisation: a test CA's is its mark, \"%s\"",
            ISSUER_TEST_MARK);
    return 0;
}

static int init_issuer(const struct cli *cli, const struct config_issuer *issuer,
    const struct args *args, struct issuer_plan plan, struct err *err)
{
    const char *name = args_value(args, "--name"), *root = args_value(args, "--root");
    const char *root_key = args_value(args, "--root-key");
    AUTO_TEXT root_beside = file_beside(issuer->certificate, "root.pem");
    AUTO_TEXT key_beside = file_beside(issuer->key, "root.key");
    plan.root_certificate = root ? root : root_beside;
    plan.root_key = root_key ? root_key : key_beside;
    plan.certificate = issuer->certificate;
    plan.key = issuer->key;
    plan.name = name ? name : issuer->name;
    const char *const files[] = {plan.root_certificate, plan.root_key, plan.certificate, plan.key};
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
        if (folder_make_for(files[i], err))
            return -1;
    if (issuer_init(&plan, err))
        return -1;
    AUTO_TYPE(json, json_t) *line = json_pack("{s:s, s:s, s:s, s:s, s:b}", "issuer", issuer->name,
        "certificate_file", plan.certificate, "key_file", plan.key, "root_file",
        plan.root_certificate, "test", plan.is_test);
    if (cli->json)
        cli_line(line);
    else
        printf("%s: %s, under the root %s%s\n", issuer->name, plan.certificate,
            plan.root_certificate, plan.is_test ? " (for tests)" : "");
    return 0;
}

static int init(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    struct issuer_plan plan;
    int status = cli_config(cli);
    if (status)
        return status;
    const char *only = args_value(args, "--issuer");
    if (only && !config_issuer(cli->config, only)) {
        err_set(&err, ERR_INPUT, "usage", "--issuer %.64s: none of the configuration's", only);
        return cli_usage(cli, &err);
    }
    if (read_plan(args, &plan, &err))
        return cli_usage(cli, &err);
    for (size_t i = 0; i < cli->config->issuer_count; i++) {
        const struct config_issuer *issuer = &cli->config->issuers[i];
        if ((!only || strcmp(only, issuer->name) == 0) &&
            init_issuer(cli, issuer, args, plan, &err))
            return cli_fail(cli, EXIT_REFUSED, issuer->name, &err);
    }
    return 0;
}

/* ---- show ---- */

static int describe(const struct config_issuer *issuer, json_t **ret, struct err *err)
{
    AUTO_BUF der = {0};
    AUTO(certificate_description) d = NULL;
    if (certificate_read_first(issuer->certificate, &der, err)) {
        if (err->kind == ERR_NOT_FOUND)
            err_context(err, "run `certq ca init`");
        return -1;
    }
    if (certificate_describe(buf_bytes(&der), &d, err))
        return err_context(err, "%s", issuer->certificate);
    *ret = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "issuer", issuer->name,
        "subject", d->subject, "issued_by", d->issuer, "serial", d->serial, "not_before",
        clock_s(d->not_before_ms), "not_after", clock_s(d->not_after_ms), "key", d->key, "sha256",
        d->sha256, "test", strstr(d->subject, ISSUER_TEST_MARK) != NULL, "has_key",
        access(issuer->key, R_OK) == 0);
    if (issuer->crl_url)
        json_object_set_new(*ret, "crl_url", json_string(issuer->crl_url));
    return 0;
}

static int show(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    int status = cli_config(cli);
    const char *only = args->count ? args->values[0] : NULL;
    if (status)
        return status;
    if (only && !config_issuer(cli->config, only)) {
        err_set(&err, ERR_NOT_FOUND, NULL, "%.64s: no issuer of the configuration", only);
        return cli_fail(cli, EXIT_REFUSED, "ca show", &err);
    }
    bool is_first = true;
    for (size_t i = 0; i < cli->config->issuer_count; i++) {
        const struct config_issuer *issuer = &cli->config->issuers[i];
        AUTO_TYPE(json, json_t) *row = NULL;
        if (only && strcmp(only, issuer->name) != 0)
            continue;
        if (describe(issuer, &row, &err)) {
            status = cli_fail(cli, EXIT_REFUSED, issuer->name, &err);
            continue;
        }
        if (!is_first && !cli->json)
            putchar('\n');
        is_first = false;
        record_print(cli, row, NULL);
    }
    return status;
}

const struct command ca_commands[] = {
    {"init", NULL, 0, 0, "Make a root and an issuing CA under it",
        "For each issuer of the configuration whose files are to be made. A root that is there\n"
        "is used; an issuing CA that is there is a refusal, nothing is overwritten. P-256 keys.\n"
        "Take the root's key away from this machine afterwards.\n",
        init_options, init},
    {"show", "[ISSUER]", 0, 1, "Show the certificates of the issuers", NULL, NULL, show},
    {0},
};

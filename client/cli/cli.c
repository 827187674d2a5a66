#include "cli.h"

#include "base/mem.h"
#include "people.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CALL_MS 15000 /* brokers answer operators within 10 s */
#define CONNECT_MS 5000

void cli_close(struct cli *cli)
{
    certq_close(cli->handle);
    config_free(cli->config);
    *cli = (struct cli){0};
}

/* ---- what went wrong ---- */

static int fail(
    const struct cli *cli, int status, const char *context, const char *code, const char *text)
{
    AUTO_BUF line = {0};
    if (context) {
        people_text(context, &line);
        buf_add_text(&line, ": ");
    }
    people_text(text, &line);
    fprintf(stderr, "certq: %s\n", buf_text(&line));
    if (cli->json) {
        AUTO_TYPE(json, json_t) *error =
            json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", buf_text(&line));
        cli_line(error);
    }
    return status;
}

int cli_fail(const struct cli *cli, int status, const char *context, const struct err *err)
{
    return fail(cli, status, context, err->code, err->text);
}

int cli_error(const struct cli *cli, const char *context, const struct err *err)
{
    int status = EXIT_REFUSED;
    if (strcmp(err->code, "usage") == 0)
        status = EXIT_USAGE;
    else if (strcmp(err->code, "config") == 0)
        status = EXIT_CONFIG;
    else if (err->kind == ERR_TEMPORARY || err->kind == ERR_UNSURE)
        status = EXIT_UNREACHABLE;
    return fail(cli, status, context, err->code, err->text);
}

int cli_usage(const struct cli *cli, const struct err *err)
{
    return fail(cli, EXIT_USAGE, NULL, "usage", err->text);
}

int cli_fault(const struct cli *cli, const char *context, const struct certq_error *error)
{
    static const int statuses[] = {
        [CERTQ_FAULT_NONE] = EXIT_REFUSED,
        [CERTQ_FAULT_USAGE] = EXIT_USAGE,
        [CERTQ_FAULT_REFUSED] = EXIT_REFUSED,
        [CERTQ_FAULT_UNREACHABLE] = EXIT_UNREACHABLE,
        [CERTQ_FAULT_TIMED_OUT] = EXIT_TIMED_OUT,
    };
    int status = fail(cli, statuses[error->fault], context, error->code, error->text);
    if (error->fault == CERTQ_FAULT_UNREACHABLE && cli->handle) {
        AUTO_TEXT description = certq_describe(cli->handle);
        fputs(description, stderr);
    }
    return status;
}

/* ---- what a command needs ---- */

int cli_config(struct cli *cli)
{
    struct err err = {0};
    if (cli->config || config_load(config_path(cli->config_argument), &cli->config, &err) == 0)
        return 0;
    return cli_fail(cli, EXIT_CONFIG, NULL, &err);
}

/* The intake certificate when it is there; without it secrets go only where that is safe. */
static const char *intake_certificate(const struct config *config)
{
    const char *path = config->intake.certificate;
    return path && access(path, F_OK) == 0 ? path : NULL;
}

int cli_connect(struct cli *cli, certq_answer_fn *on_answer, void *user)
{
    if (cli->handle)
        return 0;
    int status = cli_config(cli);
    if (status)
        return status;
    const struct config_connect *connect = &cli->config->connect;
    struct err err = {0};
    if (!connect->broker_count) {
        err_set(&err, ERR_INPUT, "config",
            "connect.brokers: no broker is named (needed with CURVE, or where ports are *)");
        return cli_fail(cli, EXIT_CONFIG, cli->config->path, &err);
    }
    struct certq_broker *brokers = mem_zero(connect->broker_count, sizeof *brokers);
    for (size_t i = 0; i < connect->broker_count; i++)
        brokers[i] = (struct certq_broker){connect->brokers[i].clients,
            connect->brokers[i].key[0] ? connect->brokers[i].key : NULL};
    struct certq_options options = {
        .brokers = brokers,
        .broker_count = connect->broker_count,
        .curve_key_file = connect->curve_key,
        .intake_certificate = intake_certificate(cli->config),
        .connect_ms = CONNECT_MS,
        .on_answer = on_answer,
        .user = user,
    };
    struct certq_error error;
    int failed = certq_open(&options, &cli->handle, &error);
    free(brokers);
    if (!failed)
        return 0;
    err_set(&err, ERR_INPUT, error.code, "%s", error.text);
    return cli_fail(cli, EXIT_CONFIG, NULL, &err);
}

int cli_call(
    struct cli *cli, const char *service, json_t *request, const char *context, json_t **ret)
{
    AUTO_BUF text = {0};
    json_write(request, &text);
    json_decref(request);
    int status = cli_connect(cli, NULL, NULL);
    if (status)
        return status;
    struct certq_error error;
    AUTO_TEXT result = NULL;
    if (certq_call(cli->handle, service, buf_text(&text), CALL_MS, &result, &error))
        return cli_fault(cli, context, &error);
    struct err err = {0};
    if (json_parse_object(bytes_of_text(result), ret, &err))
        return cli_error(cli, context, &err);
    return 0;
}

void cli_line(const json_t *value)
{
    AUTO_BUF text = {0};
    json_write(value, &text);
    puts(buf_text(&text));
}

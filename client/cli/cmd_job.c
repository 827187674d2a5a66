/* certq job: the queue, job by job. */
#include "cli.h"
#include "people.h"
#include "table.h"

#include "base/clock.h"
#include "base/uuid.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MOST_S 31536000

static const struct option list_options[] = {
    {"--state", OPTION_VALUE, "S", "ready, scheduled, running, done, refused, dead, cancelled"},
    {"--kind", OPTION_VALUE, "K", "only this kind"},
    {"--client", OPTION_VALUE, "NAME", "only jobs this client submitted"},
    {"--since", OPTION_VALUE, "T", "created since: 2026-04-01, a full time, or 2h (ago)"},
    {"--limit", OPTION_VALUE, "N", "at most so many, 1..1000 [100]"},
    {0},
};
static const struct column columns[] = {
    {"ID", "id", COLUMN_TEXT},
    {"KIND", "kind", COLUMN_SQUEEZE},
    {"STATE", "state", COLUMN_TEXT},
    {"CREATED", "created", COLUMN_TIME},
    {"TRY", "attempt", COLUMN_COUNT},
    {0},
};

static int list_request(const struct args *args, json_t *request, struct err *err)
{
    static const char *const texts[][2] = {
        {"--state", "state"}, {"--kind", "kind"}, {"--client", "client"}};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        if (args_has(args, texts[i][0]))
            json_object_set_new(request, texts[i][1], json_string(args_value(args, texts[i][0])));
    int64_t limit = 100, since_ms;
    const char *since = args_value(args, "--since");
    if (args_number(args, "--limit", 1, 1000, &limit, err) ||
        (since && people_time_parse(since, clock_now_ms(), &since_ms, err)))
        return -1;
    json_object_set_new(request, "limit", json_integer(limit));
    if (since)
        json_object_set_new(request, "since", json_string(clock_s(since_ms)));
    return 0;
}

static int list(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    json_t *request = json_pack("{s:s}", "op", "list");
    if (list_request(args, request, &err)) {
        json_decref(request);
        return cli_usage(cli, &err);
    }
    AUTO_TYPE(json, json_t) *result = NULL;
    int status = cli_call(cli, "certq.job", request, "job list", &result);
    if (status)
        return status;
    table_print(cli, json_object_get(result, "jobs"), columns, NULL);
    if (json_is_true(json_object_get(result, "more")))
        fprintf(stderr, "there is more: --limit, --since, --state or --kind\n");
    return 0;
}

static bool check_id(const struct cli *cli, const char *text, int *ret_status)
{
    struct uuid id;
    struct err err = {0};
    if (uuid_parse(text, strlen(text), &id))
        return true;
    err_set(&err, ERR_INPUT, "usage", "%.64s: no job id (36 characters, or 32 hex digits)", text);
    *ret_status = cli_usage(cli, &err);
    return false;
}

static int show(struct cli *cli, const struct args *args)
{
    int status;
    if (!check_id(cli, args->values[0], &status))
        return status;
    AUTO_TYPE(json, json_t) *result = NULL;
    char context[64];
    snprintf(context, sizeof context, "job %s", args->values[0]);
    status = cli_call(cli, "certq.job",
        json_pack("{s:s, s:s}", "op", "show", "id", args->values[0]), context, &result);
    if (!status)
        record_print(cli, json_object_get(result, "job"), NULL);
    return status;
}

static const struct option wait_options[] = {
    {"--timeout", OPTION_VALUE, "SECONDS", "give up waiting then; the job goes on [for ever]"},
    {0},
};

static int wait(struct cli *cli, const struct args *args)
{
    int status;
    int64_t seconds = -1;
    struct err err = {0};
    if (!check_id(cli, args->values[0], &status))
        return status;
    if (args_number(args, "--timeout", 0, WAIT_MOST_S, &seconds, &err))
        return cli_usage(cli, &err);
    if ((status = cli_connect(cli, NULL, NULL)))
        return status;
    struct certq_error error;
    AUTO_TEXT text = NULL;
    char context[64];
    snprintf(context, sizeof context, "job %s", args->values[0]);
    int ms = seconds < 0 ? -1 : seconds > 2000000 ? INT32_MAX : (int)seconds * 1000;
    if (certq_wait(cli->handle, args->values[0], ms, &text, &error))
        return cli_fault(cli, context, &error);
    AUTO_TYPE(json, json_t) *answer = NULL;
    if (json_parse_object(bytes_of_text(text), &answer, &err))
        return cli_error(cli, context, &err);
    record_print(cli, answer, NULL);
    const char *state = json_text_at(answer, "state");
    return state && strcmp(state, "done") == 0 ? 0 : EXIT_REFUSED;
}

/* ---- retry, cancel: one answer for each id ---- */

static bool is_wanted(const json_t *job, const char *state)
{
    const char *text = json_text_at(job, "state");
    return text && strcmp(text, state) == 0;
}

static void tell_job(const struct cli *cli, const json_t *job, bool is_good)
{
    if (cli->json) {
        cli_line(job);
        return;
    }
    const char *id = json_text_at(job, "id"), *state = json_text_at(job, "state");
    const char *message = json_text_at(job, "error.message");
    AUTO_BUF line = {0};
    people_text(id ? id : "?", &line);
    buf_add_text(&line, message ? ": " : " ");
    people_text(message ? message : state ? state : "?", &line);
    fprintf(is_good ? stdout : stderr, "%s%s\n", is_good ? "" : "certq: job ", buf_text(&line));
}

static int change(struct cli *cli, const struct args *args, const char *op, const char *wanted)
{
    int status = 0;
    json_t *ids = json_array();
    for (size_t i = 0; i < args->count && !status; i++)
        if (check_id(cli, args->values[i], &status))
            json_array_append_new(ids, json_string(args->values[i]));
    if (status) {
        json_decref(ids);
        return status;
    }
    AUTO_TYPE(json, json_t) *result = NULL;
    status = cli_call(cli, "certq.job", json_pack("{s:s, s:o}", "op", op, "ids", ids), op, &result);
    const json_t *jobs = result ? json_object_get(result, "jobs") : NULL;
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        const json_t *job = json_array_get(jobs, i);
        bool is_good = is_wanted(job, wanted);
        tell_job(cli, job, is_good);
        if (!is_good)
            status = EXIT_REFUSED;
    }
    return status;
}

static int retry(struct cli *cli, const struct args *args)
{
    return change(cli, args, "retry", "ready");
}

static int cancel(struct cli *cli, const struct args *args)
{
    return change(cli, args, "cancel", "cancelled");
}

const struct command job_commands[] = {
    {"list", NULL, 0, 0, "List jobs, newest first", NULL, list_options, list},
    {"show", "ID", 1, 1, "Show all that is known of a job", NULL, NULL, show},
    {"wait", "ID", 1, 1, "Wait until a job has ended and print its answer",
        "Exit status 0 when it is done, 1 when it was refused, died or was cancelled.\n",
        wait_options, wait},
    {"retry", "ID...", 1, 100, "Start dead jobs anew", NULL, NULL, retry},
    {"cancel", "ID...", 1, 100, "Cancel jobs that wait",
        "A job that runs goes on; exit status 1 when one was not cancelled.\n", NULL, cancel},
    {0},
};

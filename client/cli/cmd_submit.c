/* certq submit: one job; cmd_submit hands files of many to batch.c. */
#include "answer_text.h"
#include "batch.h"
#include "cli.h"
#include "follow.h"
#include "people.h"
#include "wish.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MOST_S 2000000

static int read_job(
    const struct args *args, struct certq_job *job, int64_t *ret_wait_s, struct err *err)
{
    int64_t priority = -1;
    const char *at = args_value(args, "--at");
    if (args_number(args, "--priority", 0, 9, &priority, err) ||
        args_number(args, "--wait", 0, WAIT_MOST_S, ret_wait_s, err) ||
        (at && people_time_parse(at, PEOPLE_NO_AGO, &job->at_ms, err)))
        return -1;
    job->kind = args->values[0];
    job->id = args_value(args, "--id");
    job->priority = (int)priority;
    job->wants_end = args_has(args, "--wait");
    return 0;
}

static int submit_one(struct cli *cli, struct certq_job *job, const struct wish *w, int64_t wait_s)
{
    AUTO_BUF text = {0};
    json_write(w->args, &text);
    job->args = buf_text(&text);
    job->secrets = w->secrets;
    job->secret_count = w->secret_count;
    json_t *answer = NULL;
    int status = follow_job(cli, job, wait_s, &answer);
    if (answer)
        status = answer_print(cli, answer);
    json_decref(answer);
    return status;
}

static int submit_batch(
    struct cli *cli, const struct args *args, const struct certq_job *job, int64_t wait_s)
{
    static const char *const others[] = {"--args", "--set", "--secret", "--id"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        if (args_has(args, others[i])) {
            err_set(
                &err, ERR_INPUT, "usage", "%s: not with --batch, whose lines say it", others[i]);
            return cli_usage(cli, &err);
        }
    if (wait_s >= 0) {
        err_set(&err, ERR_INPUT, "usage", "--wait: without seconds, with --batch");
        return cli_usage(cli, &err);
    }
    return batch_run(cli, args_value(args, "--batch"), job);
}

static int submit(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    struct certq_job job = {0};
    int64_t wait_s = -1;
    if (read_job(args, &job, &wait_s, &err))
        return cli_usage(cli, &err);
    if (args_has(args, "--batch"))
        return submit_batch(cli, args, &job, wait_s);
    struct wish w;
    if (wish_read(args, &w, &err))
        return strcmp(err.code, "usage") == 0 ? cli_usage(cli, &err)
                                              : cli_fail(cli, EXIT_REFUSED, NULL, &err);
    int status = submit_one(cli, &job, &w, wait_s);
    wish_clear(&w);
    return status;
}

static const struct option options[] = {
    {"--args", OPTION_VALUE, "FILE|-", "a JSON object"},
    {"--set", OPTION_VALUE, "PATH=TEXT", "one member of args; PATH:=JSON for what is no text"},
    {"--secret", OPTION_VALUE, "PATH=FILE|-",
        "password, code, old or new, sealed before it leaves"},
    {"--id", OPTION_VALUE, "UUID", "the same again is the same job [a new one]"},
    {"--at", OPTION_VALUE, "TIME", "not before: 2026-04-01T09:00:00+09:00, or a date"},
    {"--priority", OPTION_VALUE, "0..9", "[5]"},
    {"--wait", OPTION_MAYBE, "SECONDS", "until it has ended, and print the result"},
    {"--batch", OPTION_VALUE, "FILE", "many jobs, a JSON object a line: {\"args\": {...}}"},
    {0},
};

const struct command submit_commands[] = {
    {NULL, "KIND", 1, 1, "Submit a job, or a file of them",
        "Prints the id and the state. Without --wait it returns once the job is durable.\n"
        "\n"
        "A line of a batch is {\"id\"?, \"at\"?, \"priority\"?, \"args\"}. Lines without an id\n"
        "get theirs from a seed that is written to FILE.seed before anything is sent, so\n"
        "that the same FILE can be submitted again after a break without doubling a job.\n"
        "Lines may be added at the end in between, not changed. Take FILE.seed away to\n"
        "submit FILE as new jobs.\n",
        options, submit},
    {0},
};

/* certq queue, worker, broker: what runs, where, and how much waits. */
#include "cli.h"
#include "table.h"

#include <stdio.h>

static int ask_list(struct cli *cli, const char *service, json_t *request, const char *member,
    const struct column *columns)
{
    AUTO_TYPE(json, json_t) *result = NULL;
    int status = cli_call(cli, service, request, service, &result);
    if (!status)
        table_print(cli, json_object_get(result, member), columns, NULL);
    return status;
}

/* ---- queue ---- */

static int queue_list(struct cli *cli, const struct args *args UNUSED)
{
    static const struct column columns[] = {
        {"KIND", "kind", COLUMN_SQUEEZE},
        {"PAUSED", "paused", COLUMN_TEXT},
        {"WAITING", "waiting", COLUMN_COUNT},
        {"READY", "ready", COLUMN_COUNT},
        {"LATER", "scheduled", COLUMN_COUNT},
        {"RUNNING", "running", COLUMN_COUNT},
        {"WORKERS", "workers", COLUMN_COUNT},
        {"OLDEST", "oldest", COLUMN_TIME},
        {0},
    };
    return ask_list(cli, "certq.queue", json_pack("{s:s}", "op", "list"), "queues", columns);
}

static int queue_change(struct cli *cli, const struct args *args, const char *op)
{
    AUTO_TYPE(json, json_t) *result = NULL;
    int status = cli_call(cli, "certq.queue",
        json_pack("{s:s, s:s}", "op", op, "kind", args->values[0]), args->values[0], &result);
    if (status)
        return status;
    if (cli->json)
        cli_line(result);
    else
        printf("%s: %s\n", args->values[0],
            json_is_true(json_object_get(result, "paused")) ? "paused" : "goes on");
    return 0;
}

static int queue_pause(struct cli *cli, const struct args *args)
{
    return queue_change(cli, args, "pause");
}

static int queue_resume(struct cli *cli, const struct args *args)
{
    return queue_change(cli, args, "resume");
}

const struct command queue_commands[] = {
    {"list", NULL, 0, 0, "Show depths and ages by kind",
        "WAITING counts all brokers' jobs in the database; READY, LATER and RUNNING what the\n"
        "broker that answers holds.\n",
        NULL, queue_list},
    {"pause", "KIND", 1, 1, "Stop dispatching a kind",
        "Jobs are still accepted; those under way end.\n", NULL, queue_pause},
    {"resume", "KIND", 1, 1, "Dispatch a paused kind again", NULL, NULL, queue_resume},
    {0},
};

/* ---- worker ---- */

static const struct column worker_columns[] = {
    {"NAME", "name", COLUMN_SQUEEZE},
    {"HOST", "host", COLUMN_SQUEEZE},
    {"PID", "pid", COLUMN_COUNT},
    {"STATE", "state", COLUMN_TEXT},
    {"GROUPS", "groups", COLUMN_COUNT},
    {"JOBS", "jobs", COLUMN_COUNT},
    {"KINDS", "kinds", COLUMN_SQUEEZE},
    {0},
};

static int worker_list(struct cli *cli, const struct args *args UNUSED)
{
    return ask_list(
        cli, "certq.worker", json_pack("{s:s}", "op", "list"), "workers", worker_columns);
}

static int worker_drain(struct cli *cli, const struct args *args)
{
    static const struct column columns[] = {{"NAME", "name", COLUMN_SQUEEZE},
        {"LIFE", "life", COLUMN_TEXT}, {"STATE", "state", COLUMN_TEXT}, {0}};
    return ask_list(cli, "certq.worker",
        json_pack("{s:s, s:s}", "op", "drain", "name", args->values[0]), "workers", columns);
}

const struct command worker_commands[] = {
    {"list", NULL, 0, 0, "Show the workers of the broker that answers", NULL, NULL, worker_list},
    {"drain", "NAME", 1, 1, "Let a worker end what it holds and exit", NULL, NULL, worker_drain},
    {0},
};

/* ---- broker ---- */

static int broker_list(struct cli *cli, const struct args *args UNUSED)
{
    static const struct column columns[] = {
        {"NAME", "name", COLUMN_SQUEEZE},
        {"HOST", "host", COLUMN_SQUEEZE},
        {"PID", "pid", COLUMN_COUNT},
        {"CLIENTS", "clients", COLUMN_SQUEEZE},
        {"SLOTS", "slots", COLUMN_SQUEEZE},
        {"STARTED", "started", COLUMN_TIME},
        {0},
    };
    return ask_list(cli, "certq.broker", json_pack("{s:s}", "op", "list"), "brokers", columns);
}

const struct command broker_commands[] = {
    {"list", NULL, 0, 0, "Show the brokers and the slots they hold", NULL, NULL, broker_list},
    {0},
};

/* certq clock: the test clock of all brokers and workers. */
#include "cli.h"
#include "people.h"
#include "table.h"

#include "base/clock.h"

static int ask(struct cli *cli, json_t *request)
{
    AUTO_TYPE(json, json_t) *clock = NULL;
    int status = cli_call(cli, "certq.clock", request, "clock", &clock);
    if (!status)
        record_print(cli, clock, NULL);
    return status;
}

static int show(struct cli *cli, const struct args *args UNUSED)
{
    return ask(cli, json_pack("{s:s}", "op", "show"));
}

static int set(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    int64_t ms;
    if (people_time_parse(args->values[0], PEOPLE_NO_AGO, &ms, &err))
        return cli_usage(cli, &err);
    return ask(cli, json_pack("{s:s, s:s}", "op", "set", "time", clock_s(ms)));
}

static int reset(struct cli *cli, const struct args *args UNUSED)
{
    return ask(cli, json_pack("{s:s}", "op", "reset"));
}

const struct command clock_commands[] = {
    {"show", NULL, 0, 0, "Show the time certq goes by", NULL, NULL, show},
    {"set", "TIME", 1, 1, "Move every broker's and worker's clock",
        "Returns when all of them have taken it. Needs testing: {settable_clock: true}. TIME is\n"
        "2026-04-01T09:00:00+09:00, or 2026-04-01 for its first second in Japan.\n",
        NULL, set},
    {"reset", NULL, 0, 0, "Back to the real time", NULL, NULL, reset},
    {0},
};

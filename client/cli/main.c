/*
 * The certq program: finds the command, reads its arguments, runs it. Everything else is in one
 * file a group of commands.
 */
#include "cli.h"
#include "command.h"

#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static int usage(const struct cli *cli, const struct err *err, const char *where)
{
    int status = cli_usage(cli, err);
    fprintf(stderr, "See: certq %s%s--help\n", where, *where ? " " : "");
    return status;
}

static int unknown_command(const struct cli *cli, const char *group, const char *name)
{
    struct err err = {0};
    if (!name)
        err_set(&err, ERR_INPUT, "usage", "%s: which command of it?", group);
    else
        err_set(&err, ERR_INPUT, "usage", "%s %.64s: no such command", group, name);
    return usage(cli, &err, group);
}

static int run_command(struct cli *cli, const struct group *group, const struct command *command,
    int argc, char **argv, int at, struct globals *globals)
{
    struct args args = {0};
    struct err err = {0};
    char where[64];
    snprintf(where, sizeof where, "%s%s%s", group->name, command->name ? " " : "",
        command->name ? command->name : "");
    int failed = args_parse(command, argc, argv, at, globals, &args, &err);
    cli->json = globals->json;
    cli->config_argument = globals->config;
    if (failed)
        return usage(cli, &err, where);
    int status = 0;
    if (globals->help)
        help_command(group, command);
    else
        status = command->run(cli, &args);
    args_clear(&args);
    return status;
}

static int run_group(struct cli *cli, const struct group *group, int argc, char **argv, int at,
    struct globals *globals)
{
    const struct command *command = command_find(group, NULL);
    if (command)
        return run_command(cli, group, command, argc, argv, at, globals);
    const char *name = at < argc ? argv[at] : NULL;
    if (name && (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)) {
        help_group(group);
        return 0;
    }
    command = name ? command_find(group, name) : NULL;
    if (!command)
        return unknown_command(cli, group->name, name);
    return run_command(cli, group, command, argc, argv, at + 1, globals);
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct globals globals = {0};
    struct err err = {0};
    int at = 1, taken = 1;
    while (at < argc && argv[at][0] == '-' &&
           (taken = globals_take(&globals, argc, argv, &at, &err)) > 0)
        ;
    cli->json = globals.json;
    if (globals.print_config) {
        fputs(config_sample(), stdout);
        return 0;
    }
    if (taken == 0)
        err_set(&err, ERR_INPUT, "usage", "%.64s: no such option", argv[at]);
    if (taken <= 0)
        return usage(cli, &err, "");
    if (globals.help) {
        help_all();
        return 0;
    }
    if (at >= argc) {
        err_set(&err, ERR_INPUT, "usage", "which command? `certq --help` lists them");
        return usage(cli, &err, "");
    }
    const struct group *group = group_find(argv[at]);
    if (!group) {
        err_set(&err, ERR_INPUT, "usage", "%.64s: no such command", argv[at]);
        return usage(cli, &err, "");
    }
    return run_group(cli, group, argc, argv, at + 1, &globals);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    signal(SIGPIPE, SIG_IGN);
    log_open("certq", LOG_WARN_);
    int status = run(&cli, argc, argv);
    cli_close(&cli);
    if (fflush(stdout) && status == 0)
        status = EXIT_REFUSED; /* a full disk, a closed pipe: nobody read the result */
    return status;
}

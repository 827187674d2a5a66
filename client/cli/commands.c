#include "command.h"

#include <stdio.h>
#include <string.h>

const struct group groups[] = {
    {"db", db_commands},
    {"key", key_commands},
    {"ca", ca_commands},
    {"crl", crl_commands},
    {"submit", submit_commands},
    {"job", job_commands},
    {"queue", queue_commands},
    {"worker", worker_commands},
    {"broker", broker_commands},
    {"cert", cert_commands},
    {"mail", mail_commands},
    {"subscriber", subscriber_commands},
    {"contract", contract_commands},
    {"product", product_commands},
    {"scan", scan_commands},
    {"audit", audit_commands},
    {"top", top_commands},
    {"clock", clock_commands},
    {0},
};

const struct group *group_find(const char *name)
{
    for (const struct group *g = groups; g->name; g++)
        if (strcmp(g->name, name) == 0)
            return g;
    return NULL;
}

const struct command *command_find(const struct group *group, const char *name)
{
    for (const struct command *c = group->commands; c->run; c++)
        if (c->name ? name && strcmp(c->name, name) == 0 : !name)
            return c;
    return NULL;
}

/* "certq job list [OPTION…] ID" as the help writes it. */
static int print_use(const struct group *group, const struct command *c, bool with_options)
{
    int columns = printf("%s", group->name);
    if (c->name)
        columns += printf(" %s", c->name);
    if (with_options && c->options && c->options->name)
        columns += printf(" [OPTION]...");
    if (c->values)
        columns += printf(" %s", c->values);
    return columns;
}

static void print_summaries(const struct group *group)
{
    for (const struct command *c = group->commands; c->run; c++) {
        printf("  ");
        int columns = print_use(group, c, false);
        printf("%*s  %s\n", columns < 28 ? 28 - columns : 0, "", c->summary);
    }
}

static const char common_options[] =
    "Every command takes\n"
    "  --config FILE   else $CERTQ_CONFIG, else /etc/certq/certq.yaml\n"
    "  --json          one JSON object a line instead of tables; times in UTC\n"
    "  --help          what the command does and takes\n";
static const char exit_codes[] =
    "Exit status: 0 done, 1 refused or failed, 64 usage, 69 broker or database\n"
    "unreachable, 75 timed out while waiting (the job goes on), 78 configuration.\n";

void help_all(void)
{
    printf("certq [--config FILE] [--json] COMMAND ...\n\n");
    for (const struct group *g = groups; g->name; g++)
        print_summaries(g);
    printf("\n%s  --print-config  the annotated sample configuration\n\n%s", common_options,
        exit_codes);
}

void help_group(const struct group *group)
{
    print_summaries(group);
    printf("\n%s", common_options);
}

void help_command(const struct group *group, const struct command *command)
{
    printf("certq ");
    print_use(group, command, true);
    printf("\n\n%s.\n", command->summary);
    if (command->text)
        printf("\n%s", command->text);
    if (command->options && command->options->name)
        printf("\nOptions\n");
    for (const struct option *o = command->options; o && o->name; o++) {
        int columns = printf("  %s", o->name);
        if (o->value)
            columns += printf(o->kind == OPTION_MAYBE ? "[=%s]" : " %s", o->value);
        printf("%*s%s\n", columns < 26 ? 26 - columns : 1, "", o->help);
    }
    printf("\n%s", common_options);
}

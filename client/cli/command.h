/*
 * A command of the certq program, as tables: what it is called, which options it takes, what it
 * says of itself, and the function that does it. Adding one: a row in its group's table (one file
 * a group) and its function; a test reads the tables.
 */
#ifndef CERTQ_CLI_COMMAND_H
#define CERTQ_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct args;

enum option_kind {
    OPTION_FLAG,  /* --wait */
    OPTION_VALUE, /* --kind K or --kind=K */
    OPTION_MAYBE, /* --wait or --wait=30 */
};
struct option {
    const char *name; /* with its dashes */
    enum option_kind kind;
    const char *value; /* what the help calls it; NULL for a flag */
    const char *help;
};

struct command {
    const char *name;   /* within its group: "list"; NULL: the group is the command */
    const char *values; /* what the help calls its arguments: "ID…"; NULL: none */
    size_t least, most; /* how many of them */
    const char *summary;
    const char *text;             /* the rest of its help; NULL: none */
    const struct option *options; /* ends with a row without name; NULL: none */
    int (*run)(struct cli *cli, const struct args *args); /* returns the exit status */
};
struct group {
    const char *name;
    const struct command *commands; /* ends with a row without run */
};

extern const struct group groups[]; /* commands.c; ends with a row without name */
const struct group *group_find(const char *name);
/* NULL: the group has none of that name. `name` NULL finds the command that is the group. */
const struct command *command_find(const struct group *group, const char *name);

/* Help on stdout: of everything, of a group, of a command. */
void help_all(void);
void help_group(const struct group *group);
void help_command(const struct group *group, const struct command *command);

extern const struct command crl_commands[];
extern const struct command db_commands[], key_commands[], ca_commands[], clock_commands[],
    submit_commands[], job_commands[], queue_commands[], worker_commands[], broker_commands[],
    cert_commands[], mail_commands[], subscriber_commands[], contract_commands[],
    product_commands[], scan_commands[];

extern const struct command audit_commands[], top_commands[];

#endif

/*
 * What stands behind a command: its arguments and options, checked against its table. Everything is
 * borrowed from argv.
 */
#ifndef CERTQ_CLI_ARGS_H
#define CERTQ_CLI_ARGS_H

#include "base/err.h"
#include "command.h"

#include <stdint.h>

struct given {
    const struct option *option;
    const char *value; /* NULL: none was given */
};
struct args {
    const char **values; /* arguments in order */
    size_t count;
    struct given *options;
    size_t option_count;
};

/* The options every command takes: --config FILE, --json, --help. They may stand anywhere. */
struct globals {
    const char *config;
    bool json, help, print_config;
};
/*
 * Takes the global option at argv[*at] and moves past it. 1: taken, 0: it is none, -1: it is wrong
 * (input error that names it).
 */
int globals_take(struct globals *g, int argc, char *const *argv, int *at, struct err *err) MUST_USE;

/*
 * Reads argv[at..argc). Input error: an unknown option (the nearest known one is named), a value
 * missing or too many, fewer or more arguments than the command takes.
 */
int args_parse(const struct command *command, int argc, char *const *argv, int at,
    struct globals *globals, struct args *ret, struct err *err) MUST_USE;
void args_clear(struct args *a);

bool args_has(const struct args *a, const char *option);
/* Its last value, NULL when it was not given or has none. */
const char *args_value(const struct args *a, const char *option);
/* A decimal number within bounds; *ret is untouched when the option was not given. */
int args_number(const struct args *a, const char *option, int64_t least, int64_t most, int64_t *ret,
    struct err *err) MUST_USE;

#endif

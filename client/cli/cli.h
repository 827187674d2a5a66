/*
 * What a command works with: the configuration and the connection to the brokers, both made when
 * first asked for, and how it speaks: results on stdout, what went wrong on stderr (and, with
 * --json, as {"error": {...}} on stdout too). Functions that can fail print why and return the exit
 * status; 0 is success.
 */
#ifndef CERTQ_CLI_CLI_H
#define CERTQ_CLI_CLI_H

#include "args.h"
#include "certq.h"

#include "base/json.h"
#include "config/config.h"

#include <sysexits.h>

#define EXIT_DONE 0
#define EXIT_REFUSED 1 /* refused or failed */
#define EXIT_USAGE EX_USAGE
#define EXIT_UNREACHABLE EX_UNAVAILABLE
#define EXIT_TIMED_OUT EX_TEMPFAIL
#define EXIT_CONFIG EX_CONFIG

struct cli {
    const char *config_argument;
    bool json;
    struct config *config;
    struct certq *handle;
};
void cli_close(struct cli *cli);

/* Prints "certq: CONTEXT: TEXT" (context may be NULL) and returns `status`. */
int cli_fail(const struct cli *cli, int status, const char *context, const struct err *err);
/* The same with the exit status that the kind of error or fault means. */
int cli_error(const struct cli *cli, const char *context, const struct err *err);
int cli_fault(const struct cli *cli, const char *context, const struct certq_error *error);
int cli_usage(const struct cli *cli, const struct err *err);

/* cli->config. */
int cli_config(struct cli *cli);
/* cli->handle; on_answer and user as in certq_options, for whoever comes first. */
int cli_connect(struct cli *cli, certq_answer_fn *on_answer, void *user);
/*
 * Calls a service: *ret is the result object, owned by the caller. `request` is taken; it has `op`.
 * Context is what a failure is about, such as "job ID".
 */
int cli_call(
    struct cli *cli, const char *service, json_t *request, const char *context, json_t **ret);

/* One line of JSON on stdout. */
void cli_line(const json_t *value);

#endif

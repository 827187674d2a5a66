/* A job's answer as people and programs get it, and the exit status it means. */
#ifndef CERTQ_CLI_ANSWER_TEXT_H
#define CERTQ_CLI_ANSWER_TEXT_H

#include "cli.h"

/* Prints one answer ({"id","state",…}): JSON, or the id, the state and the result or why not. */
int answer_print(const struct cli *cli, const json_t *answer);

#endif

/*
 * Submits a file of jobs, one a line, pipelined: progress on stderr when it is a terminal, a line
 * for each job with --json, a summary at the end. Lines that are wrong are told and skipped; when
 * no broker answers any more it stops and says so. Ids: seed.h.
 */
#ifndef CERTQ_CLI_BATCH_H
#define CERTQ_CLI_BATCH_H

#include "cli.h"

/* `like` gives kind, at, priority and wants_end of lines that do not say. "-" is standard input,
 * whose lines must carry ids. Returns the exit status. */
int batch_run(struct cli *cli, const char *path, const struct certq_job *like);

#endif

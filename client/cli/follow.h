/* One job from its submission to its end: what submit and scan share. */
#ifndef CERTQ_CLI_FOLLOW_H
#define CERTQ_CLI_FOLLOW_H

#include "cli.h"

/*
 * Submits the job and waits until it is accepted, or has ended where it wants that, at most wait_s
 * seconds then (-1: for ever). Its last answer goes to *ret_answer, owned by the caller, and 0 is
 * returned. Without one (given up, or still running) *ret_answer is untouched, why is printed, and
 * the exit status is returned.
 */
int follow_job(struct cli *cli, const struct certq_job *job, int64_t wait_s, json_t **ret_answer);

#endif

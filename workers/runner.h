/*
 * Runs groups on the job thread (docs/architecture.md, "The life of a job", step 4): what is slow
 * first and outside, then one transaction that locks jobs and aggregates, loads, decides, stores
 * and completes in bulk and commits once. A group that fails is redone by halves, so that one bad
 * member costs log n. Deadlocks, lost races and lost connections run the transaction again; a
 * commit without an answer is looked up first (I2).
 */
#ifndef CERTQ_WORKERS_RUNNER_H
#define CERTQ_WORKERS_RUNNER_H

#include "group.h"
#include "worker.h"

/* Runs every task and writes g->report. Cannot fail: what fails is an outcome. Blocks. */
void runner_run(struct worker *w, struct group *g);

#endif

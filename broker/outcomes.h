/* What becomes of jobs that were with a worker: reports, and groups that were lost. */
#ifndef CERTQ_BROKER_OUTCOMES_H
#define CERTQ_BROKER_OUTCOMES_H

#include "workers.h"

/* Settles the group's members as the report says; what it says of others is ignored. */
void outcomes_report(struct broker *b, struct worker *worker, const struct worker_report *report);
/* The group is lost. Members go out singly from now on; one that was alone has crashed, unless its
 * worker took leave (`was_orderly`). */
void outcomes_lost(struct broker *b, struct group *group, bool was_orderly);

#endif

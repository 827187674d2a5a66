/*
 * Runs the schedules of certq.yaml: when a tick is past that this broker does not know to be run,
 * it is written into the table `schedule` and its job into `job`, in one transaction. The table's
 * key lets one of any number of brokers do that; the others find the row and are content. Only the
 * last tick counts, so those missed are caught up with one run.
 */
#ifndef CERTQ_BROKER_SCHEDULE_H
#define CERTQ_BROKER_SCHEDULE_H

#include <stddef.h>

struct broker;
struct schedules;

struct schedules *schedules_new(size_t count);
void schedules_free(struct schedules *s);
/* Once a turn. */
void schedules_turn(struct broker *b);

#endif

/* Inside common/config only: the table that reads certq.yaml, and the checks across keys. */
#ifndef CERTQ_CONFIG_CONFIG_TABLE_H
#define CERTQ_CONFIG_CONFIG_TABLE_H

#include "config/bind.h"
#include "config/config.h"

/* Keys of the whole file, into a struct config. Everything but optional keys is required: defaults
 * come from the sample, which is laid under the file. */
extern const struct bind_key config_keys[];

/* An item of `schedules`, and its defaults (config_schedule.c). */
extern const struct bind_key config_schedule_keys[];
void config_schedule_prepare(void *item);

/* Contradictions between values that are each fine; `root` is for the lines of errors. */
int config_check(const struct config *c, const struct yaml_node *root, struct err *err) MUST_USE;

#endif

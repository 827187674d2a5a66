/* The ports of decisions (lifecycle/decide.h) onto this worker's keys, issuers and database. */
#ifndef CERTQ_WORKERS_KINDS_PORTS_H
#define CERTQ_WORKERS_KINDS_PORTS_H

#include "kind_ops.h"
#include "lifecycle/decide.h"

struct ports {
    struct worker *worker;
    struct unit *unit; /* NULL outside the transaction */
    struct decide_ports ports;
};
/* Fills `ret`, which must stay where it is while the decision lasts. */
void ports_of(struct worker *w, struct unit *unit, struct ports *ret);
/* The job's circumstances but for the actor. ports NULL: for a reading that asks none of them. */
struct decision decision_of(const struct task *task, const struct ports *ports);
/* What was read, to be decided in the transaction with the ports that `ports` becomes. */
struct decision decision_in(
    struct worker *w, struct unit *unit, const struct decision *read, struct ports *ports);

#endif

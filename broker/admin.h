/*
 * The operators' services certq.job, certq.queue, certq.worker, certq.broker, certq.clock and
 * certq.inspect: docs/protocol.md section 5. One JSON object in, one out.
 */
#ifndef CERTQ_BROKER_ADMIN_H
#define CERTQ_BROKER_ADMIN_H

#include "clients.h"

struct admin;
struct admin *admin_new(void);
void admin_free(struct broker *b, struct admin *a);
void admin_handle(
    struct broker *b, const struct asker *asker, const struct client_request *request);
/* Each turn: who waits for the clock to be taken is answered when it is, or too late. */
void admin_turn(struct broker *b);

#endif

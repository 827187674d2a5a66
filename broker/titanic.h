/*
 * The Titanic service protocol (RFC 9), carried as MDP services: titanic.request, titanic.reply,
 * titanic.close. The id is 32 hex digits, the job's own. Who may: the client the job belongs to,
 * and operators (I12); to others an id does not exist.
 */
#ifndef CERTQ_BROKER_TITANIC_H
#define CERTQ_BROKER_TITANIC_H

#include "clients.h"

/* An item marked unwanted has ended. */
void titanic_unwanted(struct broker *b, const struct uuid *id);
void titanic_handle(
    struct broker *b, const struct asker *asker, const struct client_request *request);

#endif

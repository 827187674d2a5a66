/*
 * What a client's message asks for, by its service: a job of a kind, Titanic (RFC 9), MMI (RFC 8),
 * or an operators' service (admin.h). Everything is answered or becomes a wait.
 */
#ifndef CERTQ_BROKER_REQUESTS_H
#define CERTQ_BROKER_REQUESTS_H

#include "clients.h"

void requests_handle(
    struct broker *b, const struct asker *asker, const struct client_request *request);

#endif

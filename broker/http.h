/*
 * The broker's HTTP side, on a thread of libmicrohttpd with a database connection of its own:
 * /metrics (Prometheus text), /healthz (the process lives), /readyz (the last beat reached the
 * database), /crl/NAME.crl (the newest CRL, looked for every HTTP_CRL_MS). GET and HEAD only.
 */
#ifndef CERTQ_BROKER_HTTP_H
#define CERTQ_BROKER_HTTP_H

#include "config/config.h"
#include "db/db.h"

#define HTTP_CRL_MS 1000

struct http;
/* Takes the connection. address is "HOST:PORT", port 0 for any. */
int http_new(const struct config *config, const char *address, struct db *db, struct http **ret,
    struct err *err) MUST_USE;
void http_free(struct http *h);
/* HOST:PORT really bound. */
const char *http_address(const struct http *h);

#endif

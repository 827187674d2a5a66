/*
 * The ZAP handler (ZeroMQ RFC 27), a thread: only CURVE keys of the configuration come in, and the
 * key's name becomes the connection's User-Id. A client's key does not open the workers' port, nor
 * the other way round: each socket has its own ZAP domain. Without it a ROUTER with CURVE would
 * take anybody who knows the broker's public key.
 */
#ifndef CERTQ_BROKER_ZAP_H
#define CERTQ_BROKER_ZAP_H

#include "config/config.h"

#define ZAP_DOMAIN_CLIENTS "certq-clients"
#define ZAP_DOMAIN_WORKERS "certq-workers"

struct zap;
/* Before any socket is bound. The thread ends with the context (zmq_ctx_shutdown). */
int zap_new(
    void *zmq, const struct config_broker *config, struct zap **ret, struct err *err) MUST_USE;
/* This socket asks the handler about every key; if there is none, nobody comes in. Before it is
 * bound. */
int zap_guard(void *socket, const char *domain, struct err *err) MUST_USE;
/* After zmq_ctx_shutdown. */
void zap_free(struct zap *z);

#endif

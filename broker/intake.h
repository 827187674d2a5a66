/*
 * From a job request to an item: what the request says is checked against the kind and the rights
 * of the client's key (I12), sizes are bounded, the fingerprint is made (I3), plain secrets are
 * sent to the sealer (I6). A known id of the same content joins the job there is.
 */
#ifndef CERTQ_BROKER_INTAKE_H
#define CERTQ_BROKER_INTAKE_H

#include "wish.h"

#include "base/kind.h"

struct item;

/*
 * On success the wish is remembered and will be answered. On error the caller answers with
 * wish_reject; *ret_id is the request's id as far as it could be read (zero: not).
 */
int intake_submit(struct broker *b, const struct kind *kind, struct bytes body,
    const struct wish *wish, struct uuid *ret_id, struct err *err) MUST_USE;
/* The id of a request that is refused anyway, for its answer; zero when it has none. */
void intake_read_id(const struct broker *b, struct bytes body, struct uuid *ret_id);
/* A job of a kind that is not durable, made by the broker for a service; args are JSON. */
void intake_ask_worker(
    struct broker *b, const struct kind *kind, struct bytes args, const struct wish *wish);
/* The sealer is through with an item: on to the store, or ready. */
void intake_sealed(struct broker *b, struct item *item, const struct err *err);

#endif

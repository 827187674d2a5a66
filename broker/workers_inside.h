/* What the files of the worker side share: the registry, and who sent a message. See workers.h. */
#ifndef CERTQ_BROKER_WORKERS_INSIDE_H
#define CERTQ_BROKER_WORKERS_INSIDE_H

#include "workers.h"

#include "base/map.h"

struct workers {
    void *socket;
    char endpoint[256];
    struct worker *first;
    struct map *by_key, *by_life;
    size_t count;
};

struct sender {
    const uint8_t *identity;
    size_t length;
    struct uuid key;
    const struct config_worker_key *owner; /* CURVE: the sender's */
};

/* A message of two right frames; *err is the answer when it is refused. */
int workers_message(struct workers *w, struct broker *b, const struct sender *from,
    struct bytes body, struct err *err);
void workers_welcome(struct workers *w, struct broker *b, struct worker *worker);
/* Its groups are lost; `orderly`: it took leave. Frees it. */
void workers_remove(struct workers *w, struct broker *b, struct worker *worker, bool orderly);

#endif

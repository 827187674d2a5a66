/* A fixed-size key for a ROUTER's routing identity (up to 255 bytes), for struct map. */
#ifndef CERTQ_BROKER_ROUTING_H
#define CERTQ_BROKER_ROUTING_H

#include "base/uuid.h"

/* Short identities are kept as they are, longer ones are hashed; the two never meet. */
struct uuid routing_key(const void *identity, size_t length);

#endif

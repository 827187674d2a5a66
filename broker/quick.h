/*
 * The quick way through a job request: one pass over the bytes finds id, at, priority and args and
 * writes the canonical text (RFC 8785) of args without their secrets, as wire/client.h and
 * crypto/fingerprint.h together would, without building a tree (which is most of what accepting a
 * job costs the broker). It takes the plain case only: no escapes, integers of at most 15 digits,
 * ASCII keys, secrets in a form that needs no sealing. Whatever else comes, right or wrong, is left
 * to the long way, which also words the errors. A test holds the two against each other.
 */
#ifndef CERTQ_BROKER_QUICK_H
#define CERTQ_BROKER_QUICK_H

#include "wire/client.h"

/*
 * False: take the long way; *ret is then unchanged and `canonical` of no use. Else *ret is as
 * job_request_parse would fill it, but for args (NULL), and `canonical` (emptied first) is the
 * text.
 */
bool quick_parse(
    struct bytes body, size_t args_most, struct job_request *ret, struct buf *canonical);

#endif

/*
 * One broker as a client sees it: a DEALER socket, what its monitor says of the connection, and
 * when the broker was last heard. Sending never blocks; messages of a connection that breaks are
 * gone, and whoever sent them asks link_broke().
 */
#ifndef CERTQ_CLIENT_LINK_H
#define CERTQ_CLIENT_LINK_H

#include "base/buf.h"
#include "base/err.h"
#include "wire/client.h"
#include "wire/curve.h"

struct link;

/* key: the broker's CURVE public key or NULL; own: our pair, needed with a key. */
int link_open(void *zmq, const char *endpoint, const char *key, const struct curve_pair *own,
    struct link **ret, struct err *err) MUST_USE;
void link_free(struct link *l);
DEFINE_AUTO_STRUCT(link);

/* The two sockets to poll for input. */
void *link_socket(const struct link *l);
void *link_monitor(const struct link *l);
const char *link_endpoint(const struct link *l);

/* Takes the monitor's events in. Counts how often the connection broke: see link_breaks. */
void link_watch(struct link *l);
unsigned link_breaks(const struct link *l);
bool link_is_up(const struct link *l);
/* False: not connected, or its queue is full. */
bool link_send(struct link *l, struct bytes service, struct bytes body);

/* One answer, when there is one; *body is owned by the link until the next call. False: no more. */
enum link_got { LINK_NOTHING, LINK_ANSWER, LINK_GARBAGE };
enum link_got link_receive(struct link *l, int64_t now_ms, struct client_reply *ret);

/* Appends a line for people: endpoint, state, last error. */
void link_describe(const struct link *l, int64_t now_ms, struct buf *ret);
/* True for tcp to 127.0.0.0/8, ::1 or localhost, for ipc and inproc. */
bool link_is_local(const char *endpoint);

#endif

/*
 * The client side of the broker: the ROUTER socket, who is behind a routing identity and what that
 * key may do (I12), and sending answers. A client is kept while somebody holds it (client_hold),
 * that is while it waits for something. The socket's monitor tells which connection went away, so
 * that nobody waits for the gone.
 */
#ifndef CERTQ_BROKER_CLIENTS_H
#define CERTQ_BROKER_CLIENTS_H

#include "config/config.h"
#include "wire/client.h"

struct broker;
struct clients;
struct waiter;

/* A key's name and rights, shared by all connections with that key. A client's party never changes:
 * other threads read it. */
struct party {
    const struct config_client *rights;
    size_t waiters; /* of all its clients */
};
struct client {
    struct uuid key; /* made from the routing identity */
    struct party *party;
    struct waiter *waiters; /* list, see waits.h */
    size_t holds;
    int fd;       /* its connection; -1 unknown */
    bool is_gone; /* to be swept at the end of the turn */
    bool is_past; /* its connection ended: nothing is sent, whoever has the identity now */
    size_t identity_length;
    uint8_t identity[];
};
/* Whom to answer, and how. */
struct asker {
    struct client *client;
    enum client_version version;
    bool empty_frame;
    struct bytes service; /* for what outlives the request: a literal's bytes */
};

/* Binds config->broker.clients. */
int clients_new(struct broker *b, struct clients **ret, struct err *err) MUST_USE;
void clients_free(struct clients *c);
/* The socket to poll, and the monitor's. */
void *clients_socket(const struct clients *c);
void *clients_monitor(const struct clients *c);
/* The endpoint really bound. */
const char *clients_endpoint(const struct clients *c);
/* Handles up to `most` messages; returns how many. */
size_t clients_receive(struct clients *c, struct broker *b, size_t most);
/* Handles what the monitor says: clients gone lose their waiters. */
void clients_watch(struct clients *c, struct broker *b);
/* At the end of a turn: those found gone while sending lose their waiters. */
void clients_sweep(struct clients *c, struct broker *b);
size_t clients_count(const struct clients *c);

void client_hold(struct client *client);
/* Frees it when nobody holds it any more. */
void client_release(struct clients *c, struct client *client);

/* Sends body frames. A client that cannot take them is too slow or gone: counted, and when gone
 * swept. */
void client_send(struct broker *b, const struct asker *asker, enum client_answer answer,
    const struct bytes *frames, size_t n);
/* {"id","state":"rejected","error"} as the final answer, counted by code. */
void client_reject(struct broker *b, const struct asker *asker, const struct uuid *id_or_null,
    const struct err *err);

#endif

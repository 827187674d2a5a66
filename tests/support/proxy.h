/*
 * A wire between a client and the private MariaDB that a test can cut at a COMMIT: a thread passes
 * bytes on and, at each COMMIT of its one client, asks the test what to do. The client connects to
 * proxy_socket as often as it likes, one connection at a time. For TCP-less, TLS-less connections.
 */
#ifndef CERTQ_TESTS_SUPPORT_PROXY_H
#define CERTQ_TESTS_SUPPORT_PROXY_H

#include "support/mariadb.h"

#include <stdbool.h>

enum proxy_act {
    PROXY_PASS,
    PROXY_CUT,        /* the server never sees the COMMIT; the client loses its connection */
    PROXY_CUT_ANSWER, /* the server has committed; the client loses its connection */
};
/* Called on the proxy's thread with the commit's number, from 1; the server waits for it. */
typedef enum proxy_act proxy_at_commit(void *context, unsigned commit);

struct proxy;

struct proxy *proxy_start(const struct mariadb *m);
void proxy_free(struct proxy *p);
/* What to do from now on, counting commits from 1 again; NULL: pass everything. */
void proxy_set(struct proxy *p, proxy_at_commit *at_commit, void *context);
/*
 * Cuts the line once, when the client says something for the n-th time from now on: before the
 * server hears it, or when it has answered. 0: no more.
 */
void proxy_cut_at(struct proxy *p, unsigned n, bool is_heard);
/* Cuts the line, `times` times, before the server hears a message with these words in it. */
void proxy_cut_words(struct proxy *p, const char *words, unsigned times);
/* Connections made so far. */
unsigned proxy_connections(const struct proxy *p);
/* Not open yet: the client's db_open makes the connection. The caller frees. */
struct db *proxy_db(struct proxy *p, const char *user, const char *database);
DEFINE_AUTO_STRUCT(proxy);

#endif

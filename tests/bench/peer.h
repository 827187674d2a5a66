/*
 * Other people's queues, driven as hard as each allows: many requests in flight on a connection,
 * jobs taken and acknowledged by the hundred. A struct peer is one connection, of one thread.
 * Whatever a server says that was not to be expected ends the program. Adding one: its file with a
 * struct peer_ops, the list in peer.c, its server in peers.py.
 */
#ifndef CERTQ_TESTS_BENCH_PEER_H
#define CERTQ_TESTS_BENCH_PEER_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PEER_QUEUE "certq"
enum { PEER_TAKE_MOST = 200, PEER_HANDLE = 64 };

/* What the server calls a job it gave out. */
struct peer_handle {
    char text[PEER_HANDLE];
};

struct peer_ops {
    const char *name;
    size_t producers; /* connections that share the requests outstanding */
    struct peer *(*open)(long port);
    void (*close)(struct peer *p);
    /* A durable job; it may wait in a buffer until settle. */
    void (*submit)(struct peer *p, const char *body, size_t length);
    /* Waits for one answer at least; how many jobs are durable that were not before. */
    size_t (*settle)(struct peer *p);
    /* Before the first take of this connection. */
    void (*work)(struct peer *p);
    /* At most `most` jobs, those that are there; 0 after a moment without any. */
    size_t (*take)(struct peer *p, struct peer_handle *ret, size_t most);
    /* These are done: the server need not keep them. */
    void (*done)(struct peer *p, const struct peer_handle *handles, size_t n);
};

extern const struct peer_ops peer_gearman, peer_beanstalk, peer_redis, peer_rabbit;

/* ---- peer_line.c: a connection with buffers, for those whose protocol is ours to speak ---- */

struct peer_line {
    int fd;
    FILE *in;
    struct buf out;
};
void line_open(struct peer_line *l, long port);
void line_close(struct peer_line *l);
void line_flush(struct peer_line *l);
/* Exactly so many bytes. */
void line_read(struct peer_line *l, void *ret, size_t length);
/* A text line without its end. */
void line_gets(struct peer_line *l, char *ret, size_t most);

#endif

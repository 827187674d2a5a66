/*
 * CURVE keys (RFC 26) of brokers, workers and clients: a pair in a text file that only its owner
 * may read, and setting a ZeroMQ socket up with it. Keys are written in Z85 (RFC 32), 40
 * characters. The file is
 *
 *   public: Z85
 *   secret: Z85
 *
 * and lines that begin with # are notes. After loading a pair does not change and is thread-safe.
 */
#ifndef CERTQ_WIRE_CURVE_H
#define CERTQ_WIRE_CURVE_H

#include "base/err.h"

#include <stdbool.h>

#define CURVE_KEY_TEXT 41 /* with the NUL */

struct curve_pair;

/* Writes a new pair, mode 0600; conflict when the file exists. */
int curve_generate(const char *path, struct err *err) MUST_USE;
/*
 * ERR_INPUT with "FILE:LINE: what" for a bad line, for a public key that is not the secret's, or
 * when others than the owner may read the file; ERR_NOT_FOUND when there is none.
 */
int curve_load(const char *path, struct curve_pair **ret, struct err *err) MUST_USE;
void curve_pair_free(struct curve_pair *p);
/* Borrowed; 40 characters. */
const char *curve_public(const struct curve_pair *p);
/* Is it the Z85 text of a key? */
bool curve_key_is_valid(const char *text);

/* Before bind: the socket takes only clients that know its public key (ZAP decides which). */
int curve_as_server(void *socket, const struct curve_pair *own, struct err *err) MUST_USE;
/* Before connect: the socket talks only to the holder of the server's key. */
int curve_as_client(
    void *socket, const struct curve_pair *own, const char *server_key, struct err *err) MUST_USE;

DEFINE_AUTO_STRUCT(curve_pair);

#endif

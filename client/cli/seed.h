/*
 * Ids for the lines of a batch file, so that submitting the file again submits the same jobs. A
 * seed is drawn once and kept in FILE.seed with the kind, the length and the SHA-256 of what it was
 * drawn for; the id of line n is a UUID of version 7 whose time is the seed's and whose rest is
 * SHA-256(seed, n). A file that has grown keeps its seed; one that was changed is refused.
 */
#ifndef CERTQ_CLI_SEED_H
#define CERTQ_CLI_SEED_H

#include "base/err.h"
#include "base/uuid.h"

#include <stdint.h>

/* Reads or makes FILE.seed for `path` as it is now. Input error when the file was changed, or was
 * submitted as another kind. */
int seed_open(const char *path, const char *kind, struct uuid *ret, struct err *err) MUST_USE;
struct uuid seed_id(const struct uuid *seed, uint64_t line);

#endif

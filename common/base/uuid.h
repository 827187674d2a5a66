/*
 * Identifiers: 16 bytes, RFC 9562. Job ids come from outside in any version; ours are version 7
 * (milliseconds first), so that inserts go to the end of an index.
 */
#ifndef CERTQ_BASE_UUID_H
#define CERTQ_BASE_UUID_H

#include "base/auto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UUID_TEXT 37 /* with the NUL */

struct uuid {
    uint8_t b[16];
};

/* A new version 7 id; strictly rising within one process and thread-safe. */
struct uuid uuid_new(void);
/* Takes 36 characters with hyphens or 32 hex digits; false when it is neither. */
bool uuid_parse(const char *text, size_t length, struct uuid *ret);
/* Writes the 36-character form and returns `text`. */
const char *uuid_format(const struct uuid *id, char text[static UUID_TEXT]);
/* 32 hex digits without hyphens (Titanic). */
const char *uuid_format_hex(const struct uuid *id, char text[static 33]);
int uuid_compare(const struct uuid *a, const struct uuid *b);
bool uuid_is_zero(const struct uuid *id);
/* Unix time in ms carried by a version 7 id, -1 for any other version. */
int64_t uuid_time_ms(const struct uuid *id);

static inline bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0; /* two words, without a call */
}
/* For use in one printf call: uuid_s(&id) lives until the end of the full expression. */
#define uuid_s(id) uuid_format((id), (char[UUID_TEXT]){0})

#endif

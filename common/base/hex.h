/* Hexadecimal (lower case out, either case in) and base64 (RFC 4648 section 4, strict). */
#ifndef CERTQ_BASE_HEX_H
#define CERTQ_BASE_HEX_H

#include "base/buf.h"

#include <stdbool.h>

/* Writes 2 * length digits and a NUL. */
void hex_encode(const void *data, size_t length, char *text);
/* Reads `digits` hex digits (even) into digits / 2 bytes; false at the first that is none. */
bool hex_decode(const char *text, size_t digits, uint8_t *ret);
/* Appends base64 with padding and no line breaks. */
void base64_encode(struct bytes data, struct buf *ret);
/* Appends the bytes; false (ret unchanged) for anything but canonical padded base64. */
bool base64_decode(struct bytes text, struct buf *ret);

#endif

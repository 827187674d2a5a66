/*
 * Binary fields of the worker protocol: big-endian integers, 16-byte ids, and byte strings with a
 * 32-bit length. Reading is bounds-checked once and for all: after the first short or bad field the
 * reader is broken, yields zeros, and unpack_ok says false.
 */
#ifndef CERTQ_WIRE_PACK_H
#define CERTQ_WIRE_PACK_H

#include "base/buf.h"
#include "base/uuid.h"

void pack_u8(struct buf *b, uint8_t v);
void pack_u16(struct buf *b, uint16_t v);
void pack_u32(struct buf *b, uint32_t v);
void pack_i64(struct buf *b, int64_t v);
void pack_id(struct buf *b, const struct uuid *id);
void pack_bytes(struct buf *b, struct bytes v);
void pack_text(struct buf *b, const char *text);
/* With its NUL, which counts in the length: the reader gets a C string without a copy. */
void pack_text_nul(struct buf *b, const char *text);

struct unpack {
    const uint8_t *at, *end;
    bool broken;
};

struct unpack unpack_of(struct bytes frame);
/* Bytes not yet read: what bounds a count before an array is allocated for it. */
size_t unpack_left(const struct unpack *u);
uint8_t unpack_u8(struct unpack *u);
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
int64_t unpack_i64(struct unpack *u);
struct uuid unpack_id(struct unpack *u);
/* Borrowed from the frame; longer than `most` breaks the reader. */
struct bytes unpack_bytes(struct unpack *u, size_t most);
/*
 * Borrowed; at most `most` bytes and its NUL, with no other NUL in it. Never NULL: "" when broken.
 * Not const because struct job holds texts it may own; nobody writes through it.
 */
char *unpack_text_nul(struct unpack *u, size_t most);
/* Nothing was broken and nothing is left over. */
bool unpack_ok(const struct unpack *u);

#endif

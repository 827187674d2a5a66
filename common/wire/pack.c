#include "wire/pack.h"

#include <string.h>

static void pack_big_endian(struct buf *b, uint64_t v, size_t width)
{
    uint8_t bytes[8];
    for (size_t i = width; i-- > 0; v >>= 8)
        bytes[i] = (uint8_t)v;
    buf_add(b, bytes, width);
}

void pack_u8(struct buf *b, uint8_t v)
{
    buf_add(b, &v, 1);
}

void pack_u16(struct buf *b, uint16_t v)
{
    pack_big_endian(b, v, 2);
}

void pack_u32(struct buf *b, uint32_t v)
{
    pack_big_endian(b, v, 4);
}

void pack_i64(struct buf *b, int64_t v)
{
    pack_big_endian(b, (uint64_t)v, 8);
}

void pack_id(struct buf *b, const struct uuid *id)
{
    buf_add(b, id->b, sizeof id->b);
}

void pack_bytes(struct buf *b, struct bytes v)
{
    pack_u32(b, (uint32_t)v.length);
    buf_add(b, v.data, v.length);
}

void pack_text(struct buf *b, const char *text)
{
    pack_bytes(b, bytes_of_text(text));
}

void pack_text_nul(struct buf *b, const char *text)
{
    pack_bytes(b, (struct bytes){(const uint8_t *)text, strlen(text) + 1});
}

struct unpack unpack_of(struct bytes frame)
{
    static const uint8_t nothing[1];
    if (!frame.data)
        return (struct unpack){nothing, nothing, frame.length != 0};
    return (struct unpack){frame.data, frame.data + frame.length, false};
}

size_t unpack_left(const struct unpack *u)
{
    return u->broken ? 0 : (size_t)(u->end - u->at);
}

/* The next n bytes, or NULL and a broken reader. */
static const uint8_t *take(struct unpack *u, size_t n)
{
    if (u->broken || (size_t)(u->end - u->at) < n) {
        u->broken = true;
        return NULL;
    }
    const uint8_t *at = u->at;
    u->at += n;
    return at;
}

static uint64_t take_big_endian(struct unpack *u, size_t width)
{
    const uint8_t *at = take(u, width);
    uint64_t v = 0;
    for (size_t i = 0; at && i < width; i++)
        v = v << 8 | at[i];
    return v;
}

uint8_t unpack_u8(struct unpack *u)
{
    return (uint8_t)take_big_endian(u, 1);
}

uint16_t unpack_u16(struct unpack *u)
{
    return (uint16_t)take_big_endian(u, 2);
}

uint32_t unpack_u32(struct unpack *u)
{
    return (uint32_t)take_big_endian(u, 4);
}

int64_t unpack_i64(struct unpack *u)
{
    return (int64_t)take_big_endian(u, 8);
}

struct uuid unpack_id(struct unpack *u)
{
    struct uuid id = {0};
    const uint8_t *at = take(u, sizeof id.b);
    if (at)
        memcpy(id.b, at, sizeof id.b);
    return id;
}

struct bytes unpack_bytes(struct unpack *u, size_t most)
{
    size_t length = unpack_u32(u);
    if (length > most)
        u->broken = true;
    const uint8_t *at = take(u, length);
    return at ? (struct bytes){at, length} : (struct bytes){0};
}

char *unpack_text_nul(struct unpack *u, size_t most)
{
    static char none[1];
    struct bytes text = unpack_bytes(u, most + 1);
    if (!text.length || memchr(text.data, 0, text.length) != text.data + text.length - 1) {
        u->broken = true;
        return none;
    }
    return (char *)(uintptr_t)text.data;
}

bool unpack_ok(const struct unpack *u)
{
    return !u->broken && u->at == u->end;
}

/*
 * A growing byte buffer, and borrowed bytes. A struct buf starts zeroed ({0}) and is freed with
 * buf_free; its data is always NUL-terminated one past length, so text can be read from it.
 * struct bytes borrows: whoever made it says how long it lives.
 */
#ifndef CERTQ_BASE_BUF_H
#define CERTQ_BASE_BUF_H

#include "base/auto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *data;
    size_t length;
};

struct buf {
    uint8_t *data;
    size_t length, capacity;
};

#define AUTO_BUF CLEANUP(buf_free) struct buf

void buf_free(struct buf *b);
void buf_clear(struct buf *b);
/* Drops what was added after it had this length. */
void buf_cut(struct buf *b, size_t length);
/* Room for n more bytes without moving; returns where they go (length is not changed). */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *data, size_t length);
void buf_add_text(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* The content as a string the caller frees; the buffer is empty afterwards. */
char *buf_take_text(struct buf *b) MUST_USE;

static inline const char *buf_text(const struct buf *b)
{
    return b->data ? (const char *)b->data : "";
}
static inline struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){b->data, b->length};
}
struct bytes bytes_of_text(const char *text);
bool bytes_equal(struct bytes a, struct bytes b);
/* A NUL-terminated copy the caller frees. */
char *bytes_to_text(struct bytes b) MUST_USE;

#endif

#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->length = 0;
    if (b->data)
        b->data[0] = 0;
}

void buf_cut(struct buf *b, size_t length)
{
    if (length < b->length)
        b->data[b->length = length] = 0;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    size_t need = b->length + n + 1;
    if (need > b->capacity) {
        size_t capacity = b->capacity ? b->capacity : 64;
        while (capacity < need)
            capacity *= 2;
        b->data = mem_resize(b->data, capacity, 1);
        b->capacity = capacity;
    }
    return b->data + b->length;
}

void buf_add(struct buf *b, const void *data, size_t length)
{
    uint8_t *to = buf_reserve(b, length);
    if (length)
        memcpy(to, data, length);
    b->length += length;
    b->data[b->length] = 0;
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_char(struct buf *b, char c)
{
    uint8_t *to = buf_reserve(b, 1);
    to[0] = (uint8_t)c;
    to[1] = 0;
    b->length++;
}

/* Into the room there is; a second time where that was not enough. */
void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    char *to = (char *)buf_reserve(b, 0);
    size_t room = b->capacity - b->length;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(to, room, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n >= room) {
        to = (char *)buf_reserve(b, (size_t)n);
        vsnprintf(to, (size_t)n + 1, format, again);
    }
    va_end(again);
    if (n > 0)
        b->length += (size_t)n;
    b->data[b->length] = 0;
}

char *buf_take_text(struct buf *b)
{
    buf_add(b, "", 0);
    char *text = (char *)b->data;
    *b = (struct buf){0};
    return text;
}

struct bytes bytes_of_text(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

char *bytes_to_text(struct bytes b)
{
    return mem_text_n((const char *)b.data, b.length);
}

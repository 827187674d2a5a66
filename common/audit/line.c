#include "audit/line.h"

#include <openssl/sha.h>

void audit_sha256(struct bytes data, uint8_t ret[static AUDIT_HASH])
{
    SHA256(data.data ? data.data : (const uint8_t *)"", data.length, ret);
}

void audit_put_number(struct buf *to, uint64_t n, int size)
{
    for (int i = size - 1; i >= 0; i--)
        buf_add_char(to, (char)(n >> (8 * i)));
}

static void put_text(struct buf *to, struct bytes text)
{
    audit_put_number(to, text.length, 4);
    buf_add(to, text.data, text.length);
}

void audit_line_digest(const struct audit_line *line, uint8_t ret[static AUDIT_HASH])
{
    static const char mark[] = "certq audit line 1"; /* its NUL is hashed too */
    AUTO_BUF all = {0};
    buf_add(&all, mark, sizeof mark);
    audit_put_number(&all, (uint64_t)line->at_ms, 8);
    buf_add(&all, line->job.b, sizeof line->job.b);
    put_text(&all, line->client);
    put_text(&all, line->role);
    put_text(&all, line->channel);
    put_text(&all, line->actor);
    put_text(&all, line->event);
    buf_add(&all, line->subject.b, sizeof line->subject.b);
    if (line->detail.data)
        put_text(&all, line->detail);
    else
        audit_put_number(&all, UINT32_MAX, 4);
    audit_sha256(buf_bytes(&all), ret);
}

/*
 * A line of the audit as it is stored, and what stands for it in a seal (D9). Everything is
 * borrowed. The id is not part of the digest: it stands beside it in the seal, so that two lines
 * that changed places are told from two that were changed.
 */
#ifndef CERTQ_AUDIT_LINE_H
#define CERTQ_AUDIT_LINE_H

#include "base/buf.h"
#include "base/uuid.h"

#define AUDIT_HASH 32 /* bytes of SHA-256 */

struct audit_line {
    struct uuid id;
    int64_t at_ms;
    struct uuid job;
    struct bytes client, role, channel, actor, event;
    struct uuid subject;
    struct bytes detail; /* JSON; data NULL: none */
};

/*
 * SHA-256 of "certq audit line 1" NUL, then at_ms (8 bytes), job (16), client, role, channel,
 * actor, event, subject (16), detail. A text is its length (4 bytes) and its bytes; no detail is
 * the length ffffffff. Numbers are big-endian. docs/security.md tells it to others.
 */
void audit_line_digest(const struct audit_line *line, uint8_t ret[static AUDIT_HASH]);
void audit_sha256(struct bytes data, uint8_t ret[static AUDIT_HASH]);
/* Appends the lowest `size` bytes of it, big-endian. */
void audit_put_number(struct buf *to, uint64_t n, int size);

#endif

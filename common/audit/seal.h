/*
 * A seal of the audit (D9): which lines it covers, by id and digest, chained to the seal before and
 * signed. `members` is the list, a line's id and digest one after another, in the order of the ids;
 * the hash is over
 *
 *   "certq audit seal 1" NUL, number (8 bytes), after (8), at_ms (8), count (4), previous (32),
 *   SHA-256 of members (32)
 *
 * (numbers big-endian) and the signature is over the hash. A seal without its members is what the
 * file outside the database keeps, a JSON object a line.
 */
#ifndef CERTQ_AUDIT_SEAL_H
#define CERTQ_AUDIT_SEAL_H

#include "audit/line.h"
#include "base/err.h"

#define AUDIT_KEY_ID 17 /* 16 hex digits and the NUL */
#define AUDIT_SIGNATURE_MOST 128

struct audit_member {
    struct uuid id;
    uint8_t digest[AUDIT_HASH]; /* zeros: the line was gone when it should have been sealed */
};

struct audit_seal {
    uint64_t number, after; /* `after`: the number before, 0 for the first */
    int64_t at_ms;
    uint32_t count;
    struct uuid first, last; /* of the ids; for people, not in the hash but as members */
    uint8_t previous[AUDIT_HASH], members_hash[AUDIT_HASH], hash[AUDIT_HASH];
    char key_id[AUDIT_KEY_ID];
    uint8_t signature[AUDIT_SIGNATURE_MOST];
    size_t signature_length;
    struct audit_member *members; /* owned; NULL where they were not read */
    bool is_damaged;              /* read with members that its count, first and last are not of */
};

void audit_seal_clear(struct audit_seal *s);
#define AUTO_SEAL CLEANUP(audit_seal_clear) struct audit_seal
/* Members in ascending order of ids set count, first, last and members_hash. */
void audit_seal_take_members(struct audit_seal *s, struct audit_member *members, size_t count);
/* The hash that the other members make. */
void audit_seal_hash(const struct audit_seal *s, uint8_t ret[static AUDIT_HASH]);

/* One line of the file outside, with its newline, appended. */
void audit_seal_write(const struct audit_seal *s, struct buf *ret);
/* Input error: not such a line. Members stay NULL. */
int audit_seal_parse(struct bytes line, struct audit_seal *ret, struct err *err) MUST_USE;

#endif

#include "pki/crl.h"

#include "base/mem.h"
#include "pki/der.h"
#include "pki/issuer.h"
#include "pki/oid.h"

#include <string.h>

/* What one entry needs at most: 2 + serial (2 + 21) + time (17) + reason (16). */
#define ENTRY_MOST 64
/* DER lengths here have five octets at most; the reader and many others stop at 2^31. */
#define BYTES_MOST ((size_t)1 << 31)

/*
 * The buffer is: room for what stands before the entries, the entries, what stands behind. What
 * stands before them holds lengths that are known only at the end; it is written then, right in
 * front of the entries, and its size differs from the room by the octets of three lengths.
 */
struct crl {
    struct issuer *issuer;
    struct crl_facts facts;
    struct buf bytes;
    size_t room, count, last_length;
    uint8_t last[CRL_SERIAL_MAX];
};

int crl_new(struct issuer *issuer, const struct crl_facts *facts, size_t expected, struct crl **ret,
    struct err *err)
{
    if (!der_time_fits(facts->this_update_ms) || !der_time_fits(facts->next_update_ms))
        return err_set(err, ERR_INPUT, NULL, "CRL: its times are not in the years 1950 to 9999");
    if (facts->next_update_ms / 1000 <= facts->this_update_ms / 1000)
        return err_set(err, ERR_INPUT, NULL, "CRL: nextUpdate is not after thisUpdate");
    if (facts->next_update_ms / 1000 > issuer_not_after_ms(issuer) / 1000)
        return err_set(err, ERR_INPUT, NULL, "CRL: nextUpdate is after the issuer's own end");
    struct crl *c = MEM_NEW(struct crl);
    c->issuer = issuer;
    c->facts = *facts;
    c->room = issuer_name(issuer).length + issuer_algorithm(issuer).length + 128;
    if (expected > BYTES_MOST / ENTRY_MOST)
        expected = BYTES_MOST / ENTRY_MOST;
    buf_reserve(&c->bytes, c->room + expected * 49);
    c->bytes.length = c->room;
    *ret = c;
    return 0;
}

void crl_free(struct crl *c)
{
    if (!c)
        return;
    buf_free(&c->bytes);
    free(c);
}

size_t crl_count(const struct crl *c)
{
    return c->count;
}

static int check_entry(const struct crl *c, const struct crl_entry *entry, struct err *err)
{
    struct bytes serial = entry->serial;
    if (serial.length == 0 || serial.length > CRL_SERIAL_MAX || serial.data[0] == 0)
        return err_set(
            err, ERR_FATAL, NULL, "CRL entry %zu: a serial that is not minimal", c->count + 1);
    if (!reason_is_code((int)entry->reason) || entry->reason == REASON_REMOVE_FROM_CRL)
        return err_set(err, ERR_FATAL, NULL, "CRL entry %zu: reason %d is not for a full CRL",
            c->count + 1, (int)entry->reason);
    if (!der_time_fits(entry->revoked_at_ms))
        return err_set(
            err, ERR_FATAL, NULL, "CRL entry %zu: not a time of revocation", c->count + 1);
    bool is_above = serial.length != c->last_length
                        ? serial.length > c->last_length
                        : memcmp(serial.data, c->last, serial.length) > 0;
    if (!is_above)
        return err_set(err, ERR_FATAL, NULL,
            "CRL entry %zu: its serial is not above the one before", c->count + 1);
    if (c->bytes.length > BYTES_MOST)
        return err_set(err, ERR_FATAL, NULL, "CRL: longer than 2 GiB");
    return 0;
}

/* Extension { reasonCode, OCTET STRING { ENUMERATED } } in Extensions. */
static const uint8_t reason_extension[] = {
    0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01};

int crl_add(struct crl *c, const struct crl_entry *entry, struct err *err)
{
    if (check_entry(c, entry, err))
        return -1;
    struct bytes serial = entry->serial;
    uint8_t *start = buf_reserve(&c->bytes, ENTRY_MOST), *p = start + 2;
    bool sign = serial.data[0] & 0x80;
    *p++ = DER_INTEGER;
    *p++ = (uint8_t)(serial.length + sign);
    if (sign)
        *p++ = 0;
    memcpy(p, serial.data, serial.length);
    p += serial.length;
    p += der_time_at(entry->revoked_at_ms, p);
    if (entry->reason != REASON_UNSPECIFIED) {
        memcpy(p, reason_extension, sizeof reason_extension);
        p += sizeof reason_extension;
        *p++ = (uint8_t)entry->reason;
    }
    start[0] = DER_SEQUENCE;
    start[1] = (uint8_t)(p - start - 2);
    c->bytes.length += (size_t)(p - start);
    memcpy(c->last, serial.data, serial.length);
    c->last_length = serial.length;
    c->count++;
    return 0;
}

/* [0] Extensions { authorityKeyIdentifier, cRLNumber }, RFC 5280 5.2.1 and 5.2.3 */
static void write_extensions(const struct crl *c, struct der *d)
{
    size_t all = der_length(d), mark = all;
    der_integer(d, c->facts.number);
    der_close(d, DER_OCTET_STRING, mark);
    der_value(d, DER_OID, OID_CRL_NUMBER, sizeof OID_CRL_NUMBER - 1);
    der_close(d, DER_SEQUENCE, mark);
    mark = der_length(d);
    struct bytes id = issuer_key_id(c->issuer);
    der_value(d, DER_CONTEXT | 0, id.data, id.length);
    der_close(d, DER_SEQUENCE, mark);
    der_close(d, DER_OCTET_STRING, mark);
    der_value(d, DER_OID, OID_AUTHORITY_KEY_ID, sizeof OID_AUTHORITY_KEY_ID - 1);
    der_close(d, DER_SEQUENCE, mark);
    der_close(d, DER_SEQUENCE, all);
    der_close(d, DER_CONTEXT_CONSTRUCTED | 0, all);
}

/* A header for content that is not in the writer: `length` octets of it. */
static void open_around(struct der *d, uint8_t tag, size_t length)
{
    uint8_t bytes[6], *p = bytes + sizeof bytes;
    size_t octets = 0, rest = length;
    if (length < 0x80) {
        *--p = (uint8_t)length;
    } else {
        for (; rest; rest >>= 8, octets++)
            *--p = (uint8_t)rest;
        *--p = (uint8_t)(0x80 | octets);
    }
    *--p = tag;
    der_raw(d, (struct bytes){p, (size_t)(bytes + sizeof bytes - p)});
}

/* TBSCertList up to the entries; `behind`: octets of it that follow them. */
static void write_before(const struct crl *c, size_t behind, struct der *d)
{
    size_t entries = c->bytes.length - c->room;
    if (c->count)
        open_around(d, DER_SEQUENCE, entries);
    der_time(d, c->facts.next_update_ms);
    der_time(d, c->facts.this_update_ms);
    der_raw(d, issuer_name(c->issuer));
    der_raw(d, issuer_algorithm(c->issuer));
    der_integer(d, 1); /* v2 */
    open_around(d, DER_SEQUENCE, der_length(d) + entries + behind);
}

int crl_finish(struct crl *c, struct buf *ret, struct err *err)
{
    AUTO_DER behind = {0}, before = {0}, end = {0};
    AUTO_BUF signature = {0};
    size_t entries = c->bytes.length - c->room;
    write_extensions(c, &behind);
    write_before(c, der_length(&behind), &before);
    size_t tbs = der_length(&before) + entries + der_length(&behind);
    buf_add(&c->bytes, behind.data + behind.at, der_length(&behind));
    uint8_t *start = c->bytes.data + c->room - der_length(&before);
    memcpy(start, before.data + before.at, der_length(&before));
    if (issuer_sign(c->issuer, (struct bytes){start, tbs}, &signature, err))
        return err_context(err, "CRL");
    der_raw(&end, buf_bytes(&signature));
    der_close_bits(&end, 0);
    der_raw(&end, issuer_algorithm(c->issuer));
    der_clear(&before);
    open_around(&before, DER_SEQUENCE, tbs + der_length(&end));
    buf_add(&c->bytes, end.data + end.at, der_length(&end));
    start = c->bytes.data + c->room - (tbs - entries - der_length(&behind));
    memmove(c->bytes.data + der_length(&before), start, tbs + der_length(&end));
    memcpy(c->bytes.data, before.data + before.at, der_length(&before));
    c->bytes.length = der_length(&before) + tbs + der_length(&end);
    c->bytes.data[c->bytes.length] = 0;
    buf_free(ret);
    *ret = c->bytes;
    c->bytes = (struct buf){0};
    return 0;
}

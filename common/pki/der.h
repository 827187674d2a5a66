/*
 * DER (X.690), as much as certificates, requests and CRLs need. The writer works back to front, so
 * a length is known when its header is written: what stands last in the file is written first. The
 * reader takes only definite, minimal lengths and low tags, and borrows from its input. Neither
 * does I/O; out of memory ends the process.
 *
 *     size_t mark = der_length(&d);     // SEQUENCE { INTEGER 5, NULL }
 *     der_value(&d, DER_NULL, NULL, 0);
 *     der_integer(&d, 5);
 *     der_close(&d, DER_SEQUENCE, mark);
 */
#ifndef CERTQ_PKI_DER_H
#define CERTQ_PKI_DER_H

#include "base/buf.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8_STRING = 0x0c,
    DER_NUMERIC_STRING = 0x12,
    DER_PRINTABLE_STRING = 0x13,
    DER_TELETEX_STRING = 0x14,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_UNIVERSAL_STRING = 0x1c,
    DER_BMP_STRING = 0x1e,
    DER_CONSTRUCTED = 0x20, /* a flag */
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT = 0x80, /* | number, implicit and primitive */
    DER_CONTEXT_CONSTRUCTED = 0xa0,
};

/* Starts zeroed; der_free frees it. The content is data[at .. capacity). */
struct der {
    uint8_t *data;
    size_t capacity, at;
};
#define AUTO_DER CLEANUP(der_free) struct der

void der_free(struct der *d);
/* Empties it and keeps the memory. */
void der_clear(struct der *d);
static inline size_t der_length(const struct der *d)
{
    return d->capacity - d->at;
}
/* What was written so far; good until the next write. */
struct bytes der_bytes(const struct der *d);

/* Each of these puts its bytes in front of what is there. */
void der_raw(struct der *d, struct bytes bytes);
void der_value(struct der *d, uint8_t tag, const void *content, size_t length);
/* Tag and length in front of everything written since der_length() was `mark`. */
void der_close(struct der *d, uint8_t tag, size_t mark);
void der_integer(struct der *d, uint64_t value);
/* A non-negative INTEGER from big-endian bytes; leading zeros are dropped or added as DER asks. */
void der_unsigned(struct der *d, const uint8_t *data, size_t length);
/* BIT STRING header (no unused bits) in front of everything written since `mark`. */
void der_close_bits(struct der *d, size_t mark);
/* RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050; whole seconds,
 * rounded down. Years 1950 to 9999: the caller checks (der_time_fits). */
void der_time(struct der *d, int64_t time_ms);
bool der_time_fits(int64_t time_ms);
/* The same time as TLV of 15 or 17 bytes at `to`; returns the length. */
size_t der_time_at(int64_t time_ms, uint8_t to[static 17]);

/* Takes one element of that tag off the front of *in; false (nothing moved) when the front is
 * anything else or is not DER. The content borrows from in. */
bool der_read(struct bytes *in, uint8_t tag, struct bytes *ret_content);
/* One element of any tag; ret_whole includes its header. Any ret may be NULL. */
bool der_read_any(
    struct bytes *in, uint8_t *ret_tag, struct bytes *ret_content, struct bytes *ret_whole);
/*
 * Is that a universal value DER allows (X.690 sections 8 and 10): primitive or constructed as its
 * type is, and well-formed as far as one value shows? Other classes say nothing: true.
 */
bool der_value_is_sound(uint8_t tag, struct bytes content);
/* A non-negative INTEGER, minimal, without its sign octet. */
bool der_read_unsigned(struct bytes *in, struct bytes *ret_magnitude);
/* A UTCTime or GeneralizedTime in RFC 5280's form (Z, seconds, no fraction). */
bool der_read_time(struct bytes *in, int64_t *ret_ms);

#endif

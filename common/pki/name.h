/*
 * Names in certificates: an ordered list of attributes, each an RDN of its own, and alternative
 * names. Values come from records that people typed, so every one is checked here, whatever was
 * checked before: RFC 5280 appendix A upper bounds in characters, encodings (UTF8String;
 * PrintableString for C and serialNumber; IA5String for emailAddress and DC), no controls, no NUL.
 */
#ifndef CERTQ_PKI_NAME_H
#define CERTQ_PKI_NAME_H

#include "base/buf.h"
#include "base/err.h"

struct der;

struct name_part {
    const char *attribute; /* a word of name_attribute_is_known */
    struct bytes value;    /* UTF-8 */
};

/* C ST L street postalCode O OU CN title SN GN serialNumber emailAddress UID DC businessCategory
 * organizationIdentifier jurisdictionC. */
bool name_attribute_is_known(const char *word);
/* Input error "subject CN: …" when the value does not fit the attribute, or there is no such one.
 */
int name_part_check(const struct name_part *part, struct err *err) MUST_USE;
/* Puts the Name in front of `d`; parts in the order given. */
int name_write(
    struct der *d, const struct name_part *parts, size_t count, struct err *err) MUST_USE;

/* A host name for dNSName: LDH labels (punycode as it is), two at least, `*` only as the whole
 * first label with two more behind it, no address, at most 253 characters. */
int dns_name_check(const char *text, struct err *err) MUST_USE;

#endif

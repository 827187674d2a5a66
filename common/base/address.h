/*
 * E-mail addresses as certq takes them: the ASCII subset of RFC 5321 section 4.1.2 that everybody
 * uses (Dot-string "@" Domain), which can inject neither a header line nor an SMTP command. Quoted
 * local parts, comments, address literals and internationalised addresses are refused.
 */
#ifndef CERTQ_BASE_ADDRESS_H
#define CERTQ_BASE_ADDRESS_H

#include "base/err.h"

#define ADDRESS_MOST 254 /* RFC 3696 erratum 1690: what fits a path of 256 (RFC 5321 4.5.3.1.3) */
#define ADDRESS_LOCAL_MOST 64

/*
 * 0 when `text` is such an address. Input error that says what is wrong and never repeats the
 * text. Local part: 1..64 of atext (RFC 5322 3.2.3) in atoms parted by single dots; domain: at
 * least two labels of 1..63 letters, digits and inner hyphens, the last one not all digits.
 */
int address_check(const char *text, struct err *err) MUST_USE;

#endif

/*
 * Certificate codes (A7, A8, B8) as people read and type them: K7QM-3XWP-9TRD-V52H. 15 characters
 * carry 75 bits, the 16th checks them: any one wrong character and any two characters exchanged
 * are always found. The alphabet has no 0, 1, I and O. Pure; the bits come from crypto/code.h.
 * Codes are secrets: no message made here contains one.
 */
#ifndef CERTQ_LIFECYCLE_CODE_H
#define CERTQ_LIFECYCLE_CODE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

#include <stdbool.h>

#define CODE_BITS_LENGTH 10 /* bytes; the first 75 bits are used */
#define CODE_CHARACTERS 16
#define CODE_TYPED_MOST 256 /* bytes of typed text looked at */

enum code_result {
    CODE_OK,
    CODE_MISTYPED,  /* well-formed, the check character does not fit: ERR_INPUT, "code-mistyped" */
    CODE_MALFORMED, /* no code at all: ERR_INPUT, "code-malformed"; the text says what is wrong */
};

/* The code of CODE_BITS_LENGTH secret bytes in its one written form, hyphens included. */
struct secret *code_text(const struct secret *bits) MUST_USE;
/*
 * What a person typed to the one written form. Taken: either case, full-width digits and letters,
 * and between characters any spaces, line breaks and hyphens, also as a Japanese IME gives them.
 * 0, 1, I and O are refused by name and never guessed: no code contains them, so telling is no
 * hint. The results other than CODE_OK depend on the typed text alone, never on a real code (B2).
 */
enum code_result code_parse(struct bytes typed, struct secret **ret, struct err *err) MUST_USE;
/* Is a parsed code the one of these bits? Constant time. */
bool code_matches(const struct secret *parsed, const struct secret *bits);

#endif

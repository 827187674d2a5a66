/* UTF-8 as outside bytes must be: valid by RFC 3629 and free of NUL and other controls. */
#ifndef CERTQ_BASE_UTF8_H
#define CERTQ_BASE_UTF8_H

#include "base/buf.h"

#include <stdbool.h>

/* RFC 3629: no overlong forms, no surrogates, at most U+10FFFF. NUL is allowed here. */
bool utf8_is_valid(struct bytes text);
/* Valid, and no control character (C0, DEL, C1, U+2028/9): fit for a name or one line of mail. */
bool utf8_is_line(struct bytes text);
/* Characters (code points) in valid UTF-8. */
size_t utf8_length(struct bytes text);
/* Columns on a terminal: 2 for East Asian wide and full-width characters, 0 for combining ones. */
size_t utf8_columns(struct bytes text);
/*
 * Makes a text that may have been cut, or come from outside, valid in place: a character that the
 * end cuts goes, any other byte that is none becomes '?'.
 */
void utf8_mend(char *text);
/* Decodes one code point of valid text and moves *p past it. */
uint32_t utf8_next(const uint8_t **p, const uint8_t *end);

#endif

/*
 * JSON as programs write it, in a third of jansson's time: what it takes is exactly what jansson
 * makes of it, and whatever is unusual (a \u escape, a fraction, a duplicate, a fault) it leaves to
 * jansson, which also knows what to say of a fault.
 */
#ifndef CERTQ_BASE_JSON_QUICK_H
#define CERTQ_BASE_JSON_QUICK_H

#include "base/buf.h"

#include <jansson.h>

/* How many bytes of a text stand before the first that JSON must escape. */
size_t json_plain(const char *text, size_t length);
/* An object, a new reference; NULL: ask jansson. */
json_t *json_quick(struct bytes text);

#endif

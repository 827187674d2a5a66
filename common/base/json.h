/*
 * JSON (jansson) from outside: bounded, duplicate keys refused, errors that name the path. Owned
 * values are AUTO_TYPE(json, json_t) *. Paths are dotted: subscriber.name.ja, contacts.0.email.
 */
#ifndef CERTQ_BASE_JSON_H
#define CERTQ_BASE_JSON_H

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

DEFINE_AUTO(json, json_t, json_decref);

/* An object from UTF-8 bytes; input error with line and column. Depth is bounded by jansson. */
int json_parse_object(struct bytes text, json_t **ret, struct err *err) MUST_USE;
/* Compact, UTF-8, appended. */
void json_write(const json_t *value, struct buf *ret);
/* The same as a text of its own, which the caller frees. */
char *json_compact(const json_t *value);
/* The value at a dotted path, borrowed; NULL when any part is missing. */
json_t *json_at(const json_t *root, const char *path);
/* The string at a path, borrowed; NULL when missing, null or no string. */
const char *json_text_at(const json_t *root, const char *path);
/* Sets a value (the reference is taken) at a dotted path, making objects on the way. */
void json_put(json_t *root, const char *path, json_t *value);
/* RFC 8785 (JCS), appended. Input error for a number that has no exact double. */
int json_canonical(const json_t *value, struct buf *ret, struct err *err) MUST_USE;

#endif

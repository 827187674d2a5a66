/*
 * Text for people's eyes: times in a product's zone with its mark, whatever came from outside
 * without control characters, columns of a terminal.
 */
#ifndef CERTQ_CLI_PEOPLE_H
#define CERTQ_CLI_PEOPLE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define PEOPLE_ZONE "Asia/Tokyo" /* where nothing says another */

/* "JST", "UTC", else "+09:00": what stands behind a time of that zone. */
const char *people_zone_mark(const char *zone, char room[static 8]);
/* 2026-04-01 09:00:00, without the mark, appended. An unknown zone is taken for UTC. */
void people_time(int64_t time_ms, const char *zone, struct buf *ret);
/* A time as people write it: RFC 3339; 2026-04-01 (its first second in Japan); and, unless now_ms
 * is PEOPLE_NO_AGO, 90m, 2h, 3d for so long ago. */
#define PEOPLE_NO_AGO INT64_C(-1)
int people_time_parse(const char *text, int64_t now_ms, int64_t *ret_ms, struct err *err) MUST_USE;
/* Appends text with control characters and bytes that are no UTF-8 replaced by "?". */
void people_text(const char *text, struct buf *ret);
/* Appends at most `columns` columns of it, the last one "…" when something was cut. */
void people_cut(struct bytes text, size_t columns, struct buf *ret);

#endif

/*
 * What `certq top` shows: one frame, from what the brokers' services answered. Pure; frames are
 * JSON, as --json prints them:
 * {"at", "broker", "brokers", "queues" [QUEUE], "workers" [WORKER], "rates" {name:
 * jobs a second}, "metrics" {name: number}} (docs/protocol.md 5.3 to 5.5).
 */
#ifndef CERTQ_CLI_TOP_TEXT_H
#define CERTQ_CLI_TOP_TEXT_H

#include "base/buf.h"
#include "base/json.h"

#include <stdint.h>

/*
 * A second's worth of what was counted between two answers of certq.broker `metrics`, ms apart;
 * owned by the caller. Nothing when another broker answered, or it started anew.
 */
json_t *top_rates(const json_t *before, const json_t *after, int64_t ms);
/* Appends the frame for people: lines of at most `screen` columns, at most `rows` of them (0: as
 * many as there are). */
void top_write(const json_t *frame, size_t screen, size_t rows, struct buf *ret);

#endif

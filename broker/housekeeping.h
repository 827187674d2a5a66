/*
 * What is done to history in the course of time, by the broker that leases the first slot: jobs
 * that ended before the retention are deleted, and results with personal data emptied after
 * config->broker.result_ms. It walks the table a range at a time, at the desk, and rests in
 * between, so that nobody waits for it.
 */
#ifndef CERTQ_BROKER_HOUSEKEEPING_H
#define CERTQ_BROKER_HOUSEKEEPING_H

struct broker;
struct housekeeping;
struct housekeeping *housekeeping_new(void);
void housekeeping_free(struct housekeeping *h);
/* Each turn: begins the next range when it is due. */
void housekeeping_turn(struct broker *b);

#endif

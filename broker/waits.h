/*
 * Who waits for which job's answer. Any number for one id, any broker, any job (I12 was checked
 * before). A waiter holds its client. Bounded for each key's name. Jobs that are waited for but not
 * in this broker's memory are looked up in the database from time to time.
 */
#ifndef CERTQ_BROKER_WAITS_H
#define CERTQ_BROKER_WAITS_H

#include "wish.h"

struct waits;

struct waits *waits_new(void);
void waits_free(struct waits *w, struct broker *b);
size_t waits_count(const struct waits *w);
/* False when this key's name waits for too much already. */
bool waits_may_add(const struct broker *b, const struct client *client);
/* Remembers the wish; `is_accepted`: the job is durable already, so the accepted answer goes now.
 */
void waits_add(struct broker *b, const struct uuid *id, const struct wish *wish, bool is_accepted);
bool waits_has(const struct waits *w, const struct uuid *id);
/* The requests for this id came to a durable job. Has it ended (`is_over`), only those hear it who
 * wait for nothing else. */
void waits_accepted(struct broker *b, const struct uuid *id, bool is_over);
/* The job ended: everybody gets it and waits no more. result: JSON or empty. */
void waits_end(struct broker *b, const struct uuid *id, enum job_state state, struct bytes result);
/* The row with this id ended, while a request for the same id is not judged yet: only those hear it
 * who wait for that row. It may be another client's (I12). */
void waits_end_accepted(
    struct broker *b, const struct uuid *id, enum job_state state, struct bytes result);
/* The requests for this id came to nothing: those are rejected who were not told `accepted`. Others
 * wait for the job of that id that there is, and go on. */
void waits_reject(struct broker *b, const struct uuid *id, const struct err *err);
/* There is no such job any more: everybody is rejected. */
void waits_gone(struct broker *b, const struct uuid *id, const struct err *err);
/* The client went away. */
void waits_forget(struct broker *b, struct client *client);
/*
 * The job left the memory, or never was in it. While this broker leases its slot (SLOTS_MAX: not
 * known) it will come back by itself; else it is looked up.
 */
void waits_absent(struct broker *b, const struct uuid *id, uint16_t slot);
/* Another broker leases this slot now. */
void waits_slot_lost(struct broker *b, uint16_t slot);
/*
 * Ids to look up now, the longest not looked up first; writes at most `most` and returns how many.
 * Call it every WAITS_LOOK_MS.
 */
#define WAITS_LOOK_MS 250
size_t waits_to_look_up(struct broker *b, struct uuid *ids, size_t most);

#endif

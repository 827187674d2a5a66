/*
 * Mails that wait too long (B8: a code arrives in seconds; an alarm past five minutes). Looks every
 * few seconds at the mail jobs in memory, the oldest of which it holds (I9).
 */
#ifndef CERTQ_BROKER_MAIL_WATCH_H
#define CERTQ_BROKER_MAIL_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct broker;

struct mail_watch {
    int64_t next_ms; /* monotonic: of the next look */
    bool is_late;    /* told already */
};
void mail_watch_turn(struct mail_watch *w, struct broker *b);

#endif

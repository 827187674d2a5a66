/*
 * The registries the brokers share: slots and their leases (I4), live brokers, paused kinds, the
 * test clock. Each function runs its own transaction.
 */
#ifndef CERTQ_DB_REGISTRY_STORE_H
#define CERTQ_DB_REGISTRY_STORE_H

#include "base/err.h"
#include "db/db.h"

#define SLOTS_MAX 64

struct slot_row {
    uint16_t id;
    struct uuid broker; /* zero: nobody */
    uint64_t epoch, beat;
};
struct broker_row {
    struct uuid life;
    char name[65], host[256], clients[256], workers[256];
    uint32_t pid;
    int64_t started_ms;
    uint64_t beat, clock_epoch;
    char kinds[4096]; /* comma-separated kinds its workers serve */
};

int registry_read_slots(
    struct db *db, struct slot_row rows[static SLOTS_MAX], size_t *ret_n, struct err *err) MUST_USE;
/* Compare-and-set: takes the slot when epoch is still `epoch` (beat reset to 0, epoch + 1). */
int registry_take_slot(struct db *db, uint16_t slot, uint64_t epoch, const struct uuid *life,
    bool *ret_taken, struct err *err) MUST_USE;
/*
 * Raises the beat of all slots this life holds and of its broker row, which comes back when another
 * broker took this one for dead and removed it.
 */
int registry_beat(struct db *db, const struct broker_row *self, struct err *err) MUST_USE;
/* Gives slots up (broker NULL, epoch + 1). */
int registry_give_slots(struct db *db, const struct uuid *life, const uint16_t *slots, size_t n,
    struct err *err) MUST_USE;
int registry_join(struct db *db, const struct broker_row *self, struct err *err) MUST_USE;
/* Removes the broker's row and gives all its slots up. Also used for a dead broker. */
int registry_leave(struct db *db, const struct uuid *life, struct err *err) MUST_USE;
typedef void broker_each(void *context, const struct broker_row *row);
int registry_read_brokers(
    struct db *db, broker_each *each, void *context, struct err *err) MUST_USE;

typedef void paused_each(void *context, const char *kind, const char *by, int64_t at_ms);
int registry_read_paused(struct db *db, paused_each *each, void *context, struct err *err) MUST_USE;
int registry_pause(struct db *db, const char *kind, bool paused, const char *by, int64_t now_ms,
    struct err *err) MUST_USE;

int registry_read_clock(
    struct db *db, int64_t *ret_shift_ms, uint64_t *ret_epoch, struct err *err) MUST_USE;
int registry_set_clock(
    struct db *db, int64_t shift_ms, uint64_t *ret_epoch, struct err *err) MUST_USE;
/* Of the newest CRL of an issuer; not-found when there is none. */
int registry_newest_crl(struct db *db, const char *issuer, uint64_t *ret_number,
    int64_t *ret_next_update_ms, struct err *err) MUST_USE;
/* The newest CRL's bytes for an issuer, appended; not-found when there is none. */
int registry_read_crl(struct db *db, const char *issuer, uint64_t *ret_number, struct buf *ret_der,
    struct err *err) MUST_USE;

#endif

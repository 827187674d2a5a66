/*
 * What the expiry scan reads and writes (lifecycle/notice.h): who is due, what must be known of
 * them, the rows of notice and certificate.noticed_days. Those marked (tx) run inside the caller's
 * transaction.
 */
#ifndef CERTQ_WORKERS_STORE_NOTICE_STORE_H
#define CERTQ_WORKERS_STORE_NOTICE_STORE_H

#include "base/json.h"
#include "db/db.h"
#include "lifecycle/notice.h"

/*
 * Appends the ids (16 bytes each) of a product's certificates in the band that were not seen to at
 * it or a nearer one. Reads the index `due` alone.
 */
int notice_find_due(struct db *db, const char *product, const struct notice_band *band,
    struct buf *ret_ids, struct err *err) MUST_USE;

/*
 * (tx) Locks those of the sorted ids, n <= DB_IDS_MOST, that were not seen to at `days` or nearer,
 * and moves them to the front; *ret_n says how many.
 */
int notice_lock(
    struct db *db, struct uuid *ids, size_t n, int days, size_t *ret_n, struct err *err) MUST_USE;

/* One certificate's facts; the policy is the caller's to fill. */
struct notice_row {
    struct notice_facts facts;
    uint8_t serial[SERIAL_MOST];
    char language[3];
    json_t *profile, *contacts; /* owned; contacts NULL: no contract */
};
void notice_row_clear(struct notice_row *row);
/* Of the product's issued certificates among the ids, into ret[0..n). A profile that is no JSON is
 * temporary
 * ("damaged"). */
int notice_load(struct db *db, const struct policy *policy, const struct uuid *ids, size_t n,
    struct notice_row *ret, size_t *ret_n, struct err *err) MUST_USE;

struct notice_insert {
    struct uuid certificate, mail; /* mail zero: skipped */
    const char *product, *recipient;
    int days;
    enum notice_reason reason;
};
/* (tx) */
int notice_insert(struct db *db, const struct notice_insert *rows, size_t n, const struct uuid *job,
    int64_t now_ms, struct err *err) MUST_USE;
/* (tx) noticed_days of the sorted ids. */
int notice_mark(
    struct db *db, const struct uuid *ids, size_t n, int days, struct err *err) MUST_USE;
/*
 * What a scan wrote so far, whichever try of it: certificates for each threshold (those passed over
 * for a nearer one left out), and rows for each reason.
 */
typedef void notice_each(void *context, const char *product, int64_t of, int64_t count);
int notice_count_due(struct db *db, const struct uuid *job, notice_each *each, void *context,
    struct err *err) MUST_USE;
int notice_count_reasons(struct db *db, const struct uuid *job, notice_each *each, void *context,
    struct err *err) MUST_USE;

#endif

/* The rows of certificate and revocation. All (tx) but the finding ones. */
#ifndef CERTQ_WORKERS_STORE_CERTIFICATE_STORE_H
#define CERTQ_WORKERS_STORE_CERTIFICATE_STORE_H

#include "db/db.h"
#include "lifecycle/model.h"

/* The certificates of these subscribers without their DER, in the order of their ids. */
int certificate_load(struct db *db, const struct uuid *subscribers, size_t n,
    struct aggregate *(*of)(void *arg, const struct uuid *subscriber), void *arg,
    struct err *err) MUST_USE;
/* Appends the DER; ERR_TEMPORARY "damaged" when an issued certificate has none. */
int certificate_load_der(
    struct db *db, const struct uuid *id, struct buf *ret, struct err *err) MUST_USE;
int certificate_insert(
    struct db *db, const struct certificate *const *rows, size_t n, struct err *err) MUST_USE;
/* State, code, validity, revocation; the DER only where the row holds one. */
int certificate_update(
    struct db *db, const struct certificate *const *rows, size_t n, struct err *err) MUST_USE;
/* One row for each certificate that was revoked just now (revoked_by). */
int revocation_insert(
    struct db *db, const struct certificate *const *rows, size_t n, struct err *err) MUST_USE;

/* The keys that were reported just now (reported_by); one that is known already stays. */
int compromised_key_insert(
    struct db *db, const struct certificate *const *rows, size_t n, struct err *err) MUST_USE;
/* SHA-256 of a SubjectPublicKeyInfo. */
struct key_hash {
    uint8_t b[32];
};
/* Appends those of the sorted keys, n <= DB_IDS_MOST, that were reported. */
int compromised_key_find(struct db *db, const struct key_hash *keys, size_t n, struct buf *ret,
    struct err *err) MUST_USE;

/* Whose they are; zero where there is no such certificate. n <= DB_IDS_MOST. */
int certificate_find(struct db *db, const struct uuid *ids, size_t n, struct uuid *ret_subscribers,
    struct err *err) MUST_USE;
/* *ret_subscriber is zero when the issuer gave no such serial. */
int certificate_find_serial(struct db *db, const char *issuer, struct bytes serial,
    struct uuid *ret_id, struct uuid *ret_subscriber, struct err *err) MUST_USE;

#endif

/* The rows of application. All (tx) but application_find. */
#ifndef CERTQ_WORKERS_STORE_APPLICATION_STORE_H
#define CERTQ_WORKERS_STORE_APPLICATION_STORE_H

#include "db/db.h"
#include "lifecycle/model.h"

/* The applications of these subscribers, added to their aggregates in the order of their ids. */
int application_load(struct db *db, const struct uuid *subscribers, size_t n,
    struct aggregate *(*of)(void *arg, const struct uuid *subscriber), void *arg,
    struct err *err) MUST_USE;
/* What was asked of these contracts themselves, likewise. */
int application_load_own(struct db *db, const struct uuid *contracts, size_t n,
    struct aggregate *(*of)(void *arg, const struct uuid *contract), void *arg,
    struct err *err) MUST_USE;
int application_insert(
    struct db *db, const struct application *const *rows, size_t n, struct err *err) MUST_USE;
int application_update(
    struct db *db, const struct application *const *rows, size_t n, struct err *err) MUST_USE;
/*
 * Applications by their own ids, the ids of the jobs that asked, or of the certificates for which
 * one waits; and whose they are: a subscriber's, or a contract's own. All zero where there is no
 * such application. n <= DB_IDS_MOST.
 */
struct application_owner {
    struct uuid application, subscriber, contract;
};
int application_find(struct db *db, const struct uuid *ids, size_t n, struct application_owner *ret,
    struct err *err) MUST_USE;

#endif

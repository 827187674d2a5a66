/* The rows of subscriber. All (tx) but the finding ones, which are read outside. */
#ifndef CERTQ_WORKERS_STORE_SUBSCRIBER_STORE_H
#define CERTQ_WORKERS_STORE_SUBSCRIBER_STORE_H

#include "db/db.h"
#include "lifecycle/model.h"

/* Raises the version of each, in the order given (sorted, none twice), n <= DB_IDS_MOST. */
int subscriber_lock(struct db *db, const struct uuid *ids, size_t n, struct err *err) MUST_USE;
/* Each row as an aggregate without applications and certificates, handed to `take`. */
int subscriber_load(struct db *db, const struct uuid *ids, size_t n,
    void (*take)(void *arg, struct aggregate *a), void *arg, struct err *err) MUST_USE;
/* ERR_CONFLICT "duplicate" when another transaction added the same unit. */
int subscriber_insert(
    struct db *db, const struct subscriber *const *rows, size_t n, struct err *err) MUST_USE;
int subscriber_update(
    struct db *db, const struct subscriber *const *rows, size_t n, struct err *err) MUST_USE;

struct subscriber_hit {
    struct uuid id;
    char *password; /* scrypt text, freed by the caller; NULL: none */
};
/*
 * The units of one product by their keys, each in its place; a zero id where there is none. n is
 * any, and so are the keys: they may be as long as a stranger makes them. The texts are the
 * caller's, also when it fails.
 */
int subscriber_find_units(struct db *db, const char *product, const char *const *unit_keys,
    size_t n, struct subscriber_hit *ret, struct err *err) MUST_USE;
/* The addresses given up just now (former_email). */
int former_email_insert(
    struct db *db, const struct subscriber *const *rows, size_t n, struct err *err) MUST_USE;
/* Up to `most` subscribers of a product with this (folded) e-mail address, now or before (B10), in
 * id order. */
int subscriber_find_email(struct db *db, const char *product, const char *email,
    struct subscriber_hit *ret, size_t most, size_t *ret_n, struct err *err) MUST_USE;
int subscriber_find_user(struct db *db, const char *product, const char *user_id,
    struct subscriber_hit *ret, size_t most, size_t *ret_n, struct err *err) MUST_USE;
int subscriber_find_unit(struct db *db, const char *product, const char *unit_key,
    struct subscriber_hit *ret, size_t *ret_n, struct err *err) MUST_USE;
int subscriber_find_id(struct db *db, const struct uuid *id, struct subscriber_hit *ret,
    size_t *ret_n, struct err *err) MUST_USE;

#endif

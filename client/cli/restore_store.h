/*
 * What `certq db restored` reads and writes, as the database's administrator. The statements run in
 * the caller's transaction.
 */
#ifndef CERTQ_CLI_RESTORE_STORE_H
#define CERTQ_CLI_RESTORE_STORE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"
#include "db/db.h"
#include "pki/crl.h"

/* Whether the backup has certificates of this issuer, issued or about to be. */
int restore_has_issued(struct db *db, const char *issuer, bool *ret, struct err *err) MUST_USE;
/* The number of the newest CRL there is, 0 for none. */
int restore_crl_number(struct db *db, const char *issuer, uint64_t *ret, struct err *err) MUST_USE;
/* A published CRL as the newest. */
int restore_crl_add(struct db *db, const char *issuer, const struct crl_facts *facts,
    size_t entries, struct bytes der, struct err *err) MUST_USE;

/* The serials revoked, ascending, each RESTORE_SERIAL bytes: its length and the serial. */
#define RESTORE_SERIAL (1 + CRL_SERIAL_MAX)
void restore_serial(struct bytes serial, uint8_t ret[static RESTORE_SERIAL]);
int restore_revoked(struct db *db, const char *issuer, struct buf *ret, struct err *err) MUST_USE;

/*
 * Takes an entry of a CRL in: a row of revocation, and the certificate is revoked (one that was not
 * retrieved: cancelled). *ret_certificate is zero for one the backup does not know; its entry is
 * kept until `not_after_ms`. A key that was compromised is refused from now on.
 */
int restore_revoke(struct db *db, const char *issuer, const struct crl_entry *entry,
    int64_t not_after_ms, int64_t now_ms, struct uuid *ret_certificate, struct err *err) MUST_USE;

#define RESTORE_PAGE 500
/* Certificates not issued yet, after an id: at most RESTORE_PAGE. */
int restore_unissued(struct db *db, const struct uuid *after, struct uuid ids[static RESTORE_PAGE],
    size_t *ret, struct err *err) MUST_USE;
/* A new serial; and where it has a code, a new generation with a new nonce. */
int restore_redraw(struct db *db, const struct uuid *ids, size_t n, struct err *err) MUST_USE;

#endif

/*
 * Read-only questions of operators about the domain (docs/protocol.md, certq.inspect). Each gives
 * JSON objects as documented there; a new reference, or NULL inside when there is no such row.
 * `zone_of` tells the zone of a product's notices by name.
 */
#ifndef CERTQ_WORKERS_INSPECT_STORE_H
#define CERTQ_WORKERS_INSPECT_STORE_H

#include "base/err.h"
#include "base/json.h"
#include "base/uuid.h"
#include "db/db.h"

struct inspect_page {
    int64_t limit;            /* rows wanted */
    const struct uuid *after; /* NULL: from the newest */
};

struct inspect_certificates { /* every member optional */
    const char *product, *state, *email;
    const struct uuid *subscriber;
    int64_t expires_from_ms, expires_until_ms; /* both 0: any */
    struct inspect_page page;
};
typedef const char *inspect_zone(void *context, const char *product);
struct inspect {
    struct db *db;
    inspect_zone *zone_of;
    void *context;
};

/* Arrays; one row more than page.limit when there are more. */
int inspect_list_certificates(const struct inspect *i, const struct inspect_certificates *filter,
    json_t **ret, struct err *err) MUST_USE;
struct inspect_mails {
    const char *to, *state;
    const struct uuid *certificate;
    struct inspect_page page;
};
int inspect_list_mails(const struct inspect *i, const struct inspect_mails *filter, json_t **ret,
    struct err *err) MUST_USE;
/* By id or, with id NULL, by serial: an array of all that match, with root, application, code_… */
int inspect_find_certificates(const struct inspect *i, const struct uuid *id, struct bytes serial,
    json_t **ret, struct err *err) MUST_USE;
/*
 * What is going to happen to a valid certificate that a reissue replaces: {successor, state,
 * timing, at?, job?}; *ret stays NULL when there is no such reissue.
 */
int inspect_succession(const struct inspect *i, const struct uuid *certificate, json_t **ret,
    struct err *err) MUST_USE;
/* The DER of a certificate, appended; nothing when it has none. */
int inspect_read_der(
    const struct inspect *i, const struct uuid *id, struct buf *ret, struct err *err) MUST_USE;
/*
 * Adds to `ret` what there is of the newest CRL of an issuer (number, entries, bytes, this_update,
 * next_update, job) and `asked` {job, run_at, urgent} where a job waits that revocations count on.
 */
int inspect_crl(const struct inspect *i, const char *issuer, json_t *ret, struct err *err) MUST_USE;
int inspect_find_mail(
    const struct inspect *i, const struct uuid *id, json_t **ret, struct err *err) MUST_USE;
int inspect_audit_of(
    const struct inspect *i, const struct uuid *subject, json_t **ret, struct err *err) MUST_USE;
/* By id, or by e-mail and product (NULL: any). Without applications and certificates. */
int inspect_find_subscribers(const struct inspect *i, const struct uuid *id, const char *email,
    const char *product, json_t **ret, struct err *err) MUST_USE;
int inspect_applications_of(
    const struct inspect *i, const struct uuid *subscriber, json_t **ret, struct err *err) MUST_USE;
/* {contract, product, state, created, ended, reissues, account, contacts, applications: its own}.
 */
int inspect_find_contract(
    const struct inspect *i, const struct uuid *id, json_t **ret, struct err *err) MUST_USE;
/* Its subscribers: [{subscriber, …}] as inspect_find_subscribers gives them. */
int inspect_members_of(
    const struct inspect *i, const struct uuid *contract, json_t **ret, struct err *err) MUST_USE;

#endif

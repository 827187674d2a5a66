/* What a disclosure needs beyond a subscriber's own rows (D4). Read outside a transaction. */
#ifndef CERTQ_WORKERS_STORE_RECORD_STORE_H
#define CERTQ_WORKERS_STORE_RECORD_STORE_H

#include "db/db.h"
#include "lifecycle/decide_records.h"

/* The newest CRL of an issuer; number 0 when there is none. */
int record_file_last(
    struct db *db, const char *issuer, struct record_file *ret, struct err *err) MUST_USE;

#endif

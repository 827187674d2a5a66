#include "store/record_store.h"

#include "store/value.h"

#include <stdio.h>

static const struct statement last = {"record.last-crl",
    "SELECT number, this_update_ms, next_update_ms FROM crl WHERE issuer = ? "
    "ORDER BY number DESC LIMIT 1",
    "t", "iii"};

int record_file_last(struct db *db, const char *issuer, struct record_file *ret, struct err *err)
{
    struct db_value param = db_text(issuer), row[3];
    *ret = (struct record_file){0};
    snprintf(ret->issuer, sizeof ret->issuer, "%s", issuer);
    if (db_query(db, &last, &param, err))
        return -1;
    int found = db_fetch(db, row, err);
    if (found > 0) {
        ret->number = (uint64_t)row[0].integer;
        ret->this_update_ms = row[1].integer;
        ret->next_update_ms = row[2].integer;
    }
    db_finish(db);
    return found < 0 ? -1 : 0;
}

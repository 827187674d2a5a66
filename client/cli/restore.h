/*
 * A database that was restored from a backup without binary logs, made fit to go on (R8): what was
 * done between the backup and the loss is not in it. So that nothing is un-revoked, the newest
 * published CRLs are taken in and their numbers gone past. So that no code and no serial number is
 * given twice, those of certificates not yet issued are drawn anew. So that nothing is done or
 * mailed twice unseen, the queues are held. The audit says so, and its seals go on after the gap.
 * Every step may be run again after a crash.
 */
#ifndef CERTQ_CLI_RESTORE_H
#define CERTQ_CLI_RESTORE_H

#include "base/err.h"
#include "base/json.h"
#include "config/config.h"
#include "db/db.h"

struct restore {
    struct db *db; /* the administrator's, with the database chosen */
    const struct config *config;
    const char *crl_folder;
    const char *seals; /* the file outside; NULL: none is looked at */
    const char *who;   /* who does this, for the audit */
    bool is_trial;     /* look, and change nothing */
    bool may_lack_crl; /* an issuer without a file in crl_folder is passed over */
};

/*
 * *ret is {done, issuers [{issuer, number, entries, added, lacking}], codes, held [kind], seals
 * {database, file}}. Conflict: a broker is alive on this database. Blocks for some seconds to find
 * that out.
 */
int restore_run(const struct restore *r, json_t **ret, struct err *err) MUST_USE;

#endif

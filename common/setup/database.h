/*
 * A database connection as the configuration describes it, for one of its roles (I10). The password
 * file is read once; the connection is opened later, by db_open.
 */
#ifndef CERTQ_SETUP_DATABASE_H
#define CERTQ_SETUP_DATABASE_H

#include "config/config.h"
#include "db/db.h"

/* lock_wait_s as in struct db_options. Input error naming the password file that cannot be read. */
int setup_database(const struct config *config, enum database_role role, int lock_wait_s,
    struct db **ret, struct err *err) MUST_USE;

#endif

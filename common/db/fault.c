/* What a server's or library's error number means to the caller, and to the connection. */
#include "db/inside.h"

#include <errmsg.h>
#include <mysqld_error.h>

enum fate {
    FATE_LOST,      /* connection gone or in an unknown state */
    FATE_RERUN,     /* deadlock, lock timeout, Galera certification */
    FATE_DUPLICATE, /* a unique key says no */
    FATE_ROW,       /* this row can never be stored */
    FATE_OTHER,
};

static const struct {
    unsigned number;
    enum fate fate;
} fates[] = {
    {CR_SERVER_GONE_ERROR, FATE_LOST},
    {CR_SERVER_LOST, FATE_LOST},
    {CR_SERVER_LOST_EXTENDED, FATE_LOST},
    {CR_CONNECTION_ERROR, FATE_LOST},
    {CR_CONN_HOST_ERROR, FATE_LOST},
    {CR_UNKNOWN_HOST, FATE_LOST},
    {CR_MALFORMED_PACKET, FATE_LOST},
    {CR_COMMANDS_OUT_OF_SYNC, FATE_LOST},
    {CR_SSL_CONNECTION_ERROR, FATE_LOST},
    {CR_UNKNOWN_ERROR, FATE_LOST},
    {CR_NET_PACKET_TOO_LARGE, FATE_LOST},
    {ER_NET_PACKET_TOO_LARGE, FATE_LOST},
    {ER_SERVER_SHUTDOWN, FATE_LOST},
    {ER_CONNECTION_KILLED, FATE_LOST},
    {ER_UNKNOWN_COM_ERROR, FATE_LOST},
    {ER_NET_READ_ERROR, FATE_LOST},
    {ER_NET_READ_INTERRUPTED, FATE_LOST},
    {ER_LOCK_DEADLOCK, FATE_RERUN},
    {ER_LOCK_WAIT_TIMEOUT, FATE_RERUN},
    {ER_CHECKREAD, FATE_RERUN},
    {ER_DUP_ENTRY, FATE_DUPLICATE},
    {ER_DUP_ENTRY_WITH_KEY_NAME, FATE_DUPLICATE},
    {ER_DATA_TOO_LONG, FATE_ROW},
    {ER_WARN_DATA_OUT_OF_RANGE, FATE_ROW},
    {ER_TRUNCATED_WRONG_VALUE, FATE_ROW},
    {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, FATE_ROW},
    {WARN_DATA_TRUNCATED, FATE_ROW},
    {ER_BAD_NULL_ERROR, FATE_ROW},
    {ER_INVALID_CHARACTER_STRING, FATE_ROW},
    {ER_CANNOT_CONVERT_CHARACTER, FATE_ROW},
    {ER_CONSTRAINT_FAILED, FATE_ROW},
    {ER_TOO_BIG_ROWSIZE, FATE_ROW},
    {ER_TOO_LONG_STRING, FATE_ROW},
};

static enum fate fate_of(unsigned number)
{
    for (size_t i = 0; i < ARRAY_LENGTH(fates); i++) {
        if (fates[i].number == number)
            return fates[i].fate;
    }
    return FATE_OTHER;
}

int db_fault(struct db *db, const char *what, unsigned number, const char *text, struct err *err)
{
    switch (fate_of(number)) {
    case FATE_LOST:
        err_set(err, ERR_TEMPORARY, "unavailable", "%s: %s (%u)", what, text, number);
        db_close(db); /* after the text, which belongs to the connection */
        return -1;
    case FATE_RERUN:
        return err_set(err, ERR_CONFLICT, NULL, "%s: %s (%u)", what, text, number);
    case FATE_DUPLICATE:
        return err_set(err, ERR_CONFLICT, "duplicate", "%s: %s (%u)", what, text, number);
    case FATE_ROW:
        return err_set(err, ERR_INPUT, NULL, "%s: %s (%u)", what, text, number);
    case FATE_OTHER:
        break;
    }
    return err_set(err, ERR_TEMPORARY, NULL, "%s: %s (%u)", what, text, number);
}

int db_commit_fault(struct db *db, unsigned number, const char *text, struct err *err)
{
    if (fate_of(number) == FATE_RERUN) {
        err_set(err, ERR_CONFLICT, NULL, "commit: %s (%u)", text, number);
        db_rollback(db);
        return -1;
    }
    /* A killed or interrupted COMMIT may have happened, and so may one whose log failed late. */
    err_set(err, ERR_UNSURE, NULL, "commit: %s (%u)", text, number);
    db_close(db);
    return -1;
}

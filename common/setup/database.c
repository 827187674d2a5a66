#include "setup/database.h"

#include "base/file.h"
#include "base/secret.h"

#include <stdio.h>
#include <string.h>

static int read_password(const char *path, struct secret **ret, struct err *err)
{
    AUTO(secret) text = NULL;
    if (file_read_secret(path, 1024, &text, err)) {
        err->kind = ERR_INPUT;
        snprintf(err->code, sizeof err->code, "config");
        return err_context(err, "database password");
    }
    *ret = secret_new(text->data, strcspn((const char *)text->data, "\r\n"));
    return 0;
}

int setup_database(const struct config *config, enum database_role role, int lock_wait_s,
    struct db **ret, struct err *err)
{
    const struct config_database *d = &config->database;
    const struct config_user *user = &d->users[role];
    AUTO(secret) password = NULL;
    if (user->password_file && read_password(user->password_file, &password, err))
        return -1;
    const struct db_options options = {
        .socket = d->socket,
        .host = d->host,
        .port = d->port,
        .name = role == DB_ADMIN ? NULL : d->name,
        .user = user->user,
        .password = password ? (const char *)password->data : NULL,
        .tls_ca = d->tls_ca,
        .lock_wait_s = lock_wait_s,
    };
    *ret = db_new(&options);
    return 0;
}

/*
 * One SMTP session over libesmtp: connect, TLS, AUTH, up to a few hundred messages, QUIT. The only
 * file that includes libesmtp.h is smtp_session.c. Inside common/mail only; blocks.
 */
#ifndef CERTQ_MAIL_SMTP_SESSION_H
#define CERTQ_MAIL_SMTP_SESSION_H

#include "base/secret.h"
#include "mail/resolve.h"
#include "mail/smtp.h"
#include "mail/smtp_tls.h"

/* All borrowed. */
struct smtp_setup {
    const struct config_mail *config;
    const char *helo;
    const struct secret *password; /* NULL: no AUTH */
    struct smtp_tls *tls;          /* NULL: no TLS */
    struct resolver *resolver;
    int64_t begin_until_ms, end_until_ms; /* monotonic */
};

/*
 * Sends the items (already checked) and sets fate, code and reply of each. -1 with what smtp_send
 * says when the session ended before its end or the server announced it (421).
 */
int smtp_session_run(const struct smtp_setup *setup, struct smtp_item *const *items, size_t n,
    struct err *err) MUST_USE;

#endif

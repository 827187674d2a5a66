/*
 * The SSL_CTX for libesmtp, made so that the library's traps do not open: TLS 1.2 only (its 1.3
 * stalls), peer and host verified by OpenSSL itself (its own check uses the DNS canonical name),
 * SNI, never a client certificate. Inside common/mail only; one thread at a time.
 */
#ifndef CERTQ_MAIL_SMTP_TLS_H
#define CERTQ_MAIL_SMTP_TLS_H

#include "base/err.h"

#include <openssl/ssl.h>

struct smtp_tls;

/* `host` as configured: a name or an IPv4 literal. `ca`: PEM bundle, NULL: the system's. */
int smtp_tls_new(const char *host, const char *ca, struct smtp_tls **ret, struct err *err) MUST_USE;
void smtp_tls_free(struct smtp_tls *t);
SSL_CTX *smtp_tls_context(struct smtp_tls *t);
/* Forget the last handshake. */
void smtp_tls_reset(struct smtp_tls *t);
/* Why the last handshake failed; "" when nothing is known. Borrowed. */
const char *smtp_tls_failure(const struct smtp_tls *t);
DEFINE_AUTO_STRUCT(smtp_tls);

#endif

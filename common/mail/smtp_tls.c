#include "mail/smtp_tls.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct smtp_tls {
    SSL_CTX *context;
    char *host;
    bool is_literal; /* an address, which has no SNI */
    char failure[160];
};

static void note(struct smtp_tls *t, const char *what, const char *detail)
{
    if (!t->failure[0])
        snprintf(t->failure, sizeof t->failure, "%s: %s", what, detail);
}

/* The library offers no hook before the handshake but this one. */
static void watch_handshake(const SSL *ssl, int where, int ret)
{
    struct smtp_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (where & SSL_CB_HANDSHAKE_START && !t->is_literal)
        SSL_set_tlsext_host_name((SSL *)(uintptr_t)ssl, t->host);
    long verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK)
        note(t, "certificate", X509_verify_cert_error_string(verified));
    else if (where & SSL_CB_ALERT && ret >> 8 == SSL3_AL_FATAL)
        note(t, where & SSL_CB_READ ? "alert from the server" : "alert",
            SSL_alert_desc_string_long(ret));
}

static int openssl_failed(struct err *err, const char *what)
{
    char text[160];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return err_set(err, ERR_INPUT, NULL, "%s: %s", what, text);
}

static int set_trust(struct smtp_tls *t, const char *ca, struct err *err)
{
    if (ca) {
        if (SSL_CTX_load_verify_file(t->context, ca) != 1)
            return openssl_failed(err, ca);
    } else if (SSL_CTX_set_default_verify_paths(t->context) != 1)
        return openssl_failed(err, "the system's CA certificates");
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(t->context);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if ((t->is_literal ? X509_VERIFY_PARAM_set1_ip_asc(param, t->host)
                       : X509_VERIFY_PARAM_set1_host(param, t->host, 0)) != 1)
        return openssl_failed(err, t->host);
    SSL_CTX_set_verify(t->context, SSL_VERIFY_PEER, NULL);
    return 0;
}

int smtp_tls_new(const char *host, const char *ca, struct smtp_tls **ret, struct err *err)
{
    struct in_addr address;
    AUTO(smtp_tls) t = MEM_NEW(struct smtp_tls);
    t->host = mem_text(host);
    t->is_literal = inet_pton(AF_INET, host, &address) == 1;
    t->context = SSL_CTX_new(TLS_client_method());
    if (!t->context || SSL_CTX_set_min_proto_version(t->context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(t->context, TLS1_2_VERSION) != 1)
        return openssl_failed(err, "TLS 1.2");
    SSL_CTX_set_options(t->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_app_data(t->context, t);
    SSL_CTX_set_info_callback(t->context, watch_handshake);
    if (set_trust(t, ca, err))
        return -1;
    *ret = TAKE(t);
    return 0;
}

void smtp_tls_free(struct smtp_tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->context);
    free(t->host);
    free(t);
}

SSL_CTX *smtp_tls_context(struct smtp_tls *t)
{
    return t->context;
}

void smtp_tls_reset(struct smtp_tls *t)
{
    t->failure[0] = 0;
    ERR_clear_error(); /* SSL_get_error reads the thread's queue, whoever filled it */
}

const char *smtp_tls_failure(const struct smtp_tls *t)
{
    return t->failure;
}

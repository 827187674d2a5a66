#include "mail/smtp.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"
#include "mail/resolve.h"
#include "mail/smtp_session.h"
#include "mail/smtp_tls.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MOST (16u << 20)
#define FOREVER_MS (INT64_C(1) << 50)
#define LINE_MOST 998       /* RFC 5321 4.5.3.1.6, without CRLF */
#define CREDENTIAL_MOST 255 /* libesmtp's PLAIN copies into a buffer of that size */

struct smtp {
    const struct config_mail *config;
    struct secret *password;
    struct smtp_tls *tls;
    struct resolver *resolver;
    char *helo;
};

static int bad(struct err *err, const char *what, const char *why)
{
    return err_set(err, ERR_INPUT, NULL, "mail.smtp.%s: %s", what, why);
}

static int check_host(const char *what, const char *host, struct err *err)
{
    if (host && strchr(host, ':'))
        return bad(err, what, "an IPv6 literal cannot be used; give the host a name");
    if (!host || !*host || strlen(host) > 253 ||
        strspn(host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") !=
            strlen(host))
        return bad(err, what, "not a host name");
    return 0;
}

static bool is_loopback(const char *host)
{
    struct in_addr address;
    if (inet_pton(AF_INET, host, &address) == 1)
        return ntohl(address.s_addr) >> 24 == 127;
    return !strcmp(host, "localhost");
}

static int read_password(struct smtp *s, struct err *err)
{
    const struct config_smtp *config = &s->config->smtp;
    AUTO(secret) text = NULL;
    if (file_read_secret(config->password_file, 4096, &text, err))
        return err_context(err, "mail.smtp.password_file");
    size_t length = text->length;
    if (length && text->data[length - 1] == '\n')
        length--;
    if (!length || length > CREDENTIAL_MOST)
        return bad(err, "password_file", "not a password of 1 to 255 bytes");
    if (memchr(text->data, 0, length))
        return bad(err, "password_file", "a NUL byte in the password");
    s->password = secret_new(text->data, length);
    return 0;
}

static int set_auth(struct smtp *s, struct err *err)
{
    const struct config_smtp *config = &s->config->smtp;
    if (!config->user)
        return config->password_file ? bad(err, "user", "missing beside password_file") : 0;
    if (!*config->user || strlen(config->user) > CREDENTIAL_MOST)
        return bad(err, "user", "not 1 to 255 bytes");
    if (!config->password_file)
        return bad(err, "password_file", "missing beside user");
    if (config->tls == TLS_NONE && !is_loopback(config->host))
        return bad(err, "tls", "a password is sent over TLS or to loopback only");
    return read_password(s, err);
}

static int set_helo(struct smtp *s, struct err *err)
{
    char name[256] = "";
    if (!s->config->smtp.helo && gethostname(name, sizeof name - 1))
        name[0] = 0;
    s->helo = mem_text(s->config->smtp.helo ? s->config->smtp.helo : name);
    return check_host("helo", s->helo, err);
}

/* A lost server must not kill the process; whoever has a handler keeps it. */
static void ignore_sigpipe(void)
{
    struct sigaction now;
    if (!sigaction(SIGPIPE, NULL, &now) && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

int smtp_new(const struct config_mail *config, struct smtp **ret, struct err *err)
{
    AUTO(smtp) s = MEM_NEW(struct smtp);
    s->config = config;
    if (!config->from || address_check(config->from, err))
        return config->from ? err_context(err, "mail.from")
                            : err_set(err, ERR_INPUT, NULL, "mail.from: missing");
    if (check_host("host", config->smtp.host, err) || set_helo(s, err) || set_auth(s, err))
        return -1;
    if (!config->smtp.port)
        return bad(err, "port", "missing");
    if (config->smtp.tls == TLS_STARTTLS &&
        smtp_tls_new(config->smtp.host, config->smtp.tls_ca, &s->tls, err))
        return err_context(err, "mail.smtp.tls_ca");
    s->resolver = resolver_new(config->smtp.host);
    ignore_sigpipe();
    *ret = TAKE(s);
    return 0;
}

void smtp_free(struct smtp *s)
{
    if (!s)
        return;
    secret_free(s->password);
    smtp_tls_free(s->tls);
    resolver_free(s->resolver);
    free(s->helo);
    free(s);
}

/* NULL, or what would make libesmtp inject, truncate or send other bytes than these. */
static const char *fault_of(struct bytes message)
{
    if (message.length < 3 || message.length > MESSAGE_MOST)
        return "the message is empty or over 16 MiB";
    if (memcmp(message.data + message.length - 2, "\r\n", 2))
        return "the message does not end with CRLF";
    for (const uint8_t *p = message.data, *end = p + message.length; p < end;) {
        const uint8_t *stop = memchr(p, '\n', (size_t)(end - p)); /* the message ends with one */
        const size_t line = (size_t)(stop - p) - (stop > p);
        if (stop == p || stop[-1] != '\r' || memchr(p, '\r', line) || memchr(p, 0, line))
            return "a bare CR, bare LF or NUL in the message";
        if (line > LINE_MOST)
            return "a line of more than 998 bytes in the message";
        p = stop + 1;
    }
    return NULL;
}

static bool is_fit(struct smtp_item *item)
{
    struct err err = {0};
    item->fate = SMTP_NOT_SENT;
    item->code = 0;
    item->reply[0] = 0;
    const char *fault = address_check(item->recipient, &err) ? err.text : fault_of(item->message);
    if (!fault)
        return true;
    item->fate = SMTP_REJECTED;
    snprintf(item->reply, sizeof item->reply, "%s", fault);
    return false;
}

static bool all_decided(const struct smtp_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].fate == SMTP_NOT_SENT || items[i].fate == SMTP_IN_DOUBT)
            return false;
    return true;
}

/* What had no turn says why. */
static int ended_early(struct smtp_item **items, size_t n, const struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (items[i]->fate == SMTP_NOT_SENT && !items[i]->reply[0])
            snprintf(items[i]->reply, sizeof items[i]->reply, "%.*s", SMTP_REPLY - 1, err->text);
    return -1;
}

int smtp_send_within(struct smtp *s, struct smtp_item *items, size_t n, int64_t begin_ms,
    int64_t end_ms, struct err *err)
{
    const int64_t now_ms = clock_monotonic_ms();
    const struct smtp_setup setup = {
        s->config, s->helo, s->password, s->tls, s->resolver, now_ms + begin_ms, now_ms + end_ms};
    const size_t most = s->config->smtp.session ? s->config->smtp.session : 1;
    AUTO_TEXT memory = mem_zero(n + 1, sizeof(struct smtp_item *));
    struct smtp_item **fit = (struct smtp_item **)(void *)memory;
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (is_fit(&items[i]))
            fit[count++] = &items[i];
    for (size_t at = 0; at < count; at += most) {
        const size_t chunk = count - at < most ? count - at : most;
        if (at && clock_monotonic_ms() >= setup.begin_until_ms)
            err_set(err, ERR_TEMPORARY, "smtp-slow", "SMTP: no time for another session");
        else if (!smtp_session_run(&setup, fit + at, chunk, err))
            continue;
        if (all_decided(items, n))
            break;
        return ended_early(fit + at, count - at, err);
    }
    err_clear(err);
    return 0;
}

int smtp_send(struct smtp *s, struct smtp_item *items, size_t n, struct err *err)
{
    return smtp_send_within(s, items, n, FOREVER_MS, FOREVER_MS, err);
}

const char *smtp_fate_name(enum smtp_fate fate)
{
    static const char *const names[] = {
        [SMTP_NOT_SENT] = "not-sent",
        [SMTP_DELIVERED] = "delivered",
        [SMTP_TEMPORARY] = "temporary",
        [SMTP_REJECTED] = "rejected",
        [SMTP_IN_DOUBT] = "in-doubt",
    };
    return names[fate];
}

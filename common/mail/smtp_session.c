#include "mail/smtp_session.h"

#include "base/clock.h"
#include "base/mem.h"
#include "mail/smtp_verdict.h"
#include "mail/smtp_watch.h"
#include "mail/watchdog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <auth-client.h>
#include <libesmtp.h>

/* One message on its way. */
struct mail {
    struct run *run;
    struct smtp_item *item;
    struct smtp_seen seen;
    smtp_message_t message;
    smtp_recipient_t recipient;
    bool given; /* the library has the bytes and will ask on */
};

struct run {
    const struct smtp_setup *setup;
    struct watchdog dog;
    struct smtp_watch watch;
    const struct in_addr *address; /* being connected to, or NULL */
    bool claiming;                 /* we have taken the claim */
    bool connected;
    bool no_starttls; /* the server does not offer it */
    bool closing;     /* the server said 421 */
    bool begun;       /* a message was */
    bool late;        /* our time is up */
    char connect_error[128];
    struct mail *mails;
    size_t count;
};

/* From connect to the claim of its socket: see watchdog_claim. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t freed; /* by the monotonic clock */
    bool is_taken;
} claim = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void session_auto_free(smtp_session_t *s)
{
    if (*s)
        smtp_destroy_session(*s);
}
static void auth_auto_free(auth_context_t *a)
{
    if (*a)
        auth_destroy_context(*a);
}

/* When what is being waited for is given up. */
static int64_t patience_ends_ms(const struct run *run)
{
    const int64_t until_ms = clock_monotonic_ms() + run->setup->config->smtp.timeout_ms;
    return until_ms < run->setup->end_until_ms ? until_ms : run->setup->end_until_ms;
}

static void keep_going(struct run *run)
{
    watchdog_feed(&run->dog, patience_ends_ms(run));
}

/* However slow the server is, a first message is begun, or none would ever be. */
static bool is_late(const struct run *run)
{
    const int64_t now_ms = clock_monotonic_ms();
    return now_ms >= run->setup->end_until_ms ||
           (run->begun && now_ms >= run->setup->begin_until_ms);
}

/* --- callbacks of the library --- */

/* Gives the whole message once. An errno makes the library drop the connection without finishing.
 */
static const char *read_message(void **context, int *length, void *arg)
{
    (void)context;
    struct mail *m = arg;
    if (!length) { /* from the beginning */
        m->given = false;
        return NULL;
    }
    *length = 0;
    m->run->late |= !m->given && is_late(m->run);
    if (m->run->watch.distrust || m->run->closing || m->run->late) {
        errno = ECANCELED;
        return NULL;
    }
    keep_going(m->run);
    m->run->begun = true;
    m->seen.started = true;
    m->seen.ended |= m->given;
    if (m->given)
        return NULL;
    m->given = true;
    *length = (int)m->item->message.length;
    return (const char *)m->item->message.data;
}

static void on_traffic(const char *data, int length, int writing, void *arg)
{
    struct run *run = arg;
    if (length <= 0 || writing == SMTP_CB_HEADERS)
        return;
    if (writing)
        keep_going(run);
    char *own = (char *)(uintptr_t)data; /* the library's buffer: see watch_read */
    if (!(writing ? watch_write(&run->watch, data, (size_t)length)
                  : watch_read(&run->watch, own, (size_t)length)))
        watchdog_cut(&run->dog);
}

static void set_up_claim(void)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&claim.freed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/*
 * False: others were connecting all the time. A server that answers no connect would else keep the
 * last of many threads from its mails until their group's deadline is past.
 */
static bool take_claim(struct run *run, int64_t until_ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    int failed = 0;
    pthread_once(&once, set_up_claim);
    pthread_mutex_lock(&claim.lock);
    while (claim.is_taken && !failed)
        failed = pthread_cond_timedwait(&claim.freed, &claim.lock, &until);
    run->claiming = !claim.is_taken;
    claim.is_taken = true;
    pthread_mutex_unlock(&claim.lock);
    return run->claiming;
}

static void give_claim(struct run *run)
{
    if (!run->claiming)
        return;
    run->claiming = false;
    pthread_mutex_lock(&claim.lock);
    claim.is_taken = false;
    pthread_cond_signal(&claim.freed);
    pthread_mutex_unlock(&claim.lock);
}

static void on_connect(struct run *run)
{
    const struct smtp_setup *setup = run->setup;
    watch_reset(&run->watch, setup->tls != NULL, setup->password != NULL);
    run->connected = true;
    if (!watchdog_claim(&run->dog, run->address, setup->config->smtp.port))
        run->watch.distrust = "its socket was not found";
    give_claim(run);
    keep_going(run);
}

/* A reply about one message. */
static void on_status(struct run *run, const smtp_status_t *status)
{
    keep_going(run);
    if (status->code != 421)
        return;
    run->closing = true; /* RFC 5321 3.8: the server will close; do not wait for it */
    watchdog_cut(&run->dog);
}

static void on_sent(struct run *run, smtp_message_t message)
{
    struct mail *m = smtp_message_get_application_data(message);
    const smtp_status_t *status = smtp_message_transfer_status(message);
    m->seen.answered = true;
    m->seen.end = status->code;
    on_status(run, status);
}

static bool is_verified(SSL *ssl)
{
    return SSL_get0_peer_certificate(ssl) && SSL_get_verify_result(ssl) == X509_V_OK;
}

static void on_event(smtp_session_t session, int event, void *arg, ...)
{
    (void)session;
    struct run *run = arg;
    va_list args;
    va_start(args, arg);
    if (event == SMTP_EV_CONNECT) {
        on_connect(run);
    } else if (event == SMTP_EV_DISCONNECT) {
        watchdog_release(&run->dog);
    } else if (event == SMTP_EV_EXTNA_STARTTLS) {
        run->no_starttls = true;
    } else if (event == SMTP_EV_STARTTLS_OK) {
        run->watch.tls = is_verified(va_arg(args, SSL *));
    } else if (event == SMTP_EV_WRONG_PEER_CERTIFICATE) {
        /* The library compares with the address we gave it; OpenSSL has compared with the name. */
        int *ok = va_arg(args, int *);
        (void)va_arg(args, char *);
        *ok = is_verified(va_arg(args, SSL *));
    } else if (event == SMTP_EV_MAILSTATUS) {
        (void)va_arg(args, char *);
        on_status(run, smtp_reverse_path_status(va_arg(args, smtp_message_t)));
    } else if (event == SMTP_EV_RCPTSTATUS) {
        (void)va_arg(args, char *);
        on_status(run, smtp_recipient_status(va_arg(args, smtp_recipient_t)));
    } else if (event == SMTP_EV_MESSAGESENT) {
        on_sent(run, va_arg(args, smtp_message_t));
    }
    va_end(args);
}

/* User and password, and nothing else a mechanism may want to know. */
static int answer_auth(auth_client_request_t request, char **result, int fields, void *arg)
{
    const struct smtp_setup *setup = arg;
    for (int i = 0; i < fields; i++) {
        if (request[i].flags & AUTH_USER)
            result[i] = setup->config->smtp.user;
        else if (request[i].flags & AUTH_PASS)
            result[i] = (char *)(uintptr_t)setup->password->data;
        else
            return 0;
    }
    return 1;
}

/* --- making the session --- */

static int add_mail(struct run *run, smtp_session_t session, struct mail *m)
{
    m->message = smtp_add_message(session);
    if (!m->message || !smtp_set_reverse_path(m->message, run->setup->config->from) ||
        !smtp_set_messagecb(m->message, read_message, m))
        return -1;
    smtp_message_set_application_data_release(m->message, m, NULL);
    smtp_size_set_estimate(m->message, m->item->message.length);
    m->recipient = smtp_add_recipient(m->message, m->item->recipient);
    return m->recipient ? 0 : -1;
}

static void set_timeouts(smtp_session_t session, int64_t timeout_ms)
{
    static const int which[] = {
        Timeout_GREETING, Timeout_ENVELOPE, Timeout_DATA, Timeout_TRANSFER, Timeout_DATA2};
    for (size_t i = 0; i < ARRAY_LENGTH(which); i++)
        smtp_set_timeout(session, which[i] | Timeout_OVERRIDE_RFC2822_MINIMUM, (long)timeout_ms);
}

/* All of these fail for want of memory only. */
static int fill_session(struct run *run, smtp_session_t session, auth_context_t auth)
{
    const struct smtp_setup *setup = run->setup;
    if (!smtp_set_hostname(session, setup->helo) || !smtp_set_eventcb(session, on_event, run) ||
        !smtp_set_monitorcb(session, on_traffic, run, 0))
        return -1;
    set_timeouts(session, setup->config->smtp.timeout_ms);
    if (setup->tls) {
        smtp_starttls_enable(session, Starttls_REQUIRED);
        smtp_starttls_set_ctx(session, smtp_tls_context(setup->tls));
        smtp_tls_reset(setup->tls);
    }
    if (auth) {
        auth_set_mechanism_flags(auth, AUTH_PLUGIN_PLAIN, 0);
        auth_set_interact_cb(auth, answer_auth, (void *)(uintptr_t)setup);
        smtp_auth_set_context(session, auth);
    }
    for (size_t i = 0; i < run->count; i++)
        if (add_mail(run, session, &run->mails[i]))
            return -1;
    return 0;
}

/* One address (NULL: by name, which only IPv6 needs), to the end of its session. */
static void talk(struct run *run, smtp_session_t session, const struct in_addr *address)
{
    const struct config_smtp *config = &run->setup->config->smtp;
    char text[INET_ADDRSTRLEN];
    AUTO_TEXT server = mem_printf("%s:%u",
        address ? inet_ntop(AF_INET, address, text, sizeof text) : config->host, config->port);
    run->address = address;
    smtp_set_server(session, server);
    if (!take_claim(run, patience_ends_ms(run))) {
        snprintf(run->connect_error, sizeof run->connect_error, "no answer in time to others");
        return;
    }
    const int64_t until_ms = patience_ends_ms(run);
    watchdog_arm(&run->dog, until_ms); /* connect does not survive an interruption */
    const int ok = smtp_start_session(session);
    give_claim(run);
    if (ok || run->connected)
        return;
    if (clock_monotonic_ms() >= until_ms)
        snprintf(run->connect_error, sizeof run->connect_error, "no answer in time");
    else
        smtp_strerror(smtp_errno(), run->connect_error, sizeof run->connect_error);
}

static void talk_to_any(struct run *run, smtp_session_t session, const struct addresses *addresses)
{
    for (size_t i = 0; i < addresses->count && !run->connected; i++)
        talk(run, session, &addresses->list[i]);
    if (!addresses->count)
        talk(run, session, NULL);
    if (!run->connected)
        resolver_forget(run->setup->resolver);
}

/* --- what came of it --- */

static const smtp_status_t *status_at(const struct mail *m, enum smtp_stage stage)
{
    switch (stage) {
    case SMTP_AT_MAIL:
        return smtp_reverse_path_status(m->message);
    case SMTP_AT_RCPT:
        return smtp_recipient_status(m->recipient);
    case SMTP_AT_END:
        break;
    }
    return smtp_message_transfer_status(m->message);
}

static void judge(struct mail *m)
{
    enum smtp_stage stage;
    struct smtp_item *item = m->item;
    m->seen.mail = smtp_reverse_path_status(m->message)->code;
    m->seen.rcpt = smtp_recipient_status(m->recipient)->code;
    item->fate = smtp_verdict(&m->seen, &stage);
    if (item->fate == SMTP_NOT_SENT || item->fate == SMTP_IN_DOUBT)
        return;
    const smtp_status_t *status = status_at(m, stage);
    AUTO_BUF text = {0};
    if (status->enh_class)
        buf_printf(&text, "%d.%d.%d ", status->enh_class, status->enh_subject, status->enh_detail);
    buf_add_text(&text, status->text ? status->text : "");
    item->code = status->code;
    smtp_clean(buf_text(&text), text.length, item->reply);
}

static int failed(struct err *err, const char *code, const char *what, const char *detail)
{
    return err_set(err, ERR_TEMPORARY, code, "SMTP: %s%s%s", what, *detail ? ": " : "", detail);
}

/* The server's last words in this phase. */
static int failed_reply(const struct run *run, struct err *err, const char *code, const char *what)
{
    AUTO_TEXT reply = mem_printf("%d %s", run->watch.code, run->watch.text);
    if (run->watch.code < 100)
        return failed(err, run->watch.code ? code : "smtp-lost", what,
            run->watch.code ? "the server does not speak SMTP" : "the connection was lost");
    return failed(err, code, what, reply);
}

static int explain_tls(const struct run *run, struct err *err)
{
    if (run->watch.code && run->watch.code != 220)
        return failed_reply(run, err, "smtp-tls", "STARTTLS");
    if (!run->watch.code)
        return failed(err, "smtp-lost", "STARTTLS", "the connection was lost");
    return failed(err, "smtp-tls", "TLS handshake", smtp_tls_failure(run->setup->tls));
}

/* Why the session ended early. */
static int explain(const struct run *run, struct err *err)
{
    const struct smtp_watch *w = &run->watch;
    if (run->late)
        return failed(err, "smtp-slow", "there was no more time for this session", "");
    if (!run->connected)
        return failed(err, "smtp-connect", run->setup->config->smtp.host, run->connect_error);
    if (w->distrust && (!w->want_auth || w->authenticated || !w->tls))
        return failed(err, w->want_tls ? "smtp-tls" : "smtp-lost", "session cut", w->distrust);
    if (w->distrust)
        return w->phase == WATCH_AUTH
                   ? failed_reply(run, err, "smtp-auth", "AUTH")
                   : failed(err, "smtp-auth", "AUTH", "nothing usable is offered");
    if (run->no_starttls)
        return failed(err, "smtp-tls", "the server offers no STARTTLS", "");
    switch (w->phase) {
    case WATCH_GREETING:
        return failed_reply(run, err, "smtp-server", "greeting");
    case WATCH_EHLO:
        return failed_reply(run, err, "smtp-server", "EHLO");
    case WATCH_STARTTLS:
        return explain_tls(run, err);
    case WATCH_AUTH:
        return failed_reply(run, err, "smtp-auth", "AUTH");
    case WATCH_MAIL:
        break;
    }
    return run->closing ? failed(err, "smtp-server", "the server closes (421)", "")
                        : failed(err, "smtp-lost", "the connection was lost", "");
}

static int finish(struct run *run, struct err *err)
{
    bool early = run->closing;
    run->late |= clock_monotonic_ms() >= run->setup->end_until_ms;
    for (size_t i = 0; i < run->count; i++) {
        judge(&run->mails[i]);
        const enum smtp_fate fate = run->mails[i].item->fate;
        early |= fate == SMTP_NOT_SENT || fate == SMTP_IN_DOUBT;
    }
    if (!early)
        return 0;
    explain(run, err);
    for (size_t i = 0; i < run->count; i++) {
        struct smtp_item *item = run->mails[i].item;
        if (item->fate == SMTP_NOT_SENT || item->fate == SMTP_IN_DOUBT)
            smtp_clean(err->text, strlen(err->text), item->reply);
    }
    return -1;
}

int smtp_session_run(
    const struct smtp_setup *setup, struct smtp_item *const *items, size_t n, struct err *err)
{
    struct run run = {.setup = setup, .count = n};
    struct addresses addresses;
    if (resolver_find(setup->resolver, setup->config->smtp.timeout_ms, &addresses, err))
        return -1;
    CLEANUP(session_auto_free) smtp_session_t session = smtp_create_session();
    CLEANUP(auth_auto_free) auth_context_t auth = setup->password ? auth_create_context() : NULL;
    AUTO_TEXT memory = mem_zero(n, sizeof *run.mails);
    run.mails = (struct mail *)(void *)memory;
    for (size_t i = 0; i < n; i++)
        run.mails[i] = (struct mail){.run = &run, .item = items[i]};
    if (!session || fill_session(&run, session, auth))
        return failed(err, "smtp-lost", "libesmtp", "out of memory");
    if (watchdog_start(&run.dog, err))
        return -1;
    talk_to_any(&run, session, &addresses);
    watchdog_stop(&run.dog);
    return finish(&run, err);
}

/*
 * Handing finished messages to one SMTP server with libesmtp. A struct smtp holds what a session
 * needs (server, password, TLS); it is used by one thread at a time, and several may exist.
 * smtp_send blocks: name look-up, connect and each reply are bounded by config_smtp.timeout_ms.
 *
 * libesmtp calls a session a success after nearly anything; here every message's fate is worked
 * out from what was seen for that message alone (design: hazards). What it dies of: nothing; a
 * session that cannot be trusted (plaintext behind STARTTLS, MAIL before AUTH or TLS) is cut
 * before a byte of mail goes out.
 *
 * CHUNKING is not used even where it is offered (smtp_watch.h says why), nor a client certificate.
 *
 * While a session runs, SIGURG is taken by the thread (a watchdog that ends what libesmtp would
 * wait for without bound), and SIGPIPE is ignored by the process if nobody handles it.
 */
#ifndef CERTQ_MAIL_SMTP_H
#define CERTQ_MAIL_SMTP_H

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

struct smtp;

/* What became of one message. */
enum smtp_fate {
    SMTP_NOT_SENT,  /* its turn never came: nothing of it was accepted; send it again */
    SMTP_DELIVERED, /* the server took responsibility: RCPT 2xx and end of message 2xx */
    SMTP_TEMPORARY, /* the server said later (4xx, or 5xx that is about us): send it again */
    SMTP_REJECTED,  /* the server refuses this recipient or this message for good (5xx) */
    SMTP_IN_DOUBT,  /* sent, but the answer was lost: may have been accepted (I5) */
};

#define SMTP_REPLY 256

struct smtp_item {
    const char *recipient; /* borrowed; addr-spec */
    struct bytes message;  /* borrowed; CRLF line ends, from message_compose */
    /* set by smtp_send for every item, whatever it returns: */
    enum smtp_fate fate;
    int code;               /* the reply that decided, 0 when there was none */
    char reply[SMTP_REPLY]; /* its text, or why there was none: one printable ASCII line */
};

/*
 * Reads the password file and the CA bundle. ERR_INPUT names what is wrong (an address or file
 * that cannot be used, a password to be sent in the clear to a host that is not loopback, an IPv6
 * literal, which libesmtp cannot take). `config` is borrowed and must outlive it.
 */
int smtp_new(const struct config_mail *config, struct smtp **ret, struct err *err) MUST_USE;
void smtp_free(struct smtp *s);

/*
 * Sends n messages, one recipient each, in sessions of at most config_smtp.session. 0: the server
 * gave its verdict on each. -1 (temporary; code smtp-connect, smtp-tls, smtp-auth, smtp-server or
 * smtp-lost): a session ended early; what had no turn is SMTP_NOT_SENT, at most one item is
 * SMTP_IN_DOUBT, and err says why. An item that cannot be sent at all (address, line ends, empty)
 * is SMTP_REJECTED with code 0 and harms no other.
 */
int smtp_send(struct smtp *s, struct smtp_item *items, size_t n, struct err *err) MUST_USE;
/*
 * The same within bounds: no message but the first is begun `begin_ms` after the call, and what is
 * still under way after `end_ms` is broken off. -1 with code smtp-slow when time ran out; what had
 * no turn is then SMTP_NOT_SENT. For who may send only until a mark in a database runs out (I5); a
 * process that was stopped for a while sends nothing more when it goes on.
 */
int smtp_send_within(struct smtp *s, struct smtp_item *items, size_t n, int64_t begin_ms,
    int64_t end_ms, struct err *err) MUST_USE;

const char *smtp_fate_name(enum smtp_fate fate);
DEFINE_AUTO_STRUCT(smtp);

#endif

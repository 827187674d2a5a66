/*
 * Reading along with libesmtp: what its protocol monitor shows is followed here, because the
 * library tells neither whether AUTH succeeded nor what the greeting said, and goes on where it
 * must not. Pure. Inside common/mail only.
 */
#ifndef CERTQ_MAIL_SMTP_WATCH_H
#define CERTQ_MAIL_SMTP_WATCH_H

#include "mail/smtp.h"

enum watch_phase { WATCH_GREETING, WATCH_EHLO, WATCH_STARTTLS, WATCH_AUTH, WATCH_MAIL };

struct smtp_watch {
    bool want_tls, want_auth; /* what must have succeeded before MAIL */
    bool tls;                 /* set by the owner after the handshake was verified */
    bool authenticated;       /* 235 was read */
    enum watch_phase phase;
    bool quitting;         /* QUIT was written: what was said before it counts */
    const char *distrust;  /* why the session must be cut; NULL: it need not */
    int code;              /* of the last whole reply, 0: none in this phase */
    char text[SMTP_REPLY]; /* its last line, clean */
    char line[SMTP_REPLY]; /* a reply line that has not ended yet, its beginning */
    size_t line_length;
};

void watch_reset(struct smtp_watch *w, bool want_tls, bool want_auth);
/* Bytes about to be written, whole commands or AUTH answers. False: cut the connection first. */
bool watch_write(struct smtp_watch *w, const char *data, size_t length);
/*
 * Bytes that were read, in the library's buffer, before it reads them. False: cut the connection.
 * Spoils the keyword CHUNKING in the reply to EHLO: when a connection is lost while BDAT commands
 * are pipelined, libesmtp 1.1.0 counts replies past its last state and calls a null pointer, and
 * it has no switch for the extension.
 */
bool watch_read(struct smtp_watch *w, char *data, size_t length);

#endif

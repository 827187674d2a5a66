/*
 * What became of a message, from what was seen of it. Pure: libesmtp's own verdict is not asked,
 * because it says success after nearly anything (design: hazards). Inside common/mail only.
 */
#ifndef CERTQ_MAIL_SMTP_VERDICT_H
#define CERTQ_MAIL_SMTP_VERDICT_H

#include "mail/smtp.h"

struct smtp_seen {
    int mail, rcpt, end; /* reply codes to MAIL, RCPT, and DATA or the message; 0: none came */
    bool started;        /* the library was given bytes of the message */
    bool ended;          /* it asked on after the last byte: only then does it finish the message */
    bool answered;       /* it reported the end of the message (`end` is about the whole of it) */
};

/* Which reply decided. */
enum smtp_stage { SMTP_AT_MAIL, SMTP_AT_RCPT, SMTP_AT_END };

/*
 * A 5xx at RCPT or about the message is for good, unless the code speaks of the session and not of
 * the mail (500, 502, 503, 521, 530, 534, 535, 538). A 5xx at MAIL is about our sender, except 552
 * (size): an operator can put that right, so it is temporary.
 */
enum smtp_fate smtp_verdict(const struct smtp_seen *seen, enum smtp_stage *ret_stage);

/* Server text (any bytes, lines) as one printable ASCII line, cut to fit. */
void smtp_clean(const char *text, size_t length, char ret[static SMTP_REPLY]);

#endif

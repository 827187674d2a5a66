/*
 * Composing one message with GMime: text/plain in UTF-8, encoded headers (RFC 2047), CRLF line
 * ends, 7-bit, lines of at most 78 bytes (998 for an ASCII name or subject without spaces). The
 * same facts give the same bytes (X1: a repeat carries the same Message-ID, Date and text). Nothing
 * blocks; any thread.
 */
#ifndef CERTQ_MAIL_MESSAGE_H
#define CERTQ_MAIL_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

/* All borrowed for the call. Text is UTF-8; names and subject are one line (utf8_is_line). */
struct message_facts {
    const char *id;               /* the mail's id: Message-ID is <id@id_domain> */
    const char *id_domain;        /* config_mail.message_id_domain */
    const char *from, *from_name; /* addr-spec; display name or NULL */
    const char *to, *to_name;
    const char *subject;
    const char *language;    /* Content-Language: "ja" */
    int64_t date_ms;         /* the job's time, not now */
    int date_offset_minutes; /* of the Date header: 540 for Japan */
    struct bytes body;       /* UTF-8, LF line ends; struct secret's bytes fit */
};

/*
 * Appends the finished message. ERR_INPUT names the fact that cannot go into a message (an
 * address that address_check refuses, a control character, no UTF-8, a body over 1 MiB).
 */
int message_compose(const struct message_facts *facts, struct buf *ret, struct err *err) MUST_USE;
/* Wipes and frees a composed message: it may hold a code (X5). */
void message_wipe(struct buf *message);

#endif

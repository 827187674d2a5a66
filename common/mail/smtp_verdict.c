#include "mail/smtp_verdict.h"

#include <string.h>

static bool is_about_the_session(int code)
{
    static const int codes[] = {500, 502, 503, 521, 530, 534, 535, 538};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i] == code)
            return true;
    return false;
}

/* Of a reply that is not 2xx and did come. */
static enum smtp_fate refusal(int code)
{
    return code / 100 == 5 && !is_about_the_session(code) ? SMTP_REJECTED : SMTP_TEMPORARY;
}

/* RCPT said 2xx. */
static enum smtp_fate at_end(const struct smtp_seen *s)
{
    if (!s->started) {
        /* Not a byte left us. A 2xx or 3xx here answered DATA out of order, or we stopped. */
        if (s->end / 100 == 4 || s->end / 100 == 5)
            return refusal(s->end);
        return s->answered && s->end ? SMTP_TEMPORARY : SMTP_NOT_SENT;
    }
    if (!s->ended)
        return SMTP_NOT_SENT; /* the message was never finished, so it cannot be accepted */
    if (!s->answered)
        return SMTP_IN_DOUBT; /* BDAT leaves the code of an earlier chunk in `end` */
    if (s->end / 100 == 2)
        return SMTP_DELIVERED;
    return s->end / 100 == 4 || s->end / 100 == 5 ? refusal(s->end) : SMTP_IN_DOUBT;
}

enum smtp_fate smtp_verdict(const struct smtp_seen *s, enum smtp_stage *ret_stage)
{
    *ret_stage = SMTP_AT_MAIL;
    if (!s->mail)
        return SMTP_NOT_SENT;
    if (s->mail / 100 != 2)
        return s->mail == 552 ? SMTP_REJECTED : SMTP_TEMPORARY;
    *ret_stage = SMTP_AT_RCPT;
    if (!s->rcpt) /* BDAT may have gone out behind RCPT */
        return s->started && s->ended ? SMTP_IN_DOUBT : SMTP_NOT_SENT;
    if (s->rcpt / 100 != 2)
        return refusal(s->rcpt);
    *ret_stage = SMTP_AT_END;
    return at_end(s);
}

void smtp_clean(const char *text, size_t length, char ret[static SMTP_REPLY])
{
    size_t n = 0;
    for (size_t i = 0; i < length && text[i] && n < SMTP_REPLY - 1; i++) {
        char c = text[i];
        if (c == '\r' || c == '\n' || c == '\t')
            c = ' ';
        if (c == ' ' && (n == 0 || ret[n - 1] == ' '))
            continue;
        ret[n++] = c >= 0x20 && c < 0x7f ? c : '?';
    }
    while (n && ret[n - 1] == ' ')
        n--;
    ret[n] = 0;
}

#include "mail/smtp_watch.h"

#include "mail/smtp_verdict.h"

#include <string.h>
#include <strings.h>

void watch_reset(struct smtp_watch *w, bool want_tls, bool want_auth)
{
    *w = (struct smtp_watch){.want_tls = want_tls, .want_auth = want_auth};
}

static void enter(struct smtp_watch *w, enum watch_phase phase)
{
    w->phase = phase;
    w->code = 0;
    w->text[0] = 0;
    w->line_length = 0;
}

static bool is_verb(const char *line, size_t length, const char *verb)
{
    size_t n = strlen(verb);
    return length >= n && !strncasecmp(line, verb, n) &&
           (length == n || line[n] == ' ' || line[n] == '\r');
}

static void see_command(struct smtp_watch *w, const char *line, size_t length)
{
    if (w->phase == WATCH_AUTH && w->code == 334)
        w->code = 0; /* an answer to a challenge, no command */
    else if (is_verb(line, length, "EHLO") || is_verb(line, length, "HELO"))
        enter(w, WATCH_EHLO);
    else if (is_verb(line, length, "STARTTLS"))
        enter(w, WATCH_STARTTLS);
    else if (is_verb(line, length, "AUTH"))
        enter(w, WATCH_AUTH);
    else if (is_verb(line, length, "QUIT"))
        w->quitting = true;
    else if (is_verb(line, length, "MAIL")) {
        if (w->want_tls && !w->tls)
            w->distrust = "MAIL without verified TLS";
        else if (w->want_auth && !w->authenticated)
            w->distrust = "not authenticated";
        else
            enter(w, WATCH_MAIL);
    }
}

bool watch_write(struct smtp_watch *w, const char *data, size_t length)
{
    while (length && !w->distrust) {
        const char *end = memchr(data, '\n', length);
        size_t n = end ? (size_t)(end - data) + 1 : length;
        see_command(w, data, n);
        data += n;
        length -= n;
    }
    return !w->distrust;
}

/* A whole line of a reply: "250-text" goes on, "250 text" is the last. */
static void see_line(struct smtp_watch *w)
{
    const char *p = w->line;
    int code = 0;
    for (int i = 0; i < 3; i++)
        code = w->line_length > 3 && p[i] >= '0' && p[i] <= '9' && code >= 0
                   ? code * 10 + (p[i] - '0')
                   : -1;
    if (code < 0 || p[3] != '-') {
        w->code = code > 0 ? code : 1; /* 1: something that is no reply */
        size_t skip = code > 0 ? 4 : 0;
        smtp_clean(w->line + skip, w->line_length - skip, w->text);
        if (w->phase == WATCH_AUTH && code == 235)
            w->authenticated = true;
    }
    w->line_length = 0;
}

/* Its last letter has just been read into the line. However the reads fall, that one is ours. */
static bool ends_chunking(const struct smtp_watch *w)
{
    static const char keyword[] = "CHUNKING";
    return w->phase == WATCH_EHLO && w->line_length == 4 + strlen(keyword) &&
           !strncasecmp(w->line + 4, keyword, strlen(keyword));
}

bool watch_read(struct smtp_watch *w, char *data, size_t length)
{
    for (size_t i = 0; i < length && !w->distrust && !w->quitting; i++) {
        /* RFC 3207 4.2: nothing may follow the 220 in the clear; the library would take it for
         * the replies of the TLS session. */
        if (w->phase == WATCH_STARTTLS && w->code)
            w->distrust = "plaintext behind the reply to STARTTLS";
        if (w->line_length < sizeof w->line - 1)
            w->line[w->line_length++] = data[i];
        if (ends_chunking(w))
            data[i] = 'X';
        if (data[i] == '\n')
            see_line(w);
    }
    return !w->distrust;
}

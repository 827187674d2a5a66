#include "mail/message.h"

#include "base/address.h"
#include "base/hex.h"
#include "base/secret.h"
#include "base/utf8.h"

#include <gmime/gmime.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BODY_MOST (1u << 20)
#define LINE_MOST 500u /* bytes of a header's text: however it is encoded, lines stay under 998 */
#define PLAIN_MOST 60  /* bytes of a header's text that need no folding, nor a look at it */
#define WORD_BYTES 39  /* of text in one encoded word: 64 columns */

DEFINE_AUTO(gmime_headers, GMimeHeaderList, g_object_unref);
DEFINE_AUTO(gmime_format, GMimeFormatOptions, g_mime_format_options_free);

static int check_line(const char *what, const char *text, struct err *err)
{
    struct bytes b = bytes_of_text(text);
    if (b.length > LINE_MOST)
        return err_set(err, ERR_INPUT, NULL, "mail: %s is longer than %u bytes", what, LINE_MOST);
    if (!utf8_is_line(b))
        return err_set(err, ERR_INPUT, NULL, "mail: %s is not one line of text", what);
    return 0;
}

static int check_address(const char *what, const char *text, struct err *err)
{
    return address_check(text, err) ? err_context(err, "mail: %s", what) : 0;
}

/* dot-atom (RFC 5322 3.2.3) without what nobody puts into a Message-ID. */
static int check_word(const char *what, const char *text, struct err *err)
{
    size_t n = strlen(text);
    if (!n || n > 128 || text[0] == '.' || text[n - 1] == '.' || strstr(text, "..") ||
        strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") != n)
        return err_set(err, ERR_INPUT, NULL, "mail: %s cannot be part of a Message-ID", what);
    return 0;
}

static int check_body(struct bytes body, struct err *err)
{
    if (!body.length || body.length > BODY_MOST)
        return err_set(err, ERR_INPUT, NULL, "mail: the body is empty or over 1 MiB");
    if (!utf8_is_valid(body))
        return err_set(err, ERR_INPUT, NULL, "mail: the body is no UTF-8");
    for (size_t i = 0; i < body.length; i++)
        if ((body.data[i] < 0x20 && body.data[i] != '\n' && body.data[i] != '\t') ||
            body.data[i] == 0x7f)
            return err_set(err, ERR_INPUT, NULL, "mail: the body has a control character");
    return 0;
}

static int check_facts(const struct message_facts *f, struct err *err)
{
    if (check_word("the id", f->id, err) || check_word("the id's domain", f->id_domain, err) ||
        check_word("the language", f->language, err) || check_address("from", f->from, err) ||
        check_address("to", f->to, err) || check_line("the subject", f->subject, err))
        return -1;
    if (f->from_name && check_line("the sender's name", f->from_name, err))
        return -1;
    if (f->to_name && check_line("the recipient's name", f->to_name, err))
        return -1;
    if (f->date_offset_minutes < -14 * 60 || f->date_offset_minutes > 14 * 60)
        return err_set(err, ERR_INPUT, NULL, "mail: the zone's offset is beyond 14 hours");
    return check_body(f->body, err);
}

/* What may stand in a header as it is. "=?" would be read as an encoded word. */
static bool is_plain(const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p & 0x80)
            return false;
    return !strstr(text, "=?");
}

static size_t count_lines(struct bytes text)
{
    size_t n = 0;
    const uint8_t *p = text.data, *end = p + text.length;
    for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        n++;
    return n;
}

/* Text with LF line ends, which become CRLF. */
static void add_crlf(struct buf *ret, struct bytes text)
{
    while (text.length) {
        const uint8_t *end = memchr(text.data, '\n', text.length);
        const size_t n = end ? (size_t)(end - text.data) : text.length;
        buf_add(ret, text.data, n);
        if (end)
            buf_add(ret, "\r\n", 2);
        text.data += n + (end != NULL);
        text.length -= n + (end != NULL);
    }
}

/*
 * The end of the longest run of whole characters (RFC 2047 section 5) from p of at most `most`
 * bytes and, unless it reaches the end, a multiple of `step`; p itself when there is none.
 */
static const uint8_t *word_end(const uint8_t *p, const uint8_t *end, ptrdiff_t most, int step)
{
    const uint8_t *found = p;
    for (const uint8_t *next = p; next < end;) {
        utf8_next(&next, end);
        if (next - p > most)
            break;
        if ((next - p) % step == 0 || next == end)
            found = next;
    }
    return found;
}

/*
 * `text` as encoded words, one a line, each line at most 76 columns behind any header name of ours.
 * GMime makes one word of a text without spaces, however long, which RFC 2047 section 2 forbids and
 * some readers show raw. Some readers join the base64 of words, so only the last one has padding; a
 * stretch that allows no such cut (a four-byte character shifts all that follow) goes out as Q.
 */
static void add_words(struct buf *ret, const char *text)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + strlen(text);
    for (bool first = true; p < end; first = false) {
        const uint8_t *next = word_end(p, end, WORD_BYTES, 3);
        const bool is_q = next == p;
        buf_printf(ret, "%s =?UTF-8?%c?", first ? "" : "\n", is_q ? 'Q' : 'B');
        if (is_q)
            for (next = word_end(p, end, WORD_BYTES / 2, 1); p < next; p++)
                buf_printf(ret, "=%02X", *p);
        else
            base64_encode((struct bytes){p, (size_t)(next - p)}, ret);
        buf_add_text(ret, "?=");
        p = next;
    }
}

/* RFC 5322 quoted-string. */
static void add_quoted(struct buf *ret, const char *text)
{
    buf_add_text(ret, " \"");
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_add_char(ret, '\\');
        buf_add_char(ret, *p);
    }
    buf_add_char(ret, '"');
}

/* "Name:" and its text, whose folded lines end with LF, as they travel. */
static void add_header(struct buf *ret, const char *name, const struct buf *text)
{
    buf_add_text(ret, name);
    buf_add_char(ret, ':');
    add_crlf(ret, buf_bytes(text));
    buf_add_text(ret, "\r\n");
}

static void add_mailbox(struct buf *ret, const char *header, const char *name, const char *address)
{
    AUTO_BUF text = {0};
    if (!name || !*name) {
        buf_printf(&text, " %s", address);
    } else {
        if (is_plain(name))
            add_quoted(&text, name);
        else
            add_words(&text, name);
        const char *last = strrchr(buf_text(&text), '\n');
        size_t columns =
            strlen(last ? last + 1 : buf_text(&text)) + (last ? 0 : strlen(header) + 1);
        bool fits = columns + strlen(address) + strlen(" <>") <= 76;
        buf_printf(&text, "%s <%s>", fits ? "" : "\n", address);
    }
    add_header(ret, header, &text);
}

/* GMime folds what is plain and too long for a line. */
static void add_folded(struct buf *ret, const char *name, const char *text)
{
    AUTO_TYPE(gmime_headers, GMimeHeaderList) *headers = g_mime_header_list_new(NULL);
    AUTO_TYPE(gmime_format, GMimeFormatOptions) *format = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
    g_mime_header_list_append(headers, name, text, NULL);
    gchar *folded = g_mime_header_list_to_string(headers, format);
    buf_add_text(ret, folded);
    g_free(folded);
}

static void add_subject(struct buf *ret, const char *subject)
{
    const size_t n = strlen(subject);
    AUTO_BUF text = {0};
    if (!is_plain(subject))
        add_words(&text, subject);
    else if (n && n <= PLAIN_MOST && subject[0] != ' ' && subject[n - 1] != ' ')
        buf_printf(&text, " %s", subject);
    else {
        add_folded(ret, "Subject", subject);
        return;
    }
    add_header(ret, "Subject", &text);
}

/* RFC 5322 3.3. */
static void add_date(struct buf *ret, int64_t time_ms, int offset_minutes)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t local = (time_t)(time_ms / 1000 + offset_minutes * 60);
    const int off = abs(offset_minutes);
    struct tm tm;
    gmtime_r(&local, &tm);
    buf_printf(ret, "Date: %s, %02d %s %04d %02d:%02d:%02d %c%02d%02d\r\n", days[tm.tm_wday],
        tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
        offset_minutes < 0 ? '-' : '+', off / 60, off % 60);
}

static void add_headers(
    struct buf *ret, const struct message_facts *f, GMimeContentEncoding encoding)
{
    buf_add_text(ret, "Content-Type: text/plain; charset=utf-8\r\n");
    add_date(ret, f->date_ms, f->date_offset_minutes);
    add_mailbox(ret, "From", f->from_name, f->from);
    add_mailbox(ret, "To", f->to_name, f->to);
    add_subject(ret, f->subject);
    buf_printf(ret, "Message-ID: <%s@%s>\r\n", f->id, f->id_domain);
    /* RFC 3834: no vacation notices in return. */
    buf_printf(ret,
        "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Language: %s\r\n"
        "Content-Transfer-Encoding: %s\r\n\r\n",
        f->language, g_mime_content_encoding_to_string(encoding));
}

/* Mostly ASCII stays readable in the source; anything else is shorter in base64. */
static GMimeContentEncoding choose_encoding(struct bytes body)
{
    size_t high = 0;
    for (size_t i = 0; i < body.length; i++)
        high += body.data[i] >= 0x80;
    return high * 6 > body.length ? GMIME_CONTENT_ENCODING_BASE64
                                  : GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
}

/*
 * The content as the encoder wants it: base64 hides line ends, so they are CRLF already (RFC 2046
 * 4.1.1); quoted-printable wants LF. Ends with a line end.
 */
static void add_content(struct buf *ret, struct bytes body, GMimeContentEncoding encoding)
{
    const bool crlf = encoding == GMIME_CONTENT_ENCODING_BASE64;
    while (body.length) {
        const uint8_t *end = memchr(body.data, '\n', body.length);
        const size_t n = end ? (size_t)(end - body.data) : body.length;
        buf_add(ret, body.data, n);
        buf_add_text(ret, crlf ? "\r\n" : "\n");
        body.data += n + (end != NULL);
        body.length -= n + (end != NULL);
    }
}

/* The body as it travels, but for its line ends, which are LF. */
static void encode(struct buf *ret, struct bytes body, GMimeContentEncoding encoding)
{
    CLEANUP(message_wipe) struct buf text = {0};
    buf_reserve(&text, 2 * body.length + 2); /* it may hold a code: no copies are left behind */
    add_content(&text, body, encoding);
    GMimeEncoding state;
    g_mime_encoding_init_encode(&state, encoding);
    char *to = (char *)buf_reserve(ret, g_mime_encoding_outlen(&state, text.length));
    ret->length += g_mime_encoding_flush(&state, buf_text(&text), text.length, to);
}

static void start_gmime(void)
{
    g_mime_init();
}

int message_compose(const struct message_facts *facts, struct buf *ret, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (check_facts(facts, err))
        return -1;
    pthread_once(&once, start_gmime);
    const GMimeContentEncoding encoding = choose_encoding(facts->body);
    AUTO_BUF headers = {0};
    CLEANUP(message_wipe) struct buf body = {0};
    add_headers(&headers, facts, encoding);
    encode(&body, facts->body, encoding);
    buf_reserve(ret, headers.length + body.length + count_lines(buf_bytes(&body)));
    buf_add(ret, headers.data, headers.length);
    add_crlf(ret, buf_bytes(&body));
    return 0;
}

void message_wipe(struct buf *message)
{
    if (message->data)
        secret_wipe(message->data, message->capacity);
    buf_free(message);
}

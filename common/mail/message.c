#include "mail/message.h"

#include "base/address.h"
#include "base/hex.h"
#include "base/secret.h"
#include "base/utf8.h"

#include <gmime/gmime.h>
#include <pthread.h>
#include <string.h>

#define BODY_MOST (1u << 20)
#define LINE_MOST 500u /* bytes of a header's text: however it is encoded, lines stay under 998 */
#define WORD_BYTES 39  /* of text in one encoded word: 64 columns */

DEFINE_AUTO(gmime_part, GMimePart, g_object_unref);
DEFINE_AUTO(gmime_wrapper, GMimeDataWrapper, g_object_unref);
DEFINE_AUTO(gmime_stream, GMimeStream, g_object_unref);
DEFINE_AUTO(gmime_format, GMimeFormatOptions, g_mime_format_options_free);
DEFINE_AUTO(gdate, GDateTime, g_date_time_unref);
DEFINE_AUTO(gzone, GTimeZone, g_time_zone_unref);

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

/* A header whose folded bytes are ready: GMime writes them as they are. */
static void set_raw(GMimeObject *part, const char *name, struct buf *raw)
{
    GMimeHeaderList *headers = g_mime_object_get_header_list(part);
    g_mime_header_list_append(headers, name, "", NULL);
    GMimeHeader *header =
        g_mime_header_list_get_header_at(headers, g_mime_header_list_get_count(headers) - 1);
    buf_add_char(raw, '\n');
    g_mime_header_set_raw_value(header, buf_text(raw));
}

static void set_mailbox(
    GMimeObject *part, const char *header, const char *name, const char *address)
{
    AUTO_BUF raw = {0};
    if (!name || !*name) {
        buf_printf(&raw, " %s", address);
    } else {
        if (is_plain(name))
            add_quoted(&raw, name);
        else
            add_words(&raw, name);
        const char *last = strrchr(buf_text(&raw), '\n');
        size_t columns = strlen(last ? last + 1 : buf_text(&raw)) + (last ? 0 : strlen(header) + 1);
        bool fits = columns + strlen(address) + strlen(" <>") <= 76;
        buf_printf(&raw, "%s <%s>", fits ? "" : "\n", address);
    }
    set_raw(part, header, &raw);
}

static void set_subject(GMimeObject *part, const char *subject)
{
    if (is_plain(subject)) {
        g_mime_object_append_header(part, "Subject", subject, NULL);
        return;
    }
    AUTO_BUF raw = {0};
    add_words(&raw, subject);
    set_raw(part, "Subject", &raw);
}

static void set_date(GMimeObject *part, int64_t time_ms, int offset_minutes)
{
    AUTO_TYPE(gzone, GTimeZone) *zone = g_time_zone_new_offset(offset_minutes * 60);
    AUTO_TYPE(gdate, GDateTime) *utc = g_date_time_new_from_unix_utc(time_ms / 1000);
    AUTO_TYPE(gdate, GDateTime) *date = g_date_time_to_timezone(utc, zone);
    gchar *text = g_mime_utils_header_format_date(date);
    g_mime_object_append_header(part, "Date", text, NULL);
    g_free(text);
}

/* All headers sit on the one part: a GMimeMessage around it parses them back and adds nothing. */
static void set_headers(GMimeObject *part, const struct message_facts *f)
{
    AUTO_BUF id = {0};
    buf_printf(&id, " <%s@%s>", f->id, f->id_domain);
    set_date(part, f->date_ms, f->date_offset_minutes);
    set_mailbox(part, "From", f->from_name, f->from);
    set_mailbox(part, "To", f->to_name, f->to);
    set_subject(part, f->subject);
    set_raw(part, "Message-ID", &id);
    /* RFC 3834: no vacation notices in return. */
    g_mime_object_append_header(part, "Auto-Submitted", "auto-generated", NULL);
    g_mime_object_append_header(part, "MIME-Version", "1.0", NULL);
    g_mime_object_append_header(part, "Content-Language", f->language, NULL);
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
 * The content as GMime wants it: base64 hides line ends from the CRLF conversion on writing, so
 * they are CRLF already (RFC 2046 4.1.1); quoted-printable wants LF. Ends with a line end.
 */
static GMimeStream *content(struct bytes body, GMimeContentEncoding encoding)
{
    CLEANUP(message_wipe) struct buf text = {0};
    buf_reserve(&text, 2 * body.length + 2);
    const bool crlf = encoding == GMIME_CONTENT_ENCODING_BASE64;
    while (body.length) {
        const uint8_t *end = memchr(body.data, '\n', body.length);
        const size_t n = end ? (size_t)(end - body.data) : body.length;
        buf_add(&text, body.data, n);
        buf_add_text(&text, crlf ? "\r\n" : "\n");
        body.data += n + (end != NULL);
        body.length -= n + (end != NULL);
    }
    return g_mime_stream_mem_new_with_buffer((const char *)text.data, text.length);
}

static void set_body(GMimePart *part, struct bytes body)
{
    const GMimeContentEncoding encoding = choose_encoding(body);
    AUTO_TYPE(gmime_stream, GMimeStream) *stream = content(body, encoding);
    AUTO_TYPE(gmime_wrapper, GMimeDataWrapper) *wrapper =
        g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
    g_mime_object_set_content_type_parameter(GMIME_OBJECT(part), "charset", "utf-8");
    g_mime_part_set_content_encoding(part, encoding);
    g_mime_part_set_content(part, wrapper);
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
    AUTO_TYPE(gmime_part, GMimePart) *part = g_mime_part_new_with_type("text", "plain");
    set_headers(GMIME_OBJECT(part), facts);
    set_body(part, facts->body);
    AUTO_TYPE(gmime_format, GMimeFormatOptions) *format = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
    AUTO_TYPE(gmime_stream, GMimeStream) *stream = g_mime_stream_mem_new();
    if (g_mime_object_write_to_stream(GMIME_OBJECT(part), format, stream) < 0)
        return err_set(err, ERR_FATAL, NULL, "mail: GMime could not write a message to memory");
    GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
    buf_add(ret, bytes->data, bytes->len);
    secret_wipe(bytes->data, bytes->len);
    return 0;
}

void message_wipe(struct buf *message)
{
    if (message->data)
        secret_wipe(message->data, message->capacity);
    buf_free(message);
}

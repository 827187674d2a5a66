/* links: mail */
#include "base/mem.h"
#include "mail/message.h"

#include <gmime/gmime.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static struct message_facts facts_with(const char *subject, const char *body)
{
    return (struct message_facts){
        .id = "0190a0b0-0000-7000-8000-00000000000f",
        .id_domain = "mail.example.jp",
        .from = "ca@example.jp",
        .from_name = "会員向け電子認証サービス",
        .to = "taro@example.com",
        .to_name = "証明 太郎",
        .subject = subject,
        .language = "ja",
        .date_ms = 1775003400000,
        .date_offset_minutes = 540,
        .body = bytes_of_text(body),
    };
}

static void compose(const struct message_facts *facts, struct buf *ret)
{
    struct err err = {0};
    if (message_compose(facts, ret, &err))
        fail_msg("%s", err.text);
}

/* Nothing but 7-bit lines of at most `most` bytes, each ended by CRLF. */
static void check_lines(const struct buf *message, size_t most)
{
    size_t line = 0;
    for (size_t i = 0; i < message->length; i++) {
        uint8_t c = message->data[i];
        assert_in_range(c, 1, 127);
        if (c == '\n')
            assert_true(i > 0 && message->data[i - 1] == '\r');
        if (c == '\r')
            assert_int_equal(message->data[i + 1], '\n');
        line = c == '\n' ? 0 : line + 1;
        if (line > most + 1)
            fail_msg("a line over %zu bytes: %.100s", most, message->data + i - line);
    }
    assert_int_equal(line, 0);
}

/* RFC 2047 section 2: an encoded word is at most 75 characters. */
static void check_words(const struct buf *message)
{
    const char *p = buf_text(message);
    const char *end = strstr(p, "\r\n\r\n");
    while ((p = strstr(p, "=?")) && p < end) {
        const char *stop = strstr(p + 10, "?=");
        assert_non_null(stop);
        assert_in_range(stop + 2 - p, 13, 75);
        p = stop + 2;
    }
}

static GMimeMessage *parse(const struct buf *message)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(buf_text(message), message->length);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *parsed = g_mime_parser_construct_message(parser, NULL);
    g_object_unref(parser);
    g_object_unref(stream);
    assert_non_null(parsed);
    return parsed;
}

static void check_mailbox(
    GMimeMessage *m, GMimeAddressType type, const char *name, const char *address)
{
    InternetAddress *one =
        internet_address_list_get_address(g_mime_message_get_addresses(m, type), 0);
    assert_non_null(one);
    if (name)
        assert_string_equal(internet_address_get_name(one), name);
    assert_string_equal(internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(one)), address);
}

static char *header_of(GMimeMessage *m, const char *name)
{
    const char *value = g_mime_object_get_header(GMIME_OBJECT(m), name);
    GMimeObject *part = g_mime_message_get_mime_part(m);
    return mem_text(value ? value : g_mime_object_get_header(part, name));
}

/* The decoded text with LF line ends. */
static char *text_of(GMimeMessage *m)
{
    GMimeObject *part = g_mime_message_get_mime_part(m);
    assert_true(GMIME_IS_TEXT_PART(part));
    char *text = g_mime_text_part_get_text(GMIME_TEXT_PART(part));
    AUTO_BUF lf = {0};
    for (const char *p = text; *p; p++)
        if (*p != '\r')
            buf_add_char(&lf, *p);
    g_free(text);
    return buf_take_text(&lf);
}

static void expect_header(GMimeMessage *m, const char *name, const char *value)
{
    AUTO_TEXT text = header_of(m, name);
    assert_non_null(text);
    assert_string_equal(text, value);
}

static void a_message_decodes_to_its_facts(void **state)
{
    (void)state;
    static const struct {
        const char *from_name, *to_name, *subject, *body, *encoding;
    } rows[] = {
        {"会員向け電子認証サービス", "証明 太郎",
            "【会員向け電子認証サービス】証明書コードのお知らせ",
            "証明 太郎 様\n\nABCD-EFGH\n\n末尾\n", "base64"},
        {"Example CA", "Taro Shomei", "Your certificate code",
            "Dear Taro,\n\n.leading dot\n..two\nFrom here\n=3D equals\ntrailing \n",
            "quoted-printable"},
        {NULL, NULL, "x", "no line end", "quoted-printable"},
        {"", "", "caf\u00e9", "na\u00efve caf\u00e9 and a good deal of plain text beside it\n",
            "quoted-printable"},
        {"a \"quoted\" \\ name", "Shomei, Taro <taro> (x)", "=?UTF-8?B?eA==?= as it stands",
            "\n\n\nblank\n\n", "quoted-printable"},
        {"長い名前長い名前長い名前長い名前長い名前長い名前長い名前長い名前長い名前長い名前",
            "𠮷野 髙﨑",
            "件名　全角空白 と half space と emoji \U0001F600 と、とても長い件名がつづきます。"
            "とても長い件名がつづきます。とても長い件名がつづきます。",
            "\U0001F600\tタブ\n", "base64"},
        {"=?x", "a b", "  spaces  kept?", "x\n", "quoted-printable"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct message_facts facts = facts_with(rows[i].subject, rows[i].body);
        facts.from_name = rows[i].from_name;
        facts.to_name = rows[i].to_name;
        AUTO_BUF message = {0};
        compose(&facts, &message);
        check_lines(&message, 78);
        check_words(&message);
        GMimeMessage *m = parse(&message);
        const bool named = rows[i].from_name && *rows[i].from_name;
        check_mailbox(m, GMIME_ADDRESS_TYPE_FROM, named ? rows[i].from_name : NULL, facts.from);
        check_mailbox(m, GMIME_ADDRESS_TYPE_TO, named ? rows[i].to_name : NULL, facts.to);
        const char *subject = g_mime_message_get_subject(m);
        assert_string_equal(subject, rows[i].subject + strspn(rows[i].subject, " "));
        AUTO_TEXT text = text_of(m);
        AUTO_TEXT expected = mem_printf(
            "%s%s", rows[i].body, rows[i].body[strlen(rows[i].body) - 1] == '\n' ? "" : "\n");
        assert_string_equal(text, expected);
        expect_header(m, "Content-Transfer-Encoding", rows[i].encoding);
        expect_header(m, "Content-Type", "text/plain; charset=utf-8");
        g_object_unref(m);
    }
}

static void the_headers_are_ours_and_the_job_s(void **state)
{
    (void)state;
    struct message_facts facts = facts_with("x", "y\n");
    AUTO_BUF message = {0};
    compose(&facts, &message);
    GMimeMessage *m = parse(&message);
    expect_header(m, "Message-ID", "<0190a0b0-0000-7000-8000-00000000000f@mail.example.jp>");
    expect_header(m, "Date", "Wed, 01 Apr 2026 09:30:00 +0900");
    expect_header(m, "Auto-Submitted", "auto-generated");
    expect_header(m, "MIME-Version", "1.0");
    expect_header(m, "Content-Language", "ja");
    AUTO_TEXT none = header_of(m, "Bcc");
    assert_null(none);
    g_object_unref(m);
    AUTO_BUF again = {0};
    compose(&facts, &again);
    assert_true(bytes_equal(buf_bytes(&message), buf_bytes(&again)));
}

static void a_date_is_in_its_zone(void **state)
{
    (void)state;
    static const struct {
        int64_t time_ms;
        int offset_minutes;
        const char *date;
    } rows[] = {
        {0, 0, "Thu, 01 Jan 1970 00:00:00 +0000"},
        {1709218799999, 0, "Thu, 29 Feb 2024 14:59:59 +0000"},
        {1709218800000, 540, "Fri, 01 Mar 2024 00:00:00 +0900"},
        {1709218800000, -210, "Thu, 29 Feb 2024 11:30:00 -0330"},
        {1704067200000, -1, "Sun, 31 Dec 2023 23:59:00 -0001"},
        {4102444799000, 840, "Fri, 01 Jan 2100 13:59:59 +1400"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct message_facts facts = facts_with("x", "y\n");
        facts.date_ms = rows[i].time_ms;
        facts.date_offset_minutes = rows[i].offset_minutes;
        AUTO_BUF message = {0};
        compose(&facts, &message);
        GMimeMessage *m = parse(&message);
        expect_header(m, "Date", rows[i].date);
        g_object_unref(m);
    }
}

/* 60 bytes stand as they are; what is longer is folded, and nothing of it is lost. */
static void a_plain_subject_of_any_length_arrives(void **state)
{
    (void)state;
    char subject[201] = "";
    for (size_t n = 1; n < 200; n++) {
        subject[n - 1] = n % 9 == 0 && n < 199 ? ' ' : (char)('a' + n % 26);
        if (subject[n - 1] == ' ')
            continue;
        struct message_facts facts = facts_with(subject, "y\n");
        AUTO_BUF message = {0};
        compose(&facts, &message);
        check_lines(&message, 78);
        GMimeMessage *m = parse(&message);
        assert_string_equal(g_mime_message_get_subject(m), subject);
        g_object_unref(m);
    }
}

static void a_long_body_arrives_whole(void **state)
{
    (void)state;
    AUTO_BUF body = {0};
    for (int i = 0; i < 4000; i++)
        buf_printf(&body, "%s%d行目%s", i % 7 ? "" : ".", i, i % 50 ? "、" : "\n");
    buf_add_char(&body, '\n');
    struct message_facts facts = facts_with("x", buf_text(&body));
    AUTO_BUF message = {0};
    compose(&facts, &message);
    check_lines(&message, 78);
    GMimeMessage *m = parse(&message);
    AUTO_TEXT text = text_of(m);
    assert_string_equal(text, buf_text(&body));
    g_object_unref(m);
}

static void a_long_line_of_ascii_stays_within_bounds(void **state)
{
    (void)state;
    char line[501];
    memset(line, 'x', 500);
    line[500] = 0;
    struct message_facts facts = facts_with(line, line);
    facts.from_name = facts.to_name = line;
    AUTO_BUF message = {0};
    compose(&facts, &message);
    check_lines(&message, 998);
}

static void what_cannot_go_into_a_message_is_named(void **state)
{
    (void)state;
    char line[502];
    memset(line, 'x', 501);
    line[501] = 0;
    static const struct {
        size_t offset;
        const char *value, *why; /* NULL value: the long line */
    } rows[] = {
#define FACT(name) offsetof(struct message_facts, name)
        {FACT(subject), "a\r\nBcc: x@example.jp", "the subject is not one line"},
        {FACT(subject), "a\nb", "the subject is not one line"},
        {FACT(subject), "\xff", "the subject is not one line"},
        {FACT(subject), NULL, "the subject is longer"},
        {FACT(from_name), "a\rb", "the sender's name is not one line"},
        {FACT(to_name), "a\x7f", "the recipient's name is not one line"},
        {FACT(to_name), NULL, "the recipient's name is longer"},
        {FACT(from), "ca@", "mail: from: e-mail address"},
        {FACT(to), "a@example.jp\r\nBcc: b@example.jp", "mail: to: e-mail address"},
        {FACT(id), "a>b", "the id cannot be"},
        {FACT(id), "", "the id cannot be"},
        {FACT(id), "a@b", "the id cannot be"},
        {FACT(id_domain), "a b", "the id's domain cannot be"},
        {FACT(id_domain), ".a", "the id's domain cannot be"},
        {FACT(language), "ja\r\nX: y", "the language cannot be"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct message_facts facts = facts_with("x", "y");
        struct err err = {0};
        AUTO_BUF message = {0};
        const char *value = rows[i].value ? rows[i].value : line;
        memcpy((char *)&facts + rows[i].offset, &value, sizeof value);
        int result = message_compose(&facts, &message, &err);
        if (!result || err.kind != ERR_INPUT || !strstr(err.text, rows[i].why))
            fail_msg("row %zu: %d %s", i, result, err.text);
        assert_int_equal(message.length, 0);
    }
    static const struct bytes bodies[] = {
        {(const uint8_t *)"", 0},
        {(const uint8_t *)"a\r\nb", 4},
        {(const uint8_t *)"a\0b", 3},
        {(const uint8_t *)"a\xff", 2},
        {(const uint8_t *)"a\x1b[2J", 5},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        struct message_facts facts = facts_with("x", "y");
        struct err err = {0};
        AUTO_BUF message = {0};
        facts.body = bodies[i];
        assert_int_equal(message_compose(&facts, &message, &err), -1);
        assert_int_equal(err.kind, ERR_INPUT);
        assert_non_null(strstr(err.text, "the body"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_decodes_to_its_facts),
        cmocka_unit_test(the_headers_are_ours_and_the_job_s),
        cmocka_unit_test(a_date_is_in_its_zone),
        cmocka_unit_test(a_plain_subject_of_any_length_arrives),
        cmocka_unit_test(a_long_body_arrives_whole),
        cmocka_unit_test(a_long_line_of_ascii_stays_within_bounds),
        cmocka_unit_test(what_cannot_go_into_a_message_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

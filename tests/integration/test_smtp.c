/* links: mail */
#include "catcher.h"

#include "base/clock.h"
#include "mail/message.h"
#include "mail/smtp.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#define GROUP 4
#define TIMEOUT_MS 1000 /* libesmtp knows no shorter one */

static struct catcher plain, secure, locked, stranger; /* TLS; TLS and AUTH; TLS, another name */

static struct config_mail config_for(uint16_t port)
{
    return (struct config_mail){.from = "ca@example.jp",
        .smtp = {.host = "127.0.0.1",
            .port = port,
            .helo = "certq.example.jp",
            .session = 100,
            .timeout_ms = TIMEOUT_MS}};
}

static struct smtp *sender(const struct config_mail *config)
{
    struct smtp *s = NULL;
    struct err err = {0};
    if (smtp_new(config, &s, &err))
        fail_msg("%s", err.text);
    return s;
}

/* --- messages --- */

struct group {
    struct smtp_item items[500];
    struct buf messages[500];
    char recipients[500][32];
    size_t count;
};

static void group_free(struct group *g)
{
    for (size_t i = 0; i < g->count; i++)
        buf_free(&g->messages[i]);
    free(g);
}
DEFINE_AUTO_STRUCT(group);

/* a@, b@, c@ ... when few. */
static struct group *group_new(size_t n)
{
    struct group *g = MEM_NEW(struct group);
    g->count = n;
    for (size_t i = 0; i < n; i++) {
        struct err err = {0};
        char id[32], body[256];
        snprintf(id, sizeof id, "mail-%zu", i);
        snprintf(g->recipients[i], sizeof g->recipients[i],
            n <= 26 ? "%c@example.com" : "%c%zu@example.com", (char)('a' + i % 26), i);
        snprintf(
            body, sizeof body, i % 2 ? "%zu 通目\n.\n..\n\n証明書コード\n" : ".%zu\n.\n..\nx\n", i);
        struct message_facts facts = {.id = id,
            .id_domain = "mail.example.jp",
            .from = "ca@example.jp",
            .from_name = "電子認証サービス",
            .to = g->recipients[i],
            .subject = "証明書コードのお知らせ",
            .language = "ja",
            .date_ms = 1775003400000,
            .body = bytes_of_text(body)};
        if (message_compose(&facts, &g->messages[i], &err))
            fail_msg("%s", err.text);
        g->items[i] = (struct smtp_item){
            .recipient = g->recipients[i], .message = buf_bytes(&g->messages[i])};
    }
    return g;
}

/* "D" delivered, "T" temporary, "R" rejected, "?" in doubt, "-" not sent. */
static void fates_of(const struct group *g, char *text)
{
    for (size_t i = 0; i < g->count; i++)
        text[i] = "-DTR?"[g->items[i].fate];
    text[g->count] = 0;
}

static size_t caught(const struct catcher *c)
{
    AUTO_TYPE(json, json_t) *lines = catcher_index(c);
    return json_array_size(lines);
}

/* --- all is well --- */

static void check_caught(const struct catcher *c, size_t skip, const struct group *g, bool tls)
{
    AUTO_TYPE(json, json_t) *lines = catcher_index(c);
    assert_int_equal(json_array_size(lines), skip + g->count);
    for (size_t i = 0; i < g->count; i++) {
        const json_t *line = json_array_get(lines, skip + i);
        AUTO_BUF message = {0};
        catcher_message(c, line, &message);
        if (!bytes_equal(buf_bytes(&message), g->items[i].message))
            fail_msg("other bytes arrived:\n%s", buf_text(&message));
        assert_string_equal(json_text_at(line, "from"), "ca@example.jp");
        assert_string_equal(json_text_at(line, "to.0"), g->items[i].recipient);
        assert_string_equal(json_text_at(line, "helo"), "certq.example.jp");
        assert_int_equal(json_is_true(json_object_get(line, "tls")), tls);
        assert_int_equal(json_is_true(json_object_get(line, "chunked")), false);
    }
}

static void hundreds_arrive_as_they_were_composed(void **state)
{
    (void)state;
    static const struct {
        const char *behave;
        size_t count, session;
    } rows[] = {
        {"{}", 250, 100},
        {"{\"extensions\": []}", 30, 10},
        {"{\"extensions\": [\"PIPELINING\", \"ENHANCEDSTATUSCODES\", \"DSN\"]}", 30, 1},
        {"{\"extensions\": [\"PIPELINING\", \"CHUNKING\", \"8BITMIME\"]}", 250, 100},
        {"{\"extensions\": [\"CHUNKING\", \"BINARYMIME\"]}", 30, 0},
        {"{\"EHLO\": \"502 what\"}", 30, 100},
        {"{\"slow_ms\": 5}", 10, 100},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct err err = {0};
        struct config_mail config = config_for(plain.port);
        config.smtp.session = rows[i].session;
        AUTO(smtp) s = sender(&config);
        AUTO(group) g = group_new(rows[i].count);
        catcher_behave(&plain, rows[i].behave);
        const size_t before = caught(&plain);
        if (smtp_send(s, g->items, g->count, &err))
            fail_msg("%s: %s", rows[i].behave, err.text);
        for (size_t k = 0; k < g->count; k++) {
            assert_int_equal(g->items[k].fate, SMTP_DELIVERED);
            assert_int_equal(g->items[k].code, 250);
            assert_string_equal(g->items[k].reply, "kept");
        }
        check_caught(&plain, before, g, false);
    }
}

/* --- misbehaviour --- */

struct row {
    const char *behave, *fates, *code; /* NULL: smtp_send returns 0 */
    int kept;                          /* by the server */
};

static void check_row(const struct row *row, const char *extensions)
{
    struct err err = {0};
    struct config_mail config = config_for(plain.port);
    AUTO(smtp) s = sender(&config);
    AUTO(group) g = group_new(GROUP);
    char fates[GROUP + 1];
    AUTO_TEXT behave = mem_printf("{\"extensions\": [%s], %s}", extensions, row->behave);
    catcher_behave(&plain, behave);
    const size_t before = caught(&plain);
    const int64_t start_ms = clock_monotonic_ms();
    const int result = smtp_send(s, g->items, g->count, &err);
    const int64_t took_ms = clock_monotonic_ms() - start_ms;
    fates_of(g, fates);
    if (strcmp(fates, row->fates))
        fail_msg("%s: %s, not %s (%s)", behave, fates, row->fates, err.text);
    if (result != (row->code ? -1 : 0) || strcmp(err.code, row->code ? row->code : ""))
        fail_msg("%s: %d %s %s", behave, result, err.code, err.text);
    if ((int)(caught(&plain) - before) != row->kept)
        fail_msg("%s: %zu kept, not %d", behave, caught(&plain) - before, row->kept);
    if (took_ms > 4 * TIMEOUT_MS)
        fail_msg("%s: took %lld ms", behave, (long long)took_ms);
    for (size_t i = 0; i < g->count; i++)
        if (!g->items[i].reply[0])
            fail_msg("%s: no words for %zu", behave, i);
    if (row->code)
        assert_int_equal(err.kind, ERR_TEMPORARY);
}

static void each_fault_has_its_fate_and_harms_no_other(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"\"CONNECT\": \"421 busy\"", "----", "smtp-server", 0},
        {"\"CONNECT\": \"554 not you\"", "----", "smtp-server", 0},
        {"\"CONNECT\": \"drop\"", "----", "smtp-lost", 0},
        {"\"CONNECT\": \"hang\"", "----", "smtp-lost", 0},
        {"\"CONNECT\": \"SSH-2.0-x\"", "----", "smtp-server", 0},
        {"\"EHLO\": \"421 later\"", "----", "smtp-server", 0},
        {"\"EHLO\": \"550 not you\"", "----", "smtp-server", 0},
        {"\"EHLO\": \"drop\"", "----", "smtp-lost", 0},
        {"\"EHLO\": \"hang\"", "----", "smtp-lost", 0},
        {"\"EHLO\": \"500 what\", \"HELO\": \"421 later\"", "----", "smtp-server", 0},
        {"\"MAIL\": {\"#2\": \"451 later\"}", "DTDD", NULL, 3},
        {"\"MAIL\": {\"#2\": \"550 your sender\"}", "DTDD", NULL, 3},
        {"\"MAIL\": {\"#2\": \"552 too big\"}", "DRDD", NULL, 3},
        {"\"MAIL\": {\"#2\": \"421 bye\"}", "DT--", "smtp-server", 1},
        {"\"MAIL\": {\"#2\": \"421 bye +drop\"}", "DT--", "smtp-server", 1},
        {"\"MAIL\": {\"#2\": \"drop\"}", "D---", "smtp-lost", 1},
        {"\"MAIL\": {\"#2\": \"hang\"}", "D---", "smtp-lost", 1},
        {"\"MAIL\": {\"#2\": \"nonsense\"}", "D---", "smtp-lost", 1},
        {"\"MAIL\": \"451 later\"", "TTTT", NULL, 0},
        {"\"RCPT\": {\"b@example.com\": \"550 no such user\"}", "DRDD", NULL, 3},
        {"\"RCPT\": {\"a@example.com\": \"450 a\", \"d@example.com\": \"553 d\"}", "TDDR", NULL, 2},
        {"\"RCPT\": {\"b@example.com\": \"503 order\"}", "DTDD", NULL, 3},
        {"\"RCPT\": {\"b@example.com\": \"421 bye\"}", "DT--", "smtp-server", 1},
        {"\"RCPT\": {\"b@example.com\": \"drop\"}", "D---", "smtp-lost", 1},
        {"\"RCPT\": {\"b@example.com\": \"251 forwarded\"}", "DDDD", NULL, 4},
        {"\"RCPT\": \"550 nobody\"", "RRRR", NULL, 0},
        {"\"RCPT\": \"550 nobody\", \"DATA\": \"354 go\", \"EOM\": \"250 ok\"", "RRRR", NULL, 0},
        {"\"DATA\": {\"b@example.com\": \"451 later\"}", "DTDD", NULL, 3},
        {"\"DATA\": {\"b@example.com\": \"554 no\"}", "DRDD", NULL, 3},
        {"\"DATA\": {\"b@example.com\": \"421 bye\"}", "DT--", "smtp-server", 1},
        {"\"DATA\": {\"b@example.com\": \"drop\"}", "D---", "smtp-lost", 1},
        {"\"DATA\": {\"b@example.com\": \"hang\"}", "D---", "smtp-lost", 1},
        {"\"BODY\": {\"b@example.com\": \"drop\"}", "D?--", "smtp-lost", 1},
        {"\"BODY\": {\"a@example.com\": \"hang\"}", "?---", "smtp-lost", 0},
        {"\"EOM\": {\"b@example.com\": \"451 later\"}", "DTDD", NULL, 3},
        {"\"EOM\": {\"b@example.com\": \"554 spam\"}", "DRDD", NULL, 3},
        {"\"EOM\": {\"d@example.com\": \"421 bye\"}", "DDDT", NULL, 3},
        {"\"EOM\": {\"b@example.com\": \"421 bye\"}", "DT--", "smtp-server", 1},
        {"\"EOM\": {\"b@example.com\": \"drop\"}", "D?--", "smtp-lost", 1},
        {"\"EOM\": {\"b@example.com\": \"keep drop\"}", "D?--", "smtp-lost", 2},
        {"\"EOM\": {\"b@example.com\": \"hang\"}", "D?--", "smtp-lost", 1},
        {"\"EOM\": {\"b@example.com\": \"250 ok +drop\"}", "DD--", "smtp-lost", 2},
        {"\"EOM\": {\"d@example.com\": \"250 ok +drop\"}", "DDDD", NULL, 4},
        {"\"RSET\": \"drop\", \"EOM\": {\"b@example.com\": \"554 no\"}", "DR--", "smtp-lost", 1},
        {"\"QUIT\": \"drop\"", "DDDD", NULL, 4},
        {"\"QUIT\": \"hang\"", "DDDD", NULL, 4},
        {"\"drip_ms\": 100", "----", "smtp-lost", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        check_row(&rows[i], "\"PIPELINING\"");
}

/* DATA answered 250: the library calls the message sent though nothing was. */
static void a_server_out_of_step_gets_nothing_past_us(void **state)
{
    (void)state;
    static const struct row row = {
        "\"DATA\": {\"b@example.com\": \"250 ok\"}", "DT--", "smtp-lost", 1};
    check_row(&row, "");
}

/*
 * A server that offers CHUNKING gets DATA all the same. With pipelined BDAT the third of these rows
 * ends in a null call inside the library, and the last counts an earlier chunk's 250.
 */
static void chunking_is_never_used(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"\"BDAT\": \"554 not this way\"", "DDDD", NULL, 4},
        {"\"MAIL\": {\"#2\": \"drop\"}", "D---", "smtp-lost", 1},
        {"\"RCPT\": {\"b@example.com\": \"drop\"}", "D---", "smtp-lost", 1},
        {"\"RCPT\": {\"b@example.com\": \"550 no such user\"}", "DRDD", NULL, 3},
        {"\"EOM\": {\"b@example.com\": \"keep drop\"}", "D?--", "smtp-lost", 2},
        {"\"EOM\": {\"b@example.com\": \"hang\"}", "D?--", "smtp-lost", 1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        check_row(&rows[i], "\"PIPELINING\", \"CHUNKING\", \"8BITMIME\"");
}

/* The rest of a broken session is not tried in another one of the same call. */
static void a_lost_session_ends_the_call(void **state)
{
    (void)state;
    struct err err = {0};
    struct config_mail config = config_for(plain.port);
    config.smtp.session = 2;
    AUTO(smtp) s = sender(&config);
    AUTO(group) g = group_new(6);
    char fates[7];
    catcher_behave(&plain, "{\"EOM\": {\"c@example.com\": \"drop\"}}");
    assert_int_equal(smtp_send(s, g->items, 6, &err), -1);
    fates_of(g, fates);
    assert_string_equal(fates, "DD?---");
    assert_true(strlen(g->items[5].reply) > 0);
    catcher_behave(&plain, "{}");
    assert_int_equal(smtp_send(s, g->items + 2, 4, &err), 0);
    fates_of(g, fates);
    assert_string_equal(fates, "DDDDDD");
}

static void the_server_s_words_are_kept_clean(void **state)
{
    (void)state;
    struct err err = {0};
    struct config_mail config = config_for(plain.port);
    AUTO(smtp) s = sender(&config);
    AUTO(group) g = group_new(2);
    catcher_behave(&plain,
        "{\"extensions\": [\"ENHANCEDSTATUSCODES\"], \"RCPT\": {\"a@example.com\":"
        " \"550-5.1.1 no\\u001b[31m\\r\\n550 5.1.1 such  ユーザ\"}}");
    assert_int_equal(smtp_send(s, g->items, 2, &err), 0);
    assert_int_equal(g->items[0].fate, SMTP_REJECTED);
    assert_int_equal(g->items[0].code, 550);
    assert_string_equal(g->items[0].reply, "5.1.1 no?[31m such ?????????");
    assert_int_equal(g->items[1].fate, SMTP_DELIVERED);
}

static void what_cannot_be_sent_harms_no_other(void **state)
{
    (void)state;
    static const struct {
        const char *recipient, *message, *why;
    } rows[] = {
        {"a@example.jp>\r\nRCPT TO:<b@example.jp", "A: b\r\n\r\nx\r\n", "e-mail address"},
        {"", "A: b\r\n\r\nx\r\n", "e-mail address"},
        {"a@example.jp", "", "empty"},
        {"a@example.jp", "A: b\r\n\r\nx", "end with CRLF"},
        {"a@example.jp", "A: b\r\n\r\nx\n.\nMAIL FROM:<x>\r\n", "bare LF"},
        {"a@example.jp", "A: b\r\n\r\nx\r.\r\r\n", "bare CR"},
    };
    struct err err = {0};
    struct config_mail config = config_for(plain.port);
    AUTO(smtp) s = sender(&config);
    AUTO(group) g = group_new(ARRAY_LENGTH(rows) + 2);
    catcher_behave(&plain, "{}");
    const size_t before = caught(&plain);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        g->items[i + 1].recipient = rows[i].recipient;
        g->items[i + 1].message = bytes_of_text(rows[i].message);
    }
    assert_int_equal(smtp_send(s, g->items, g->count, &err), 0);
    char fates[16];
    fates_of(g, fates);
    assert_string_equal(fates, "DRRRRRRD");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (g->items[i + 1].code || !strstr(g->items[i + 1].reply, rows[i].why))
            fail_msg("%zu: %s", i, g->items[i + 1].reply);
    assert_int_equal(caught(&plain), before + 2);
    assert_int_equal(smtp_send(s, g->items, 0, &err), 0);
    assert_int_equal(smtp_send(s, g->items + 1, 2, &err), 0);
}

/* --- connecting --- */

static int listener(uint16_t *port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void expect_no_connection(const char *host, uint16_t port, const char *why)
{
    struct err err = {0};
    struct config_mail config = config_for(port);
    config.smtp.host = (char *)(uintptr_t)host;
    AUTO(smtp) s = sender(&config);
    AUTO(group) g = group_new(2);
    const int64_t start_ms = clock_monotonic_ms();
    assert_int_equal(smtp_send(s, g->items, 2, &err), -1);
    if (strcmp(err.code, "smtp-connect") || !strstr(err.text, why))
        fail_msg("%s %s", err.code, err.text);
    char fates[3];
    fates_of(g, fates);
    assert_string_equal(fates, "--");
    assert_true(clock_monotonic_ms() - start_ms < 4 * TIMEOUT_MS);
}

static void a_server_that_is_not_there_takes_bounded_time(void **state)
{
    (void)state;
    uint16_t port;
    int dead = listener(&port, 1);
    close(dead);
    expect_no_connection("127.0.0.1", port, "refused");
    expect_no_connection("nowhere.invalid", 25, "nowhere.invalid");
    /* A full backlog: the kernel answers no more SYN, and connect would wait for minutes. */
    int fds[8], full = listener(&port, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fds[i], (struct sockaddr *)&address, sizeof address);
    }
    expect_no_connection("127.0.0.1", port, "no answer in time");
    for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
        close(fds[i]);
    close(full);
}

static void *send_in_thread(void *arg)
{
    struct group *g = arg;
    struct err err = {0};
    struct smtp *s = NULL;
    struct config_mail config = config_for(plain.port);
    config.smtp.session = 5;
    int failed = smtp_new(&config, &s, &err) || smtp_send(s, g->items, g->count, &err);
    smtp_free(s);
    return failed ? arg : NULL;
}

static void senders_in_several_threads_do_not_meet(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct group *groups[4];
    catcher_behave(&plain, "{}");
    const size_t before = caught(&plain);
    for (size_t i = 0; i < 4; i++) {
        groups[i] = group_new(60);
        assert_int_equal(pthread_create(&threads[i], NULL, send_in_thread, groups[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
        group_free(groups[i]);
    }
    assert_int_equal(caught(&plain), before + 240);
}

/* --- TLS and AUTH --- */

struct secure_row {
    const char *what, *behave, *host, *password; /* password NULL: no AUTH */
    const struct catcher *catcher;
    const char *ca;         /* file in the folder of `secure`; NULL: the system's */
    const char *code, *why; /* NULL: delivered */
};

static void check_secure_row(const struct secure_row *row)
{
    struct err err = {0};
    AUTO_TEXT ca = row->ca ? mem_printf("%s/%s", secure.folder, row->ca) : NULL;
    AUTO_TEXT word = mem_printf("%s/word", secure.folder);
    struct config_mail config = config_for(row->catcher->port);
    config.smtp.host = (char *)(uintptr_t)row->host;
    config.smtp.tls = TLS_STARTTLS;
    config.smtp.tls_ca = ca;
    config.smtp.session = 2;
    if (row->password) {
        assert_int_equal(file_write(word, bytes_of_text(row->password), 0600, &err), 0);
        config.smtp.user = "mailer";
        config.smtp.password_file = word;
    }
    AUTO(smtp) s = sender(&config);
    AUTO(group) g = group_new(GROUP);
    char fates[GROUP + 1];
    catcher_behave(row->catcher, row->behave);
    const size_t before = caught(row->catcher);
    const int result = smtp_send(s, g->items, g->count, &err);
    fates_of(g, fates);
    if (result != (row->code ? -1 : 0) || strcmp(err.code, row->code ? row->code : "") ||
        (row->why && !strstr(err.text, row->why)))
        fail_msg("%s: %d %s %s", row->what, result, err.code, err.text);
    if (strcmp(fates, row->code ? "----" : "DDDD"))
        fail_msg("%s: %s", row->what, fates);
    if (row->password && strstr(err.text, row->password))
        fail_msg("%s: the password shows", row->what);
    if (row->code)
        assert_int_equal(caught(row->catcher), before);
    else
        check_caught(row->catcher, before, g, true);
}

static void mail_goes_out_over_verified_tls_only(void **state)
{
    (void)state;
    static const struct secure_row rows[] = {
        {"fine", "{}", "localhost", NULL, &secure, "ca.pem", NULL, NULL},
        {"by address", "{}", "127.0.0.1", NULL, &secure, "ca.pem", NULL, NULL},
        {"other name", "{}", "localhost", NULL, &stranger, "ca.pem", "smtp-tls", "ostname"},
        {"unknown CA", "{}", "localhost", NULL, &secure, NULL, "smtp-tls", "certificate"},
        {"not offered", "{\"no_starttls\": true}", "localhost", NULL, &secure, "ca.pem", "smtp-tls",
            "offers no STARTTLS"},
        {"HELO only", "{\"EHLO\": \"502 what\"}", "localhost", NULL, &secure, "ca.pem", "smtp-tls",
            "offers no STARTTLS"},
        {"refused", "{\"STARTTLS\": \"454 not now\"}", "localhost", NULL, &secure, "ca.pem",
            "smtp-tls", "454 not now"},
        {"injected", "{\"STARTTLS\": \"220 go\\r\\n250 injected\"}", "localhost", NULL, &secure,
            "ca.pem", "smtp-tls", "plaintext behind"},
        {"dropped", "{\"STARTTLS\": \"drop\"}", "localhost", NULL, &secure, "ca.pem", "smtp-lost",
            "STARTTLS"},
        {"silent", "{\"STARTTLS\": \"hang\"}", "localhost", NULL, &secure, "ca.pem", "smtp-lost",
            "STARTTLS"},
        {"plain server", "{}", "127.0.0.1", NULL, &plain, "ca.pem", "smtp-tls", "offers no"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        check_secure_row(&rows[i]);
}

static void nothing_is_sent_without_authentication(void **state)
{
    (void)state;
    static const struct secure_row rows[] = {
        {"fine", "{}", "localhost", "s3cret", &locked, "ca.pem", NULL, NULL},
        {"LOGIN", "{\"AUTH\": {\"#1\": \"504 no PLAIN\"}}", "localhost", "s3cret", &locked,
            "ca.pem", NULL, NULL},
        {"wrong", "{}", "localhost", "other", &locked, "ca.pem", "smtp-auth", "535"},
        /* The library goes on without; a server that then takes mail must not get any. */
        {"wrong, open", "{\"MAIL\": \"250 welcome\"}", "localhost", "other", &locked, "ca.pem",
            "smtp-auth", "535"},
        {"not offered", "{\"no_auth\": true, \"MAIL\": \"250 welcome\"}", "localhost", "s3cret",
            &locked, "ca.pem", "smtp-auth", "nothing usable"},
        {"later", "{\"AUTH\": \"454 later\"}", "localhost", "s3cret", &locked, "ca.pem",
            "smtp-auth", "454 later"},
        {"dropped", "{\"AUTH\": \"drop\"}", "localhost", "s3cret", &locked, "ca.pem", "smtp-lost",
            "AUTH"},
        {"weak", "{\"AUTH\": \"534 too weak\"}", "localhost", "s3cret", &locked, "ca.pem",
            "smtp-auth", "534"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        check_secure_row(&rows[i]);
}

/* Enough sessions for the library's own SSL_CTX to have crashed and TLS 1.3 to have stalled. */
static void many_tls_sessions_run_without_a_stall(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_TEXT ca = mem_printf("%s/ca.pem", secure.folder);
    struct config_mail config = config_for(secure.port);
    config.smtp.host = "localhost";
    config.smtp.tls = TLS_STARTTLS;
    config.smtp.tls_ca = ca;
    config.smtp.session = 1;
    AUTO(smtp) s = sender(&config);
    AUTO(group) g = group_new(150);
    catcher_behave(&secure, "{}");
    const size_t before = caught(&secure);
    if (smtp_send(s, g->items, g->count, &err))
        fail_msg("%s", err.text);
    check_caught(&secure, before, g, true);
}

/* --- the servers --- */

static void make_certificate(const char *folder, const char *name, const char *alternative)
{
    AUTO_TEXT command = mem_printf(
        "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj '/CN=%s' -addext 'subjectAltName=%s' -keyout %s.key -out %s.pem 2>/dev/null",
        folder, name, alternative, name, name);
    catcher_run(command);
}

static void start_secure(struct catcher *c, const char *name, const char *user)
{
    AUTO_TEXT cert = mem_printf("%s/%s.pem", secure.folder, name);
    AUTO_TEXT key = mem_printf("%s/%s.key", secure.folder, name);
    const char *more[] = {
        "--cert", cert, "--key", key, user ? "--user" : NULL, user, "--password", "s3cret", NULL};
    catcher_start(c, more);
}

static int start_servers(void **state)
{
    (void)state;
    catcher_prepare(&plain);
    catcher_prepare(&secure);
    catcher_prepare(&locked);
    catcher_prepare(&stranger);
    make_certificate(secure.folder, "mine", "DNS:localhost,IP:127.0.0.1");
    make_certificate(secure.folder, "other", "DNS:mail.example.org");
    AUTO_TEXT command = mem_printf("cd %s && cat mine.pem other.pem > ca.pem", secure.folder);
    catcher_run(command);
    catcher_start(&plain, NULL);
    start_secure(&secure, "mine", NULL);
    start_secure(&locked, "mine", "mailer");
    start_secure(&stranger, "other", NULL);
    return 0;
}

static int stop_servers(void **state)
{
    (void)state;
    catcher_stop(&plain);
    catcher_stop(&secure);
    catcher_stop(&locked);
    catcher_stop(&stranger);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hundreds_arrive_as_they_were_composed),
        cmocka_unit_test(each_fault_has_its_fate_and_harms_no_other),
        cmocka_unit_test(a_server_out_of_step_gets_nothing_past_us),
        cmocka_unit_test(chunking_is_never_used),
        cmocka_unit_test(a_lost_session_ends_the_call),
        cmocka_unit_test(the_server_s_words_are_kept_clean),
        cmocka_unit_test(what_cannot_be_sent_harms_no_other),
        cmocka_unit_test(a_server_that_is_not_there_takes_bounded_time),
        cmocka_unit_test(senders_in_several_threads_do_not_meet),
        cmocka_unit_test(mail_goes_out_over_verified_tls_only),
        cmocka_unit_test(nothing_is_sent_without_authentication),
        cmocka_unit_test(many_tls_sessions_run_without_a_stall),
    };
    return cmocka_run_group_tests(tests, start_servers, stop_servers);
}

/* links: mail */
#include "smtp_group.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#define GROUP 4

static struct catcher plain;

/* --- all is well --- */

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
        {"\"EHLO\": \"500 what\", \"HELO\": \"550 not you\"", "----", "smtp-server", 0},
        {"\"EHLO\": \"500 what\", \"HELO\": \"drop\"", "----", "smtp-lost", 0},
        {"\"EHLO\": \"500 what\", \"HELO\": \"hang\"", "----", "smtp-lost", 0},
        {"\"CONNECT\": \"220 hello +drop\"", "----", "smtp-lost", 0},
        {"\"EHLO\": \"250 hello +drop\"", "----", "smtp-lost", 0},
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
        {"\"RCPT\": {\"b@example.com\": \"hang\"}", "D---", "smtp-lost", 1},
        {"\"RCPT\": {\"b@example.com\": \"452 too many\"}", "DTDD", NULL, 3},
        {"\"RCPT\": {\"b@example.com\": \"421 bye +drop\"}", "DT--", "smtp-server", 1},
        {"\"RCPT\": {\"b@example.com\": \"251 forwarded\"}", "DDDD", NULL, 4},
        {"\"RCPT\": \"550 nobody\"", "RRRR", NULL, 0},
        {"\"RCPT\": \"550 nobody\", \"DATA\": \"354 go\", \"EOM\": \"250 ok\"", "RRRR", NULL, 0},
        {"\"DATA\": {\"b@example.com\": \"451 later\"}", "DTDD", NULL, 3},
        {"\"DATA\": {\"b@example.com\": \"554 no\"}", "DRDD", NULL, 3},
        {"\"DATA\": {\"b@example.com\": \"421 bye\"}", "DT--", "smtp-server", 1},
        {"\"DATA\": {\"b@example.com\": \"drop\"}", "D---", "smtp-lost", 1},
        {"\"DATA\": {\"b@example.com\": \"hang\"}", "D---", "smtp-lost", 1},
        {"\"DATA\": {\"b@example.com\": \"354 go +drop\"}", "D?--", "smtp-lost", 1},
        {"\"DATA\": {\"b@example.com\": \"354 go +hang\"}", "D?--", "smtp-lost", 1},
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
        {"\"RSET\": \"hang\", \"EOM\": {\"b@example.com\": \"554 no\"}", "DR--", "smtp-lost", 1},
        {"\"RSET\": \"421 bye +drop\", \"EOM\": {\"b@example.com\": \"554 no\"}", "DR--",
            "smtp-lost", 1},
        {"\"RSET\": \"451 later\", \"EOM\": {\"b@example.com\": \"554 no\"}", "DRDD", NULL, 3},
        {"\"RSET\": \"550 no\", \"EOM\": {\"b@example.com\": \"451 no\"}", "DTDD", NULL, 3},
        {"\"QUIT\": \"421 bye\"", "DDDD", NULL, 4},
        {"\"QUIT\": \"500 what\"", "DDDD", NULL, 4},
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

/* I5: who marked mails as being sent until some time must have stopped by then. */
static void a_slow_server_is_left_in_time(void **state)
{
    (void)state;
    static const struct {
        const char *behave, *fates; /* "*": any number of the letter before */
        int64_t begin_ms, end_ms, most_ms;
        size_t session;
    } rows[] = {
        {"{\"slow_ms\": 30}", "D*-*", 300, 5000, 900, 100},
        {"{\"slow_ms\": 30}", "D*-*", 300, 5000, 900, 1},
        {"{\"EOM\": {\"b@example.com\": \"hang\"}}", "D?-*", 5000, 400, 800, 100},
        {"{\"CONNECT\": \"hang\"}", "-*", 300, 300, 700, 100},
        {"{}", "D-*", 0, 5000, 200, 100},
        {"{}", "D-*", 0, 5000, 200, 1},
        {"{}", "-*", 0, 0, 200, 100},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct err err = {0};
        struct config_mail config = config_for(plain.port);
        config.smtp.session = rows[i].session;
        AUTO(smtp) s = sender(&config);
        AUTO(group) g = group_new(26);
        char fates[27];
        catcher_behave(&plain, rows[i].behave);
        const int64_t start_ms = clock_monotonic_ms();
        const int result =
            smtp_send_within(s, g->items, g->count, rows[i].begin_ms, rows[i].end_ms, &err);
        const int64_t took_ms = clock_monotonic_ms() - start_ms;
        fates_of(g, fates);
        const char *f = fates;
        for (const char *p = rows[i].fates; *p; p += p[1] == '*' ? 2 : 1) {
            size_t most = p[1] == '*' ? g->count : 1;
            if (*f != *p)
                fail_msg("%s: %s is not %s", rows[i].behave, fates, rows[i].fates);
            while (most-- && *f == *p)
                f++;
        }
        if (*f || result != -1 || strcmp(err.code, "smtp-slow") != 0 || took_ms > rows[i].most_ms)
            fail_msg("%s: %s %s, %lld ms", rows[i].behave, fates, err.code, (long long)took_ms);
    }
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

/* A full backlog: the kernel answers no more SYN, and connect would wait for minutes. */
struct silence {
    uint16_t port;
    int listener, callers[8];
};

static void silence_begin(struct silence *s)
{
    s->listener = listener(&s->port, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons(s->port)};
    for (size_t i = 0; i < ARRAY_LENGTH(s->callers); i++) {
        s->callers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(s->callers[i], (struct sockaddr *)&address, sizeof address);
    }
}

static void silence_end(const struct silence *s)
{
    for (size_t i = 0; i < ARRAY_LENGTH(s->callers); i++)
        close(s->callers[i]);
    close(s->listener);
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
    struct silence silence;
    silence_begin(&silence);
    expect_no_connection("127.0.0.1", silence.port, "no answer in time");
    silence_end(&silence);
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

struct call {
    pthread_t thread;
    uint16_t port;
    int64_t took_ms;
    int result;
};

static void *call_in_thread(void *arg)
{
    struct call *call = arg;
    struct err err = {0};
    struct config_mail config = config_for(call->port);
    AUTO(smtp) s = sender(&config);
    AUTO(group) g = group_new(2);
    const int64_t start_ms = clock_monotonic_ms();
    call->result = smtp_send(s, g->items, 2, &err);
    call->took_ms = clock_monotonic_ms() - start_ms;
    return NULL;
}

/* Their connects go one after another, but nobody waits for all the others'. */
static void nor_do_they_wait_for_each_other_s_connect(void **state)
{
    (void)state;
    enum { N = 6 };
    struct call calls[N];
    struct silence silence;
    silence_begin(&silence);
    for (size_t i = 0; i < N; i++) {
        calls[i] = (struct call){.port = silence.port};
        assert_int_equal(pthread_create(&calls[i].thread, NULL, call_in_thread, &calls[i]), 0);
    }
    for (size_t i = 0; i < N; i++)
        pthread_join(calls[i].thread, NULL);
    silence_end(&silence);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(calls[i].result, -1);
        assert_true(calls[i].took_ms < 4 * TIMEOUT_MS);
    }
}

static int start_server(void **state)
{
    (void)state;
    catcher_prepare(&plain);
    catcher_start(&plain, NULL);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    catcher_stop(&plain);
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
        cmocka_unit_test(a_slow_server_is_left_in_time),
        cmocka_unit_test(the_server_s_words_are_kept_clean),
        cmocka_unit_test(what_cannot_be_sent_harms_no_other),
        cmocka_unit_test(a_server_that_is_not_there_takes_bounded_time),
        cmocka_unit_test(senders_in_several_threads_do_not_meet),
        cmocka_unit_test(nor_do_they_wait_for_each_other_s_connect),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

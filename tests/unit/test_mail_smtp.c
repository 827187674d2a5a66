/* links: mail */
#include "base/file.h"
#include "mail/smtp.h"
#include "mail/smtp_verdict.h"
#include "mail/smtp_watch.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void a_fate_follows_from_what_was_seen(void **state)
{
    (void)state;
    static const struct {
        struct smtp_seen seen; /* mail rcpt end started ended answered */
        enum smtp_fate fate;
        const char *what;
    } rows[] = {
        {{0, 0, 0, 0, 0, 0}, SMTP_NOT_SENT, "its turn never came"},
        {{250, 250, 250, 1, 1, 1}, SMTP_DELIVERED, "all is well"},
        {{250, 251, 250, 1, 1, 1}, SMTP_DELIVERED, "will forward"},
        {{451, 0, 0, 0, 0, 0}, SMTP_TEMPORARY, "MAIL later"},
        {{550, 0, 0, 0, 0, 0}, SMTP_TEMPORARY, "our sender is refused"},
        {{530, 0, 0, 0, 0, 0}, SMTP_TEMPORARY, "authenticate first"},
        {{552, 0, 0, 0, 0, 0}, SMTP_REJECTED, "too big"},
        {{354, 0, 0, 0, 0, 0}, SMTP_TEMPORARY, "nonsense at MAIL"},
        {{250, 0, 0, 0, 0, 0}, SMTP_NOT_SENT, "lost at RCPT"},
        {{250, 0, 0, 1, 1, 1}, SMTP_IN_DOUBT, "BDAT behind RCPT, lost"},
        {{250, 450, 0, 0, 0, 0}, SMTP_TEMPORARY, "RCPT later"},
        {{250, 421, 0, 0, 0, 0}, SMTP_TEMPORARY, "RCPT closing"},
        {{250, 550, 554, 0, 0, 1}, SMTP_REJECTED, "no such user"},
        {{250, 550, 250, 1, 1, 1}, SMTP_REJECTED, "no such user, whatever DATA says"},
        {{250, 503, 0, 0, 0, 0}, SMTP_TEMPORARY, "RCPT out of order"},
        {{250, 250, 0, 0, 0, 0}, SMTP_NOT_SENT, "lost before 354"},
        {{250, 250, 451, 0, 0, 1}, SMTP_TEMPORARY, "DATA later"},
        {{250, 250, 554, 0, 0, 1}, SMTP_REJECTED, "DATA refused"},
        {{250, 250, 250, 0, 0, 1}, SMTP_TEMPORARY, "DATA answered 250: nothing was sent"},
        {{250, 250, 354, 0, 0, 0}, SMTP_NOT_SENT, "354, then we stopped"},
        {{250, 250, 354, 1, 0, 0}, SMTP_NOT_SENT, "stopped inside the message"},
        {{250, 250, 354, 1, 1, 0}, SMTP_IN_DOUBT, "lost after the dot"},
        {{250, 250, 0, 1, 1, 1}, SMTP_IN_DOUBT, "lost while the answer was read"},
        {{250, 250, 250, 1, 1, 0}, SMTP_IN_DOUBT, "BDAT: an earlier chunk's 250"},
        {{250, 250, 354, 1, 1, 1}, SMTP_IN_DOUBT, "nonsense after the dot"},
        {{250, 250, 451, 1, 1, 1}, SMTP_TEMPORARY, "message later"},
        {{250, 250, 421, 1, 1, 1}, SMTP_TEMPORARY, "closing after the dot"},
        {{250, 250, 554, 1, 1, 1}, SMTP_REJECTED, "message refused"},
        {{250, 250, 503, 1, 1, 1}, SMTP_TEMPORARY, "a chunk before it failed"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        enum smtp_stage stage;
        enum smtp_fate fate = smtp_verdict(&rows[i].seen, &stage);
        if (fate != rows[i].fate)
            fail_msg(
                "%s: %s, not %s", rows[i].what, smtp_fate_name(fate), smtp_fate_name(rows[i].fate));
    }
}

/* A conversation: "C:" lines are written, "S:" lines are read (\r\n is added), "T" is verified TLS,
 * "s:" is read as it stands. */
static bool play(struct smtp_watch *w, const char *const *lines)
{
    for (; *lines; lines++) {
        char text[1024];
        const char *line = *lines;
        snprintf(text, sizeof text, "%s%s", line + 2, line[0] == 's' ? "" : "\r\n");
        if (line[0] == 'T')
            w->tls = true;
        else if (line[0] == 'C' ? !watch_write(w, text, strlen(text))
                                : !watch_read(w, text, strlen(text)))
            return false;
    }
    return true;
}

static void the_watch_trusts_only_what_it_saw(void **state)
{
    (void)state;
#define TALK(...) ((const char *const[]){__VA_ARGS__, NULL})
#define HELLO "S:220 x", "C:EHLO a", "S:250-x", "S:250 SIZE"
#define TLS_DONE "C:STARTTLS", "S:220 go", "T:", "C:EHLO a", "S:250 AUTH PLAIN"
    static const struct {
        bool want_tls, want_auth, trusted;
        const char *what;
        const char *talk[16]; /* NULL behind the last */
    } rows[] = {
        {false, false, true, "plain", {HELLO, "C:MAIL FROM:<a@example.jp>", "S:250 ok"}},
        {true, false, true, "TLS", {HELLO, TLS_DONE, "C:MAIL FROM:<a@example.jp>"}},
        {true, false, false, "no TLS", {HELLO, "C:MAIL FROM:<a@example.jp>"}},
        {true, false, false, "TLS not verified",
            {HELLO, "C:STARTTLS", "S:220 go", "C:EHLO a", "S:250 x", "C:MAIL FROM:<>"}},
        {true, false, false, "injected in one piece",
            {HELLO, "C:STARTTLS", "s:220 go\r\n250 injected\r\n"}},
        {true, false, false, "injected in two", {HELLO, "C:STARTTLS", "S:220 go", "s:2"}},
        {true, false, true, "refused, then QUIT",
            {HELLO, "C:STARTTLS", "S:454 no", "C:QUIT", "S:221 bye"}},
        {true, false, true, "a long 220",
            {HELLO, "C:STARTTLS", "S:220-go", "s:220", "s: ahead\r\n", "T:", "C:EHLO a"}},
        {false, true, true, "PLAIN",
            {HELLO, "C:AUTH PLAIN AGEAYg==", "S:235 ok", "C:MAIL FROM:<>"}},
        {false, true, true, "LOGIN, user named MAIL in base64",
            {HELLO, "C:AUTH LOGIN", "S:334 x", "C:MAIL", "S:334 x", "C:cGFzcw==", "S:235 ok",
                "C:MAIL FROM:<>"}},
        {false, true, false, "535", {HELLO, "C:AUTH PLAIN x", "S:535 no", "C:MAIL FROM:<>"}},
        {false, true, false, "not offered", {HELLO, "C:MAIL FROM:<>"}},
        {false, true, false, "235 before AUTH",
            {"S:235 x", "C:EHLO a", "S:235 x", "C:MAIL FROM:<>"}},
        {false, true, false, "235 inside a multi-line reply",
            {HELLO, "C:AUTH PLAIN x", "S:535-235 ok", "S:535 no", "C:MAIL FROM:<>"}},
        {false, true, true, "second mechanism",
            {HELLO, "C:AUTH PLAIN x", "S:504 no", "C:AUTH LOGIN", "S:235 ok", "C:MAIL F:<>"}},
        {false, true, false, "pipelined", {HELLO, "C:RSET\r\nMAIL FROM:<>"}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct smtp_watch w;
        watch_reset(&w, rows[i].want_tls, rows[i].want_auth);
        if (play(&w, rows[i].talk) != rows[i].trusted)
            fail_msg("%s: %s", rows[i].what, w.distrust ? w.distrust : "trusted");
        assert_int_equal(w.distrust == NULL, rows[i].trusted);
    }
}

/* However the bytes of the reply are cut up. */
static void chunking_is_hidden_from_the_library(void **state)
{
    (void)state;
    static const char offered[] = "250-a\r\n250-PIPELINING\r\n250-Chunking\r\n250-XCHUNKING\r\n"
                                  "250-CHUNKING\r\n250-SIZE 5 CHUNKING\r\n250 CHUNKING\r\n";
    static const char seen[] = "250-a\r\n250-PIPELINING\r\n250-ChunkinX\r\n250-XCHUNKING\r\n"
                               "250-CHUNKINX\r\n250-SIZE 5 CHUNKING\r\n250 CHUNKINX\r\n";
    for (size_t piece = 1; piece < sizeof offered; piece++) {
        struct smtp_watch w;
        char text[sizeof offered];
        memcpy(text, offered, sizeof text);
        watch_reset(&w, false, false);
        assert_true(watch_write(&w, "EHLO a\r\n", 8));
        for (size_t at = 0; at < strlen(offered); at += piece) {
            size_t left = strlen(offered) - at;
            assert_true(watch_read(&w, text + at, left < piece ? left : piece));
        }
        assert_string_equal(text, seen);
        assert_int_equal(w.code, 250);
    }
    struct smtp_watch w;
    char reply[] = "250-CHUNKING\r\n250 CHUNKING\r\n";
    watch_reset(&w, false, false);
    assert_true(watch_write(&w, "RSET\r\nMAIL FROM:<a@example.jp>\r\n", 33));
    assert_true(watch_read(&w, reply, strlen(reply)));
    assert_string_equal(reply, "250-CHUNKING\r\n250 CHUNKING\r\n");
}

static void the_watch_keeps_the_last_words(void **state)
{
    (void)state;
    struct smtp_watch w;
    watch_reset(&w, false, false);
    assert_true(play(&w, TALK("S:554-not you", "S:554 5.7.1 go\taway \x1b[31m\xe3\x81\x82")));
    assert_int_equal(w.code, 554);
    assert_string_equal(w.text, "5.7.1 go away ?[31m???");
    watch_reset(&w, false, true);
    assert_true(play(&w, TALK("S:220 x", "C:EHLO a", "S:250 AUTH PLAIN", "C:AUTH PLAIN x",
                             "S:534 weak", "C:QUIT", "S:221 bye")));
    assert_int_equal(w.code, 534);
    assert_int_equal(w.phase, WATCH_AUTH);
    watch_reset(&w, false, false);
    assert_true(play(&w, TALK("S:SSH-2.0-x")));
    assert_int_equal(w.code, 1);
    watch_reset(&w, false, false);
    char flood[4096];
    memset(flood, 'x', sizeof flood);
    assert_true(watch_read(&w, flood, sizeof flood));
    assert_true(watch_read(&w, (char[]){"\n"}, 1));
    assert_int_equal(w.code, 1);
    assert_true(strlen(w.text) < SMTP_REPLY);
}

static void server_text_is_cleaned(void **state)
{
    (void)state;
    char text[SMTP_REPLY], lots[2000];
    smtp_clean("  ok\r\n\r\nmore\t \x01\x7f\xff.\r\n", 22, text);
    assert_string_equal(text, "ok more ???.");
    smtp_clean("", 0, text);
    assert_string_equal(text, "");
    memset(lots, 'x', sizeof lots);
    smtp_clean(lots, sizeof lots, text);
    assert_int_equal(strlen(text), SMTP_REPLY - 1);
}

static void a_sender_refuses_what_cannot_work(void **state)
{
    (void)state;
    char path[] = "/tmp/certq-password-XXXXXX";
    int fd = mkstemp(path);
    char lots[300];
    memset(lots, 'x', sizeof lots);
    lots[sizeof lots - 1] = 0;
    static const struct {
        const char *what, *from, *host, *helo, *user, *password, *ca, *why; /* NULL why: fine */
        enum config_tls tls;
    } rows[] = {
        {"plain", "ca@example.jp", "127.0.0.1", "a.example.jp", NULL, NULL, NULL, NULL, TLS_NONE},
        {"no sender", NULL, "127.0.0.1", "a", NULL, NULL, NULL, "mail.from", TLS_NONE},
        {"bad sender", "ca@", "127.0.0.1", "a", NULL, NULL, NULL, "mail.from", TLS_NONE},
        {"no host", "ca@example.jp", "", "a", NULL, NULL, NULL, "smtp.host", TLS_NONE},
        {"IPv6", "ca@example.jp", "::1", "a", NULL, NULL, NULL, "IPv6", TLS_NONE},
        {"host", "ca@example.jp", "a b", "a", NULL, NULL, NULL, "smtp.host", TLS_NONE},
        {"helo", "ca@example.jp", "a", "a\r\nQUIT", NULL, NULL, NULL, "smtp.helo", TLS_NONE},
        {"loopback", "ca@example.jp", "localhost", "a", "u", "p\n", NULL, NULL, TLS_NONE},
        {"clear", "ca@example.jp", "192.0.2.1", "a", "u", "p", NULL, "over TLS", TLS_NONE},
        {"TLS", "ca@example.jp", "192.0.2.1", "a", "u", "p", NULL, NULL, TLS_STARTTLS},
        {"empty", "ca@example.jp", "127.0.0.1", "a", "u", "\n", NULL, "1 to 255", TLS_NONE},
        {"no user", "ca@example.jp", "127.0.0.1", "a", NULL, "p", NULL, "smtp.user", TLS_NONE},
        {"no word", "ca@example.jp", "127.0.0.1", "a", "u", NULL, NULL, "password_file", TLS_NONE},
        {"no CA", "ca@example.jp", "a", "a", NULL, NULL, "/nowhere.pem", "tls_ca", TLS_STARTTLS},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct err err = {0};
        const char *word = rows[i].password ? rows[i].password : "";
        assert_int_equal(file_write(path, bytes_of_text(word), 0600, &err), 0);
        struct config_mail config = {.from = (char *)(uintptr_t)rows[i].from,
            .smtp = {.host = (char *)(uintptr_t)rows[i].host,
                .port = 25,
                .helo = (char *)(uintptr_t)rows[i].helo,
                .user = (char *)(uintptr_t)rows[i].user,
                .password_file = rows[i].password ? path : NULL,
                .tls_ca = (char *)(uintptr_t)rows[i].ca,
                .tls = rows[i].tls,
                .timeout_ms = 1000}};
        AUTO(smtp) s = NULL;
        int result = smtp_new(&config, &s, &err);
        if (result != (rows[i].why ? -1 : 0) || (rows[i].why && !strstr(err.text, rows[i].why)))
            fail_msg("%s: %d %s", rows[i].what, result, err.text);
        assert_int_equal(err.kind, rows[i].why ? ERR_INPUT : ERR_NONE);
    }
    struct err err = {0};
    assert_int_equal(file_write(path, bytes_of_text(lots), 0600, &err), 0);
    struct config_mail config = {.from = "ca@example.jp",
        .smtp = {.host = "localhost", .port = 25, .user = "u", .password_file = path}};
    AUTO(smtp) s = NULL;
    assert_int_equal(smtp_new(&config, &s, &err), -1);
    assert_non_null(strstr(err.text, "1 to 255"));
    assert_null(strstr(err.text, "xxx"));
    assert_int_equal(file_write(path, bytes_of_text("word"), 0640, &err), 0);
    assert_int_equal(smtp_new(&config, &s, &err), -1);
    assert_non_null(strstr(err.text, "0640"));
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fate_follows_from_what_was_seen),
        cmocka_unit_test(the_watch_trusts_only_what_it_saw),
        cmocka_unit_test(chunking_is_hidden_from_the_library),
        cmocka_unit_test(the_watch_keeps_the_last_words),
        cmocka_unit_test(server_text_is_cleaned),
        cmocka_unit_test(a_sender_refuses_what_cannot_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

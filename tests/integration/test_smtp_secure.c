/* links: mail */
#include "smtp_group.h"

#define GROUP 4

static struct catcher plain, secure, locked, stranger, expired; /* TLS; TLS and AUTH; TLS, another
                                                                   name; TLS, no longer valid */

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
        {"refused for good", "{\"STARTTLS\": \"554 no TLS\"}", "localhost", NULL, &secure, "ca.pem",
            "smtp-tls", "554 no TLS"},
        {"no handshake", "{\"STARTTLS\": \"220 go +hang\"}", "localhost", NULL, &secure, "ca.pem",
            "smtp-tls", "handshake"},
        {"dropped in the handshake", "{\"STARTTLS\": \"220 go +drop\"}", "localhost", NULL, &secure,
            "ca.pem", "smtp-tls", "handshake"},
        {"expired", "{}", "localhost", NULL, &expired, "ca.pem", "smtp-tls", "expired"},
        {"dropped after it", "{\"EHLO\": {\"#2\": \"drop\"}}", "localhost", NULL, &secure, "ca.pem",
            "smtp-lost", NULL},
        {"silent after it", "{\"EHLO\": {\"#2\": \"hang\"}}", "localhost", NULL, &secure, "ca.pem",
            "smtp-lost", NULL},
        {"no EHLO after it", "{\"EHLO\": {\"#2\": \"421 later\"}}", "localhost", NULL, &secure,
            "ca.pem", "smtp-server", "421 later"},
        {"dropped at MAIL", "{\"MAIL\": \"drop\"}", "localhost", NULL, &secure, "ca.pem",
            "smtp-lost", NULL},
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
        {"silent", "{\"AUTH\": \"hang\"}", "localhost", "s3cret", &locked, "ca.pem", "smtp-lost",
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

/* Negative days: it has expired. */
static void make_certificate(
    const char *folder, const char *name, const char *alternative, int days)
{
    AUTO_TEXT command = mem_printf(
        "cd %s && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=%s' "
        "-addext 'subjectAltName=%s' -keyout %s.key -out request.pem 2>/dev/null && openssl x509 "
        "-req -in request.pem -signkey %s.key -days %d -copy_extensions copy -out %s.pem "
        "2>/dev/null",
        folder, name, alternative, name, name, days, name);
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
    catcher_prepare(&expired);
    make_certificate(secure.folder, "old", "DNS:localhost", -1);
    make_certificate(secure.folder, "mine", "DNS:localhost,IP:127.0.0.1", 2);
    make_certificate(secure.folder, "other", "DNS:mail.example.org", 2);
    AUTO_TEXT command =
        mem_printf("cd %s && cat mine.pem other.pem old.pem > ca.pem", secure.folder);
    catcher_run(command);
    catcher_start(&plain, NULL);
    start_secure(&secure, "mine", NULL);
    start_secure(&locked, "mine", "mailer");
    start_secure(&stranger, "other", NULL);
    start_secure(&expired, "old", NULL);
    return 0;
}

static int stop_servers(void **state)
{
    (void)state;
    catcher_stop(&plain);
    catcher_stop(&secure);
    catcher_stop(&locked);
    catcher_stop(&stranger);
    catcher_stop(&expired);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_goes_out_over_verified_tls_only),
        cmocka_unit_test(nothing_is_sent_without_authentication),
        cmocka_unit_test(many_tls_sessions_run_without_a_stall),
    };
    return cmocka_run_group_tests(tests, start_servers, stop_servers);
}

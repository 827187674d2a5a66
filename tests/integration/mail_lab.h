/*
 * A mail worker without a broker: a private MariaDB behind a wire that can be cut, a mail server
 * that misbehaves on demand, and groups of mails that are accepted, run and looked at.
 */
#ifndef CERTQ_TESTS_MAIL_LAB_H
#define CERTQ_TESTS_MAIL_LAB_H

#include "catcher.h"

#include "base/clock.h"
#include "crypto/keyring.h"
#include "db/job_store.h"
#include "kinds/mail_text.h"
#include "mail/smtp.h"
#include "mail/template.h"
#include "runner.h"
#include "support/proxy.h"

#define LAB_DATABASE "mails"
#define LAB_MOST 16

static struct {
    struct catcher catcher;
    struct mariadb *server;
    struct proxy *proxy;
    struct config config;
    struct db *broker, *admin;
    size_t caught; /* by the catcher before this test */
} lab;

static UNUSED void must(int result, const struct err *err)
{
    if (result)
        fail_msg("%s: %s", err->code, err->text);
}

#define number(...)                                                                                \
    __extension__({                                                                                \
        AUTO_TEXT sql_ = mem_printf(__VA_ARGS__);                                                  \
        mariadb_number(lab.server, LAB_DATABASE, sql_);                                            \
    })
#define sql(...)                                                                                   \
    __extension__({                                                                                \
        AUTO_TEXT sql_ = mem_printf(__VA_ARGS__);                                                  \
        mariadb_do(lab.admin, sql_);                                                               \
    })

static UNUSED int lab_start(void **state UNUSED)
{
    struct err err = {0};
    catcher_prepare(&lab.catcher);
    catcher_start(&lab.catcher, NULL);
    lab.config.code_keyring = mem_printf("%s/codes", lab.catcher.folder);
    must(keyring_generate(lab.config.code_keyring, 1, &err), &err);
    static char from[] = "ca@example.jp", name[] = "CA", help[] = "help@example.jp",
                domain[] = "mail.example.jp", host[] = "127.0.0.1", helo[] = "certq.example.jp";
    lab.config.mail = (struct config_mail){.from = from,
        .from_name_ja = name,
        .from_name_en = name,
        .help_ja = help,
        .help_en = help,
        .message_id_domain = domain,
        .smtp = {.host = host,
            .port = lab.catcher.port,
            .helo = helo,
            .session = 100,
            .timeout_ms = 2000}};
    lab.server = mariadb_start(NULL, NULL);
    mariadb_migrate(lab.server, LAB_DATABASE);
    lab.proxy = proxy_start(lab.server);
    lab.broker = mariadb_open(lab.server, "certq_broker", LAB_DATABASE, 1);
    lab.admin = mariadb_open(lab.server, "certq_admin", LAB_DATABASE, 10);
    return 0;
}

static UNUSED int lab_stop(void **state UNUSED)
{
    proxy_free(lab.proxy);
    db_free(lab.broker);
    db_free(lab.admin);
    mariadb_free(lab.server);
    catcher_stop(&lab.catcher);
    free(lab.config.code_keyring);
    return 0;
}

static UNUSED json_t *caught(void)
{
    AUTO_TEXT path = mem_printf("%s/box/index.jsonl", lab.catcher.folder);
    return access(path, F_OK) ? json_array() : catcher_index(&lab.catcher);
}

static UNUSED size_t caught_count(void)
{
    AUTO_TYPE(json, json_t) *lines = caught();
    return json_array_size(lines) - lab.caught;
}

/* Before each test: a polite server, no faults, nothing caught. */
static UNUSED int lab_calm(void **state UNUSED)
{
    lab.caught = 0;
    lab.caught = caught_count();
    catcher_behave(&lab.catcher, "{}");
    proxy_set(lab.proxy, NULL, NULL);
    return 0;
}

/* Each has its own connection, through the wire. */
static UNUSED struct worker *lab_worker(void)
{
    struct err err = {0};
    struct worker *w = MEM_NEW(struct worker);
    w->config = &lab.config;
    w->life = uuid_new();
    w->name = mem_text("lab");
    must(keyring_load(lab.config.code_keyring, &w->codes, &err), &err);
    must(template_set_load(CERTQ_SOURCE_DIR "/config/templates", &w->templates, &err), &err);
    must(smtp_new(&lab.config.mail, &w->smtp, &err), &err);
    w->db = proxy_db(lab.proxy, "certq_mail", LAB_DATABASE);
    return w;
}

/* --- mails --- */

/* Mails that stand in job, to be run as groups. */
struct mails {
    struct job jobs[LAB_MOST];
    char args[LAB_MOST][1024];
    size_t n;
};

/* A mail to `to`, about `certificate` and with its code when that is not NULL. */
static UNUSED void mails_add(struct mails *m, const char *to, const struct uuid *certificate)
{
    static char client[] = "certq";
    const int64_t now = clock_now_ms();
    char *args = m->args[m->n];
    snprintf(args, sizeof m->args[0],
        "{\"template\":\"%s\",\"language\":\"en\",\"recipient\":\"%s\",\"facts\":{\"service\":\"S\""
        ",\"name\":\"N\",\"organisation\":\"O\",\"serial\":\"01\",\"not_before\":\"2026\",\"not_"
        "after\""
        ":\"2027\",\"first\":\"yes\",\"common_name\":\"C\",\"applied_on\":\"1 May\",\"url\":\"u\"}",
        certificate ? "certificate-code" : "certificate-issued", to);
    size_t at = strlen(args);
    if (certificate)
        snprintf(args + at, sizeof m->args[0] - at, ",\"generation\":1,\"certificate\":\"%s\"}",
            uuid_s(certificate));
    else
        snprintf(args + at, sizeof m->args[0] - at, "}");
    m->jobs[m->n++] = (struct job){.id = uuid_new(),
        .priority = JOB_PRIORITY_DEFAULT,
        .run_at_ms = now,
        .rank = job_rank(now, JOB_PRIORITY_DEFAULT),
        .kind = "mail",
        .client = client,
        .args = (uint8_t *)args,
        .args_length = strlen(args),
        .created_ms = now};
}

static UNUSED void mails_accept(struct mails *m)
{
    struct err err = {0};
    struct accept batch[LAB_MOST];
    for (size_t i = 0; i < m->n; i++)
        batch[i] = (struct accept){.job = &m->jobs[i]};
    must(job_accept(lab.broker, batch, m->n, &err), &err);
}

static UNUSED struct group *mails_group(const struct mails *m)
{
    struct err err = {0};
    const struct kind *k = kind_of(KIND_MAIL);
    const struct job *list[LAB_MOST];
    bool serves[KINDS] = {[KIND_MAIL] = true};
    struct group *g = NULL;
    AUTO_BUF frame = {0};
    for (size_t i = 0; i < m->n; i++)
        list[i] = &m->jobs[i];
    const struct worker_jobs head = {.group = uuid_new(),
        .kind = bytes_of_text(k->name),
        .durable = true,
        .deadline_ms = k->deadline_ms,
        .count = (uint32_t)m->n};
    worker_jobs_write(&head, (struct job *const *)(uintptr_t)list, &frame);
    must(group_new(&frame, serves, &g, &err), &err);
    return g;
}

/* "done failed" ... */
static UNUSED char *outcomes(const struct group *g)
{
    AUTO_BUF text = {0};
    for (size_t i = 0; i < g->n; i++)
        buf_printf(&text, "%s%s", i ? " " : "", outcome_name(g->tasks[i].outcome));
    return buf_take_text(&text);
}

static UNUSED void check_run(struct worker *w, const struct mails *m, const char *expected)
{
    AUTO(group) g = mails_group(m);
    runner_run(w, g);
    AUTO_TEXT got = outcomes(g);
    if (strcmp(got, expected) != 0)
        fail_msg("%s, not %s (%s)", got, expected, g->tasks[0].plan.message);
    assert_true(g->report.length > 0);
}

static UNUSED char *state_of(const struct mails *m, size_t i)
{
    static const char *const states[] = {"sending", "deferred", "sent", "rejected", "superseded"};
    char hex[33];
    int64_t at = number("SELECT FIELD(state, 'sending', 'deferred', 'sent', 'rejected', "
                        "'superseded') FROM mail WHERE id = x'%s'",
        uuid_format_hex(&m->jobs[i].id, hex));
    return mem_text(at < 1 ? "none" : states[at - 1]);
}

static UNUSED void check_state(const struct mails *m, size_t i, const char *expected)
{
    AUTO_TEXT state = state_of(m, i);
    if (strcmp(state, expected) != 0)
        fail_msg("mail %zu is %s, not %s", i, state, expected);
}

/* --- what stands beside them --- */

/* Is that life's lock held? */
static UNUSED bool is_alive(const struct uuid *life)
{
    char name[64];
    mail_life_lock(life, name);
    return number("SELECT IS_FREE_LOCK('%s')", name) == 0;
}

static UNUSED struct uuid add_certificate(const char *code_key, const char *state)
{
    struct uuid id = uuid_new();
    char hex[33];
    sql("INSERT INTO certificate (id, subscriber, application, product, issuer, state, serial, "
        "code_key, code_generation, code_nonce, root, created_ms) VALUES (x'%s', '', '', 'p', 'i', "
        "'%s', x'%s', '%s', 1, REPEAT('n', 16), '', 1)",
        uuid_format_hex(&id, hex), state, hex, code_key);
    return id;
}

#endif

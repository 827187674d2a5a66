/*
 * A worker without a broker: keys, issuer and products in a temporary folder, a private MariaDB,
 * and groups of jobs that are accepted, run and looked at.
 */
#ifndef CERTQ_TESTS_KINDS_LAB_H
#define CERTQ_TESTS_KINDS_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "crypto/code.h"
#include "crypto/intake.h"
#include "crypto/keyring.h"
#include "crypto/scrypt.h"
#include "crypto/seal.h"
#include "db/job_store.h"
#include "lifecycle/code.h"
#include "lifecycle/policy_set.h"
#include "mail/template.h"
#include "pki/issuer.h"
#include "runner.h"
#include "signer.h"
#include "store/certificate_store.h"
#include "support/mariadb.h"
#include "unit.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LAB_DATABASE "kinds"

static struct {
    char folder[64];
    struct mariadb *server;
    struct config config;
    struct config_issuer issuer;
    struct sealer *sealer;
    struct db *broker;
    uint8_t priority; /* of the jobs; 0: the default */
} lab;

static UNUSED void must(int result, const struct err *err)
{
    if (result)
        fail_msg("%s: %s", err->code, err->text);
}

static UNUSED char *lab_path(const char *name)
{
    return mem_printf("%s/%s", lab.folder, name);
}

static UNUSED void lab_write(const char *name, const char *text)
{
    struct err err = {0};
    AUTO_TEXT path = lab_path(name);
    must(file_write(path, bytes_of_text(text), 0600, &err), &err);
}

static UNUSED void lab_products(void)
{
    struct err err = {0};
    const char *const copied[] = {"association", "online-banking"};
    for (size_t i = 0; i < ARRAY_LENGTH(copied); i++) {
        AUTO_BUF text = {0};
        AUTO_TEXT from = mem_printf("%s/config/products/%s.yaml", CERTQ_SOURCE_DIR, copied[i]);
        AUTO_TEXT name = mem_printf("%s.yaml", copied[i]);
        must(file_read(from, 1 << 20, &text, &err), &err);
        lab_write(name, buf_text(&text));
    }
    lab_write(
        "approved.yaml", "product: approved\nextends: association\nissue: {approval: operator}\n");
    lab.config.products = lab.folder;
}

static UNUSED void lab_keys(void)
{
    struct err err = {0};
    struct config *c = &lab.config;
    AUTO_TEXT root = lab_path("root.pem");
    AUTO_TEXT root_key = lab_path("root.key");
    c->code_keyring = lab_path("codes");
    c->intake.key = lab_path("intake.key");
    c->intake.certificate = lab_path("intake.pem");
    lab.issuer = (struct config_issuer){.name = mem_text("person-ca"),
        .certificate = lab_path("ca.pem"),
        .key = lab_path("ca.key"),
        .crl_url = mem_text("http://crl.example.jp/person-ca.crl")};
    c->issuers = &lab.issuer;
    c->issuer_count = 1;
    static char help[] = "help@example.jp";
    c->mail = (struct config_mail){.help_ja = help, .help_en = help};
    c->scrypt = (struct config_scrypt){.ln = 10, .r = 8, .p = 1};
    struct issuer_plan plan = {.root_certificate = root,
        .root_key = root_key,
        .certificate = lab.issuer.certificate,
        .key = lab.issuer.key,
        .root_name = "Root",
        .name = "Person CA",
        .not_before_ms = INT64_C(1577836800000),
        .root_days = 14610,
        .days = 14610,
        .is_test = true};
    must(issuer_init(&plan, &err), &err);
    must(keyring_generate(c->code_keyring, 1, &err), &err);
    must(intake_generate(c->intake.key, c->intake.certificate, clock_now_ms(), &err), &err);
    must(sealer_load(c->intake.certificate, &lab.sealer, &err), &err);
}

static UNUSED int lab_start(void **state UNUSED)
{
    snprintf(lab.folder, sizeof lab.folder, "/tmp/certq-kinds-XXXXXX");
    if (!mkdtemp(lab.folder))
        return -1;
    lab_products();
    lab_keys();
    lab.server = mariadb_start(NULL, NULL);
    mariadb_migrate(lab.server, LAB_DATABASE);
    lab.broker = mariadb_open(lab.server, "certq_broker", LAB_DATABASE, 1);
    return 0;
}

static UNUSED int lab_stop(void **state UNUSED)
{
    AUTO_TEXT command = mem_printf("rm -rf '%s'", lab.folder);
    sealer_free(lab.sealer);
    db_free(lab.broker);
    mariadb_free(lab.server);
    free(lab.issuer.name);
    free(lab.issuer.certificate);
    free(lab.issuer.key);
    free(lab.issuer.crl_url);
    free(lab.config.code_keyring);
    free(lab.config.intake.key);
    free(lab.config.intake.certificate);
    return system(command);
}

/* Each has its own connection and keys, as a process of its own would. */
static UNUSED struct worker *lab_worker(void)
{
    struct err err = {0};
    struct worker *w = MEM_NEW(struct worker);
    w->config = &lab.config;
    w->life = uuid_new();
    w->name = mem_text("lab");
    w->signer = signer_new();
    w->issuers = mem_zero(1, sizeof *w->issuers);
    must(policy_set_load(lab.config.products, &w->policies, &err), &err);
    must(issuer_load(lab.issuer.certificate, lab.issuer.key, &w->issuers[0], &err), &err);
    must(keyring_load(lab.config.code_keyring, &w->codes, &err), &err);
    must(seal_opener_load(lab.config.intake.key, lab.config.intake.certificate, &w->opener, &err),
        &err);
    must(template_set_load(CERTQ_SOURCE_DIR "/config/templates", &w->templates, &err), &err);
    w->db = mariadb_open(lab.server, "certq_worker", LAB_DATABASE, 3);
    return w;
}

/* --- jobs --- */

struct ask {
    struct uuid id;
    json_t *args; /* taken */
};

/* JSON written with single quotes. */
static UNUSED json_t *json_of(const char *format, ...) PRINTF_LIKE(1, 2);
static UNUSED json_t *json_of(const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_error_t why;
    json_t *value = json_loads(text, 0, &why);
    if (!value)
        fail_msg("%s: %s", why.text, text);
    return value;
}

static UNUSED struct ask ask_of(json_t *args)
{
    return (struct ask){uuid_new(), args};
}

static UNUSED void seal_into(struct ask *a, const char *name, const char *value)
{
    struct err err = {0};
    json_t *member = NULL;
    AUTO(secret) secret = secret_new(value, strlen(value));
    must(seal_member(lab.sealer, &a->id, name, secret, &member, &err), &err);
    json_object_set_new(a->args, name, member);
}

/* Accepts the jobs (when they are durable), runs them as one group, and gives it back. */
static UNUSED struct group *run_jobs(
    struct worker *w, struct db *broker, enum kind_id kind, const struct ask *asks, size_t n)
{
    struct err err = {0};
    const int64_t now = clock_now_ms();
    struct job *jobs = mem_zero(n, sizeof *jobs);
    struct job **list = mem_zero(n, sizeof *list);
    struct accept *batch = mem_zero(n, sizeof *batch);
    bool serves[KINDS] = {0};
    static char client[] = "web";
    serves[kind] = true;
    for (size_t i = 0; i < n; i++) {
        char *text = json_dumps(asks[i].args, JSON_COMPACT);
        json_decref(asks[i].args);
        const uint8_t priority = lab.priority ? lab.priority : JOB_PRIORITY_DEFAULT;
        jobs[i] = (struct job){.id = asks[i].id,
            .priority = priority,
            .run_at_ms = now,
            .rank = job_rank(now, priority),
            .kind = kind_name(kind),
            .client = client,
            .args = (uint8_t *)text,
            .args_length = strlen(text),
            .created_ms = now};
        list[i] = &jobs[i];
        batch[i] = (struct accept){.job = &jobs[i]};
    }
    const struct kind *k = kind_of(kind);
    if (k->durable)
        must(job_accept(broker, batch, n, &err), &err);
    AUTO_BUF frame = {0};
    struct worker_jobs head = {.group = uuid_new(),
        .kind = bytes_of_text(k->name),
        .durable = k->durable,
        .deadline_ms = k->deadline_ms,
        .count = (uint32_t)n};
    struct group *g = NULL;
    worker_jobs_write(&head, list, &frame);
    must(group_new(&frame, serves, &g, &err), &err);
    runner_run(w, g);
    for (size_t i = 0; i < n; i++)
        free(jobs[i].args);
    free(jobs);
    free(list);
    free(batch);
    return g;
}

static UNUSED const char *answer_of(const struct group *g, size_t i)
{
    const struct task *t = &g->tasks[i];
    if (t->outcome == OUTCOME_DONE)
        return "done";
    return t->plan.refused ? t->plan.code : outcome_name(t->outcome);
}

static UNUSED char *result_of(const struct group *g, size_t i, const char *path)
{
    AUTO_TYPE(json, json_t) *answer =
        g->tasks[i].plan.answer ? json_loads(g->tasks[i].plan.answer, 0, NULL) : NULL;
    const char *text = json_text_at(answer, path);
    return mem_text(text ? text : "(none)");
}

/* Runs one job; *ret_answer and, with a path, the result's text there, both freed by the caller. */
static UNUSED char *run_one(
    struct worker *w, enum kind_id kind, struct ask a, const char *path, char **ret_text)
{
    AUTO(group) g = run_jobs(w, lab.broker, kind, &a, 1);
    if (ret_text)
        *ret_text = result_of(g, 0, path);
    return mem_text(answer_of(g, 0));
}

/* --- keys and codes --- */

/* A certification request, PEM, with a key of its own each time. */
static UNUSED char *new_csr(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_REQ *req = X509_REQ_new();
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL;
    assert_true(key && X509_REQ_set_pubkey(req, key) && X509_REQ_sign(req, key, EVP_sha256()) > 0 &&
                PEM_write_bio_X509_REQ(out, req));
    long n = BIO_get_mem_data(out, &data);
    char *pem = mem_text_n(data, (size_t)n);
    BIO_free(out);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    return pem;
}

/* The code that the mail for this certificate would carry. */
static UNUSED char *code_of(struct worker *w, const char *certificate)
{
    struct err err = {0};
    struct uuid id, subscriber;
    AUTO(unit) u = unit_new(w->db);
    AUTO(secret) bits = NULL;
    assert_true(uuid_parse(certificate, strlen(certificate), &id));
    must(certificate_find(w->db, &id, 1, &subscriber, &err), &err);
    must(db_begin(w->db, &err), &err);
    const struct unit_wanted wanted = {.subscribers = &subscriber, .subscriber_count = 1};
    must(unit_lock_and_load(u, &wanted, &err), &err);
    db_rollback(w->db);
    const struct certificate *c = aggregate_certificate(unit_find(u, &subscriber), &id);
    must(code_derive(w->codes, c->code_key, &c->id, c->code_generation, c->code_nonce, &bits, &err),
        &err);
    AUTO(secret) text = code_text(bits);
    return mem_text_n((const char *)text->data, text->length);
}

/* --- requests --- */

#define HASH "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0$X2KaNHNGdJLVLpDdZkJ1QX4Q2kW2Q3Z1QX4Q2kW2Q3Y"
#define PASSWORD "申請パスワード1"

static UNUSED json_t *application(const char *product, const char *email)
{
    return json_of("{'product': '%s', 'subscriber': {'email': '%s', 'name': {'ja': '山田 太郎', "
                   "'latin': 'Yamada Taro'}, 'organisation': {'ja': '例示株式会社', 'latin': "
                   "'Example Corporation'}}, 'password': {'scrypt': '" HASH "'}}",
        product, email);
}

/* Applies with a sealed password; gives the certificate's id. */
static UNUSED char *apply(struct worker *worker, const char *product, const char *email)
{
    char *certificate = NULL;
    struct ask a = ask_of(application(product, email));
    seal_into(&a, "password", PASSWORD);
    AUTO_TEXT answer = run_one(worker, KIND_ISSUE, a, "certificate", &certificate);
    assert_string_equal(answer, "done");
    return certificate;
}

static UNUSED struct ask retrieval(
    const char *email, const char *password, const char *code, const char *csr)
{
    struct ask a = ask_of(json_of("{'email': '%s'}", email));
    json_object_set_new(a.args, "csr", json_string(csr));
    seal_into(&a, "password", password);
    seal_into(&a, "code", code);
    return a;
}

static UNUSED struct ask revocation(const char *certificate)
{
    return ask_of(json_of("{'certificate': '%s', 'reason': 'keyCompromise', 'by': {'role': "
                          "'operator', 'operator': 'op1'}}",
        certificate));
}

#define number(...)                                                                                \
    __extension__({                                                                                \
        AUTO_TEXT sql_ = mem_printf(__VA_ARGS__);                                                  \
        mariadb_number(lab.server, LAB_DATABASE, sql_);                                            \
    })

#endif

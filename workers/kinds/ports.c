#include "kinds/ports.h"

#include "base/random.h"
#include "crypto/code.h"
#include "lifecycle/code.h"
#include "mail/template.h"
#include "pki/certificate.h"
#include "pki/issuer.h"
#include "signer.h"
#include "unit.h"
#include "worker.h"

static struct worker *worker_of(void *arg)
{
    return ((struct ports *)arg)->worker;
}

static struct uuid draw_id(void *arg UNUSED)
{
    return uuid_new();
}

static void draw_serial(void *arg UNUSED, uint8_t ret[static SERIAL_BYTES])
{
    serial_draw(ret);
}

static void draw_nonce(void *arg UNUSED, uint8_t ret[static NONCE_BYTES])
{
    random_bytes(ret, NONCE_BYTES);
}

static int code_key(void *arg, const char **ret, struct err *err)
{
    const struct keyring *codes = worker_of(arg)->codes;
    if (!codes)
        return err_set(err, ERR_TEMPORARY, "code-key-missing", "this worker holds no code keys");
    *ret = key_id(keyring_current(codes));
    return 0;
}

static int matches(
    void *arg, const struct certificate *c, const struct secret *typed, bool *ret, struct err *err)
{
    AUTO(secret) bits = NULL;
    if (!worker_of(arg)->codes)
        return err_set(err, ERR_TEMPORARY, "code-key-missing", "this worker holds no code keys");
    if (code_derive(worker_of(arg)->codes, c->code_key, &c->id, c->code_generation, c->code_nonce,
            &bits, err))
        return -1;
    *ret = code_matches(typed, bits);
    return 0;
}

static int subject_fits(void *arg UNUSED, const struct subject_part *part, struct err *err)
{
    struct name_part name = {part->attribute, bytes_of_text(part->value)};
    return name_part_check(&name, err);
}

static int issuer_end(void *arg, const char *name, int64_t *ret_ms, struct err *err)
{
    const struct issuer *issuer = worker_issuer(worker_of(arg), name);
    if (!issuer)
        return err_set(err, ERR_TEMPORARY, "issuer-missing",
            "this worker does not hold the key of issuer %s", name);
    *ret_ms = issuer_not_after_ms(issuer);
    return 0;
}

static int sign(
    void *arg, const struct signing *what, struct buf *ret, char **ret_subject, struct err *err)
{
    return signer_sign(worker_of(arg), what, ret, ret_subject, err);
}

static int key_is_compromised(
    void *arg, const uint8_t spki_sha256[static 32], bool *ret, struct err *err)
{
    return unit_key_compromised(((struct ports *)arg)->unit, spki_sha256, ret, err);
}

static int unit_is_taken(
    void *arg, const char *product, const char *unit_key, bool *ret, struct err *err)
{
    return unit_key_taken(((struct ports *)arg)->unit, product, unit_key, ret, err);
}

static int load_der(void *arg, struct certificate *c, struct err *err)
{
    return unit_load_der(((struct ports *)arg)->unit, c, err);
}

static void pem(void *arg UNUSED, struct bytes der, struct buf *ret)
{
    certificate_pem(der, ret);
}

static const char *chain(void *arg, const char *name)
{
    const struct issuer *issuer = worker_issuer(worker_of(arg), name);
    return issuer ? issuer_chain_pem(issuer) : "";
}

static const char *time_text(void *arg UNUSED, int64_t time_ms, const struct zone *zone,
    enum policy_language language, char text[static 64])
{
    return template_date(
        time_ms, (int)(zone_offset_ms(zone) / 60000), policy_word(language, language), text);
}

static int document(void *arg, const char *name, const json_t *facts, enum policy_language language,
    struct buf *ret, struct err *err)
{
    const struct worker *w = worker_of(arg);
    const struct config_mail *mail = &w->config->mail;
    AUTO_TYPE(json, json_t) *all = json_copy((json_t *)(uintptr_t)facts);
    AUTO_TEXT title = NULL;
    AUTO(secret) body = NULL;
    const struct template *t =
        w->templates ? template_set_find(w->templates, policy_word(language, language), name)
                     : NULL;
    if (!t)
        return err_set(err, ERR_TEMPORARY, NULL, "this worker has no template %s", name);
    json_object_set_new(
        all, "help", json_string(language == LANGUAGE_JA ? mail->help_ja : mail->help_en));
    if (template_render(t, all, NULL, &title, &body, err))
        return -1;
    buf_printf(ret, "%s\n\n", title);
    buf_add(ret, body->data, body->length);
    return 0;
}

void ports_of(struct worker *w, struct unit *unit, struct ports *ret)
{
    *ret = (struct ports){
        .worker = w,
        .unit = unit,
        .ports = {.arg = ret,
            .draw_id = draw_id,
            .draw_serial = draw_serial,
            .draw_nonce = draw_nonce,
            .code_key = code_key,
            .code_matches = matches,
            .subject_check = subject_fits,
            .issuer_end = issuer_end,
            .sign = sign,
            .key_is_compromised = key_is_compromised,
            .unit_is_taken = unit_is_taken,
            .load_der = load_der,
            .pem = pem,
            .chain = chain,
            .time_text = time_text,
            .document = document},
    };
}

struct decision decision_of(const struct task *task, const struct ports *ports)
{
    const struct job *job = task->job;
    return (struct decision){.job = job->id,
        .now_ms = job->run_at_ms > job->created_ms ? job->run_at_ms : job->created_ms,
        .ports = ports ? &ports->ports : NULL};
}

struct decision decision_in(
    struct worker *w, struct unit *unit, const struct decision *read, struct ports *ports)
{
    struct decision d = *read;
    ports_of(w, unit, ports);
    d.ports = &ports->ports;
    return d;
}

#include "signer.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "pki/certificate.h"
#include "pki/issuer.h"
#include "pki/request.h"
#include "worker.h"

#include <string.h>

#define SUBJECT_MOST 1024 /* characters of certificate.subject */

struct prepared {
    const struct policy *policy;
    struct certificate_template *template;
};
struct signer {
    struct spki_checker *checkers[PARALLEL_MOST];
    struct prepared *prepared;
    size_t count;
};

struct signer *signer_new(void)
{
    return MEM_NEW(struct signer);
}

void signer_free(struct signer *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        certificate_template_free(s->prepared[i].template);
    free(s->prepared);
    for (size_t i = 0; i < PARALLEL_MOST; i++)
        spki_checker_free(s->checkers[i]);
    free(s);
}

/* --- requests --- */

/* Every kind of key a policy can name (policy_words.h, CURVE_*; RSA within pki's own bounds). */
static const struct spki_rules every_key = {
    .kinds = {[SPKI_P256] = true, [SPKI_P384] = true, [SPKI_RSA] = true},
    .rsa_bits_min = 2048,
    .rsa_bits_max = 8192,
};

int signer_read_request(
    struct signer *s, size_t thread, struct bytes text, struct request **ret, struct err *err)
{
    AUTO_BUF der = {0};
    struct spki_checker **checker = &s->checkers[thread];
    if (!*checker)
        *checker = spki_checker_new();
    if (base64_decode(text, &der))
        text = buf_bytes(&der);
    return request_parse(*checker, text, &every_key, ret, err);
}

struct request_key signer_key(const struct request *request)
{
    struct request_key key = {.spki = request->key.whole, .curve = -1};
    if (request->key.kind == SPKI_P256)
        key.curve = CURVE_P256;
    else if (request->key.kind == SPKI_P384)
        key.curve = CURVE_P384;
    else if (request->key.kind == SPKI_RSA)
        key.rsa_bits = (int)request->key.bits;
    memcpy(key.request_sha256, request->request_sha256, sizeof key.request_sha256);
    memcpy(key.spki_sha256, request->spki_sha256, sizeof key.spki_sha256);
    return key;
}

/* --- signing --- */

static int prepare(const struct worker *w, const struct policy *policy,
    struct certificate_template **ret, struct err *err)
{
    const char *eku[EKUS];
    const struct policy_certificate *c = &policy->certificate;
    const struct config_issuer *from = config_issuer(w->config, c->issuer);
    struct issuer *issuer = worker_issuer(w, c->issuer);
    if (!from || !issuer)
        return err_set(err, ERR_TEMPORARY, "issuer-missing",
            "this worker does not hold the key of issuer %s", c->issuer);
    struct certificate_profile profile = {.eku = eku,
        .crl_url = from->crl_url,
        .key_encipherment =
            c->eku & (POLICY_BIT(EKU_EMAIL_PROTECTION) | POLICY_BIT(EKU_SERVER_AUTH))};
    for (int i = 0; i < EKUS; i++)
        if (c->eku & POLICY_BIT(i))
            eku[profile.eku_count++] = policy_word(eku, i);
    return certificate_template_new(issuer, &profile, ret, err);
}

static int find_template(const struct worker *w, const struct policy *policy,
    struct certificate_template **ret, struct err *err)
{
    struct signer *s = w->signer;
    for (size_t i = 0; i < s->count; i++)
        if (s->prepared[i].policy == policy) {
            *ret = s->prepared[i].template;
            return 0;
        }
    struct certificate_template *made = NULL;
    if (prepare(w, policy, &made, err))
        return -1;
    s->prepared = mem_resize(s->prepared, s->count + 1, sizeof *s->prepared);
    s->prepared[s->count++] = (struct prepared){policy, made};
    *ret = made;
    return 0;
}

/* RFC 4514 2.4: the characters that must be escaped, and where. */
static void write_value(const char *value, struct buf *ret)
{
    for (const char *p = value; *p; p++) {
        bool edge = (p == value && (*p == '#' || *p == ' ')) || (!p[1] && *p == ' ');
        if (edge || strchr(",+\"\\<>;", *p))
            buf_add_char(ret, '\\');
        buf_add_char(ret, *p);
    }
}

/* RFC 4514 2.1: the last RDN first. */
static int write_subject(const struct signing *what, char **ret, struct err *err)
{
    AUTO_BUF text = {0};
    for (size_t i = what->subject_count; i-- > 0;) {
        buf_printf(&text, "%s%s=", text.length ? "," : "", what->subject[i].attribute);
        write_value(what->subject[i].value, &text);
    }
    if (text.length > SUBJECT_MOST)
        return err_set(err, ERR_INPUT, NULL, "the subject is longer than %d bytes", SUBJECT_MOST);
    *ret = buf_take_text(&text);
    return 0;
}

int signer_sign(const struct worker *w, const struct signing *what, struct buf *ret,
    char **ret_subject, struct err *err)
{
    struct certificate_template *template = NULL;
    struct name_part parts[SUBJECT_PARTS_MOST];
    struct certificate_facts facts = {.not_before_ms = what->not_before_ms,
        .not_after_ms = what->not_after_ms,
        .subject = parts,
        .subject_count = what->subject_count,
        .emails = &what->email,
        .email_count = what->email ? 1 : 0,
        .dns = what->dns,
        .dns_count = what->dns_count,
        .spki = what->spki};
    AUTO_TEXT subject = NULL;
    if (what->serial.length != sizeof facts.serial)
        return err_set(err, ERR_TEMPORARY, "damaged", "the stored serial is damaged");
    memcpy(facts.serial, what->serial.data, sizeof facts.serial);
    for (size_t i = 0; i < what->subject_count; i++)
        parts[i] =
            (struct name_part){what->subject[i].attribute, bytes_of_text(what->subject[i].value)};
    if (write_subject(what, &subject, err) || find_template(w, what->policy, &template, err) ||
        certificate_sign(template, &facts, ret, err))
        return -1;
    *ret_subject = TAKE(subject);
    return 0;
}

#include "lifecycle/decide_certificate.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* --- the person --- */

void person_clear(struct person *p)
{
    json_decref(p->profile);
    json_decref(p->request);
    p->profile = p->request = NULL;
}

struct person person_of_args(const struct uuid *subscriber, const json_t *profile, json_t *request)
{
    struct person p = {.profile = json_incref((json_t *)(uintptr_t)profile), .request = request};
    uuid_format(subscriber, p.id);
    return p;
}

static int parse_stored(const char *text, const char *what, json_t **ret, struct err *err)
{
    struct err why = {0};
    if (!text)
        return 0;
    if (json_parse_object(bytes_of_text(text), ret, &why))
        return err_set(
            err, ERR_TEMPORARY, "damaged", "the stored %s is damaged: %s", what, why.text);
    return 0;
}

int person_of_rows(const struct aggregate *a, const struct application *application,
    struct person *ret, struct err *err)
{
    AUTO_PERSON p = {0};
    uuid_format(&a->subscriber.id, p.id);
    if (parse_stored(application->request, "request", &p.request, err))
        return -1;
    json_t *then = json_object_get(p.request, "subscriber");
    if (then)
        p.profile = json_incref(then);
    else if (parse_stored(a->subscriber.profile, "profile", &p.profile, err))
        return -1;
    *ret = p;
    p = (struct person){0};
    return 0;
}

void profile_keep(struct aggregate *a)
{
    for (size_t i = 0; i < a->application_count; i++) {
        struct application *row = a->applications[i];
        if (uuid_is_zero(&row->certificate))
            continue;
        AUTO_TYPE(json, json_t) *request =
            row->request ? json_loads(row->request, 0, NULL) : json_object();
        if (!request || json_object_get(request, "subscriber"))
            continue;
        json_t *profile = json_loads(a->subscriber.profile, 0, NULL);
        if (!profile)
            continue;
        json_object_set_new(request, "subscriber", profile);
        free(row->request);
        row->request = json_compact(request);
        row_touch(&row->row);
    }
}

const char *person_value(const struct person *p, const char *path)
{
    if (strcmp(path, "subscriber.id") == 0)
        return p->id;
    const char *value = json_text_at(p->profile, path);
    if (!value && p->request)
        value = json_text_at(p->request, path);
    return value && value[0] ? value : NULL;
}

const char *person_name(const struct person *p, enum policy_language language)
{
    static const char *const paths[LANGUAGES][3] = {
        [LANGUAGE_JA] = {"name.ja", "name.latin", "email"},
        [LANGUAGE_EN] = {"name.latin", "name.ja", "email"},
    };
    for (size_t i = 0; i < 3; i++) {
        const char *value = person_value(p, paths[language][i]);
        if (value)
            return value;
    }
    const char *user = person_value(p, "user_id");
    return user ? user : p->id;
}

const struct length *person_term(const struct person *p, const struct policy *policy)
{
    const char *text = p->request ? json_text_at(p->request, "term") : NULL;
    const struct length *term = policy_term(policy, text);
    return term ? term : policy_term(policy, NULL); /* the policy no longer has that one */
}

/* --- the subject --- */

static const char *part_value(const struct policy_name_part *part, const struct person *p)
{
    return part->field ? person_value(p, part->field) : part->text;
}

/* "dns.0" is the field dns. */
static const char *args_path(const struct policy *policy, const char *path)
{
    const struct policy_field *field = policy_field(policy, path);
    if (field)
        return field->args_path;
    return strncmp(path, "dns", 3) == 0 ? "dns" : path;
}

bool subject_check(const struct decision *d, const struct policy *policy, const struct person *p,
    struct plan *plan)
{
    bool fits = true;
    for (size_t i = 0; i < policy->certificate.subject_count; i++) {
        const struct policy_name_part *from = &policy->certificate.subject[i];
        struct subject_part part = {policy_word(rdn, from->rdn), part_value(from, p)};
        struct err err = {0};
        if (!from->field || (!part.value && from->is_optional))
            continue;
        const char *path = args_path(policy, from->field);
        if (!part.value)
            plan_bad_field(plan, path, "is missing: the certificate's %s needs it", part.attribute);
        else if (d->ports->subject_check(d->ports->arg, &part, &err))
            plan_bad_field(plan, path, "does not fit the certificate: %s", err.text);
        else
            continue;
        fits = false;
    }
    return fits;
}

const char *subject_common_name(const struct policy *policy, const struct person *p)
{
    for (size_t i = 0; i < policy->certificate.subject_count; i++)
        if (policy->certificate.subject[i].rdn == RDN_CN)
            return part_value(&policy->certificate.subject[i], p);
    return NULL;
}

static void add_subject(struct signing *s, const struct person *p)
{
    const struct policy_certificate *c = &s->policy->certificate;
    for (size_t i = 0; i < c->subject_count && s->subject_count < SUBJECT_PARTS_MOST; i++) {
        const char *value = part_value(&c->subject[i], p);
        if (value)
            s->subject[s->subject_count++] =
                (struct subject_part){policy_word(rdn, c->subject[i].rdn), value};
    }
}

/* --- the key --- */

bool key_check(const struct policy *policy, const struct request_key *key, struct plan *plan)
{
    const struct policy_certificate *c = &policy->certificate;
    if (key->curve >= 0) {
        if (c->curves & POLICY_BIT(key->curve))
            return true;
        plan_bad_field(plan, "csr", "the key is on curve %s, which %s does not take",
            policy_word(curve, key->curve), policy->name);
        return false;
    }
    if (!key->rsa_bits || !c->rsa_most)
        plan_bad_field(plan, "csr", "%s does not take this kind of key", policy->name);
    else if (key->rsa_bits < c->rsa_least || key->rsa_bits > c->rsa_most)
        plan_bad_field(plan, "csr", "the key is RSA with %d bits; %s takes %d to %d", key->rsa_bits,
            policy->name, c->rsa_least, c->rsa_most);
    else
        return true;
    return false;
}

static json_t *json_hex(const uint8_t *data, size_t length)
{
    AUTO_TEXT text = mem_zero(2 * length + 1, 1);
    hex_encode(data, length, text);
    return json_string(text);
}

json_t *key_to_json(const struct request_key *key)
{
    AUTO_BUF spki = {0};
    base64_encode(key->spki, &spki);
    return json_pack("{s:s, s:o, s:o, s:i, s:i}", "spki", buf_text(&spki), "request",
        json_hex(key->request_sha256, sizeof key->request_sha256), "hash",
        json_hex(key->spki_sha256, sizeof key->spki_sha256), "curve", key->curve, "rsa_bits",
        key->rsa_bits);
}

static bool read_hash(const json_t *json, const char *name, uint8_t ret[static 32])
{
    const char *text = json_text_at(json, name);
    return text && strlen(text) == 64 && hex_decode(text, 64, ret);
}

int key_of_json(const json_t *json, struct buf *ret_spki, struct request_key *ret, struct err *err)
{
    struct request_key key = {0};
    const char *spki = json_text_at(json, "spki");
    if (!spki || !base64_decode(bytes_of_text(spki), ret_spki) ||
        !read_hash(json, "request", key.request_sha256) ||
        !read_hash(json, "hash", key.spki_sha256))
        return err_set(err, ERR_TEMPORARY, "damaged", "the stored key is damaged");
    key.curve = (int)json_integer_value(json_at(json, "curve"));
    key.rsa_bits = (int)json_integer_value(json_at(json, "rsa_bits"));
    key.spki = buf_bytes(ret_spki);
    *ret = key;
    return 0;
}

/* --- issuing --- */

void issuance_clear(struct issuance *i)
{
    buf_free(&i->der);
    free(i->subject);
    *i = (struct issuance){0};
}

/* 0 with *ret, or refused when the end its chain prescribes has passed (A9). */
static int find_validity(const struct decision *d, const struct policy *policy,
    const struct person *p, const struct certificate *c, struct validity *ret, struct plan *plan,
    struct err *err)
{
    int64_t issuer_end = 0;
    struct validity_rule rule = policy_validity_rule(policy, person_term(p, policy));
    if (d->ports->issuer_end(d->ports->arg, c->issuer, &issuer_end, err) ||
        validity_compute(&rule, d->now_ms, issuer_end, ret, err))
        return -1;
    if (!c->not_after_ms)
        return 0;
    ret->not_after_ms = c->not_after_ms < issuer_end ? c->not_after_ms : issuer_end;
    if (d->now_ms / 1000 > ret->not_after_ms / 1000)
        plan_refuse(plan, "expired", "the certificate this one replaces expired on %s",
            clock_s(c->not_after_ms));
    return 0;
}

static int dns_names(
    const struct person *p, const char **ret, size_t most, size_t *ret_n, struct err *err)
{
    const json_t *dns = json_object_get(p->request, "dns");
    for (size_t n = 0; n < json_array_size(dns) && n < most; n++) {
        ret[n] = json_string_value(json_array_get(dns, n));
        if (!ret[n])
            return err_set(err, ERR_TEMPORARY, "damaged", "the stored host names are damaged");
        *ret_n = n + 1;
    }
    return 0;
}

int issuance_make(const struct decision *d, const struct policy *policy, const struct person *p,
    const struct certificate *certificate, const struct request_key *key, struct issuance *ret,
    struct plan *plan, struct err *err)
{
    const char *dns[POLICY_LIST_MOST];
    struct signing s = {.policy = policy,
        .serial = {certificate->serial, certificate->serial_length},
        .spki = key->spki};
    struct issuance made = {0};
    bool is_compromised = false;
    if (d->ports->key_is_compromised(d->ports->arg, key->spki_sha256, &is_compromised, err))
        return -1;
    if (is_compromised)
        plan_refuse(
            plan, "key-compromised", "csr: this key was reported compromised; make another");
    if (plan->refused)
        return 0;
    if (find_validity(d, policy, p, certificate, &made.validity, plan, err))
        return -1;
    if (plan->refused)
        return 0;
    s.not_before_ms = made.validity.not_before_ms;
    s.not_after_ms = made.validity.not_after_ms;
    add_subject(&s, p);
    if (policy->certificate.san & POLICY_BIT(SAN_EMAIL))
        s.email = person_value(p, "email");
    if (policy->certificate.san & POLICY_BIT(SAN_DNS)) {
        s.dns = dns;
        if (dns_names(p, dns, ARRAY_LENGTH(dns), &s.dns_count, err))
            return -1;
    }
    if (d->ports->sign(d->ports->arg, &s, &made.der, &made.subject, err)) {
        issuance_clear(&made);
        if (err->kind != ERR_INPUT)
            return -1;
        plan_refuse(plan, "bad-request", "no certificate can be made of this: %s", err->text);
        return 0;
    }
    *ret = made;
    return 0;
}

void issuance_apply(const struct decision *d, struct certificate *certificate,
    struct issuance *issuance, const struct request_key *key)
{
    certificate_move(certificate, CERTIFICATE_VALID);
    certificate->not_before_ms = issuance->validity.not_before_ms;
    certificate->not_after_ms = issuance->validity.not_after_ms;
    certificate->issued_ms = d->now_ms;
    certificate->has_request = true;
    memcpy(certificate->request_sha256, key->request_sha256, sizeof key->request_sha256);
    memcpy(certificate->spki_sha256, key->spki_sha256, sizeof key->spki_sha256);
    free(certificate->subject);
    certificate->subject = TAKE(issuance->subject);
    buf_free(&certificate->der);
    certificate->der = issuance->der;
    issuance->der = (struct buf){0};
}

/* --- results --- */

json_t *json_uuid(const struct uuid *id)
{
    char text[UUID_TEXT];
    return json_stringn_nocheck(uuid_format(id, text), UUID_TEXT - 1);
}

json_t *json_time(int64_t time_ms)
{
    return json_string(clock_s(time_ms));
}

json_t *json_serial(const struct certificate *certificate)
{
    return json_hex(certificate->serial, certificate->serial_length);
}

void result_add_certificate(
    const struct decision *d, const struct certificate *certificate, json_t *result)
{
    AUTO_BUF pem = {0};
    d->ports->pem(d->ports->arg, buf_bytes(&certificate->der), &pem);
    json_object_set_new(result, "serial", json_serial(certificate));
    json_object_set_new(result, "not_before", json_time(certificate->not_before_ms));
    json_object_set_new(result, "not_after", json_time(certificate->not_after_ms));
    json_object_set_new(result, "pem", json_string(buf_text(&pem)));
    json_object_set_new(
        result, "chain", json_string(d->ports->chain(d->ports->arg, certificate->issuer)));
}

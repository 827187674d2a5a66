/*
 * A world for testing decisions: the real products and some made for a rule, ports that count and
 * can be told to fail, and short ways to run a decision from JSON with single quotes. A code is
 * CERTIFICATE/GENERATION here, a request's hash is filled with one byte.
 */
#ifndef DECIDE_FIXTURE_H
#define DECIDE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "lifecycle/decide_approval.h"
#include "lifecycle/decide_certificate.h"
#include "lifecycle/decide_issue.h"
#include "lifecycle/decide_reissue.h"
#include "lifecycle/decide_retrieve.h"
#include "lifecycle/decide_revoke.h"

#include <stdio.h>
#include <string.h>

#define HASH "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
#define OTHER_HASH "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ$b3RoZXI"

struct world {
    struct policy_set *set;
    struct decide_ports ports;
    unsigned ids, serials, signings;
    int fail_sign, fail_code_key; /* enum err_kind */
    int64_t issuer_end_ms;
    char compromised;           /* letter of the key that was reported; 0: none */
    const char *taken;          /* the unit key somebody else has; NULL: none */
    struct signing signed_last; /* subject texts below */
    char subject[512];
    int64_t now_ms;
    struct uuid job;
    struct plan plan; /* of the last decision */
    struct err err;
};

/* --- ports --- */

static UNUSED struct uuid fake_id(void *arg)
{
    struct world *w = arg;
    struct uuid id = {{0x01, 0x90}};
    unsigned n = ++w->ids;
    id.b[14] = (uint8_t)(n >> 8);
    id.b[15] = (uint8_t)n;
    return id;
}

static UNUSED void fake_serial(void *arg, uint8_t ret[static SERIAL_BYTES])
{
    struct world *w = arg;
    memset(ret, 0x40, SERIAL_BYTES);
    ret[SERIAL_BYTES - 1] = (uint8_t)++w->serials;
}

static UNUSED void fake_nonce(void *arg UNUSED, uint8_t ret[static NONCE_BYTES])
{
    memset(ret, 7, NONCE_BYTES);
}

static UNUSED int fake_code_key(void *arg, const char **ret, struct err *err)
{
    struct world *w = arg;
    if (w->fail_code_key)
        return err_set(err, (enum err_kind)w->fail_code_key, NULL, "no code key");
    *ret = "0a1b2c3d";
    return 0;
}

static UNUSED char *fake_code(const struct certificate *c)
{
    return mem_printf("%s/%u", uuid_s(&c->id), c->code_generation);
}

static UNUSED int fake_code_matches(void *arg UNUSED, const struct certificate *c,
    const struct secret *typed, bool *ret, struct err *err UNUSED)
{
    AUTO_TEXT code = fake_code(c);
    *ret = strlen(code) == typed->length && memcmp(code, typed->data, typed->length) == 0;
    return 0;
}

/* Stands for the bounds of RFC 5280 that pki knows. */
static UNUSED int fake_subject_check(
    void *arg UNUSED, const struct subject_part *part, struct err *err)
{
    if (strchr(part->value, '!'))
        return err_set(err, ERR_INPUT, NULL, "subject %s: no exclamation", part->attribute);
    return 0;
}

static UNUSED int fake_issuer_end(
    void *arg, const char *issuer UNUSED, int64_t *ret_ms, struct err *err UNUSED)
{
    *ret_ms = ((struct world *)arg)->issuer_end_ms;
    return 0;
}

static UNUSED int fake_sign(
    void *arg, const struct signing *what, struct buf *ret, char **ret_subject, struct err *err)
{
    struct world *w = arg;
    AUTO_BUF subject = {0};
    if (w->fail_sign)
        return err_set(err, (enum err_kind)w->fail_sign, NULL, "cannot sign");
    for (size_t i = 0; i < what->subject_count; i++)
        buf_printf(
            &subject, "%s%s=%s", i ? "," : "", what->subject[i].attribute, what->subject[i].value);
    if (what->email)
        buf_printf(&subject, " <%s>", what->email);
    w->signings++;
    w->signed_last = *what;
    snprintf(w->subject, sizeof w->subject, "%s", buf_text(&subject));
    buf_printf(ret, "DER %u", w->signings);
    *ret_subject = buf_take_text(&subject);
    return 0;
}

static UNUSED int fake_key_is_compromised(
    void *arg, const uint8_t spki_sha256[static 32], bool *ret, struct err *err UNUSED)
{
    const struct world *w = arg;
    *ret = w->compromised && spki_sha256[0] == (uint8_t)w->compromised;
    return 0;
}

static UNUSED int fake_unit_is_taken(
    void *arg, const char *product UNUSED, const char *unit_key, bool *ret, struct err *err UNUSED)
{
    const struct world *w = arg;
    *ret = w->taken && strcmp(unit_key, w->taken) == 0;
    return 0;
}

static UNUSED int fake_load_der(void *arg UNUSED, struct certificate *c, struct err *err UNUSED)
{
    if (!c->der.length)
        buf_add_text(&c->der, "DER stored");
    return 0;
}

static UNUSED void fake_pem(void *arg UNUSED, struct bytes der, struct buf *ret)
{
    buf_printf(ret, "PEM of %.*s", (int)der.length, (const char *)der.data);
}

static UNUSED const char *fake_chain(void *arg UNUSED, const char *issuer UNUSED)
{
    return "CHAIN";
}

static UNUSED const char *fake_time(void *arg UNUSED, int64_t time_ms, const struct zone *zone,
    enum policy_language language, char text[static 64])
{
    snprintf(text, 64, "%s %s", zone_time_s(time_ms, zone), policy_word(language, language));
    return text;
}

/* "NAME LANGUAGE {facts}": what a text would be made of. A fact "bad" cannot be written. */
static UNUSED int fake_document(void *arg UNUSED, const char *name, const json_t *facts,
    enum policy_language language, struct buf *ret, struct err *err)
{
    AUTO_BUF text = {0};
    if (json_object_get(facts, "bad"))
        return err_set(err, ERR_INPUT, NULL, "the fact bad is not one line of text");
    if (json_canonical(facts, &text, err))
        return -1;
    buf_printf(ret, "%s %s %s", name, policy_word(language, language), buf_text(&text));
    return 0;
}

/* --- products --- */

/* Made for one rule each, on top of the real ones. */
static UNUSED const char *const made_products[] = {
    /* B1, B2, B10: 31 days left at least, the first password stays. */
    "product: class2-rules\nextends: association\n"
    "credentials: {email: of-certificate, password: first-application}\n"
    "reissue: {min_days_left: 31}\n",
    "product: approved\nextends: association\nissue: {approval: operator}\n"
    "mails: {rejected: subscriber}\n",
    "product: japanese\nextends: association\n"
    "fields: {organisation.ja: {most: 64}}\n"
    "certificate: {subject: [{rdn: C, text: JP}, {rdn: O, field: organisation.ja}, "
    "{rdn: CN, field: name.ja}]}\n",
    /* C4 to C6 on top of codes: the requester picks, 14 days, forced when the key is lost. */
    "product: deferring\nextends: association\nreissue:\n  reasons:\n"
    "    key-lost: {crl: superseded, force: immediate}\n"
    "    emergency: {crl: keyCompromise, force: at-request, emergency: true}\n"
    "  predecessor: {choices: [deferred, immediate, keep], default: none, defer_days: 14}\n",
    "product: announcing\nextends: association\nreissue:\n  predecessor: {choices: [deferred], "
    "default: deferred, defer_days: 14}\nmails: {deferred-due: subscriber, locked: subscriber}\n",
    "product: limited\nextends: association\nreissue:\n"
    "  window: {days: 25, first_day: excluded, last_day: included}\n"
    "  most: {count: 2, of: subscriber}\n  outside: new-application\n",
    "product: limited-sr\nextends: association\nreissue:\n"
    "  window: {days: 25, first_day: excluded, last_day: excluded}\n"
    "  outside: operator-request\n",
    "product: reviewed\nextends: association\nreissue: {review: always}\n",
    "product: short-code\nextends: association\ncode: {days: 30}\n",
};

static UNUSED int read_base(void *arg UNUSED, const char *product, struct buf *ret, struct err *err)
{
    AUTO_TEXT path = mem_printf("%s/config/products/%s.yaml", CERTQ_SOURCE_DIR, product);
    return file_read(path, 1 << 20, ret, err);
}

static UNUSED int by_name(const void *a, const void *b)
{
    const struct policy *const *p = a, *const *q = b;
    return strcmp((*p)->name, (*q)->name);
}

static UNUSED void add_product(struct policy_set *set, const char *name, const char *text)
{
    struct policy_bases bases = {.read = read_base};
    struct err err = {0};
    struct policy *p = NULL;
    if (policy_load_text(name, bytes_of_text(text), &bases, &p, &err))
        fail_msg("%s: %s", name, err.text);
    set->items = mem_resize(set->items, set->count + 1, sizeof(struct policy *));
    set->items[set->count++] = p;
}

static UNUSED struct policy_set *load_products(void)
{
    struct err err = {0};
    struct policy_set *set = NULL;
    if (policy_set_load(CERTQ_SOURCE_DIR "/config/products", &set, &err))
        fail_msg("products: %s", err.text);
    for (size_t i = 0; i < ARRAY_LENGTH(made_products); i++)
        add_product(set, "made.yaml", made_products[i]);
    qsort(set->items, set->count, sizeof(struct policy *), by_name);
    return set;
}

/* --- the world --- */

static UNUSED int64_t at(const char *text)
{
    int64_t ms = 0;
    if (!clock_parse(text, strlen(text), &ms))
        fail_msg("no time: %s", text);
    return ms;
}

static UNUSED void world_init(struct world *w)
{
    *w = (struct world){.set = load_products(),
        .issuer_end_ms = at("2046-01-01T00:00:00Z"),
        .now_ms = at("2026-04-01T03:00:00Z"),
        .job = {{9, 9}},
        .ports = {.draw_id = fake_id,
            .draw_serial = fake_serial,
            .draw_nonce = fake_nonce,
            .code_key = fake_code_key,
            .code_matches = fake_code_matches,
            .subject_check = fake_subject_check,
            .issuer_end = fake_issuer_end,
            .sign = fake_sign,
            .key_is_compromised = fake_key_is_compromised,
            .unit_is_taken = fake_unit_is_taken,
            .load_der = fake_load_der,
            .pem = fake_pem,
            .chain = fake_chain,
            .time_text = fake_time,
            .document = fake_document}};
    w->ports.arg = w;
}

static UNUSED void world_clear(struct world *w)
{
    plan_clear(&w->plan);
    policy_set_free(w->set);
}

/* A world for one test: cmocka's set-up and tear-down. */
static UNUSED int world_new(void **state)
{
    struct world *w = MEM_NEW(struct world);
    world_init(w);
    *state = w;
    return 0;
}

static UNUSED int world_free(void **state)
{
    world_clear(*state);
    free(*state);
    return 0;
}
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_new, world_free)

/* JSON written with single quotes. */
static UNUSED json_t *json_of(const char *text)
{
    AUTO_TEXT quoted = mem_text(text);
    json_error_t why;
    for (char *p = quoted; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *value = json_loads(quoted, JSON_DECODE_ANY, &why);
    if (!value)
        fail_msg("%s: %s", why.text, quoted);
    return value;
}

static UNUSED struct decision decision(struct world *w)
{
    plan_clear(&w->plan);
    err_clear(&w->err);
    w->job.b[15]++;
    return (struct decision){.job = w->job, .now_ms = w->now_ms, .ports = &w->ports};
}

/* --- asking --- */

/* Hash byte of a request: the same letter is the same request. */
static UNUSED struct request_key key_of(char letter)
{
    struct request_key key = {.spki = {(const uint8_t *)"SPKI", 4}, .curve = CURVE_P256};
    memset(key.request_sha256, letter, sizeof key.request_sha256);
    memset(key.spki_sha256, letter, sizeof key.spki_sha256);
    return key;
}

/* -1 as decide_issue; *a stays NULL when it is refused. */
static UNUSED int issue_json(struct world *w, struct aggregate **a, json_t *args, const char *hash,
    const struct request_key *key)
{
    struct decision d = decision(w);
    struct issue_request r;
    int result = 0;
    if (issue_read(&d, w->set, args, &r, &w->plan)) {
        r.password = r.policy->password.is_used ? hash : NULL;
        r.key = key;
        result = decide_issue(&d, &r, a, &w->plan, &w->err);
    }
    issue_request_clear(&r);
    return result;
}

#define TARO                                                                                       \
    "{'product': '%s', 'password': {'scrypt': 'x'}, 'subscriber': {'email': "                      \
    "'Taro@Example.jp', 'name': {'ja': '山田 太郎', 'latin': 'Yamada Taro'}, 'organisation': " \
    "{'ja': '例示株式会社', 'latin': 'Example Corporation'}}}"

/* Taro applies for a product like association. */
static UNUSED struct aggregate *apply(struct world *w, const char *product)
{
    struct aggregate *a = NULL;
    AUTO_TEXT text = mem_printf(TARO, product);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    if (issue_json(w, &a, args, HASH, NULL))
        fail_msg("issue: %s", w->err.text);
    if (w->plan.refused)
        fail_msg("issue refused: %s", w->plan.message);
    return a;
}

#define HANAKO                                                                                     \
    "{'product': 'online-banking', 'password': {'scrypt': 'x'}, 'subscriber': {'email': "          \
    "'hanako@example.jp', 'user_id': 'user01', 'organisation': {'company_code': 'C1', 'latin': "   \
    "'Example Corporation'}}}"

static UNUSED const char *answer(const struct world *w)
{
    return w->plan.refused ? w->plan.code : "done";
}

static UNUSED const char *result_text(const struct world *w, const char *path)
{
    const char *text = json_text_at(w->plan.result, path);
    return text ? text : "(none)";
}

static UNUSED const char *field_text(const struct world *w, const char *path)
{
    const char *text = json_string_value(json_object_get(w->plan.fields, path));
    return text ? text : "(none)";
}

/* --- everything a store would write --- */

static UNUSED void snapshot_certificate(const struct certificate *c, struct buf *b)
{
    char serial[2 * SERIAL_MOST + 1];
    hex_encode(c->serial, c->serial_length, serial);
    buf_printf(b, "C %s app=%s %s %s row=%d serial=%s key=%s gen=%u", uuid_s(&c->id),
        uuid_s(&c->application), c->product, certificate_state_word(c->state), c->row, serial,
        c->code_key, c->code_generation);
    buf_printf(b, " from=%lld to=%lld issued=%lld req=%d%02x subject=%s der=%zu revoked=%lld/%d\n",
        (long long)c->not_before_ms, (long long)c->not_after_ms, (long long)c->issued_ms,
        c->has_request, c->request_sha256[0], c->subject ? c->subject : "-", c->der.length,
        (long long)c->revoked_ms, (int)c->reason);
}

/* `with_tries`: the counter of wrong credentials, which a refusal may raise, too. */
static UNUSED char *snapshot(const struct aggregate *a, bool with_tries)
{
    AUTO_BUF b = {0};
    const struct subscriber *s = &a->subscriber;
    buf_printf(&b, "S %s %s %s %s %s %s %d %s %s\n", uuid_s(&s->id), s->product, s->unit_key,
        s->email ? s->email : "-", s->user_id ? s->user_id : "-", s->language, s->is_withdrawn,
        s->password ? s->password : "-", s->profile);
    if (with_tries)
        buf_printf(&b, "tries %u %lld\n", s->failures, (long long)s->locked_ms);
    for (size_t i = 0; i < a->application_count; i++) {
        const struct application *p = a->applications[i];
        buf_printf(&b, "A %s %s %s row=%d %s %s\n", uuid_s(&p->id), p->kind,
            application_state_word(p->state), p->row, p->request ? p->request : "-",
            p->decided_by ? p->decided_by : "-");
    }
    for (size_t i = 0; i < a->certificate_count; i++)
        snapshot_certificate(a->certificates[i], &b);
    return buf_take_text(&b);
}

/* As if the group had been committed and loaded again. */
static UNUSED void stored(struct aggregate *a)
{
    a->subscriber.row = ROW_STORED;
    for (size_t i = 0; i < a->application_count; i++)
        a->applications[i]->row = ROW_STORED;
    for (size_t i = 0; i < a->certificate_count; i++) {
        a->certificates[i]->row = ROW_STORED;
        a->certificates[i]->revoked_by = a->certificates[i]->reported_by = (struct uuid){{0}};
        buf_free(&a->certificates[i]->der);
    }
}

#endif

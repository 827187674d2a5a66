/* links: crypto lifecycle */
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/random.h"
#include "crypto/code.h"
#include "crypto/fingerprint.h"
#include "crypto/keyring.h"
#include "crypto/scrypt.h"
#include "crypto/secrets.h"
#include "lifecycle/code.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW INT64_C(1775001600000) /* 2026-04-01T00:00:00Z */

static char folder[] = "/tmp/certq-crypto-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static char *path_of(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static json_t *json(const char *text)
{
    json_t *value = NULL;
    struct err err = {0};
    if (json_parse_object(bytes_of_text(text), &value, &err))
        fail_msg("%s: %s", text, err.text);
    return value;
}

/* --- keyring --- */

static void keyrings_are_private_files(void **state)
{
    (void)state;
    AUTO_TEXT path = path_of("keys");
    struct err err = {0};
    AUTO(keyring) k = NULL;
    assert_int_equal(keyring_load(path, &k, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(keyring_generate(path, NOW, &err), 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(keyring_generate(path, NOW, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    static const mode_t open_modes[] = {0640, 0604, 0620, 0601, 0666};
    for (size_t i = 0; i < ARRAY_LENGTH(open_modes); i++) {
        chmod(path, open_modes[i]);
        assert_int_equal(keyring_load(path, &k, &err), -1);
        assert_int_equal(err.kind, ERR_INPUT);
        assert_non_null(strstr(err.text, "nobody but its owner"));
        assert_int_equal(keyring_rotate(path, NOW, &err), -1);
    }
    chmod(path, 0400);
    assert_int_equal(keyring_load(path, &k, &err), 0);
    assert_int_equal(keyring_count(k), 1);
    assert_int_equal(key_created_ms(keyring_current(k)), NOW);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    AUTO(keyring) none = NULL;
    assert_int_equal(keyring_load(path, &none, &err), -1);
    assert_non_null(strstr(err.text, "not a plain file"));
    unlink(path);
}

static void rotation_keeps_old_keys(void **state)
{
    (void)state;
    AUTO_TEXT path = path_of("keys");
    struct err err = {0};
    char ids[5][KEY_ID];
    assert_int_equal(keyring_rotate(path, NOW, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(keyring_generate(path, NOW, &err), 0);
    uint8_t first[KEY_MAC_LENGTH];
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        AUTO(keyring) k = NULL;
        assert_int_equal(keyring_load(path, &k, &err), 0);
        assert_int_equal(keyring_count(k), i + 1);
        const struct key *current = keyring_current(k);
        memcpy(ids[i], key_id(current), KEY_ID);
        uint8_t mac[KEY_MAC_LENGTH];
        for (size_t old = 0; old <= i; old++) {
            assert_non_null(keyring_find(k, ids[old]));
            assert_string_equal(key_id(keyring_at(k, i - old)), ids[old]);
        }
        key_mac(keyring_find(k, ids[0]), "test", NULL, 0, mac);
        if (!i)
            memcpy(first, mac, sizeof mac);
        assert_memory_equal(mac, first, sizeof mac);
        assert_null(keyring_find(k, "00000000"));
        assert_null(keyring_find(k, ""));
        assert_null(keyring_at(k, i + 1));
        /* Within one second, and with a clock set back by a day, the last one made is current. */
        static const int64_t steps[] = {0, -86400000, 0, 1000, 0};
        assert_int_equal(keyring_rotate(path, NOW + steps[i], &err), 0);
    }
    /* Of two at once one is told so. */
    int lock = -1;
    assert_int_equal(file_lock(path, &lock, &err), 0);
    assert_int_equal(keyring_rotate(path, NOW, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    file_unlock(&lock);
    assert_int_equal(keyring_rotate(path, NOW, &err), 0);
    unlink(path);
}

/* A key line of 32 equal bytes, its id from another HMAC than ours. */
static char *key_line(uint8_t byte, const char *created)
{
    uint8_t raw[32], mac[32];
    memset(raw, byte, sizeof raw);
    static const char label[] = "certq key id";
    assert_non_null(
        HMAC(EVP_sha256(), raw, sizeof raw, (const uint8_t *)label, sizeof label, mac, NULL));
    char id[KEY_ID];
    hex_encode(mac, 4, id);
    AUTO_BUF base64 = {0};
    base64_encode((struct bytes){raw, sizeof raw}, &base64);
    return mem_printf("%s %s %s", id, created, buf_text(&base64));
}

static void damaged_keyrings_are_refused_by_line(void **state)
{
    (void)state;
    AUTO_TEXT path = path_of("keys");
    AUTO_TEXT a = key_line(1, "2026-01-01T00:00:00Z");
    AUTO_TEXT b = key_line(2, "2026-02-01T00:00:00Z");
    struct {
        char *text;
        const char *says; /* NULL: good */
    } rows[] = {
        {mem_printf("# note\n\n%s\n  \t\n%s\n", a, b), NULL},
        {mem_printf("%s\r\n%s", b, a), NULL},
        {mem_printf("%s\n%s\n", a, a), ":2: key"},
        {mem_printf("# none\n"), "no key in it"},
        {mem_printf("%s", ""), "no key in it"},
        {mem_printf("%s\nid only\n", a), ":2: a line is ID CREATED BASE64"},
        {mem_printf("%s more\n", a), ":1: a line is ID"},
        {mem_printf("%.9s 2026-13-01T00:00:00Z %s\n", a, a + 30), ":1: the second word is not"},
        {mem_printf("%.*s\n", (int)strlen(a) - 4, a), ":1: the key is not base64 of 32 bytes"},
        {mem_printf("%.8s%s\n", b, a + 8), ":1: this key's id is"},
        {mem_printf("%.*sF=\n", (int)strlen(a) - 2, a), ":1: the key is not base64 of 32"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct err err = {0};
        assert_int_equal(file_write(path, bytes_of_text(rows[i].text), 0600, &err), 0);
        AUTO(keyring) k = NULL;
        int failed = keyring_load(path, &k, &err);
        if (failed != (rows[i].says ? -1 : 0) || (failed && !strstr(err.text, rows[i].says)))
            fail_msg("row %zu: %s", i, err.text);
        if (!failed) {
            assert_int_equal(keyring_count(k), 2);
            assert_memory_equal(key_id(keyring_current(k)), b, 8);
        } else {
            assert_null(strstr(err.text, "AQEBAQ"));
        }
        free(rows[i].text);
    }
    unlink(path);
}

static struct keyring *ring_of(const char *lines)
{
    AUTO_TEXT path = path_of("ring");
    struct err err = {0};
    struct keyring *k = NULL;
    if (file_write(path, bytes_of_text(lines), 0600, &err) || keyring_load(path, &k, &err))
        fail_msg("%s", err.text);
    unlink(path);
    return k;
}

/* --- fingerprints --- */

static void fingerprints_are_the_documented_hmac(void **state)
{
    (void)state;
    AUTO_TEXT line = key_line(7, "2026-01-01T00:00:00Z");
    AUTO(keyring) k = ring_of(line);
    static const struct {
        const char *kind;
        int64_t at_ms;
        const char *args, *text;
        size_t length;
    } rows[] = {
#define INPUT(text) text, sizeof text - 1
        {"issue", FINGERPRINT_NO_AT,
            "{\"b\":[1,{\"z\":1,\"y\":2}],\"a\":\"あ\",\"password\":\"p\"}",
            INPUT("certq fingerprint 1\0issue\0-1\0{\"a\":\"あ\",\"b\":[1,{\"y\":2,\"z\":1}]}")},
        {"crl", NOW, "{}",
            INPUT("certq fingerprint 1\0crl\0"
                  "1775001600000\0{}")},
    };
    uint8_t key[32];
    memset(key, 7, sizeof key);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *args = json(rows[i].args);
        uint8_t got[FINGERPRINT_LENGTH], want[32];
        struct err err = {0};
        assert_int_equal(fingerprint_compute(k, rows[i].kind, rows[i].at_ms, args, got, &err), 0);
        HMAC(EVP_sha256(), key, sizeof key, (const uint8_t *)rows[i].text, rows[i].length, want,
            NULL);
        assert_memory_equal(got, want, sizeof want);
    }
}

static void fingerprints_tell_content_apart(void **state)
{
    (void)state;
    AUTO_TEXT line = key_line(7, "2026-01-01T00:00:00Z");
    AUTO(keyring) k = ring_of(line);
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"{\"x\":1,\"y\":2}", "{\"y\":2,\"x\":1}", true},
        {"{\"x\":1.0}", "{\"x\":1}", true},
        {"{\"x\":\"\\u3042\"}", "{\"x\":\"あ\"}", true},
        {"{\"x\":1}", "{\"x\":\"1\"}", false},
        {"{\"x\":[1,2]}", "{\"x\":[2,1]}", false},
        {"{\"x\":null}", "{}", false},
        {"{\"password\":\"a\"}", "{\"password\":\"b\"}", true},
        {"{\"password\":\"a\"}", "{\"password\":{\"sealed\":\"AAAA\"}}", true},
        {"{\"password\":{\"sealed\":\"BBBB\"}}", "{\"password\":{\"sealed\":\"AAAA\"}}", true},
        {"{\"password\":{\"scrypt\":\"$\"}}", "{}", true},
        {"{\"old\":\"a\",\"new\":\"b\",\"code\":\"c\",\"x\":1}", "{\"x\":1}", true},
        {"{\"c\":[{\"code\":\"a\",\"n\":1}]}", "{\"c\":[{\"code\":\"b\",\"n\":1}]}", true},
        {"{\"c\":[{\"code\":\"a\",\"n\":1}]}", "{\"c\":[{\"code\":\"a\",\"n\":2}]}", false},
        {"{\"password\":null}", "{}", false},
        {"{\"passwords\":\"a\"}", "{\"passwords\":\"b\"}", false},
        {"{\"Password\":\"a\"}", "{\"Password\":\"b\"}", false},
        {"{\"postal\":{\"postal_code\":\"1\"}}", "{\"postal\":{\"postal_code\":\"2\"}}", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *a = json(rows[i].a);
        AUTO_TYPE(json, json_t) *b = json(rows[i].b);
        uint8_t of_a[FINGERPRINT_LENGTH];
        struct err err = {0};
        bool same = !rows[i].same;
        if (fingerprint_compute(k, "issue", -1, a, of_a, &err) ||
            fingerprint_matches(k, "issue", -1, b, of_a, &same, &err) || same != rows[i].same)
            fail_msg("%s and %s: %s", rows[i].a, rows[i].b, err.text);
        assert_int_equal(fingerprint_matches(k, "renew", -1, a, of_a, &same, &err), 0);
        assert_false(same);
        assert_int_equal(fingerprint_matches(k, "issue", 0, a, of_a, &same, &err), 0);
        assert_false(same);
    }
}

static void fingerprints_outlive_their_key(void **state)
{
    (void)state;
    AUTO_TEXT old = key_line(7, "2026-01-01T00:00:00Z");
    AUTO_TEXT new = key_line(8, "2026-02-01T00:00:00Z");
    AUTO_TEXT both = mem_printf("%s\n%s\n", old, new);
    AUTO(keyring) before = ring_of(old);
    AUTO(keyring) after = ring_of(both);
    AUTO(keyring) without = ring_of(new);
    AUTO_TYPE(json, json_t) *args = json("{\"x\":1}");
    uint8_t stored[FINGERPRINT_LENGTH], now[FINGERPRINT_LENGTH];
    struct err err = {0};
    bool same = false;
    assert_int_equal(fingerprint_compute(before, "issue", -1, args, stored, &err), 0);
    assert_int_equal(fingerprint_compute(after, "issue", -1, args, now, &err), 0);
    assert_memory_not_equal(stored, now, sizeof now);
    assert_int_equal(fingerprint_matches(after, "issue", -1, args, stored, &same, &err), 0);
    assert_true(same);
    assert_int_equal(fingerprint_matches(without, "issue", -1, args, stored, &same, &err), 0);
    assert_false(same);
}

/* --- which members are secret --- */

static int collect(const struct secret_member *m, void *context, struct err *err)
{
    (void)err;
    static const char *const forms[] = {"plain", "sealed", "hashed"};
    buf_printf(context, "%s=%s:%.*s ", m->path, forms[m->form], (int)m->length, m->text);
    assert_ptr_equal(json_object_get(m->holder, m->name), m->value);
    return 0;
}

static void secret_members_are_found_anywhere(void **state)
{
    (void)state;
    static const struct {
        const char *args, *found, *stripped, *says;
    } rows[] = {
        {"{}", "", "{}", NULL},
        {"{\"password\":\"p\",\"email\":\"e\"}", "password=plain:p ", "{\"email\":\"e\"}", NULL},
        {"{\"old\":{\"sealed\":\"AA==\"},\"new\":{\"scrypt\":\"$s\"}}",
            "old=sealed:AA== new=hashed:$s ", "{}", NULL},
        {"{\"a\":{\"b\":[{\"code\":\"c\"},[{\"code\":\"d\",\"k\":1}]]},\"z\":[]}",
            "a.b.0.code=plain:c a.b.1.0.code=plain:d ", "{\"a\":{\"b\":[{},[{\"k\":1}]]},\"z\":[]}",
            NULL},
        {"{\"password\":null,\"code\":\"\"}", "code=plain: ", "{\"password\":null}", NULL},
        {"{\"password\":1}", NULL, NULL, "password: a secret is a string"},
        {"{\"password\":true}", NULL, NULL, "password: a secret is a string"},
        {"{\"x\":[{\"password\":[\"hush\"]}]}", NULL, NULL, "x.0.password: a secret is"},
        {"{\"password\":{}}", NULL, NULL, "password: a secret is"},
        {"{\"password\":{\"sealed\":1}}", NULL, NULL, "password: a secret is"},
        {"{\"password\":{\"sealed\":\"A\",\"hush\":1}}", NULL, NULL, "password: a secret is"},
        {"{\"password\":{\"plain\":\"hush\"}}", NULL, NULL, "password: a secret is"},
        {"{\"code\":{\"scrypt\":\"hush\"}}", NULL, NULL, "code: a secret is"},
        {"{\"old\":{\"scrypt\":\"hush\"}}", NULL, NULL, "old: a secret is"},
        {"{\"a\":[{\"code\":\"\"},{\"code\":\"\"},{\"code\":\"\"},{\"code\":\"\"},{\"code\":\"\"},"
         "{\"code\":\"\"},{\"code\":\"\"},{\"code\":\"\"},{\"code\":\"\"}]}",
            NULL, NULL, "more than 8 secrets"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *args = json(rows[i].args);
        AUTO_TYPE(json, json_t) *untouched = json_deep_copy(args);
        AUTO_TYPE(json, json_t) *stripped = NULL;
        AUTO_BUF found = {0};
        struct err err = {0}, other = {0};
        int failed = secrets_each(args, collect, &found, &err);
        assert_int_equal(secrets_strip(args, &stripped, &other), failed);
        assert_true(json_equal(args, untouched));
        if (failed != (rows[i].says ? -1 : 0) || (failed && !strstr(err.text, rows[i].says)))
            fail_msg("%s: %s", rows[i].args, err.text);
        if (failed) {
            assert_null(strstr(err.text, "hush"));
            assert_int_equal(err.kind, ERR_INPUT);
            continue;
        }
        assert_string_equal(buf_text(&found), rows[i].found);
        AUTO_TYPE(json, json_t) *want = json(rows[i].stripped);
        if (!json_equal(stripped, want))
            fail_msg("%s", rows[i].args);
    }
    assert_true(secret_is_name("password") && secret_is_name("old") && secret_is_name("new") &&
                secret_is_name("code"));
    assert_false(secret_is_name("Code") || secret_is_name("") || secret_is_name("codes"));
}

static void a_secret_has_the_form_it_claims(void **state)
{
    (void)state;
    static const struct {
        enum secret_form form;
        const char *text, *says; /* says NULL: it has */
    } rows[] = {
        {SECRET_PLAIN, "hush", NULL},
        {SECRET_SEALED, "MA0GCyqGSIb3DQEJEAEX", NULL}, /* AuthEnvelopedData */
        {SECRET_SEALED, "MAsGCSqGSIb3DQEHAw==", NULL}, /* EnvelopedData: the worker refuses it */
        {SECRET_SEALED, "hush", "sealed: not base64"},
        {SECRET_SEALED, "hush hush", "sealed: not base64"},
        {SECRET_SEALED, "aHVzaCwgYSBwYXNzd29yZCBpbiBiYXNlNjQ=", "sealed: not base64"},
        {SECRET_SEALED, "MIAGCSqGSIb3DQEHAw==", NULL},
        {SECRET_SEALED, "MP8GCSqGSIb3DQEHAw==", "sealed: not base64"},
        {SECRET_SEALED, "MAA=", "sealed: not base64"},
        {SECRET_SEALED, "MA==", "sealed: not base64"},
        {SECRET_SEALED, "", "sealed: not base64"},
        {SECRET_HASHED, "hush", "scrypt: not of the form"},
        {SECRET_HASHED, "", "scrypt: not of the form"},
        {SECRET_HASHED,
            "$scrypt$ln=10,r=8,p=1$c2FsdC1vZi0xNi1ieXRlcw$"
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            NULL},
        {SECRET_HASHED, "$scrypt$ln=10,r=8,p=1$hush$hush", "scrypt: "},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct err err = {0};
        int failed = secret_form_check(rows[i].form, bytes_of_text(rows[i].text), &err);
        if (failed != (rows[i].says ? -1 : 0) || (failed && !strstr(err.text, rows[i].says)))
            fail_msg("%s: %s", rows[i].text, err.text);
        if (failed)
            assert_int_equal(err.kind, ERR_INPUT);
        assert_null(strstr(err.text, "hush"));
    }
    char long_text[SCRYPT_TEXT_MOST + 2];
    memset(long_text, '$', sizeof long_text);
    struct err err = {0};
    const struct bytes text = {(const uint8_t *)long_text, sizeof long_text};
    assert_int_equal(secret_form_check(SECRET_HASHED, text, &err), -1);
}

static int stop(const struct secret_member *m, void *context, struct err *err)
{
    (void)m;
    ++*(int *)context;
    return err_set(err, ERR_DENIED, NULL, "enough");
}

static void a_visitor_may_stop(void **state)
{
    (void)state;
    AUTO_TYPE(json, json_t) *args = json("{\"old\":\"a\",\"new\":\"b\"}");
    int visits = 0;
    struct err err = {0};
    assert_int_equal(secrets_each(args, stop, &visits, &err), -1);
    assert_int_equal(visits, 1);
    assert_int_equal(err.kind, ERR_DENIED);
}

/* --- codes --- */

static void codes_are_derived_from_their_row(void **state)
{
    (void)state;
    AUTO_TEXT old = key_line(7, "2026-01-01T00:00:00Z");
    AUTO_TEXT new = key_line(8, "2026-02-01T00:00:00Z");
    AUTO_TEXT both = mem_printf("%s\n%s\n", old, new);
    AUTO(keyring) before = ring_of(old);
    AUTO(keyring) after = ring_of(both);
    char id[KEY_ID];
    memcpy(id, key_id(keyring_current(before)), sizeof id);
    struct uuid certificate = uuid_new(), other = uuid_new();
    uint8_t nonce[CODE_NONCE_LENGTH] = {1, 2, 3}, nonce2[CODE_NONCE_LENGTH] = {1, 2, 4};
    const struct {
        const struct keyring *keys;
        const char *id;
        const struct uuid *certificate;
        uint32_t generation;
        const uint8_t *nonce;
        bool same;
    } rows[] = {
        {before, id, &certificate, 1, nonce, true},
        {after, id, &certificate, 1, nonce, true}, /* after a rotation */
        {after, key_id(keyring_current(after)), &certificate, 1, nonce, false},
        {before, id, &other, 1, nonce, false},
        {before, id, &certificate, 2, nonce, false},
        {before, id, &certificate, 0x01000000, nonce, false},
        {before, id, &certificate, 1, nonce2, false},
    };
    AUTO(secret) first = NULL;
    struct err err = {0};
    assert_int_equal(code_derive(before, id, &certificate, 1, nonce, &first, &err), 0);
    assert_int_equal(first->length, CODE_BITS_LENGTH);
    AUTO(secret) code = code_text(first);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(secret) bits = NULL;
        assert_int_equal(code_derive(rows[i].keys, rows[i].id, rows[i].certificate,
                             rows[i].generation, rows[i].nonce, &bits, &err),
            0);
        assert_int_equal(secret_equal(bits, first), rows[i].same);
        assert_int_equal(code_matches(code, bits), rows[i].same);
    }
    AUTO(secret) none = NULL;
    assert_int_equal(code_derive(before, "ffffffff", &certificate, 1, nonce, &none, &err), -1);
    assert_int_equal(err.kind, ERR_TEMPORARY);
    assert_string_equal(err.code, "code-key-missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keyrings_are_private_files),
        cmocka_unit_test(rotation_keeps_old_keys),
        cmocka_unit_test(damaged_keyrings_are_refused_by_line),
        cmocka_unit_test(fingerprints_are_the_documented_hmac),
        cmocka_unit_test(fingerprints_tell_content_apart),
        cmocka_unit_test(fingerprints_outlive_their_key),
        cmocka_unit_test(secret_members_are_found_anywhere),
        cmocka_unit_test(a_secret_has_the_form_it_claims),
        cmocka_unit_test(a_visitor_may_stop),
        cmocka_unit_test(codes_are_derived_from_their_row),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

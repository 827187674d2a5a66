/* links: crypto */
#include "seal_fixture.h"

#include "base/hex.h"

#include <sys/wait.h>

#define PASSWORD "申請パスワード \"1\" \\ hush"

static void seal_password(struct buf *ret)
{
    AUTO(secret) value = secret_text(PASSWORD);
    struct err err = {0};
    if (seal(sealer, &job, "password", value, ret, &err))
        fail_msg("%s", err.text);
}

/* Refused as bad-request, in words, without a word of the secret. */
static void assert_refused(struct bytes der, const char *says)
{
    AUTO(secret) got = NULL;
    struct err err = {0};
    assert_int_equal(unseal(opener, &job, "password", der, &got, &err), -1);
    assert_null(got);
    assert_int_equal(err.kind, ERR_INPUT);
    assert_string_equal(err.code, "bad-request");
    if (!strstr(err.text, says) || strncmp(err.text, "password: sealed value: ", 24) != 0)
        fail_msg("\"%s\" is not in: %s", says, err.text);
    assert_null(strstr(err.text, "hush"));
}

/* --- our own --- */

static void sealed_values_open_for_their_job_and_path(void **state)
{
    (void)state;
    AUTO_BUF der = {0}, again = {0};
    seal_password(&der);
    seal_password(&again);
    assert_false(bytes_equal(buf_bytes(&der), buf_bytes(&again)));
    AUTO(secret) want = secret_text(PASSWORD);
    AUTO(secret) got = NULL;
    struct err err = {0};
    assert_int_equal(unseal(opener, &job, "password", buf_bytes(&der), &got, &err), 0);
    assert_true(secret_equal(got, want));
    struct uuid other = uuid_new();
    AUTO(secret) none = NULL;
    assert_int_equal(unseal(opener, &other, "password", buf_bytes(&der), &none, &err), -1);
    assert_non_null(strstr(err.text, "for another job"));
    assert_int_equal(unseal(opener, &job, "new", buf_bytes(&der), &none, &err), -1);
    assert_non_null(strstr(err.text, "for another member"));
    assert_string_equal(err.code, "bad-request");
    assert_null(none);
}

static void values_are_bounded_text(void **state)
{
    (void)state;
    static char longest[SEAL_VALUE_MOST + 1];
    memset(longest, '\x01', sizeof longest); /* six bytes each in JSON */
    const struct {
        const char *value;
        size_t length;
        const char *says; /* NULL: good */
    } rows[] = {
        {"", 0, NULL},
        {longest, SEAL_VALUE_MOST, NULL},
        {longest, SEAL_VALUE_MOST + 1, "longer than 1024 bytes"},
        {"a\0b", 3, "NUL"},
        {"a\xff", 2, "not UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(secret) value = secret_new(rows[i].value, rows[i].length);
        AUTO_BUF der = {0};
        struct err err = {0};
        int failed = seal(sealer, &job, "code", value, &der, &err);
        if (failed != (rows[i].says ? -1 : 0) || (failed && !strstr(err.text, rows[i].says)))
            fail_msg("row %zu: %s", i, err.text);
        if (failed)
            continue;
        assert_true(der.length <= SEAL_DER_MOST);
        AUTO(secret) got = NULL;
        if (unseal(opener, &job, "code", buf_bytes(&der), &got, &err))
            fail_msg("row %zu: %s", i, err.text);
        assert_true(secret_equal(got, value));
    }
}

/* CMS does not authenticate its own header (a version, the case of the issuer's name), so a bit
 * turned there may go unseen; what opens is always what was sealed. */
static void altered_values_never_open_as_others(void **state)
{
    (void)state;
    AUTO_BUF der = {0};
    seal_password(&der);
    AUTO(secret) want = secret_text(PASSWORD);
    size_t opened = 0;
    for (size_t i = 0; i < der.length; i++) {
        der.data[i] ^= (uint8_t)(1 << i % 8);
        AUTO(secret) got = NULL;
        struct err err = {0};
        if (!unseal(opener, &job, "password", buf_bytes(&der), &got, &err)) {
            assert_true(secret_equal(got, want));
            opened++;
        } else {
            assert_int_equal(err.kind, ERR_INPUT);
        }
        der.data[i] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(opened <= 8);
    for (size_t n = 0; n < der.length; n++) {
        AUTO(secret) got = NULL;
        struct err err = {0};
        assert_int_equal(
            unseal(opener, &job, "password", (struct bytes){der.data, n}, &got, &err), -1);
    }
    der.data[der.length - 1] ^= 1;
    assert_refused(buf_bytes(&der), "it was altered");
    der.data[der.length - 1] ^= 1;
    buf_add_char(&der, '\0');
    assert_refused(buf_bytes(&der), "bytes follow its end");
    AUTO_BUF big = {0};
    memset(buf_reserve(&big, SEAL_DER_MOST + 1), 0x30, SEAL_DER_MOST + 1);
    assert_refused((struct bytes){big.data, SEAL_DER_MOST + 1}, "longer than 8192");
    assert_refused((struct bytes){NULL, 0}, "not DER");
}

static void members_stand_in_args_as_base64(void **state)
{
    (void)state;
    AUTO_TYPE(json, json_t) *args = NULL;
    struct err err = {0};
    assert_int_equal(json_parse_object(bytes_of_text("{\"email\":\"a@example.jp\",\"password\":"
                                                     "\"hush\",\"x\":[{\"new\":\"hush too\"}],"
                                                     "\"old\":{\"sealed\":\"AAAA\"}}"),
                         &args, &err),
        0);
    assert_int_equal(seal_args(sealer, &job, args, &err), 0);
    AUTO_BUF text = {0};
    json_write(args, &text);
    assert_null(strstr(buf_text(&text), "hush"));
    assert_string_equal(json_text_at(args, "email"), "a@example.jp");
    assert_string_equal(json_text_at(args, "old.sealed"), "AAAA");
    static const struct {
        const char *path, *member, *value;
    } rows[] = {{"password", "password.sealed", "hush"}, {"x.0.new", "x.0.new.sealed", "hush too"}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(secret) got = NULL;
        AUTO(secret) want = secret_text(rows[i].value);
        const char *base64 = json_text_at(args, rows[i].member);
        assert_non_null(base64);
        if (unseal_text(opener, &job, rows[i].path, bytes_of_text(base64), &got, &err))
            fail_msg("%s", err.text);
        assert_true(secret_equal(got, want));
        AUTO_TEXT broken = mem_printf("%s\n", base64);
        AUTO(secret) none = NULL;
        assert_int_equal(
            unseal_text(opener, &job, rows[i].path, bytes_of_text(broken), &none, &err), -1);
        assert_non_null(strstr(err.text, "not base64"));
    }
    json_object_set_new(args, "password", json_integer(1));
    assert_int_equal(seal_args(sealer, &job, args, &err), -1);
}

/* --- what other content OpenSSL could carry --- */

static void encrypt_with(const EVP_CIPHER *cipher, X509 *certificate, const char *content,
    unsigned flags, struct buf *ret)
{
    AUTO_TYPE(bio, BIO) *in = BIO_new_mem_buf(content, -1);
    AUTO_TYPE(bio, BIO) *out = BIO_new(BIO_s_mem());
    STACK_OF(X509) *to = sk_X509_new_null();
    sk_X509_push(to, certificate);
    AUTO_TYPE(cms, CMS_ContentInfo) *cms = CMS_encrypt(to, in, cipher, CMS_BINARY | flags);
    sk_X509_free(to);
    assert_non_null(cms);
    assert_int_equal(i2d_CMS_bio_stream(out, cms, in, (int)(CMS_BINARY | flags)), 1);
    char *data = NULL;
    long length = BIO_get_mem_data(out, &data);
    buf_add(ret, data, (size_t)length);
}

static char *content_for(const char *id, const char *rest)
{
    return mem_printf("{\"id\":\"%s\",%s", id, rest);
}

static void other_forms_are_refused_by_name(void **state)
{
    (void)state;
    AUTO_TYPE(x509, X509) *certificate = load_certificate(certificate_path);
    AUTO_TEXT good = content_for(uuid_s(&job), "\"path\":\"password\",\"value\":\"hush\"}");
    const struct {
        const EVP_CIPHER *cipher;
        unsigned flags;
        const char *says;
    } rows[] = {
        {EVP_aes_256_cbc(), 0, "EnvelopedData without authentication"},
        {EVP_aes_128_gcm(), 0, "its cipher is not AES-256-GCM"},
        {EVP_aes_192_gcm(), 0, "its cipher is not AES-256-GCM"},
        {EVP_aes_256_gcm(), CMS_STREAM, "it is not DER"}, /* BER, indefinite length */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_BUF der = {0};
        encrypt_with(rows[i].cipher, certificate, good, rows[i].flags, &der);
        assert_refused(buf_bytes(&der), rows[i].says);
    }
    AUTO_BUF data = {0};
    AUTO_TYPE(bio, BIO) *in = BIO_new_mem_buf(good, -1);
    AUTO_TYPE(cms, CMS_ContentInfo) *plain = CMS_data_create(in, CMS_BINARY);
    uint8_t *to = buf_reserve(&data, (size_t)i2d_CMS_ContentInfo(plain, NULL));
    data.length = (size_t)i2d_CMS_ContentInfo(plain, &to);
    assert_refused(buf_bytes(&data), "not CMS AuthEnvelopedData");
    assert_refused(bytes_of_text("hush"), "not DER");
    AUTO_TEXT other_key = path_of("other.key");
    AUTO_TEXT other_certificate = path_of("other.pem");
    struct err err = {0};
    assert_int_equal(intake_generate(other_key, other_certificate, NOW, &err), 0);
    AUTO_TYPE(x509, X509) *stranger = load_certificate(other_certificate);
    AUTO_BUF der = {0};
    encrypt_with(EVP_aes_256_gcm(), stranger, good, 0, &der);
    assert_refused(buf_bytes(&der), "a key that is not the intake's");
    unlink(other_key);
    unlink(other_certificate);
}

/* The tag cut to 12 bytes, all lengths put right: OpenSSL itself would take it. */
static void short_tags_are_refused(void **state)
{
    (void)state;
    AUTO_BUF der = {0};
    seal_password(&der);
    size_t tag = der.length - 18;
    assert_int_equal(der.data[tag], 0x04);
    assert_int_equal(der.data[tag + 1], 16);
    der.data[tag + 1] = 12;
    der.length -= 4;
    static const size_t lengths[] = {2, 19, 23}; /* of ContentInfo, [0] and AuthEnvelopedData */
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        assert_int_equal(der.data[lengths[i] - 1], 0x82);
        unsigned n = (unsigned)der.data[lengths[i]] << 8 | der.data[lengths[i] + 1];
        n -= 4;
        der.data[lengths[i]] = (uint8_t)(n >> 8);
        der.data[lengths[i] + 1] = (uint8_t)n;
    }
    assert_refused(buf_bytes(&der), "tag is not of 16 bytes");
}

static void wrong_content_is_refused(void **state)
{
    (void)state;
    AUTO_TYPE(x509, X509) *certificate = load_certificate(certificate_path);
    const char *id = uuid_s(&job);
    AUTO_TEXT hex = mem_zero(1, 40);
    uuid_format_hex(&job, hex);
    struct uuid other = uuid_new();
    const struct {
        char *content;
        const char *says; /* NULL: good */
    } rows[] = {
        {content_for(id, "\"path\":\"password\",\"value\":\"hush\"}"), NULL},
        {content_for(hex, "\"path\":\"password\",\"value\":\"hush\"}"), NULL},
        {content_for(id, "\"path\":\"password\",\"value\":\"hush\"} hush"), "not a JSON object"},
        {content_for(id, "\"path\":\"password\",\"value\":hush}"), "not a JSON object"},
        {content_for(id, "\"path\":\"password\",\"value\":\"a\\u0000hush\"}"), "not a JSON object"},
        {content_for(id, "\"value\":\"x\",\"path\":\"password\",\"value\":\"hush\"}"),
            "not a JSON object"},
        {content_for(id, "\"path\":\"password\",\"value\":1}"),
            "not {\"id\", \"path\", \"value\"}"},
        {content_for(id, "\"path\":\"password\"}"), "not {\"id\", \"path\", \"value\"}"},
        {content_for(id, "\"path\":null,\"value\":\"hush\"}"), "not {\"id\", \"path\", \"value\"}"},
        {content_for(id, "\"path\":\"password\",\"value\":\"hush\",\"x\":1}"),
            "not {\"id\", \"path\", \"value\"}"},
        {content_for(id, "\"path\":\"Password\",\"value\":\"hush\"}"), "for another member"},
        {content_for(id, "\"path\":\"\",\"value\":\"hush\"}"), "for another member"},
        {content_for("hush", "\"path\":\"password\",\"value\":\"hush\"}"), "for another job"},
        {content_for(uuid_s(&other), "\"path\":\"password\",\"value\":\"hush\"}"),
            "for another job"},
        {mem_printf("%s", "hush"), "not a JSON object"},
        {mem_printf("%s", "[]"), "not a JSON object"},
        {mem_printf("%s", ""), "not "},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_BUF der = {0};
        encrypt_with(EVP_aes_256_gcm(), certificate, rows[i].content, 0, &der);
        if (rows[i].says) {
            assert_refused(buf_bytes(&der), rows[i].says);
        } else {
            AUTO(secret) got = NULL;
            struct err err = {0};
            if (unseal(opener, &job, "password", buf_bytes(&der), &got, &err))
                fail_msg("%s: %s", rows[i].content, err.text);
            assert_string_equal((char *)got->data, "hush");
        }
        free(rows[i].content);
    }
}

/* --- the openssl program, both ways --- */

static bool run(const char *command)
{
    int status = system(command);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void the_openssl_program_seals_for_us(void **state)
{
    (void)state;
    if (!run("openssl version >/dev/null 2>&1"))
        skip();
    static const struct {
        const char *options, *says;
    } rows[] = {
        {"-aes-256-gcm -outform DER", NULL},
        {"-aes-256-gcm -keyid -outform DER", NULL},
        {"-aes-256-gcm -keyopt ecdh_kdf_md:sha256 -outform DER", NULL},
        {"-aes-256-cbc -outform DER", "EnvelopedData without authentication"},
        {"-aes-256-gcm -stream -outform DER", "not DER"},
        {"-aes-256-gcm -outform PEM", "not DER"},
    };
    AUTO_TEXT in = path_of("content.json");
    AUTO_TEXT out = path_of("sealed.der");
    AUTO_TEXT content = content_for(uuid_s(&job), "\"path\":\"password\",\"value\":\"hush\"}\n");
    struct err err = {0};
    assert_int_equal(file_write(in, bytes_of_text(content), 0600, &err), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TEXT command = mem_printf("openssl cms -encrypt -binary -in %s -out %s -recip %s %s",
            in, out, certificate_path, rows[i].options);
        assert_true(run(command));
        AUTO_BUF der = {0};
        assert_int_equal(file_read(out, 65536, &der, &err), 0);
        if (rows[i].says) {
            assert_refused(buf_bytes(&der), rows[i].says);
            continue;
        }
        AUTO(secret) got = NULL;
        if (unseal(opener, &job, "password", buf_bytes(&der), &got, &err))
            fail_msg("%s: %s", rows[i].options, err.text);
        assert_string_equal((char *)got->data, "hush");
    }
    unlink(in);
    unlink(out);
}

static void the_openssl_program_opens_what_we_seal(void **state)
{
    (void)state;
    if (!run("openssl version >/dev/null 2>&1"))
        skip();
    AUTO_TEXT in = path_of("sealed.der");
    AUTO_TEXT out = path_of("content.json");
    AUTO_BUF der = {0}, text = {0};
    seal_password(&der);
    struct err err = {0};
    assert_int_equal(file_write(in, buf_bytes(&der), 0600, &err), 0);
    AUTO_TEXT command = mem_printf("openssl cms -decrypt -binary -inform DER -in %s -out %s"
                                   " -recip %s -inkey %s",
        in, out, certificate_path, key_path);
    assert_true(run(command));
    assert_int_equal(file_read(out, 65536, &text, &err), 0);
    AUTO_TYPE(json, json_t) *content = NULL;
    assert_int_equal(json_parse_object(buf_bytes(&text), &content, &err), 0);
    assert_int_equal(json_object_size(content), 3);
    assert_string_equal(json_text_at(content, "id"), uuid_s(&job));
    assert_string_equal(json_text_at(content, "path"), "password");
    assert_string_equal(json_text_at(content, "value"), PASSWORD);
    unlink(in);
    unlink(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_values_open_for_their_job_and_path),
        cmocka_unit_test(values_are_bounded_text),
        cmocka_unit_test(altered_values_never_open_as_others),
        cmocka_unit_test(members_stand_in_args_as_base64),
        cmocka_unit_test(other_forms_are_refused_by_name),
        cmocka_unit_test(short_tags_are_refused),
        cmocka_unit_test(wrong_content_is_refused),
        cmocka_unit_test(the_openssl_program_seals_for_us),
        cmocka_unit_test(the_openssl_program_opens_what_we_seal),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

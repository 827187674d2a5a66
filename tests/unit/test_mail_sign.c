/* links: mail */
/* Signed mails (RFC 8551): which certificates may sign, and that what is sent is what was signed.
 */
#include "base/file.h"
#include "base/mem.h"
#include "mail/message.h"
#include "mail/message_sign.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define FROM "ca@example.jp"
#define NOW INT64_C(1790000000000)

static char folder[] = "/tmp/certq-sign-XXXXXX";

static int make_folder(void **state UNUSED)
{
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state UNUSED)
{
    AUTO_TEXT command = mem_printf("rm -r %s", folder);
    return system(command);
}

struct card {
    const char *address, *usage, *purpose;
    int rsa_bits; /* 0: P-256 */
    int64_t end_ms;
};
static const struct card good = {
    FROM, "critical,digitalSignature", "emailProtection", 0, NOW + 1000};

static void extend(X509 *x, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static char *path_of(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

/* NAME.pem, self-signed, and NAME.key. */
static void make_card(const char *name, const struct card *c)
{
    EVP_PKEY *key = c->rsa_bits ? EVP_RSA_gen((unsigned)c->rsa_bits) : EVP_EC_gen("P-256");
    X509 *x = X509_new();
    time_t end = (time_t)(c->end_ms / 1000);
    assert_non_null(key);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    ASN1_TIME_set(X509_getm_notBefore(x), 1);
    ASN1_TIME_set(X509_getm_notAfter(x), end);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
        (const unsigned char *)"Example CA", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    AUTO_TEXT san = mem_printf("email:%s", c->address);
    extend(x, NID_subject_alt_name, san);
    extend(x, NID_key_usage, c->usage);
    extend(x, NID_ext_key_usage, c->purpose);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    AUTO_TEXT certificate = mem_printf("%s/%s.pem", folder, name);
    AUTO_TEXT private = mem_printf("%s/%s.key", folder, name);
    FILE *file = fopen(certificate, "w");
    assert_int_equal(PEM_write_X509(file, x), 1);
    fclose(file);
    umask(077);
    file = fopen(private, "w");
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    X509_free(x);
    EVP_PKEY_free(key);
}

static int load(
    const char *certificate, const char *key, struct message_signer **ret, struct err *err)
{
    AUTO_TEXT one = path_of(certificate);
    AUTO_TEXT two = path_of(key);
    return message_signer_load(one, two, FROM, NOW, ret, err);
}

static void only_a_fit_certificate_signs(void **state UNUSED)
{
    static const struct {
        const char *name;
        struct card card;
        const char *why; /* NULL: fine */
    } rows[] = {
        {"ec", {FROM, "critical,digitalSignature", "emailProtection", 0, NOW + 1000}, NULL},
        {"rsa", {FROM, "critical,nonRepudiation", "emailProtection", 2048, NOW + 1000}, NULL},
        {"weak", {FROM, "digitalSignature", "emailProtection", 1024, NOW + 1000}, "at least 2048"},
        {"other", {"x@example.jp", "digitalSignature", "emailProtection", 0, NOW + 1000},
            "does not name the address of mail.from"},
        {"usage", {FROM, "keyEncipherment", "emailProtection", 0, NOW + 1000}, "not for signing"},
        {"server", {FROM, "digitalSignature", "serverAuth", 0, NOW + 1000}, "not for signing"},
        {"ended", {FROM, "digitalSignature", "emailProtection", 0, NOW - 1000}, "has ended"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(message_signer) s = NULL;
        struct err err = {0};
        AUTO_TEXT pem = mem_printf("%s.pem", rows[i].name);
        AUTO_TEXT key = mem_printf("%s.key", rows[i].name);
        make_card(rows[i].name, &rows[i].card);
        int result = load(pem, key, &s, &err);
        if (result != (rows[i].why ? -1 : 0) || (rows[i].why && !strstr(err.text, rows[i].why)))
            fail_msg("%s: %d %s", rows[i].name, result, err.text);
        if (rows[i].why) {
            assert_int_equal(err.kind, ERR_INPUT);
            assert_non_null(strstr(err.text, pem));
        }
    }
    AUTO(message_signer) s = NULL;
    struct err err = {0};
    assert_int_equal(load("ec.pem", "rsa.key", &s, &err), -1);
    assert_non_null(strstr(err.text, "of another certificate"));
    assert_int_equal(load("nowhere.pem", "rsa.key", &s, &err), -1);
    assert_int_equal(load("ec.pem", "ec.pem", &s, &err), -1);
    assert_int_equal(load("ec.key", "ec.key", &s, &err), -1);
}

/* What a reader that knows the certificate says to the message. */
static bool verifies(const char *message, size_t length)
{
    AUTO_TEXT path = path_of("signer.pem");
    FILE *file = fopen(path, "r");
    X509 *x = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    BIO *in = BIO_new_mem_buf(message, (int)length), *content = NULL;
    CMS_ContentInfo *cms = SMIME_read_CMS(in, &content);
    STACK_OF(X509) *known = sk_X509_new_null();
    sk_X509_push(known, x);
    bool is_right =
        cms && CMS_verify(cms, known, NULL, content, NULL, CMS_NO_SIGNER_CERT_VERIFY) == 1;
    sk_X509_pop_free(known, X509_free);
    CMS_ContentInfo_free(cms);
    BIO_free(content);
    BIO_free(in);
    return is_right;
}

static const char *const bodies[] = {"short\n", "no line end",
    "証明書コードのお知らせ\n\nK7QF-2M9X-TTRW-40HD\n\n　大切に保管してください。\n",
    "Dear Taro,\n\n  =20 . \n.\n..\nFrom here\n--=_certq-\n- dash   \n\n\n"};

static void what_is_sent_is_what_was_signed(void **state UNUSED)
{
    AUTO(message_signer) s = NULL;
    struct err err = {0};
    make_card("signer", &good);
    assert_int_equal(load("signer.pem", "signer.key", &s, &err), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        const struct message_facts facts = {.id = "0190a0b0-0000-7000-8000-00000000000f",
            .id_domain = "mail.example.jp",
            .from = FROM,
            .from_name = "会員向け電子認証サービス",
            .to = "taro@example.com",
            .subject = "【会員向け電子認証サービス】証明書コードのお知らせ",
            .language = "ja",
            .date_ms = 1775003400000,
            .date_offset_minutes = 540,
            .body = bytes_of_text(bodies[i])};
        AUTO_BUF plain = {0};
        AUTO_BUF signed_one = {0};
        assert_int_equal(message_compose(&facts, &plain, &err), 0);
        assert_int_equal(message_sign(s, buf_bytes(&plain), facts.id, &signed_one, &err), 0);
        const char *text = buf_text(&signed_one);
        const size_t n = signed_one.length;
        if (!verifies(text, n))
            fail_msg("body %zu is not verified:\n%s", i, text);
        for (size_t k = 0; k < n; k++) { /* canonical: CRLF and 7-bit */
            assert_in_range(text[k], 1, 126);
            assert_int_equal(text[k] == '\n', k && text[k - 1] == '\r');
        }
        const char *head = strstr(text, "\r\n\r\n");
        AUTO_TEXT outer = mem_text_n(text, (size_t)(head - text));
        assert_non_null(strstr(outer, "\r\nContent-Type: multipart/signed; micalg=sha-256;\r\n"));
        assert_non_null(strstr(outer, "protocol=\"application/pkcs7-signature\""));
        assert_non_null(strstr(outer, "Message-ID: <0190a0b0-0000-7000-8000-00000000000f@"));
        assert_null(strstr(outer, "Content-Transfer-Encoding"));
        assert_non_null(strstr(head, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
        /* One letter of the content, or of its headers, and it is somebody else's. */
        static const char *const places[] = {"charset=utf-8", "Content-Language: ja"};
        for (size_t k = 0; k < ARRAY_LENGTH(places); k++) {
            char *at = strstr(strstr(buf_text(&signed_one), "\r\n\r\n"), places[k]);
            assert_non_null(at);
            at[strlen(places[k]) - 1] ^= 1;
            assert_false(verifies(buf_text(&signed_one), n));
            at[strlen(places[k]) - 1] ^= 1;
        }
        assert_true(verifies(buf_text(&signed_one), n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_fit_certificate_signs),
        cmocka_unit_test(what_is_sent_is_what_was_signed),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}

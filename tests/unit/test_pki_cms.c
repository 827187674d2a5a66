/* links: pki */
#include "pki_support.h"

#include "pki/cms.h"

#define TEXT                                                                                       \
    "certq revoke 0190a0b0-0000-7000-8000-000000000001 0190a0b0-0000-7000-8000-000000000002 "      \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct buf ec, rsa, other;

/* Two holders with EC and RSA keys, and somebody else; text and another text. */
static int setup(void **state)
{
    if (pki_folder(state))
        return -1;
    static const char *const newkeys[] = {
        "ec -pkeyopt ec_paramgen_curve:P-256", "rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-256"};
    static const char *const names[] = {"ec", "rsa", "other"};
    struct buf *const certificates[] = {&ec, &rsa, &other};
    for (size_t i = 0; i < 3; i++) {
        run("openssl req -x509 -newkey %s -nodes -subj '/CN=%s' -days 30 -keyout %s.key -out "
            "%s.pem && openssl x509 -in %s.pem -outform DER -out %s.der",
            newkeys[i], names[i], names[i], names[i], names[i], names[i]);
        AUTO_TEXT path = mem_printf("%s.der", names[i]);
        *certificates[i] = pki_load(path);
    }
    pki_save("text", bytes_of_text(TEXT));
    pki_save("else", bytes_of_text(TEXT "\n"));
    return 0;
}

static int teardown(void **state)
{
    buf_free(&ec);
    buf_free(&rsa);
    buf_free(&other);
    return pki_folder_gone(state);
}

static int verify(const struct buf *der, const struct buf *certificate)
{
    return cms_verify_text(buf_bytes(der), bytes_of_text(TEXT), buf_bytes(certificate), &pki_err);
}

#define BY_EC "-signer ec.pem -inkey ec.key"
#define BY_RSA "-signer rsa.pem -inkey rsa.key"
static const struct {
    const char *line;
    const struct buf *certificate;
    const char *word; /* NULL: taken */
    enum err_kind kind;
} rows[] = {
    {"-sign -binary -in text " BY_EC, &ec, NULL, ERR_NONE},
    {"-sign -in text " BY_EC, &ec, NULL, ERR_NONE},
    {"-sign -binary -nodetach -in text " BY_EC, &ec, NULL, ERR_NONE},
    {"-sign -binary -nodetach -nocerts -in text " BY_EC, &ec, NULL, ERR_NONE},
    {"-sign -binary -nocerts -noattr -in text " BY_EC, &ec, NULL, ERR_NONE},
    {"-sign -binary -keyid -md sha512 -in text " BY_EC, &ec, NULL, ERR_NONE},
    {"-sign -binary -stream -in text " BY_EC, &ec, NULL, ERR_NONE},
    {"-sign -binary -in text " BY_RSA, &rsa, NULL, ERR_NONE},
    {"-sign -binary -nodetach -md sha384 -in text " BY_RSA, &rsa, NULL, ERR_NONE},
    {"-sign -binary -in text " BY_RSA " -keyopt rsa_padding_mode:pss", &rsa, NULL, ERR_NONE},
    {"-sign -binary -in text " BY_EC, &other, "another certificate", ERR_DENIED},
    {"-sign -binary -keyid -in text " BY_EC, &other, "another certificate", ERR_DENIED},
    {"-sign -binary -in text " BY_RSA, &ec, "another certificate", ERR_DENIED},
    {"-sign -binary -in else " BY_EC, &ec, "not by the certificate's key", ERR_DENIED},
    {"-sign -binary -nodetach -in else " BY_EC, &ec, "another text", ERR_DENIED},
    {"-sign -binary -noattr -in else " BY_EC, &ec, "not by the certificate's key", ERR_DENIED},
    {"-sign -binary -md sha1 -in text " BY_EC, &ec, "digest", ERR_INPUT},
    {"-sign -binary -md sha224 -in text " BY_EC, &ec, "digest", ERR_INPUT},
    {"-sign -binary -in text " BY_EC " " BY_RSA, &ec, "2 signers", ERR_INPUT},
    {"-sign -binary -econtent_type 1.2.3.4 -in text " BY_EC, &ec, "type data", ERR_INPUT},
    {"-digest_create -binary -in text", &ec, "not CMS SignedData", ERR_INPUT},
    {"-encrypt -binary -aes-256-gcm -in text -recip rsa.pem", &rsa, "not CMS SignedData",
        ERR_INPUT},
};

static void what_openssl_makes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        run("openssl cms %s -outform DER -out signature.der", rows[i].line);
        AUTO_BUF der = pki_load("signature.der");
        if (!rows[i].word) {
            if (verify(&der, rows[i].certificate))
                fail_msg("%s: %s", rows[i].line, pki_err.text);
            continue;
        }
        err_clear(&pki_err);
        if (verify(&der, rows[i].certificate) == 0)
            fail_msg("taken: %s", rows[i].line);
        if (pki_err.kind != rows[i].kind || !strstr(pki_err.text, rows[i].word))
            fail_msg("%s: %s", rows[i].line, pki_err.text);
        assert_string_equal(
            pki_err.code, rows[i].kind == ERR_DENIED ? "bad-signature" : "bad-request");
    }
}

/* Same name and serial, another key: the identifier fits, the signature must not. */
static void a_namesake_is_nobody(void **state)
{
    (void)state;
    run("serial=$(openssl x509 -in ec.pem -noout -serial | cut -d= -f2) && openssl req -x509 "
        "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ec -set_serial 0x$serial "
        "-keyout twin.key -out twin.pem");
    run("openssl cms -sign -binary -in text -signer twin.pem -inkey twin.key -outform DER "
        "-out twin.der");
    AUTO_BUF der = pki_load("twin.der");
    refused(verify(&der, &ec), ERR_DENIED, "not by the certificate's key");
    /* The certificate it brings along is not looked at; with its own it would do. */
    run("openssl x509 -in twin.pem -outform DER -out twin-certificate.der");
    AUTO_BUF twin = pki_load("twin-certificate.der");
    ok(verify(&der, &twin));
}

static void damaged_signatures(void **state)
{
    (void)state;
    run("openssl cms -sign -binary -nocerts -in text " BY_EC " -outform DER -out whole.der");
    AUTO_BUF der = pki_load("whole.der");
    ok(verify(&der, &ec));
    for (size_t n = 0; n < der.length; n++) {
        uint8_t *exact = mem_copy(der.data, n ? n : 1);
        if (cms_verify_text(
                (struct bytes){exact, n}, bytes_of_text(TEXT), buf_bytes(&ec), &pki_err) == 0)
            fail_msg("%zu of %zu bytes were taken", n, der.length);
        free(exact);
    }
    buf_add_char(&der, 0);
    refused(verify(&der, &ec), ERR_INPUT, "after its end");
    AUTO_BUF junk = {0}, big = {0};
    buf_add_text(&junk, "junk");
    refused(verify(&junk, &ec), ERR_INPUT, "not CMS");
    memset(buf_reserve(&big, CMS_BYTES_MAX + 1), 0x30, CMS_BYTES_MAX + 1);
    big.length = CMS_BYTES_MAX + 1;
    refused(verify(&big, &ec), ERR_INPUT, "longer than 65536");
    refused(verify(&der, &junk), ERR_FATAL, "on record");
}

static void another_text(void **state)
{
    (void)state;
    run("openssl cms -sign -binary -in text " BY_EC " -outform DER -out whole.der");
    AUTO_BUF der = pki_load("whole.der");
    static const char *const texts[] = {"", "certq", TEXT " ", TEXT "\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        refused(cms_verify_text(buf_bytes(&der), bytes_of_text(texts[i]), buf_bytes(&ec), &pki_err),
            ERR_DENIED, "not by the certificate's key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_openssl_makes),
        cmocka_unit_test(a_namesake_is_nobody),
        cmocka_unit_test(damaged_signatures),
        cmocka_unit_test(another_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

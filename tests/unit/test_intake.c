/* links: crypto */
#include "seal_fixture.h"

static void intake_certificates_say_what_they_are_for(void **state)
{
    (void)state;
    AUTO_TYPE(x509, X509) *c = load_certificate(certificate_path);
    EVP_PKEY *key = X509_get0_pubkey(c);
    char group[32] = "";
    assert_int_equal(EVP_PKEY_get_group_name(key, group, sizeof group, NULL), 1);
    assert_string_equal(group, "prime256v1");
    assert_int_equal(X509_verify(c, key), 1);
    assert_int_equal(X509_get_key_usage(c), KU_KEY_AGREEMENT);
    assert_int_equal(X509_check_ca(c), 0);
    assert_non_null(X509_get0_subject_key_id(c));
    time_t start = NOW / 1000, end = start + 3652 * 86400;
    assert_int_equal(X509_cmp_time(X509_get0_notBefore(c), &end), -1);
    assert_int_equal(ASN1_TIME_cmp_time_t(X509_get0_notBefore(c), start), 0);
    assert_int_equal(ASN1_TIME_cmp_time_t(X509_get0_notAfter(c), end), 0);
    struct stat st;
    assert_int_equal(stat(key_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(certificate_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
}

static void nothing_is_overwritten(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_TEXT fresh = path_of("fresh.key");
    assert_int_equal(intake_generate(key_path, certificate_path, NOW, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_int_equal(intake_generate(fresh, certificate_path, NOW, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_int_equal(access(fresh, F_OK), -1);
    AUTO(seal_opener) again = NULL;
    assert_int_equal(seal_opener_load(key_path, certificate_path, &again, &err), 0);
}

static void both_keys_open_after_a_rotation(void **state)
{
    (void)state;
    AUTO_TEXT k = path_of("r.key");
    AUTO_TEXT c = path_of("r.pem");
    struct err err = {0};
    assert_int_equal(intake_generate(k, c, NOW, &err), 0);
    AUTO(secret) value = secret_text("hush");
    struct buf sealed[3] = {{0}};
    for (size_t i = 0; i < ARRAY_LENGTH(sealed); i++) {
        if (i)
            assert_int_equal(intake_rotate(k, c, NOW, &err), 0);
        AUTO(sealer) s = NULL;
        assert_int_equal(sealer_load(c, &s, &err), 0);
        assert_int_equal(seal(s, &job, "password", value, &sealed[i], &err), 0);
        AUTO(seal_opener) o = NULL;
        assert_int_equal(seal_opener_load(k, c, &o, &err), 0);
        for (size_t old = 0; old <= i; old++) {
            AUTO(secret) got = NULL;
            if (unseal(o, &job, "password", buf_bytes(&sealed[old]), &got, &err))
                fail_msg("%zu of %zu: %s", old, i, err.text);
            assert_true(secret_equal(got, value));
        }
    }
    struct stat st;
    assert_int_equal(stat(k, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    for (size_t i = 0; i < ARRAY_LENGTH(sealed); i++)
        buf_free(&sealed[i]);
    /* A certificate whose key is gone is passed over; the first one's key must be there. */
    AUTO(seal_opener) o = NULL;
    assert_int_equal(seal_opener_load(key_path, c, &o, &err), -1);
    assert_non_null(strstr(err.text, "the key of the first certificate is not in"));
    AUTO_BUF both = {0};
    assert_int_equal(file_read(certificate_path, 65536, &both, &err), 0);
    assert_int_equal(file_read(c, 65536, &both, &err), 0);
    assert_int_equal(file_write(c, buf_bytes(&both), 0644, &err), 0);
    assert_int_equal(seal_opener_load(key_path, c, &o, &err), 0);
    chmod(k, 0644);
    assert_int_equal(intake_rotate(k, c, NOW, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    unlink(k);
    assert_int_equal(intake_rotate(k, c, NOW, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    unlink(c);
}

static void write_rsa(const char *key, const char *certificate)
{
    AUTO_TYPE(pkey, EVP_PKEY) *rsa = EVP_RSA_gen(2048);
    AUTO_TYPE(x509, X509) *c = X509_new();
    X509_set_pubkey(c, rsa);
    X509_gmtime_adj(X509_getm_notBefore(c), 0);
    X509_gmtime_adj(X509_getm_notAfter(c), 60);
    X509_sign(c, rsa, EVP_sha256());
    AUTO_TYPE(bio, BIO) *out = BIO_new_file(key, "w");
    PEM_write_bio_PrivateKey(out, rsa, NULL, NULL, 0, NULL, NULL);
    AUTO_TYPE(bio, BIO) *out2 = BIO_new_file(certificate, "w");
    PEM_write_bio_X509(out2, c);
    chmod(key, 0600);
}

static void unusable_files_are_refused_by_name(void **state)
{
    (void)state;
    AUTO_TEXT k = path_of("bad.key");
    AUTO_TEXT c = path_of("bad.pem");
    struct err err = {0};
    AUTO(seal_opener) o = NULL;
    AUTO(sealer) s = NULL;
    write_rsa(k, c);
    assert_int_equal(seal_opener_load(k, c, &o, &err), -1);
    assert_non_null(strstr(err.text, "an intake key is an EC key"));
    assert_int_equal(sealer_load(c, &s, &err), -1);
    assert_non_null(strstr(err.text, "has an EC key"));
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "no private key in it"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no usable private key"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n", "broken PEM block"},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "the key is encrypted"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "a block CERTIFICATE, only private keys"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(file_write(k, bytes_of_text(rows[i].text), 0600, &err), 0);
        assert_int_equal(seal_opener_load(k, certificate_path, &o, &err), -1);
        if (!strstr(err.text, rows[i].says) || !strstr(err.text, k))
            fail_msg("row %zu: %s", i, err.text);
        assert_int_equal(err.kind, ERR_INPUT);
    }
    chmod(key_path, 0640);
    assert_int_equal(seal_opener_load(key_path, certificate_path, &o, &err), -1);
    assert_non_null(strstr(err.text, "nobody but its owner"));
    chmod(key_path, 0600);
    assert_int_equal(sealer_load(key_path, &s, &err), -1);
    assert_non_null(strstr(err.text, "only certificates are wanted"));
    unlink(k);
    assert_int_equal(seal_opener_load(k, certificate_path, &o, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(sealer_load(k, &s, &err), -1);
    unlink(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intake_certificates_say_what_they_are_for),
        cmocka_unit_test(nothing_is_overwritten),
        cmocka_unit_test(both_keys_open_after_a_rotation),
        cmocka_unit_test(unusable_files_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

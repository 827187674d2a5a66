/* links: pki */
/* Certificates as others read them: OpenSSL, GnuTLS, NSS. */
#include "certificate_lab.h"

static void check_subject(X509 *c, const struct certificate_facts *facts)
{
    const X509_NAME *name = X509_get_subject_name(c);
    assert_int_equal(X509_NAME_entry_count(name), facts->subject_count);
    for (size_t i = 0; i < facts->subject_count; i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, (int)i);
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
        const char *word = facts->subject[i].attribute;
        assert_int_equal(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)), OBJ_txt2nid(word));
        assert_int_equal(X509_NAME_ENTRY_set(entry), (int)i); /* an RDN each, in order */
        int type = strcmp(word, "emailAddress") == 0 ? V_ASN1_IA5STRING
                   : strcmp(word, "C") == 0 || strcmp(word, "serialNumber") == 0
                       ? V_ASN1_PRINTABLESTRING
                       : V_ASN1_UTF8STRING;
        assert_int_equal(ASN1_STRING_type(value), type);
        struct bytes text = {ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)};
        assert_true(bytes_equal(text, facts->subject[i].value));
    }
}

static void check_time(const ASN1_TIME *time, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    assert_int_equal(ASN1_TIME_cmp_time_t(time, seconds), 0);
}

static void check_names(X509 *c, const struct certificate_facts *facts)
{
    int critical = -1;
    GENERAL_NAMES *names = X509_get_ext_d2i(c, NID_subject_alt_name, &critical, NULL);
    if (facts->email_count + facts->dns_count == 0) {
        assert_null(names);
        return;
    }
    assert_non_null(names);
    assert_int_equal(critical, facts->subject_count == 0);
    assert_int_equal(sk_GENERAL_NAME_num(names), facts->email_count + facts->dns_count);
    for (size_t i = 0; i < facts->email_count + facts->dns_count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, (int)i);
        bool is_email = i < facts->email_count;
        const char *text = is_email ? facts->emails[i] : facts->dns[i - facts->email_count];
        assert_int_equal(name->type, is_email ? GEN_EMAIL : GEN_DNS);
        assert_int_equal(ASN1_STRING_length(name->d.ia5), strlen(text));
        assert_memory_equal(ASN1_STRING_get0_data(name->d.ia5), text, strlen(text));
    }
    GENERAL_NAMES_free(names);
}

static bool is_critical(X509 *c, int nid)
{
    int i = X509_get_ext_by_NID(c, nid, -1);
    assert_true(i >= 0);
    assert_int_equal(X509_get_ext_by_NID(c, nid, i), -1); /* once */
    return X509_EXTENSION_get_critical(X509_get_ext(c, i));
}

static void check_extensions(X509 *c, EVP_PKEY *key)
{
    assert_true(is_critical(c, NID_basic_constraints));
    assert_true(is_critical(c, NID_key_usage));
    assert_false(is_critical(c, NID_ext_key_usage));
    assert_false(is_critical(c, NID_subject_key_identifier));
    assert_false(is_critical(c, NID_authority_key_identifier));
    assert_false(is_critical(c, NID_crl_distribution_points));
    assert_int_equal(X509_check_ca(c), 0);
    uint32_t usage = X509v3_KU_DIGITAL_SIGNATURE;
    if (EVP_PKEY_is_a(key, "RSA"))
        usage |= X509v3_KU_KEY_ENCIPHERMENT;
    assert_int_equal(X509_get_key_usage(c), usage);
    assert_int_equal(X509_get_extended_key_usage(c), XKU_SSL_CLIENT | XKU_SMIME);
    unsigned char id[20];
    unsigned length = 0;
    X509_pubkey_digest(c, EVP_sha1(), id, &length); /* RFC 5280 4.2.1.2, method 1 */
    const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(c),
                            *aki = X509_get0_authority_key_id(c);
    assert_int_equal(ASN1_STRING_length(ski), 20);
    assert_memory_equal(ASN1_STRING_get0_data(ski), id, 20);
    assert_int_equal(ASN1_STRING_length(aki), issuer_key_id(issuer).length);
    assert_memory_equal(ASN1_STRING_get0_data(aki), issuer_key_id(issuer).data, 20);
    CRL_DIST_POINTS *points = X509_get_ext_d2i(c, NID_crl_distribution_points, NULL, NULL);
    assert_int_equal(sk_DIST_POINT_num(points), 1);
    const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, 0)->distpoint;
    const GENERAL_NAME *url = sk_GENERAL_NAME_value(name->name.fullname, 0);
    assert_int_equal(url->type, GEN_URI);
    assert_memory_equal(
        ASN1_STRING_get0_data(url->d.ia5), profile.crl_url, strlen(profile.crl_url));
    CRL_DIST_POINTS_free(points);
}

/* Signs, parses back with the library, compares every field. Returns the DER. */
static struct buf round_trip(const struct certificate_facts *facts, EVP_PKEY *key)
{
    struct buf der = {0};
    ok(certificate_sign(template, facts, &der, &pki_err));
    AUTO_TYPE(x509, X509) *c = parse(&der);
    assert_int_equal(X509_get_version(c), X509_VERSION_3);
    AUTO_TYPE(bn, BIGNUM) *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(c), NULL);
    uint8_t bytes[SERIAL_LENGTH];
    assert_int_equal(BN_bn2binpad(serial, bytes, sizeof bytes), SERIAL_LENGTH);
    assert_memory_equal(bytes, facts->serial, SERIAL_LENGTH);
    check_subject(c, facts);
    check_time(X509_get0_notBefore(c), facts->not_before_ms);
    check_time(X509_get0_notAfter(c), facts->not_after_ms);
    check_names(c, facts);
    check_extensions(c, key);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(c), key), 1);
    struct bytes ca = issuer_certificate(issuer);
    const unsigned char *p = ca.data;
    AUTO_TYPE(x509, X509) *above = d2i_X509(NULL, &p, (long)ca.length);
    assert_int_equal(X509_check_issued(above, c), X509_V_OK);
    assert_int_equal(X509_verify(c, X509_get0_pubkey(above)), 1);
    return der;
}

static void save_pem(const char *path, const struct buf *der)
{
    AUTO_BUF pem = {0};
    certificate_pem(buf_bytes(der), &pem);
    buf_add_text(&pem, issuer_chain_pem(issuer));
    pki_save(path, buf_bytes(&pem));
}

static void every_field_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        AUTO_BUF spki = pki_spki(keys[i]);
        struct certificate_facts facts = facts_of(buf_bytes(&spki));
        AUTO_BUF der = round_trip(&facts, keys[i]);
        save_pem("leaf.pem", &der);
        pki_save("leaf.der", buf_bytes(&der));
        run("openssl verify -x509_strict -purpose sslclient -CAfile root.pem "
            "-untrusted leaf.pem leaf.pem");
        run("openssl verify -x509_strict -purpose smimesign -CAfile root.pem "
            "-untrusted leaf.pem leaf.pem");
        run("cat leaf.pem root.pem > all.pem && certtool --verify-chain --infile all.pem");
        run("certtool --verify --load-ca-certificate root.pem --infile leaf.pem");
        struct certificate_description *d = NULL;
        ok(certificate_describe(buf_bytes(&der), &d, &pki_err));
        assert_string_equal(d->key, key_names[i]);
        certificate_description_free(d);
    }
}

static void nss_takes_it(void **state)
{
    (void)state;
    if (!has_program("certutil"))
        skip();
    AUTO_BUF spki = pki_spki(keys[0]);
    struct certificate_facts facts = facts_of(buf_bytes(&spki));
    AUTO_BUF der = round_trip(&facts, keys[0]);
    save_pem("nss.pem", &der);
    run("mkdir nss && certutil -N -d sql:nss --empty-password");
    run("certutil -A -d sql:nss -n root -t CT,C, -a -i root.pem");
    run("certutil -A -d sql:nss -n ca -t ,, -a -i ca.pem");
    run("certutil -A -d sql:nss -n leaf -t ,, -a -i nss.pem");
    run("certutil -V -d sql:nss -n leaf -u C");
}

static void shapes_vary(void **state)
{
    (void)state;
    AUTO_BUF spki = pki_spki(keys[0]);
    struct certificate_facts facts = facts_of(buf_bytes(&spki));
    facts.subject_count = 0; /* then subjectAltName is critical */
    facts.dns = hosts;
    facts.dns_count = ARRAY_LENGTH(hosts);
    AUTO_BUF nameless = round_trip(&facts, keys[0]);
    save_pem("nameless.pem", &nameless);
    run("openssl verify -x509_strict -CAfile root.pem -untrusted nameless.pem "
        "nameless.pem");
    facts = facts_of(buf_bytes(&spki));
    facts.email_count = 0;
    AUTO_BUF plain = round_trip(&facts, keys[0]);
    assert_true(plain.length > 0);
    facts.subject_count = 0;
    AUTO_BUF der = {0};
    refused(certificate_sign(template, &facts, &der, &pki_err), ERR_INPUT, "needs a subject");
    assert_int_equal(der.length, 0);
}

static void years_around_2050(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"2049-12-30T15:00:00Z", "2049-12-31T23:59:59Z"},
        {"2049-12-31T23:59:59Z", "2050-01-01T00:00:00Z"},
        {"2050-01-01T00:00:00Z", "2051-01-01T14:59:59Z"},
        {"2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z"},
    };
    AUTO_BUF spki = pki_spki(keys[0]);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct certificate_facts facts = facts_of(buf_bytes(&spki));
        facts.not_before_ms = at(rows[i][0]);
        facts.not_after_ms = at(rows[i][1]);
        AUTO_BUF der = round_trip(&facts, keys[0]);
        AUTO_TYPE(x509, X509) *c = parse(&der);
        assert_int_equal(ASN1_STRING_type(X509_get0_notBefore(c)),
            facts.not_before_ms < at("2050-01-01T00:00:00Z") ? V_ASN1_UTCTIME
                                                             : V_ASN1_GENERALIZEDTIME);
        assert_int_equal(ASN1_STRING_type(X509_get0_notAfter(c)),
            facts.not_after_ms < at("2050-01-01T00:00:00Z") ? V_ASN1_UTCTIME
                                                            : V_ASN1_GENERALIZEDTIME);
    }
}

static void serials_are_sixteen_octets(void **state)
{
    (void)state;
    uint8_t seen_or[SERIAL_LENGTH] = {0}, seen_and[SERIAL_LENGTH], serial[SERIAL_LENGTH];
    memset(seen_and, 0xff, sizeof seen_and);
    for (int i = 0; i < 1000; i++) {
        serial_draw(serial);
        assert_int_equal(serial[0] >> 6, 1);
        for (size_t j = 0; j < SERIAL_LENGTH; j++) {
            seen_or[j] |= serial[j];
            seen_and[j] &= serial[j];
        }
    }
    for (size_t j = 0; j < SERIAL_LENGTH; j++) { /* every other bit takes both values */
        assert_int_equal(seen_or[j], j ? 0xff : 0x7f);
        assert_int_equal(seen_and[j], j ? 0x00 : 0x40);
    }
}

static void descriptions_are_for_people(void **state)
{
    (void)state;
    AUTO_BUF spki = pki_spki(keys[0]), der = {0};
    static const struct name_part odd[] = {
        PART("C", "JP"), PART("O", "例示, \"株\""), PART("CN", "山田 太郎")};
    struct certificate_facts facts = facts_of(buf_bytes(&spki));
    facts.subject = odd;
    facts.subject_count = ARRAY_LENGTH(odd);
    ok(certificate_sign(template, &facts, &der, &pki_err));
    AUTO(certificate_description) d = NULL;
    ok(certificate_describe(buf_bytes(&der), &d, &pki_err));
    assert_string_equal(d->subject, "CN=山田 太郎,O=例示\\, \\\"株\\\",C=JP");
    assert_string_equal(d->issuer, "CN=ca,O=" ISSUER_TEST_MARK);
    assert_string_equal(d->names, "email:taro@example.jp, email:yamada@example.jp");
    assert_int_equal(strlen(d->serial), 2 * SERIAL_LENGTH);
    assert_int_equal(d->not_before_ms, facts.not_before_ms / 1000 * 1000);
    assert_int_equal(d->not_after_ms, facts.not_after_ms / 1000 * 1000);
    pki_save("described.der", buf_bytes(&der));
    AUTO_TEXT sum = pki_run(0, "sha256sum described.der");
    assert_memory_equal(sum, d->sha256, 64);
    for (size_t n = 0; n < der.length; n++) {
        AUTO(certificate_description) none = NULL;
        if (certificate_describe((struct bytes){der.data, n}, &none, &pki_err) == 0)
            fail_msg("%zu bytes were taken", n);
    }
    buf_add_char(&der, 0);
    AUTO(certificate_description) none = NULL;
    refused(certificate_describe(buf_bytes(&der), &none, &pki_err), ERR_INPUT, "after its end");
}

static void other_issuers_sign(void **state)
{
    (void)state;
    static const char *const newkeys[] = {"rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-384"};
    AUTO_BUF spki = pki_spki(keys[0]);
    for (size_t i = 0; i < ARRAY_LENGTH(newkeys); i++) {
        run("rm -f big.*; openssl req -x509 -newkey %s -nodes -subj /CN=big -days 7000 "
            "-keyout big.key -out big.pem -addext keyUsage=critical,keyCertSign,cRLSign && "
            "chmod 600 big.key",
            newkeys[i]);
        AUTO(issuer) big = NULL;
        AUTO(certificate_template) t = NULL;
        ok(issuer_load("big.pem", "big.key", &big, &pki_err));
        ok(certificate_template_new(big, &profile, &t, &pki_err));
        struct certificate_facts facts = facts_of(buf_bytes(&spki));
        facts.not_before_ms = issuer_not_before_ms(big);
        AUTO_BUF der = {0}, pem = {0};
        ok(certificate_sign(t, &facts, &der, &pki_err));
        certificate_pem(buf_bytes(&der), &pem);
        pki_save("by-big.pem", buf_bytes(&pem));
        run("openssl verify -x509_strict -CAfile big.pem by-big.pem");
        run("certtool --verify --load-ca-certificate big.pem --infile by-big.pem");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(nss_takes_it),
        cmocka_unit_test(shapes_vary),
        cmocka_unit_test(years_around_2050),
        cmocka_unit_test(serials_are_sixteen_octets),
        cmocka_unit_test(descriptions_are_for_people),
        cmocka_unit_test(other_issuers_sign),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* links: pki */
/* What cannot stand in a certificate is refused and named. */
#include "certificate_lab.h"

static void facts_that_do_not_fit(void **state)
{
    (void)state;
    AUTO_BUF spki = pki_spki(keys[0]), der = {0};
    struct certificate_facts good = facts_of(buf_bytes(&spki)), bad = good;
    bad.not_after_ms = bad.not_before_ms - 1000;
    refused(certificate_sign(template, &bad, &der, &pki_err), ERR_INPUT, "ends before");
    bad = good;
    bad.not_after_ms = issuer_not_after_ms(issuer) + 1000;
    refused(certificate_sign(template, &bad, &der, &pki_err), ERR_INPUT, "issuer's own");
    bad.not_after_ms = issuer_not_after_ms(issuer) + 999; /* the same second */
    ok(certificate_sign(template, &bad, &der, &pki_err));
    buf_clear(&der);
    bad = good;
    bad.not_before_ms = INT64_MIN;
    refused(certificate_sign(template, &bad, &der, &pki_err), ERR_INPUT, "years");
    bad = good;
    bad.spki.length--;
    refused(certificate_sign(template, &bad, &der, &pki_err), ERR_INPUT, "DER");
    AUTO_BUF longer = {0};
    buf_add(&longer, spki.data, spki.length);
    buf_add_char(&longer, 0);
    bad.spki = buf_bytes(&longer);
    refused(certificate_sign(template, &bad, &der, &pki_err), ERR_INPUT, "1 bytes after");
    bad = good;
    memset(bad.serial, 0, sizeof bad.serial);
    refused(certificate_sign(template, &bad, &der, &pki_err), ERR_FATAL, "serial");
    bad.serial[0] = 0x80;
    refused(certificate_sign(template, &bad, &der, &pki_err), ERR_FATAL, "serial");
    static const char *const injected[] = {"a@example.jp\r\nBcc: b@example.jp"};
    bad = good;
    bad.emails = injected;
    bad.email_count = 1;
    refused(certificate_sign(template, &bad, &der, &pki_err), ERR_INPUT, "alternative name");
    assert_int_equal(der.length, 0);
}

static struct bytes repeat(struct buf *b, const char *text, size_t n)
{
    buf_clear(b);
    while (n--)
        buf_add_text(b, text);
    return buf_bytes(b);
}

static void names_keep_their_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *attribute, *unit;
        size_t count;
        const char *word; /* NULL: taken */
    } rows[] = {
        {"CN", "漢", 64, NULL},
        {"CN", "漢", 65, "subject CN: 65 characters; 64"},
        {"CN", "𠮷", 64, NULL},
        {"CN", "a", 257, "longer than 64"},
        {"CN", "", 1, "empty"},
        {"O", "あ", 65, "subject O: 65"},
        {"OU", "あ", 65, "subject OU: 65"},
        {"L", "あ", 128, NULL},
        {"L", "あ", 129, "subject L: 129"},
        {"ST", "あ", 129, "subject ST: 129"},
        {"C", "JP", 1, NULL},
        {"C", "jp", 1, "capital"},
        {"C", "J", 1, "capital"},
        {"C", "JPN", 1, "subject C: 3 characters"},
        {"C", "J1", 1, "capital"},
        {"C", "日", 1, "capital"},
        {"CN", "a\tb", 1, "control"},
        {"CN", "a\nb", 1, "control"},
        {"CN", "\xff", 1, "not UTF-8"},
        {"CN", "\xed\xa0\x80", 1, "not UTF-8"},
        {"serialNumber", "A-1", 1, NULL},
        {"serialNumber", "A_1", 1, "PrintableString"},
        {"serialNumber", "番", 1, "PrintableString"},
        {"emailAddress", "a@example.jp", 1, NULL},
        {"emailAddress", "あ@example.jp", 1, "not ASCII"},
        {"XX", "a", 1, "no attribute is called XX"},
    };
    AUTO_BUF value = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct name_part part = {rows[i].attribute, repeat(&value, rows[i].unit, rows[i].count)};
        if (rows[i].word)
            refused(name_part_check(&part, &pki_err), ERR_INPUT, rows[i].word);
        else
            ok(name_part_check(&part, &pki_err));
    }
    struct name_part nul = {"CN", {(const uint8_t *)"a\0b", 3}};
    refused(name_part_check(&nul, &pki_err), ERR_INPUT, "control");
    struct name_part none = {"CN", {NULL, 0}};
    refused(name_part_check(&none, &pki_err), ERR_INPUT, "empty");
}

static void host_names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *word; /* NULL: taken */
    } rows[] = {
        {"www.example.jp", NULL},
        {"*.example.jp", NULL},
        {"xn--eckwd4c7c.example.jp", NULL},
        {"a.b", NULL},
        {"1.example.jp", NULL},
        {"localhost", "single label"},
        {"*.jp", "single label"},
        {"*", "label"},
        {"w*.example.jp", "label"},
        {"www.*.jp", "label"},
        {"www..example.jp", "label"},
        {".example.jp", "label"},
        {"example.jp.", "label"},
        {"-a.example.jp", "label"},
        {"a-.example.jp", "label"},
        {"a_b.example.jp", "label"},
        {"例.example.jp", "label"},
        {"a b.example.jp", "label"},
        {"192.0.2.1", "address"},
        {"", "label"},
        {"0123456789012345678901234567890123456789012345678901234567890123.example.jp", "63"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].word)
            refused(dns_name_check(rows[i].text, &pki_err), ERR_INPUT, rows[i].word);
        else
            ok(dns_name_check(rows[i].text, &pki_err));
    AUTO_BUF text = {0};
    repeat(&text, "abcdefg.", 31);
    buf_add_text(&text, "abcde"); /* 253 */
    ok(dns_name_check(buf_text(&text), &pki_err));
    buf_add_text(&text, "f");
    refused(dns_name_check(buf_text(&text), &pki_err), ERR_INPUT, "253");
}

static void profiles_are_checked(void **state)
{
    (void)state;
    static const char *const unknown[] = {"clientAuth", "teapot"};
    AUTO(certificate_template) t = NULL;
    struct certificate_profile bad = profile;
    bad.eku = unknown;
    refused(certificate_template_new(issuer, &bad, &t, &pki_err), ERR_INPUT, "teapot");
    bad = profile;
    bad.crl_url = "file:///crl";
    refused(certificate_template_new(issuer, &bad, &t, &pki_err), ERR_INPUT, "CRL URL");
    bad.crl_url = "http://example.jp/a b";
    refused(certificate_template_new(issuer, &bad, &t, &pki_err), ERR_INPUT, "CRL URL");
    assert_null(t);
    struct certificate_profile least = {0};
    ok(certificate_template_new(issuer, &least, &t, &pki_err));
    AUTO_BUF spki = pki_spki(keys[2]), der = {0};
    struct certificate_facts facts = facts_of(buf_bytes(&spki));
    ok(certificate_sign(t, &facts, &der, &pki_err));
    AUTO_TYPE(x509, X509) *c = parse(&der);
    assert_int_equal(X509_get_ext_by_NID(c, NID_ext_key_usage, -1), -1);
    assert_int_equal(X509_get_ext_by_NID(c, NID_crl_distribution_points, -1), -1);
    assert_int_equal(X509_get_key_usage(c), X509v3_KU_DIGITAL_SIGNATURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_that_do_not_fit),
        cmocka_unit_test(names_keep_their_bounds),
        cmocka_unit_test(host_names),
        cmocka_unit_test(profiles_are_checked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

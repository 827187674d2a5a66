/* links: pki */
#include "pki_support.h"

#include "base/clock.h"
#include "base/hex.h"
#include "pki/crl.h"

static struct issuer *issuer;
static struct crl_facts facts; /* a week from now on */

static int setup(void **state)
{
    if (pki_folder(state))
        return -1;
    issuer = pki_issuer("ca");
    int64_t now_ms = clock_now_ms() / 1000 * 1000;
    facts = (struct crl_facts){41, now_ms - 60000, now_ms + 7 * 86400000ll};
    return 0;
}

static int teardown(void **state)
{
    issuer_free(issuer);
    return pki_folder_gone(state);
}

#define REVOKED_MS 1780000000000

static const enum reason reasons[] = {REASON_UNSPECIFIED, REASON_KEY_COMPROMISE,
    REASON_CA_COMPROMISE, REASON_AFFILIATION_CHANGED, REASON_SUPERSEDED,
    REASON_CESSATION_OF_OPERATION, REASON_CERTIFICATE_HOLD, REASON_PRIVILEGE_WITHDRAWN,
    REASON_AA_COMPROMISE};

/* The i-th entry: serials of 1, 16 and 20 octets, some with the top bit set. */
static struct crl_entry entry_of(size_t i, uint8_t serial[static CRL_SERIAL_MAX])
{
    size_t length = i < 255 ? 1 : i > 5000 ? 20 : 16;
    memset(serial, 0, CRL_SERIAL_MAX);
    if (length == 1) {
        serial[0] = (uint8_t)(i + 1);
    } else {
        serial[0] = i > 2500 ? 0x80 : 0x40;
        for (size_t j = 0; j < 8; j++)
            serial[length - 1 - j] = (uint8_t)((uint64_t)i >> (8 * j));
    }
    return (struct crl_entry){
        {serial, length}, REVOKED_MS + (int64_t)i * 1000, reasons[i % ARRAY_LENGTH(reasons)]};
}

static struct buf make(size_t count, const struct crl_facts *with)
{
    AUTO(crl) c = NULL;
    struct buf der = {0};
    uint8_t serial[CRL_SERIAL_MAX];
    ok(crl_new(issuer, with, count % 2 ? count : 0, &c, &pki_err));
    for (size_t i = 0; i < count; i++) {
        struct crl_entry entry = entry_of(i, serial);
        ok(crl_add(c, &entry, &pki_err));
    }
    assert_int_equal(crl_count(c), count);
    ok(crl_finish(c, &der, &pki_err));
    return der;
}

static X509_CRL *parse(const struct buf *der)
{
    const unsigned char *p = der->data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der->length);
    assert_non_null(crl);
    assert_ptr_equal(p, der->data + der->length);
    struct bytes ca = issuer_certificate(issuer);
    p = ca.data;
    AUTO_TYPE(x509, X509) *above = d2i_X509(NULL, &p, (long)ca.length);
    assert_int_equal(X509_CRL_verify(crl, X509_get0_pubkey(above)), 1);
    assert_int_equal(X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(above)), 0);
    return crl;
}

static void check_entry(X509_REVOKED *revoked, size_t i)
{
    uint8_t serial[CRL_SERIAL_MAX], bytes[CRL_SERIAL_MAX];
    struct crl_entry entry = entry_of(i, serial);
    AUTO_TYPE(bn, BIGNUM) *number =
        ASN1_INTEGER_to_BN(X509_REVOKED_get0_serialNumber(revoked), NULL);
    assert_false(BN_is_negative(number));
    assert_int_equal(BN_num_bytes(number), entry.serial.length);
    BN_bn2bin(number, bytes);
    assert_memory_equal(bytes, serial, entry.serial.length);
    assert_int_equal(ASN1_TIME_cmp_time_t(X509_REVOKED_get0_revocationDate(revoked),
                         (time_t)(entry.revoked_at_ms / 1000)),
        0);
    int critical = 0;
    ASN1_ENUMERATED *code = X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, &critical, NULL);
    if (entry.reason == REASON_UNSPECIFIED) {
        assert_null(code);
        assert_int_equal(critical, -1); /* no such extension, rather than a bad one */
        return;
    }
    assert_int_equal(ASN1_ENUMERATED_get(code), entry.reason);
    ASN1_ENUMERATED_free(code);
}

static void every_length_comes_back(void **state)
{
    (void)state;
    /* Around each size where a length takes another octet. */
    static const size_t counts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1500, 1700, 6000};
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        AUTO_BUF der = make(counts[i], &facts);
        X509_CRL *crl = parse(&der);
        STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(crl);
        if (counts[i] == 0)
            assert_null(revoked); /* the field is absent, not empty */
        else
            assert_int_equal(sk_X509_REVOKED_num(revoked), counts[i]);
        for (size_t j = 0; j < counts[i]; j++)
            check_entry(sk_X509_REVOKED_value(revoked, (int)j), j);
        ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
        assert_int_equal(ASN1_INTEGER_get(number), 41);
        ASN1_INTEGER_free(number);
        AUTHORITY_KEYID *id = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, NULL, NULL);
        assert_memory_equal(ASN1_STRING_get0_data(id->keyid), issuer_key_id(issuer).data, 20);
        AUTHORITY_KEYID_free(id);
        assert_int_equal(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
        assert_int_equal(ASN1_TIME_cmp_time_t(
                             X509_CRL_get0_lastUpdate(crl), (time_t)(facts.this_update_ms / 1000)),
            0);
        assert_int_equal(ASN1_TIME_cmp_time_t(
                             X509_CRL_get0_nextUpdate(crl), (time_t)(facts.next_update_ms / 1000)),
            0);
        X509_CRL_free(crl);
    }
}

static void numbers_and_times_at_the_edges(void **state)
{
    (void)state;
    static const struct crl_facts rows[] = {
        {0, 1782864000000, 1783468800000}, {127, 1782864000000, 1783468800000},
        {128, 1782864000000, 1783468800000},
        {UINT64_MAX, 2524607999000, 2524608000000}, /* 2049 to 2050 */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_BUF der = make(3, &rows[i]);
        X509_CRL_free(parse(&der));
        struct crl_facts back = {0};
        ok(crl_read(issuer, buf_bytes(&der), &back, &pki_err));
        assert_true(back.number == rows[i].number);
        assert_int_equal(back.this_update_ms, rows[i].this_update_ms);
        assert_int_equal(back.next_update_ms, rows[i].next_update_ms);
    }
}

static void programs_take_it(void **state)
{
    (void)state;
    for (size_t count = 0; count < 10; count += 9) {
        AUTO_BUF der = make(count, &facts);
        pki_save("list.crl", buf_bytes(&der));
        run("openssl crl -inform DER -in list.crl -out list.pem");
        run("openssl crl -in list.pem -noout -CAfile ca.pem -verify 2>&1 | grep 'verify OK'");
        AUTO_TEXT text = pki_run(0, "openssl crl -in list.pem -noout -text");
        for (size_t i = 0; i < count; i++)
            if (reasons[i] != REASON_UNSPECIFIED)
                assert_non_null(strstr(text, "CRL Reason Code"));
        assert_true((strstr(text, "Unspecified") == NULL));
        run("certtool --verify-crl --load-ca-certificate ca.pem --infile list.pem");
    }
}

static void a_revoked_certificate_is_found(void **state)
{
    (void)state;
    AUTO(certificate_template) t = NULL;
    AUTO(crl) c = NULL;
    AUTO_TYPE(pkey, EVP_PKEY) *key = EVP_EC_gen("P-256");
    AUTO_BUF spki = pki_spki(key), der = {0}, pem = {0}, list = {0};
    struct name_part subject = {"CN", bytes_of_text("山田 太郎")};
    struct certificate_profile profile = {.crl_url = "http://crl.example.jp/ca.crl"};
    struct certificate_facts leaf = {.not_before_ms = PKI_FROM_MS,
        .not_after_ms = facts.next_update_ms,
        .subject = &subject,
        .subject_count = 1,
        .spki = buf_bytes(&spki)};
    serial_draw(leaf.serial);
    ok(certificate_template_new(issuer, &profile, &t, &pki_err));
    ok(certificate_sign(t, &leaf, &der, &pki_err));
    certificate_pem(buf_bytes(&der), &pem);
    pki_save("leaf.pem", buf_bytes(&pem));
    struct crl_entry entry = {{leaf.serial, SERIAL_LENGTH}, REVOKED_MS, REASON_KEY_COMPROMISE};
    ok(crl_new(issuer, &facts, 1, &c, &pki_err));
    ok(crl_add(c, &entry, &pki_err));
    ok(crl_finish(c, &list, &pki_err));
    pki_save("leaf.crl", buf_bytes(&list));
    run("openssl crl -inform DER -in leaf.crl -out leaf-crl.pem");
    AUTO_TEXT text = pki_run(2, "openssl verify -x509_strict -crl_check "
                                "-CRLfile leaf-crl.pem -partial_chain -trusted ca.pem leaf.pem");
    assert_non_null(strstr(text, "certificate revoked"));
    AUTO_BUF empty = make(0, &facts);
    pki_save("empty.crl", buf_bytes(&empty));
    run("openssl crl -inform DER -in empty.crl -out empty-crl.pem");
    run("openssl verify -x509_strict -crl_check -CRLfile empty-crl.pem "
        "-partial_chain -trusted ca.pem leaf.pem");
}

static void bugs_of_the_caller_are_fatal(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second; /* hex serials */
        int reason;
        int64_t revoked_at_ms;
        const char *word;
    } rows[] = {
        {"05", "05", 0, REVOKED_MS, "not above"},
        {"05", "04", 0, REVOKED_MS, "not above"},
        {"0100", "ff", 0, REVOKED_MS, "not above"},
        {"4000", "3fff", 0, REVOKED_MS, "not above"},
        {"05", "", 0, REVOKED_MS, "not minimal"},
        {"05", "00", 0, REVOKED_MS, "not minimal"},
        {"05", "0006", 0, REVOKED_MS, "not minimal"},
        {"05", "010203040506070809101112131415161718192021", 0, REVOKED_MS, "not minimal"},
        {"05", "06", 8, REVOKED_MS, "reason 8"},
        {"05", "06", 7, REVOKED_MS, "reason 7"},
        {"05", "06", 11, REVOKED_MS, "reason 11"},
        {"05", "06", -1, REVOKED_MS, "reason -1"},
        {"05", "06", 0, INT64_MAX, "time"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(crl) c = NULL;
        uint8_t first[32], second[32];
        size_t n = strlen(rows[i].first), m = strlen(rows[i].second);
        assert_true(hex_decode(rows[i].first, n, first) && hex_decode(rows[i].second, m, second));
        struct crl_entry one = {{first, n / 2}, REVOKED_MS, REASON_UNSPECIFIED};
        struct crl_entry two = {
            {second, m / 2}, rows[i].revoked_at_ms, (enum reason)rows[i].reason};
        ok(crl_new(issuer, &facts, 0, &c, &pki_err));
        ok(crl_add(c, &one, &pki_err));
        refused(crl_add(c, &two, &pki_err), ERR_FATAL, rows[i].word);
    }
}

static void times_are_checked(void **state)
{
    (void)state;
    AUTO(crl) c = NULL;
    struct crl_facts bad = facts;
    bad.next_update_ms = bad.this_update_ms + 999;
    refused(crl_new(issuer, &bad, 0, &c, &pki_err), ERR_INPUT, "not after");
    bad = facts;
    bad.next_update_ms = issuer_not_after_ms(issuer) + 1000;
    refused(crl_new(issuer, &bad, 0, &c, &pki_err), ERR_INPUT, "issuer's own end");
    bad.this_update_ms = INT64_MIN;
    refused(crl_new(issuer, &bad, 0, &c, &pki_err), ERR_INPUT, "years");
}

static int compare(void *context, const struct crl_entry *entry, struct err *err)
{
    size_t *i = context;
    uint8_t serial[CRL_SERIAL_MAX];
    struct crl_entry expected = entry_of((*i)++, serial);
    if (!bytes_equal(entry->serial, expected.serial) || entry->reason != expected.reason ||
        entry->revoked_at_ms != expected.revoked_at_ms)
        return err_set(err, ERR_FATAL, NULL, "entry %zu differs", *i);
    return 0;
}

static int stop(void *context, const struct crl_entry *entry, struct err *err)
{
    (void)entry, (void)err;
    return ++*(int *)context == 3 ? 7 : 0;
}

static void entries_are_read_back(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 300, 6000};
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        AUTO_BUF der = make(counts[i], &facts);
        struct crl_facts back = {0};
        size_t seen = 0;
        ok(crl_read(issuer, buf_bytes(&der), &back, &pki_err));
        assert_true(back.number == facts.number);
        ok(crl_each(buf_bytes(&der), compare, &seen, &pki_err));
        assert_int_equal(seen, counts[i]);
    }
    AUTO_BUF der = make(10, &facts);
    int seen = 0;
    assert_int_equal(crl_each(buf_bytes(&der), stop, &seen, &pki_err), 7);
    assert_int_equal(seen, 3);
}

/* Where the CA key is not: after a restore, on a machine that does not sign. */
static void a_certificate_alone_is_enough_to_read(void **state)
{
    (void)state;
    AUTO(issuer) made = pki_issuer("stranger");
    AUTO(issuer) alone = NULL;
    AUTO(issuer) stranger = NULL;
    AUTO_BUF der = make(300, &facts), signature = {0};
    struct crl_facts back = {0};
    ok(issuer_load("ca.pem", NULL, &alone, &pki_err));
    ok(crl_read(alone, buf_bytes(&der), &back, &pki_err));
    assert_true(back.number == facts.number);
    ok(issuer_load("stranger.pem", NULL, &stranger, &pki_err));
    refused(crl_read(stranger, buf_bytes(&der), &back, &pki_err), ERR_INPUT, "another issuer");
    der.data[der.length - 20] ^= 1;
    refused(crl_read(alone, buf_bytes(&der), &back, &pki_err), ERR_INPUT, "signature");
    refused(
        issuer_sign(alone, bytes_of_text("x"), &signature, &pki_err), ERR_FATAL, "without its key");
}

static void a_damaged_list_is_refused(void **state)
{
    (void)state;
    AUTO_BUF der = make(5, &facts);
    struct crl_facts back = {0};
    for (size_t n = 0; n < der.length; n++) {
        uint8_t *exact = mem_copy(der.data, n ? n : 1);
        if (crl_read(issuer, (struct bytes){exact, n}, &back, &pki_err) == 0)
            fail_msg("%zu of %zu bytes were taken", n, der.length);
        free(exact);
    }
    for (size_t bit = 0; bit < der.length * 8; bit++) {
        uint8_t *changed = mem_copy(der.data, der.length);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (crl_read(issuer, (struct bytes){changed, der.length}, &back, &pki_err) == 0)
            fail_msg("bit %zu flipped was taken", bit);
        size_t seen = 0;
        if (crl_each((struct bytes){changed, der.length}, compare, &seen, &pki_err) == 0)
            assert_true(seen <= 5);
        free(changed);
    }
    buf_add_char(&der, 0);
    refused(crl_read(issuer, buf_bytes(&der), &back, &pki_err), ERR_INPUT, "after its end");
    AUTO(issuer) other = pki_issuer("other");
    AUTO_BUF mine = make(5, &facts);
    refused(crl_read(other, buf_bytes(&mine), &back, &pki_err), ERR_INPUT, "another issuer");
}

static void reasons_have_their_names(void **state)
{
    (void)state;
    static const struct {
        int number;
        const char *name;
    } rows[] = {{0, "unspecified"}, {1, "keyCompromise"}, {2, "cACompromise"},
        {3, "affiliationChanged"}, {4, "superseded"}, {5, "cessationOfOperation"},
        {6, "certificateHold"}, {8, "removeFromCRL"}, {9, "privilegeWithdrawn"},
        {10, "aACompromise"}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        enum reason back;
        assert_true(reason_is_code(rows[i].number));
        assert_string_equal(reason_name((enum reason)rows[i].number), rows[i].name);
        assert_true(reason_parse(rows[i].name, strlen(rows[i].name), &back));
        assert_int_equal(back, rows[i].number);
        assert_int_equal(reason_is_final(back), back != 6 && back != 8);
        assert_false(reason_parse(rows[i].name, strlen(rows[i].name) - 1, &back));
    }
    enum reason none;
    assert_false(reason_is_code(7) || reason_is_code(-1) || reason_is_code(11));
    assert_null(reason_name((enum reason)7));
    assert_false(reason_parse("keycompromise", 13, &none) || reason_parse("", 0, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(numbers_and_times_at_the_edges),
        cmocka_unit_test(programs_take_it),
        cmocka_unit_test(a_revoked_certificate_is_found),
        cmocka_unit_test(bugs_of_the_caller_are_fatal),
        cmocka_unit_test(times_are_checked),
        cmocka_unit_test(entries_are_read_back),
        cmocka_unit_test(a_certificate_alone_is_enough_to_read),
        cmocka_unit_test(a_damaged_list_is_refused),
        cmocka_unit_test(reasons_have_their_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

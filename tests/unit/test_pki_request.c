/* links: pki */
#include "pki_support.h"

#include "pki/der.h"
#include "pki/oid.h"
#include "pki/request.h"
#include "pki/rsa_weak.h"

static struct spki_checker *checker;
static const struct spki_rules rules = {
    .kinds = {[SPKI_P256] = true, [SPKI_P384] = true, [SPKI_RSA] = true, [SPKI_ED25519] = true},
    .rsa_bits_min = 2048,
    .rsa_bits_max = 4096};

static int setup(void **state)
{
    checker = spki_checker_new();
    return pki_folder(state);
}

static int teardown(void **state)
{
    spki_checker_free(checker);
    return pki_folder_gone(state);
}

static int parse(struct bytes bytes, struct request **ret)
{
    return request_parse(checker, bytes, &rules, ret, &pki_err);
}

/* A request made by the library: DER. */
static struct buf make(EVP_PKEY *key, const EVP_MD *md, const char *cn, int cn_length)
{
    X509_REQ *r = X509_REQ_new();
    struct buf ret = {0};
    unsigned char *der = NULL;
    X509_NAME *name = X509_REQ_get_subject_name(r);
    if (cn)
        assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_UTF8STRING,
                             (const unsigned char *)cn, cn_length, -1, 0),
            1);
    assert_int_equal(X509_REQ_set_pubkey(r, key), 1);
    assert_true(X509_REQ_sign(r, key, md) > 0);
    int n = i2d_X509_REQ(r, &der);
    buf_add(&ret, der, (size_t)n);
    OPENSSL_free(der);
    X509_REQ_free(r);
    return ret;
}

/* Requests as the openssl program makes them; word NULL: taken. */
static const struct row {
    const char *line, *word;
    enum spki_kind kind;
    unsigned bits;
} rows[] = {
    {"-newkey ec -pkeyopt ec_paramgen_curve:P-256", NULL, SPKI_P256, 256},
    {"-newkey ec -pkeyopt ec_paramgen_curve:P-384 -sha384", NULL, SPKI_P384, 384},
    {"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha512", NULL, SPKI_P256, 256},
    {"-newkey rsa:2048", NULL, SPKI_RSA, 2048},
    {"-newkey rsa:3072 -sha384", NULL, SPKI_RSA, 3072},
    {"-newkey rsa:2050 -sha512", NULL, SPKI_RSA, 2050},
    {"-newkey ed25519", NULL, SPKI_ED25519, 256},
    {"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -newhdr", NULL, SPKI_P256, 256},
    {"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -utf8 -addext subjectAltName=DNS:a.example.jp",
        NULL, SPKI_P256, 256},
    {"-newkey ec -pkeyopt ec_paramgen_curve:P-521", "does not take P-521", 0, 0},
    {"-newkey ec -pkeyopt ec_paramgen_curve:secp256k1", "none of P-256", 0, 0},
    {"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", "explicit", 0,
        0},
    {"-newkey rsa:1024", "1024 bits; 2048 to 4096", 0, 0},
    {"-newkey rsa:2047", "2047 bits", 0, 0},
    {"-newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:3", "exponent", 0, 0},
    {"-newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:257", "exponent", 0, 0},
    {"-newkey rsa:2048 -sha1", "SHA-1", 0, 0},
    {"-newkey rsa:2048 -sha224", "algorithm is not one of ours", 0, 0},
    {"-newkey rsa:2048 -sigopt rsa_padding_mode:pss", "RSA-PSS", 0, 0},
    {"-newkey rsa-pss -pkeyopt rsa_keygen_bits:2048", "none of RSA", 0, 0},
    {"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha1", "SHA-1", 0, 0},
    {"-newkey ed448", "none of RSA", 0, 0},
    {"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -text", "does not begin", 0, 0},
};

static void check_taken(const struct row *row, const struct request *r)
{
    assert_int_equal(r->key.kind, row->kind);
    assert_int_equal(r->key.bits, row->bits);
    run("openssl req -in csr.pem -outform DER -out csr.der");
    run("openssl req -in csr.pem -noout -pubkey | openssl pkey -pubin -outform DER -out key.der");
    AUTO_BUF der = pki_load("csr.der"), key = pki_load("key.der");
    assert_true(bytes_equal(buf_bytes(&der), buf_bytes(&r->der)));
    assert_true(bytes_equal(buf_bytes(&key), r->key.whole));
    AUTO_TEXT sums = pki_run(0, "sha256sum csr.der key.der | cut -c1-64");
    for (size_t i = 0; i < 32; i++) {
        char hex[3];
        snprintf(hex, sizeof hex, "%02x", r->request_sha256[i]);
        assert_memory_equal(sums + 2 * i, hex, 2);
        snprintf(hex, sizeof hex, "%02x", r->spki_sha256[i]);
        assert_memory_equal(sums + 65 + 2 * i, hex, 2);
    }
    AUTO(request) same = NULL; /* as DER it is the same request */
    ok(parse(buf_bytes(&der), &same));
    assert_memory_equal(same->request_sha256, r->request_sha256, 32);
}

static void what_openssl_makes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        run("openssl req -new -nodes %s -subj '/C=JP/CN=山田' -utf8 -keyout k.pem -out csr.pem",
            rows[i].line);
        AUTO_BUF pem = pki_load("csr.pem");
        AUTO(request) r = NULL;
        if (rows[i].word) {
            refused(parse(buf_bytes(&pem), &r), ERR_INPUT, rows[i].word);
            assert_string_equal(pki_err.code, "bad-csr");
            assert_null(r);
            continue;
        }
        if (parse(buf_bytes(&pem), &r))
            fail_msg("%s: %s", rows[i].line, pki_err.text);
        check_taken(&rows[i], r);
    }
}

static void what_gnutls_makes(void **state)
{
    (void)state;
    run("printf 'cn = \"yamada\"\\ncountry = JP\\n' > t.cfg");
    static const char *const lines[] = {
        "--ecc --curve secp256r1", "--rsa --bits 2048", "--key-type ed25519"};
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        run("certtool --generate-privkey %s --outfile g.key && certtool --generate-request "
            "--load-privkey g.key --template t.cfg --outfile g.pem >/dev/null 2>&1 && "
            "sed -n '/BEGIN/,/END/p' g.pem > g-only.pem",
            lines[i]);
        AUTO_BUF pem = pki_load("g-only.pem");
        AUTO(request) r = NULL;
        ok(parse(buf_bytes(&pem), &r));
    }
}

static void around_the_request(void **state)
{
    (void)state;
    AUTO_TYPE(pkey, EVP_PKEY) *key = EVP_EC_gen("P-256");
    AUTO_BUF der = make(key, EVP_sha256(), "yamada", 6), pem = {0}, two = {0}, big = {0};
    AUTO(request) r = NULL;
    pki_save("one.der", buf_bytes(&der));
    run("openssl req -inform DER -in one.der -out one.pem");
    AUTO_BUF one = pki_load("one.pem");
    buf_add_text(&pem, "\r\n");
    buf_add(&pem, one.data, one.length);
    ok(parse(buf_bytes(&pem), &r));
    buf_add(&two, one.data, one.length);
    buf_add(&two, one.data, one.length);
    AUTO(request) none = NULL;
    refused(parse(buf_bytes(&two), &none), ERR_INPUT, "more than one");
    buf_add_char(&pem, 0);
    refused(parse(buf_bytes(&pem), &none), ERR_INPUT, "does not end");
    memset(buf_reserve(&big, 20000), ' ', 20000);
    big.length = REQUEST_BYTES_MAX + 1;
    refused(parse(buf_bytes(&big), &none), ERR_INPUT, "longer than 16384");
    big.length = REQUEST_BYTES_MAX;
    refused(parse(buf_bytes(&big), &none), ERR_INPUT, "does not begin");
    refused(parse((struct bytes){NULL, 0}, &none), ERR_INPUT, "does not begin");
    buf_add_char(&der, 0);
    refused(parse(buf_bytes(&der), &none), ERR_INPUT, "1 bytes after its end");
    der.length--;
    run("openssl req -x509 -newkey ed25519 -nodes "
        "-keyout x.key -out x.pem -subj /CN=x");
    AUTO_BUF certificate = pki_load("x.pem");
    refused(parse(buf_bytes(&certificate), &none), ERR_INPUT, "BEGIN CERTIFICATE REQUEST");
    assert_null(none);
}

static void a_nul_in_the_subject(void **state)
{
    (void)state;
    AUTO_TYPE(pkey, EVP_PKEY) *key = EVP_EC_gen("P-256");
    AUTO_BUF der = make(key, EVP_sha256(), "good.example.jp\0.bad.example", 28);
    AUTO(request) r = NULL;
    refused(parse(buf_bytes(&der), &r), ERR_INPUT, "NUL");
    AUTO_BUF nameless = make(key, EVP_sha256(), NULL, 0);
    ok(parse(buf_bytes(&nameless), &r));
}

/* The information of a request, signed anew after something in it was changed. */
static struct buf sign_again(struct bytes der, EVP_PKEY *key)
{
    struct bytes body, info;
    AUTO_DER d = {0};
    uint8_t signature[256];
    size_t length = sizeof signature;
    struct buf ret = {0};
    assert_true(der_read(&der, DER_SEQUENCE, &body));
    assert_true(der_read_any(&body, NULL, NULL, &info));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &length, info.data, info.length), 1);
    EVP_MD_CTX_free(ctx);
    der_raw(&d, (struct bytes){signature, length});
    der_close_bits(&d, 0);
    size_t mark = der_length(&d);
    der_value(&d, DER_OID, OID_ECDSA_SHA256, sizeof OID_ECDSA_SHA256 - 1);
    der_close(&d, DER_SEQUENCE, mark);
    der_raw(&d, info);
    der_close(&d, DER_SEQUENCE, 0);
    buf_add(&ret, d.data + d.at, der_length(&d));
    return ret;
}

/* A good signature over what is no DER: the library refuses all of these. */
static void signed_but_no_der(void **state)
{
    (void)state;
    static const struct {
        const char *was, *is;
        size_t length;
        const char *word;
    } changes[] = {
        {"\x06\x03\x55\x04\x03\x0c\x06", "\x06\x03\x55\x04\x03\x0c\x06", 7, NULL},
        {"\x06\x03\x55\x04\x03\x0c\x06", "\x06\x03\x55\x04\x83\x0c\x06", 7, "well-formed"},
        {"\x06\x03\x55\x04\x03\x0c\x06", "\x06\x03\x55\x80\x03\x0c\x06", 7, "well-formed"},
        {"\x06\x03\x55\x04\x03\x0c\x06", "\x06\x03\x55\x04\x03\x2c\x06", 7, "no text"},
        {"\x06\x03\x55\x04\x03\x0c\x06", "\x06\x03\x55\x04\x03\x8c\x06", 7, "no text"},
        {"\x06\x03\x55\x04\x03\x0c\x06", "\x06\x03\x55\x04\x03\x06\x06", 7, "no text"},
        {"\x06\x03\x55\x04\x03\x0c\x06", "\x06\x03\x55\x04\x03\x1c\x06", 7, "no text"},
        {"yamada",
            "yam\xff"
            "da",
            6, "no text"},
        {"yamada", "yam\xed\xa0\x80", 6, "no text"},
    };
    AUTO_TYPE(pkey, EVP_PKEY) *key = EVP_EC_gen("P-256");
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        AUTO_BUF der = make(key, EVP_sha256(), "yamada", 6);
        uint8_t *at = memmem(der.data, der.length, changes[i].was, changes[i].length);
        assert_non_null(at);
        memcpy(at, changes[i].is, changes[i].length);
        AUTO_BUF again = sign_again(buf_bytes(&der), key);
        const unsigned char *p = again.data;
        X509_REQ *theirs = d2i_X509_REQ(NULL, &p, (long)again.length);
        AUTO(request) r = NULL;
        if (!changes[i].word)
            ok(parse(buf_bytes(&again), &r));
        else
            refused(parse(buf_bytes(&again), &r), ERR_INPUT, changes[i].word);
        assert_int_equal(theirs != NULL, r != NULL);
        X509_REQ_free(theirs);
    }
}

static void another_key_signed(void **state)
{
    (void)state;
    AUTO_TYPE(pkey, EVP_PKEY) *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256"),
                              *rsa = EVP_RSA_gen(2048);
    EVP_PKEY *const signers[] = {b, rsa};
    static const char *const words[] = {"not by the key", "does not fit the key"};
    for (size_t i = 0; i < 2; i++) {
        X509_REQ *req = X509_REQ_new();
        unsigned char *der = NULL;
        AUTO(request) r = NULL;
        X509_REQ_set_pubkey(req, a);
        X509_REQ_sign(req, signers[i], EVP_sha256());
        int n = i2d_X509_REQ(req, &der);
        refused(parse((struct bytes){der, (size_t)n}, &r), ERR_INPUT, words[i]);
        OPENSSL_free(der);
        X509_REQ_free(req);
    }
}

/* Whatever we take the library must take too; a changed bit nobody takes. */
static void damaged_requests(void **state)
{
    (void)state;
    AUTO_TYPE(pkey, EVP_PKEY) *ec = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048),
                              *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *const keys[] = {ec, rsa, ed};
    for (size_t k = 0; k < ARRAY_LENGTH(keys); k++) {
        AUTO_BUF der = make(keys[k], k == 2 ? NULL : EVP_sha256(), "yamada", 6);
        AUTO(request) r = NULL;
        ok(parse(buf_bytes(&der), &r));
        for (size_t n = 0; n < der.length; n++) {
            uint8_t *exact = mem_copy(der.data, n ? n : 1);
            AUTO(request) cut = NULL;
            if (parse((struct bytes){exact, n}, &cut) == 0)
                fail_msg("%zu of %zu bytes were taken", n, der.length);
            free(exact);
        }
        for (size_t bit = 0; bit < der.length * 8; bit += k == 1 ? 7 : 1) {
            uint8_t *changed = mem_copy(der.data, der.length);
            AUTO(request) taken = NULL;
            changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (parse((struct bytes){changed, der.length}, &taken) == 0)
                fail_msg("bit %zu flipped was taken", bit);
            free(changed);
        }
    }
}

/* SubjectPublicKeyInfo of an RSA key made of these numbers. */
static struct buf rsa_spki(const BIGNUM *n, uint64_t e)
{
    AUTO_DER d = {0};
    struct buf ret = {0};
    uint8_t bytes[1024];
    int length = BN_bn2bin(n, bytes);
    der_integer(&d, e);
    der_unsigned(&d, bytes, (size_t)length);
    der_close(&d, DER_SEQUENCE, 0);
    der_close_bits(&d, 0);
    size_t mark = der_length(&d);
    der_value(&d, DER_NULL, NULL, 0);
    der_value(&d, DER_OID, OID_RSA, sizeof OID_RSA - 1);
    der_close(&d, DER_SEQUENCE, mark);
    der_close(&d, DER_SEQUENCE, 0);
    buf_add(&ret, d.data + d.at, der_length(&d));
    return ret;
}

static void check_rsa(const BIGNUM *n, uint64_t e, const char *word)
{
    AUTO_BUF der = rsa_spki(n, e);
    struct bytes in = buf_bytes(&der);
    struct spki key;
    ok(spki_read(&in, &key, &pki_err));
    if (word)
        refused(spki_check(checker, &key, &rules, &pki_err), ERR_INPUT, word);
    else
        ok(spki_check(checker, &key, &rules, &pki_err));
}

/* k * M + (65537^a mod M): as the flawed library's primes are, and so their products. */
static BIGNUM *roca_number(BN_CTX *ctx)
{
    BIGNUM *m = BN_new(), *a = BN_new(), *e = BN_new(), *k = BN_new(), *n = BN_new();
    BN_one(m);
    for (unsigned p = 3; p <= 167; p += 2) {
        bool is_prime = true;
        for (unsigned d = 3; d < p; d += 2)
            is_prime = is_prime && p % d;
        if (is_prime)
            BN_mul_word(m, p);
    }
    BN_set_word(e, 65537);
    BN_set_word(a, 123456789);
    BN_mod_exp(a, e, a, m, ctx);
    do { /* odd, and no factor under 1000 */
        BN_rand(k, 2048 - BN_num_bits(m), BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
        BN_mul(n, k, m, ctx);
        BN_add(n, n, a);
        bool divides = !BN_is_odd(n) || BN_num_bits(n) != 2048;
        for (unsigned d = 3; d < 1000; d += 2)
            divides = divides || BN_mod_word(n, d) == 0;
        if (!divides)
            break;
    } while (true);
    BN_free(m), BN_free(a), BN_free(e), BN_free(k);
    return n;
}

static void weak_rsa_numbers(void **state)
{
    (void)state;
    AUTO_TYPE(bn_ctx, BN_CTX) *ctx = BN_CTX_new();
    AUTO_TYPE(bn, BIGNUM) *p = BN_new(), *q = BN_new(), *n = BN_new(), *far = BN_new();
    BN_generate_prime_ex(p, 1024, 0, NULL, NULL, NULL);
    BN_generate_prime_ex(far, 1024, 0, NULL, NULL, NULL);
    BN_mul(n, p, far, ctx);
    check_rsa(n, 65537, NULL);
    check_rsa(n, 65539, NULL);
    check_rsa(n, 65535, "exponent");
    check_rsa(n, 65538, "exponent");
    check_rsa(n, 3, "exponent");
    check_rsa(n, 1, "exponent");
    BN_lshift1(n, n);
    check_rsa(n, 65537, "even");
    BN_copy(q, p); /* the next prime */
    do
        BN_add_word(q, 2);
    while (!BN_check_prime(q, ctx, NULL));
    BN_mul(n, p, q, ctx);
    check_rsa(n, 65537, "Fermat");
    BN_sqr(n, p, ctx);
    check_rsa(n, 65537, "Fermat");
    static const unsigned factors[] = {3, 5, 997};
    for (size_t i = 0; i < ARRAY_LENGTH(factors); i++) {
        BN_generate_prime_ex(q, 2048, 0, NULL, NULL, NULL);
        BN_copy(n, q);
        BN_mul_word(n, factors[i]);
        check_rsa(n, 65537, "small factor");
    }
    AUTO_TYPE(bn, BIGNUM) *roca = roca_number(ctx);
    check_rsa(roca, 65537, "ROCA");
    BN_set_bit(n, 4096);
    check_rsa(n, 65537, "4097 bits");
}

static void points_off_the_curve(void **state)
{
    (void)state;
    AUTO_TYPE(pkey, EVP_PKEY) *key = EVP_EC_gen("P-256");
    AUTO_BUF der = pki_spki(key);
    struct spki spki;
    struct bytes in = buf_bytes(&der);
    ok(spki_read(&in, &spki, &pki_err));
    ok(spki_check(checker, &spki, &rules, &pki_err));
    assert_memory_equal(spki.whole.data, der.data, der.length);
    der.data[der.length - 1] ^= 1; /* y: then x, y is no point */
    refused(spki_check(checker, &spki, &rules, &pki_err), ERR_INPUT, "not a point");
    memset(der.data + der.length - 64, 0, 64);
    refused(spki_check(checker, &spki, &rules, &pki_err), ERR_INPUT, "not a point");
    memset(der.data + der.length - 64, 0xff, 64);
    refused(spki_check(checker, &spki, &rules, &pki_err), ERR_INPUT, "not a point");
    der.data[der.length - 65] = 6; /* hybrid form */
    in = buf_bytes(&der);
    refused(spki_read(&in, &spki, &pki_err), ERR_INPUT, "uncompressed");
    run("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | "
        "openssl pkey -ec_conv_form compressed -out c.key && "
        "openssl req -new -key c.key -subj /CN=c -out c.pem");
    AUTO_BUF pem = pki_load("c.pem");
    AUTO(request) r = NULL;
    refused(parse(buf_bytes(&pem), &r), ERR_INPUT, "uncompressed");
    /* A key that was refused verifies nothing. */
    refused(spki_verify(checker, OID("\x06\x08" OID_ECDSA_SHA256), bytes_of_text("x"),
                bytes_of_text("x"), &pki_err),
        ERR_INPUT, "fit");
}

static void the_rules_decide(void **state)
{
    (void)state;
    AUTO_TYPE(pkey, EVP_PKEY) *ec = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(3072);
    AUTO_BUF a = make(ec, EVP_sha256(), "a", 1), b = make(rsa, EVP_sha256(), "b", 1);
    struct spki_rules only_rsa = {.kinds = {[SPKI_RSA] = true}, .rsa_bits_max = 3072};
    struct spki_rules none = {0};
    AUTO(request) r = NULL;
    AUTO(request) q = NULL;
    refused(request_parse(checker, buf_bytes(&a), &only_rsa, &r, &pki_err), ERR_INPUT, "P-256");
    refused(request_parse(checker, buf_bytes(&b), &none, &r, &pki_err), ERR_INPUT, "RSA");
    ok(request_parse(checker, buf_bytes(&b), &only_rsa, &r, &pki_err));
    only_rsa.rsa_bits_max = 2048;
    refused(
        request_parse(checker, buf_bytes(&b), &only_rsa, &q, &pki_err), ERR_INPUT, "2048 to 2048");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_openssl_makes),
        cmocka_unit_test(what_gnutls_makes),
        cmocka_unit_test(around_the_request),
        cmocka_unit_test(a_nul_in_the_subject),
        cmocka_unit_test(signed_but_no_der),
        cmocka_unit_test(another_key_signed),
        cmocka_unit_test(damaged_requests),
        cmocka_unit_test(weak_rsa_numbers),
        cmocka_unit_test(points_off_the_curve),
        cmocka_unit_test(the_rules_decide),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

#include "pki/spki.h"

#include "base/mem.h"
#include "pki/der.h"
#include "pki/oid.h"
#include "pki/openssl.h"
#include "pki/rsa_weak.h"

#include <openssl/core_names.h>
#include <string.h>

#define CODE "bad-csr"
#define RSA_BITS_LEAST 2048
#define RSA_BITS_MOST 8192

static const char *const names[SPKI_KINDS] = {
#define SPKI_NAME(symbol, name) [SPKI_##symbol] = name,
    SPKI_KIND_LIST(SPKI_NAME)
#undef SPKI_NAME
};

const char *spki_kind_name(enum spki_kind kind)
{
    return names[kind];
}

static const struct curve {
    enum spki_kind kind;
    const char *group;
    struct bytes oid;
    unsigned bits;
    size_t point; /* octets of an uncompressed point */
} curves[] = {
    {SPKI_P256, "P-256", OID_ROW(OID_P256), 256, 65},
    {SPKI_P384, "P-384", OID_ROW(OID_P384), 384, 97},
    {SPKI_P521, "P-521", OID_ROW(OID_P521), 521, 133},
};

static int read_ec(struct bytes parameters, struct spki *key, struct err *err)
{
    struct bytes oid;
    if (parameters.length && parameters.data[0] == DER_SEQUENCE)
        return err_set(err, ERR_INPUT, CODE, "the key has explicit curve parameters");
    if (!der_read(&parameters, DER_OID, &oid) || parameters.length)
        return err_set(err, ERR_INPUT, CODE, "the key does not name its curve");
    for (size_t i = 0; i < ARRAY_LENGTH(curves); i++) {
        if (!bytes_equal(oid, curves[i].oid))
            continue;
        if (key->key.length != curves[i].point || key->key.data[0] != 4)
            return err_set(err, ERR_INPUT, CODE, "the key is not an uncompressed point on %s",
                curves[i].group);
        key->kind = curves[i].kind;
        key->bits = curves[i].bits;
        return 0;
    }
    return err_set(err, ERR_INPUT, CODE, "the key's curve is none of P-256, P-384, P-521");
}

static unsigned bit_length(struct bytes magnitude)
{
    return (unsigned)(magnitude.length - 1) * 8 + 32 - (unsigned)__builtin_clz(magnitude.data[0]);
}

static int read_rsa(struct bytes parameters, struct spki *key, struct err *err)
{
    struct bytes in = key->key, pair, null;
    if (!der_read(&parameters, DER_NULL, &null) || null.length || parameters.length ||
        !der_read(&in, DER_SEQUENCE, &pair) || in.length ||
        !der_read_unsigned(&pair, &key->modulus) || !der_read_unsigned(&pair, &key->exponent) ||
        pair.length || key->modulus.data[0] == 0 || key->exponent.data[0] == 0)
        return err_set(err, ERR_INPUT, CODE, "the RSA key is not a modulus and an exponent");
    key->kind = SPKI_RSA;
    key->bits = bit_length(key->modulus);
    return 0;
}

static int read_ed25519(struct bytes parameters, struct spki *key, struct err *err)
{
    if (parameters.length || key->key.length != 32)
        return err_set(err, ERR_INPUT, CODE, "the Ed25519 key is not 32 octets");
    key->kind = SPKI_ED25519;
    key->bits = 256;
    return 0;
}

int spki_read(struct bytes *in, struct spki *ret, struct err *err)
{
    struct bytes rest = *in, body, algorithm, oid, bits;
    struct spki key = {0};
    uint8_t tag;
    if (!der_read_any(&rest, &tag, &body, &key.whole) || tag != DER_SEQUENCE ||
        !der_read(&body, DER_SEQUENCE, &algorithm) || !der_read(&algorithm, DER_OID, &oid) ||
        !der_read(&body, DER_BIT_STRING, &bits) || body.length || bits.length < 2 ||
        bits.data[0] != 0)
        return err_set(err, ERR_INPUT, CODE, "the public key is not well-formed DER");
    key.key = (struct bytes){bits.data + 1, bits.length - 1};
    int rc;
    if (bytes_equal(oid, OID(OID_EC_PUBLIC_KEY)))
        rc = read_ec(algorithm, &key, err);
    else if (bytes_equal(oid, OID(OID_RSA)))
        rc = read_rsa(algorithm, &key, err);
    else if (bytes_equal(oid, OID(OID_ED25519)))
        rc = read_ed25519(algorithm, &key, err);
    else
        rc = err_set(err, ERR_INPUT, CODE, "the key is none of RSA, P-256, P-384, P-521, Ed25519");
    if (rc)
        return rc;
    *ret = key;
    *in = rest;
    return 0;
}

struct spki_checker {
    EVP_PKEY *curve[ARRAY_LENGTH(curves)]; /* take each point in turn */
    EVP_PKEY_CTX *rsa;                     /* makes keys of numbers */
    EVP_PKEY *last;                        /* of the last check that went well */
    BN_CTX *numbers;
    struct {
        EVP_MD *md;
        int length;
    } digest[3]; /* SHA-256, 384, 512 */
};

struct spki_checker *spki_checker_new(void)
{
    static const struct {
        const char *name;
        int length;
    } digests[] = {{"SHA256", 32}, {"SHA384", 48}, {"SHA512", 64}};
    struct spki_checker *c = MEM_NEW(struct spki_checker);
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LENGTH(curves); i++)
        ok = (c->curve[i] = EVP_EC_gen(curves[i].group)) && ok;
    for (size_t i = 0; i < ARRAY_LENGTH(digests); i++) {
        c->digest[i].length = digests[i].length;
        ok = (c->digest[i].md = EVP_MD_fetch(NULL, digests[i].name, NULL)) && ok;
    }
    c->rsa = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    c->numbers = BN_CTX_new();
    if (!ok || !c->rsa || !c->numbers || EVP_PKEY_fromdata_init(c->rsa) != 1)
        abort(); /* an OpenSSL without its default provider: nothing here can work */
    return c;
}

void spki_checker_free(struct spki_checker *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(curves); i++)
        EVP_PKEY_free(c->curve[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(c->digest); i++)
        EVP_MD_free(c->digest[i].md);
    EVP_PKEY_CTX_free(c->rsa);
    EVP_PKEY_free(c->last);
    BN_CTX_free(c->numbers);
    free(c);
}

static void keep(struct spki_checker *c, EVP_PKEY *key)
{
    EVP_PKEY_free(c->last);
    c->last = key;
}

static int check_point(struct spki_checker *c, const struct spki *key, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(curves); i++) {
        if (curves[i].kind != key->kind)
            continue;
        if (EVP_PKEY_set1_encoded_public_key(c->curve[i], key->key.data, key->key.length) != 1) {
            ERR_clear_error();
            return err_set(err, ERR_INPUT, CODE, "the key is not a point on %s", curves[i].group);
        }
        EVP_PKEY_up_ref(c->curve[i]);
        keep(c, c->curve[i]);
        return 0;
    }
    return err_set(err, ERR_INPUT, CODE, "the key is on no curve of ours");
}

/* OSSL_PARAM numbers are in the machine's order; certq runs on little-endian and big-endian. */
static struct buf native_number(struct bytes magnitude)
{
    struct buf number = {0};
    buf_add(&number, magnitude.data, magnitude.length);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (size_t i = 0; i < magnitude.length; i++)
        number.data[i] = magnitude.data[magnitude.length - 1 - i];
#endif
    return number;
}

static EVP_PKEY *rsa_key(struct spki_checker *c, const struct spki *key)
{
    AUTO_BUF n = native_number(key->modulus);
    AUTO_BUF e = native_number(key->exponent);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n.data, n.length),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e.data, e.length),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *pkey = NULL;
    return EVP_PKEY_fromdata(c->rsa, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1 ? pkey : NULL;
}

static int check_numbers(struct spki_checker *c, const struct spki *key, struct err *err)
{
    uint8_t last = key->exponent.data[key->exponent.length - 1];
    if (!(last & 1) || bit_length(key->exponent) < 17)
        return err_set(err, ERR_INPUT, CODE, "the RSA exponent is even or under 65537");
    if (bit_length(key->exponent) > 256)
        return err_set(err, ERR_INPUT, CODE, "the RSA exponent is longer than 256 bits");
    if (!(key->modulus.data[key->modulus.length - 1] & 1))
        return err_set(err, ERR_INPUT, CODE, "the RSA modulus is even");
    AUTO_TYPE(bn, BIGNUM) *n = BN_bin2bn(key->modulus.data, (int)key->modulus.length, NULL);
    const char *weakness = n ? rsa_weakness(n, c->numbers) : "cannot be read";
    if (weakness)
        return err_set(err, ERR_INPUT, CODE, "the RSA modulus %s", weakness);
    EVP_PKEY *pkey = rsa_key(c, key);
    if (!pkey) {
        ERR_clear_error();
        return err_set(err, ERR_INPUT, CODE, "the RSA key is refused by the library");
    }
    keep(c, pkey);
    return 0;
}

static int check_rsa(
    struct spki_checker *c, const struct spki *key, const struct spki_rules *rules, struct err *err)
{
    unsigned least = rules->rsa_bits_min, most = rules->rsa_bits_max;
    least = least < RSA_BITS_LEAST ? RSA_BITS_LEAST : least;
    most = most > RSA_BITS_MOST ? RSA_BITS_MOST : most;
    if (key->bits < least || key->bits > most)
        return err_set(err, ERR_INPUT, CODE, "the RSA key has %u bits; %u to %u are taken",
            key->bits, least, most);
    return check_numbers(c, key, err);
}

int spki_check(
    struct spki_checker *c, const struct spki *key, const struct spki_rules *rules, struct err *err)
{
    keep(c, NULL);
    if (!rules->kinds[key->kind])
        return err_set(err, ERR_INPUT, CODE, "the product does not take %s keys", names[key->kind]);
    if (key->kind == SPKI_RSA)
        return check_rsa(c, key, rules, err);
    if (key->kind != SPKI_ED25519)
        return check_point(c, key, err);
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, key->key.data, key->key.length);
    if (!pkey) {
        ERR_clear_error();
        return err_set(err, ERR_INPUT, CODE, "the Ed25519 key is refused by the library");
    }
    keep(c, pkey);
    return 0;
}

enum { OF_EC, OF_RSA, OF_ED25519 };
static const struct signature_algorithm {
    struct bytes oid;
    int of;
    int digest;      /* index of spki_checker's */
    const char *bad; /* why it is not taken */
} algorithms[] = {
    {OID_ROW(OID_ECDSA_SHA256), OF_EC, 0, NULL},
    {OID_ROW(OID_ECDSA_SHA384), OF_EC, 1, NULL},
    {OID_ROW(OID_ECDSA_SHA512), OF_EC, 2, NULL},
    {OID_ROW(OID_RSA_SHA256), OF_RSA, 0, NULL},
    {OID_ROW(OID_RSA_SHA384), OF_RSA, 1, NULL},
    {OID_ROW(OID_RSA_SHA512), OF_RSA, 2, NULL},
    {OID_ROW(OID_ED25519), OF_ED25519, 0, NULL},
    {OID_ROW(OID_ECDSA_SHA1), OF_EC, 0, "SHA-1 is not taken any more"},
    {OID_ROW(OID_RSA_SHA1), OF_RSA, 0, "SHA-1 is not taken any more"},
    {OID_ROW(OID_RSA_MD5), OF_RSA, 0, "MD5 is not taken any more"},
    {OID_ROW(OID_RSA_PSS), OF_RSA, 0, "RSA-PSS is not taken, PKCS#1 v1.5 is"},
};

static const struct signature_algorithm *find_algorithm(struct bytes algorithm)
{
    struct bytes oid, null = {0};
    if (!der_read(&algorithm, DER_OID, &oid))
        return NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(algorithms); i++) {
        const struct signature_algorithm *a = &algorithms[i];
        if (!bytes_equal(oid, a->oid))
            continue;
        /* RFC 4055 and 5758: NULL (which may be missing) for RSA, nothing for the others. */
        bool fits =
            algorithm.length == 0 || (a->of == OF_RSA && der_read(&algorithm, DER_NULL, &null) &&
                                         null.length == 0 && algorithm.length == 0);
        return fits || a->bad ? a : NULL;
    }
    return NULL;
}

static bool verify_digest(struct spki_checker *c, const struct signature_algorithm *a,
    struct bytes message, struct bytes signature)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD *md = c->digest[a->digest].md;
    AUTO_TYPE(pkey_ctx, EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, c->last, NULL);
    if (!ctx || EVP_Digest(message.data, message.length, digest, NULL, md, NULL) != 1 ||
        EVP_PKEY_verify_init(ctx) != 1)
        return false;
    if (a->of == OF_RSA && (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1 ||
                               EVP_PKEY_CTX_set_signature_md(ctx, md) != 1))
        return false;
    return EVP_PKEY_verify(ctx, signature.data, signature.length, digest,
               (size_t)c->digest[a->digest].length) == 1;
}

static bool verify_ed25519(EVP_PKEY *key, struct bytes message, struct bytes signature)
{
    AUTO_TYPE(md_ctx, EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    return ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
           EVP_DigestVerify(ctx, signature.data, signature.length, message.data, message.length) ==
               1;
}

static int kind_of_key(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "RSA") ? OF_RSA : EVP_PKEY_is_a(key, "EC") ? OF_EC : OF_ED25519;
}

int spki_verify(struct spki_checker *c, struct bytes algorithm, struct bytes message,
    struct bytes signature, struct err *err)
{
    const struct signature_algorithm *a = find_algorithm(algorithm);
    if (!a)
        return err_set(err, ERR_INPUT, CODE, "the signature's algorithm is not one of ours");
    if (a->bad)
        return err_set(err, ERR_INPUT, CODE, "the signature's algorithm: %s", a->bad);
    if (!c->last || a->of != kind_of_key(c->last))
        return err_set(err, ERR_INPUT, CODE, "the signature's algorithm does not fit the key");
    bool ok = a->of == OF_ED25519 ? verify_ed25519(c->last, message, signature)
                                  : verify_digest(c, a, message, signature);
    if (!ok) {
        ERR_clear_error();
        return err_set(err, ERR_INPUT, CODE, "the signature is not by the key in the request");
    }
    return 0;
}

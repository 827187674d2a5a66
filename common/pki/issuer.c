#include "pki/issuer.h"

#include "base/file.h"
#include "base/mem.h"
#include "pki/issuer_file.h"
#include "pki/oid.h"
#include "pki/openssl.h"
#include "pki/pem.h"

#include <openssl/pem.h>
#include <string.h>

#define FILE_MOST (256 * 1024)
#define CHAIN_MOST 8

struct issuer {
    X509 *certificate;
    EVP_PKEY *key;
    EVP_PKEY_CTX *signing; /* initialised once: EVP_PKEY_sign may be called on it again and again */
    EVP_MD *md;
    struct buf der, name, key_id, algorithm, chain_pem, root_pem;
    int64_t not_before_ms, not_after_ms;
    bool is_test;
    size_t signature_most;
};

/* Asking on the terminal for a pass phrase is no answer for a service. */
static int no_pass_phrase(char *text, int size, int writing, void *context)
{
    (void)text, (void)size, (void)writing, (void)context;
    return -1;
}

int issuer_read_key(const char *path, EVP_PKEY **ret, struct err *err)
{
    AUTO(secret) pem = NULL;
    if (file_read_secret(path, FILE_MOST, &pem, err))
        return -1;
    AUTO_TYPE(bio, BIO) *bio = BIO_new_mem_buf(pem->data, (int)pem->length);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL) : NULL;
    if (!key)
        return err_set(err, ERR_INPUT, NULL, "%s: not a private key in PEM without pass phrase: %s",
            path, openssl_reason());
    *ret = key;
    return 0;
}

int issuer_read_certificates(
    const char *path, X509 **ret, size_t most, size_t *ret_count, struct err *err)
{
    AUTO_BUF pem = {0};
    if (file_read(path, FILE_MOST, &pem, err))
        return -1;
    AUTO_TYPE(bio, BIO) *bio = BIO_new_mem_buf(pem.data, (int)pem.length);
    size_t count = 0;
    while (bio && count < most && (ret[count] = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        count++;
    bool is_end = count && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const char *reason = openssl_reason();
    *ret_count = count;
    if (count == 0 || (count < most && !is_end))
        return err_set(err, ERR_INPUT, NULL, "%s: certificate %zu is not PEM that can be read: %s",
            path, count + 1, reason);
    return 0;
}

static int not_fit(struct err *err, const char *path, const char *what)
{
    ERR_clear_error();
    return err_set(err, ERR_INPUT, NULL, "%s: %s", path, what);
}

static int64_t time_of(const ASN1_TIME *time)
{
    struct tm tm = {0};
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

/* RFC 5280 4.2.1.3, 4.2.1.9, 4.2.1.2: what makes a certificate an issuing CA's. */
static int check_is_ca(X509 *certificate, const char *path, struct err *err)
{
    if (X509_check_ca(certificate) != 1)
        return not_fit(err, path, "not a CA certificate (basicConstraints CA:TRUE)");
    if (!(X509_get_key_usage(certificate) & X509v3_KU_KEY_CERT_SIGN))
        return not_fit(err, path, "its keyUsage does not allow signing certificates");
    if (!(X509_get_key_usage(certificate) & X509v3_KU_CRL_SIGN))
        return not_fit(err, path, "its keyUsage does not allow signing CRLs");
    if (!X509_get0_subject_key_id(certificate))
        return not_fit(err, path, "it has no subjectKeyIdentifier");
    return 0;
}

static void add_der(X509 *certificate, struct buf *ret)
{
    unsigned char *der = NULL;
    int n = i2d_X509(certificate, &der);
    if (n > 0)
        buf_add(ret, der, (size_t)n);
    OPENSSL_free(der);
}

static bool is_self_signed(X509 *certificate)
{
    return X509_self_signed(certificate, 1) == 1;
}

static int take_chain(
    struct issuer *s, X509 *const *chain, size_t count, const char *path, struct err *err)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (X509_check_issued(chain[i + 1], chain[i]) != X509_V_OK ||
            X509_verify(chain[i], X509_get0_pubkey(chain[i + 1])) != 1)
            return err_set(err, ERR_INPUT, NULL,
                "%s: certificate %zu does not issue the one before", path, i + 2);
    for (size_t i = 0; i < count; i++) {
        bool is_root = is_self_signed(chain[i]);
        AUTO_BUF der = {0};
        add_der(chain[i], &der);
        pem_write("CERTIFICATE", buf_bytes(&der), is_root ? &s->root_pem : &s->chain_pem);
    }
    ERR_clear_error();
    s->certificate = chain[0];
    X509_up_ref(s->certificate);
    return 0;
}

static int take_certificate(struct issuer *s, const char *path, struct err *err)
{
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(s->certificate);
    const X509_NAME *name = X509_get_subject_name(s->certificate);
    const unsigned char *der = NULL;
    size_t length = 0;
    if (X509_NAME_get0_der(name, &der, &length) != 1)
        return not_fit(err, path, "its subject cannot be read");
    buf_add(&s->name, der, length);
    buf_add(&s->key_id, ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
    add_der(s->certificate, &s->der);
    s->not_before_ms = time_of(X509_get0_notBefore(s->certificate));
    s->not_after_ms = time_of(X509_get0_notAfter(s->certificate));
    s->is_test = issuer_name_is_test(name);
    return 0;
}

#define RSA_SHA256 "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"
#define ECDSA_SHA256 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define ECDSA_SHA384 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"

static int choose_algorithm(struct issuer *s, const char *path, struct err *err)
{
    char group[32] = "";
    struct bytes algorithm = OID(ECDSA_SHA256);
    const char *digest = "SHA256";
    if (EVP_PKEY_is_a(s->key, "RSA") && EVP_PKEY_get_bits(s->key) >= 2048)
        algorithm = OID(RSA_SHA256);
    else if (!EVP_PKEY_is_a(s->key, "EC") ||
             EVP_PKEY_get_group_name(s->key, group, sizeof group, NULL) != 1)
        return not_fit(err, path, "not a key of P-256, P-384 or RSA with 2048 bits or more");
    else if (strcmp(group, "secp384r1") == 0) {
        algorithm = OID(ECDSA_SHA384);
        digest = "SHA384";
    } else if (strcmp(group, "prime256v1") != 0)
        return not_fit(err, path, "not a key of P-256, P-384 or RSA with 2048 bits or more");
    buf_add(&s->algorithm, algorithm.data, algorithm.length);
    s->md = EVP_MD_fetch(NULL, digest, NULL);
    return s->md ? 0 : err_set(err, ERR_FATAL, NULL, "%s: %s", digest, openssl_reason());
}

static int prepare_signing(struct issuer *s, const char *path, struct err *err)
{
    if (X509_check_private_key(s->certificate, s->key) != 1)
        return not_fit(err, path, "not the key of the issuer's certificate");
    if (choose_algorithm(s, path, err))
        return -1;
    s->signing = EVP_PKEY_CTX_new_from_pkey(NULL, s->key, NULL);
    bool ok = s->signing && EVP_PKEY_sign_init(s->signing) == 1;
    if (ok && EVP_PKEY_is_a(s->key, "RSA"))
        ok = EVP_PKEY_CTX_set_rsa_padding(s->signing, RSA_PKCS1_PADDING) == 1 &&
             EVP_PKEY_CTX_set_signature_md(s->signing, s->md) == 1;
    if (!ok)
        return err_set(err, ERR_FATAL, NULL, "%s: cannot sign: %s", path, openssl_reason());
    s->signature_most = (size_t)EVP_PKEY_get_size(s->key);
    return 0;
}

static int load(
    struct issuer *s, X509 *const *chain, size_t count, const char *const paths[2], struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (check_is_ca(chain[i], paths[0], err))
            return err_context(err, "certificate %zu", i + 1);
    if (take_chain(s, chain, count, paths[0], err) || take_certificate(s, paths[0], err))
        return -1;
    if (!paths[1]) {
        s->key = X509_get_pubkey(s->certificate);
        return s->key ? choose_algorithm(s, paths[0], err)
                      : not_fit(err, paths[0], "its public key cannot be read");
    }
    if (issuer_read_key(paths[1], &s->key, err))
        return -1;
    return prepare_signing(s, paths[1], err);
}

int issuer_load(
    const char *certificate_path, const char *key_path, struct issuer **ret, struct err *err)
{
    AUTO(issuer) s = MEM_NEW(struct issuer);
    X509 *chain[CHAIN_MOST] = {0};
    size_t count = 0;
    int rc = issuer_read_certificates(certificate_path, chain, CHAIN_MOST, &count, err);
    if (rc == 0)
        rc = load(s, chain, count, (const char *const[]){certificate_path, key_path}, err);
    for (size_t i = 0; i < count; i++)
        X509_free(chain[i]);
    if (rc)
        return err_context(err, "issuer");
    *ret = TAKE(s);
    return 0;
}

void issuer_free(struct issuer *s)
{
    if (!s)
        return;
    X509_free(s->certificate);
    EVP_PKEY_CTX_free(s->signing);
    EVP_PKEY_free(s->key);
    EVP_MD_free(s->md);
    buf_free(&s->der);
    buf_free(&s->name);
    buf_free(&s->key_id);
    buf_free(&s->algorithm);
    buf_free(&s->chain_pem);
    buf_free(&s->root_pem);
    free(s);
}

bool issuer_is_test(const struct issuer *s)
{
    return s->is_test;
}

int64_t issuer_not_before_ms(const struct issuer *s)
{
    return s->not_before_ms;
}

int64_t issuer_not_after_ms(const struct issuer *s)
{
    return s->not_after_ms;
}

struct bytes issuer_certificate(const struct issuer *s)
{
    return buf_bytes(&s->der);
}

struct bytes issuer_name(const struct issuer *s)
{
    return buf_bytes(&s->name);
}

struct bytes issuer_key_id(const struct issuer *s)
{
    return buf_bytes(&s->key_id);
}

struct bytes issuer_algorithm(const struct issuer *s)
{
    return buf_bytes(&s->algorithm);
}

const char *issuer_chain_pem(const struct issuer *s)
{
    return buf_text(&s->chain_pem);
}

const char *issuer_root_pem(const struct issuer *s)
{
    return buf_text(&s->root_pem);
}

int issuer_sign(struct issuer *s, struct bytes message, struct buf *ret, struct err *err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    size_t length = s->signature_most;
    if (!s->signing)
        return err_set(err, ERR_FATAL, NULL, "the issuer was loaded without its key");
    uint8_t *to = buf_reserve(ret, length);
    if (EVP_Digest(message.data, message.length, digest, &digest_length, s->md, NULL) != 1 ||
        EVP_PKEY_sign(s->signing, to, &length, digest, digest_length) != 1)
        return err_set(err, ERR_FATAL, NULL, "the issuer cannot sign: %s", openssl_reason());
    ret->length += length;
    ret->data[ret->length] = 0;
    return 0;
}

bool issuer_signed(const struct issuer *s, struct bytes message, struct bytes signature)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    AUTO_TYPE(pkey_ctx, EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, s->key, NULL);
    bool ok = ctx && EVP_Digest(message.data, message.length, digest, &length, s->md, NULL) == 1 &&
              EVP_PKEY_verify_init(ctx) == 1;
    if (ok && EVP_PKEY_is_a(s->key, "RSA"))
        ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
             EVP_PKEY_CTX_set_signature_md(ctx, s->md) == 1;
    ok = ok && EVP_PKEY_verify(ctx, signature.data, signature.length, digest, length) == 1;
    ERR_clear_error();
    return ok;
}

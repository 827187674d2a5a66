#include "crypto/intake.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/random.h"
#include "base/secret.h"
#include "crypto/openssl.h"
#include "crypto/pem_file.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#define YEARS 10
#define SERIAL_LENGTH 16

static int add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int ok = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok ? 0 : -1;
}

/* Serial and name are random, so that keys are told apart by issuer and serial (RFC 5652). */
static int set_names(X509 *certificate)
{
    uint8_t serial[SERIAL_LENGTH];
    random_bytes(serial, sizeof serial);
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
    char name[32] = "certq intake ";
    hex_encode(serial + SERIAL_LENGTH - 4, 4, name + strlen(name));
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    int ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    X509_NAME *subject = X509_get_subject_name(certificate);
    ok = ok && X509_NAME_add_entry_by_txt(
                   subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1, 0) == 1;
    return ok && X509_set_issuer_name(certificate, subject) == 1 ? 0 : -1;
}

static X509 *self_signed(EVP_PKEY *key, int64_t now_ms)
{
    AUTO_TYPE(x509, X509) *c = X509_new();
    time_t now = (time_t)(now_ms / 1000);
    if (!c || X509_set_version(c, X509_VERSION_3) != 1 || set_names(c) ||
        !X509_time_adj_ex(X509_getm_notBefore(c), 0, 0, &now) ||
        !X509_time_adj_ex(X509_getm_notAfter(c), 365 * YEARS + 2, 0, &now) ||
        X509_set_pubkey(c, key) != 1 ||
        add_extension(c, NID_basic_constraints, "critical,CA:FALSE") ||
        add_extension(c, NID_key_usage, "critical,keyAgreement") ||
        add_extension(c, NID_subject_key_identifier, "hash") ||
        X509_sign(c, key, EVP_sha256()) <= 0)
        return NULL;
    return TAKE(c);
}

struct pair {
    BIO *key, *certificate; /* PEM */
};

static void pair_clear(struct pair *p)
{
    BIO_free_all(p->key);
    BIO_free_all(p->certificate);
}
#define AUTO_PAIR CLEANUP(pair_clear) struct pair

static int make_pair(int64_t now_ms, struct pair *ret, struct err *err)
{
    AUTO_TYPE(pkey, EVP_PKEY) *key = EVP_EC_gen("P-256");
    AUTO_TYPE(x509, X509) *certificate = key ? self_signed(key, now_ms) : NULL;
    ret->key = BIO_new(BIO_s_mem());
    ret->certificate = BIO_new(BIO_s_mem());
    if (!certificate || !ret->key || !ret->certificate ||
        PEM_write_bio_PrivateKey(ret->key, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_X509(ret->certificate, certificate) != 1)
        return err_set(err, ERR_TEMPORARY, NULL, "making an intake key: %s", openssl_reason());
    return 0;
}

static struct bytes bio_bytes(BIO *bio)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    return (struct bytes){(const uint8_t *)data, length > 0 ? (size_t)length : 0};
}

int intake_generate(
    const char *key_path, const char *certificate_path, int64_t now_ms, struct err *err)
{
    AUTO_PAIR made = {0};
    if (make_pair(now_ms, &made, err) || file_create(key_path, bio_bytes(made.key), 0600, err))
        return -1;
    if (!file_create(certificate_path, bio_bytes(made.certificate), 0644, err))
        return 0;
    unlink(key_path); /* nothing was sealed to it yet */
    return -1;
}

/* Both files must be what they should before anything is written. */
static int check_files(const char *key_path, const char *certificate_path, struct err *err)
{
    AUTO_PEM_FILE file = {0};
    if (pem_file_add_keys(&file, key_path, err) ||
        pem_file_add_certificates(&file, certificate_path, err))
        return -1;
    if (file.key_count == PEM_BLOCKS_MOST || file.certificate_count == PEM_BLOCKS_MOST)
        return err_set(err, ERR_INPUT, NULL, "%s: %d keys are live; take old ones out", key_path,
            PEM_BLOCKS_MOST);
    return 0;
}

int intake_rotate(
    const char *key_path, const char *certificate_path, int64_t now_ms, struct err *err)
{
    AUTO_LOCK lock = -1;
    AUTO_PAIR made = {0};
    AUTO(secret) keys = NULL;
    AUTO_BUF certificates = {0};
    if (file_lock(key_path, &lock, err) || check_files(key_path, certificate_path, err) ||
        file_read_secret(key_path, PEM_FILE_MOST, &keys, err) ||
        file_read(certificate_path, PEM_FILE_MOST, &certificates, err) ||
        make_pair(now_ms, &made, err) ||
        pem_file_write_in_front(
            key_path, bio_bytes(made.key), (struct bytes){keys->data, keys->length}, 0600, err))
        return -1;
    return pem_file_write_in_front(
        certificate_path, bio_bytes(made.certificate), buf_bytes(&certificates), 0644, err);
}

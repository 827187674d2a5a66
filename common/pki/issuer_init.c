#include "base/file.h"
#include "base/random.h"
#include "base/secret.h"
#include "pki/certificate.h"
#include "pki/issuer.h"
#include "pki/issuer_file.h"
#include "pki/pem.h"

#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

#define DAY_S 86400
#define DAYS_MOST (365 * 100)

bool issuer_name_is_test(const X509_NAME *name)
{
    int at = -1;
    while ((at = X509_NAME_get_index_by_NID(name, NID_organizationName, at)) >= 0) {
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
        struct bytes text = {ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)};
        if (bytes_equal(text, bytes_of_text(ISSUER_TEST_MARK)))
            return true;
    }
    return false;
}

static int library(struct err *err, const char *what)
{
    return err_set(err, ERR_FATAL, NULL, "%s: %s", what, openssl_reason());
}

static int set_name(
    X509 *certificate, const struct issuer_plan *plan, const char *name, struct err *err)
{
    const char *organisation = plan->is_test ? ISSUER_TEST_MARK : plan->organisation;
    struct name_part parts[] = {
        {"O", bytes_of_text(organisation ? organisation : "-")}, {"CN", bytes_of_text(name)}};
    X509_NAME *subject = X509_get_subject_name(certificate);
    for (size_t i = organisation ? 0 : 1; i < ARRAY_LENGTH(parts); i++) {
        if (name_part_check(&parts[i], err))
            return -1;
        if (X509_NAME_add_entry_by_txt(subject, parts[i].attribute, V_ASN1_UTF8STRING,
                parts[i].value.data, (int)parts[i].value.length, -1, 0) != 1)
            return library(err, "subject");
    }
    return 0;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool set_serial(X509 *certificate)
{
    uint8_t serial[SERIAL_LENGTH];
    serial_draw(serial);
    AUTO_TYPE(bn, BIGNUM) *number = BN_bin2bn(serial, sizeof serial, NULL);
    return number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
}

/* The end of the last second of `days` days. */
static bool set_validity(X509 *certificate, int64_t from_ms, int days, X509 *root)
{
    int64_t from = from_ms / 1000, to = from + (int64_t)days * DAY_S - 1;
    if (!ASN1_TIME_adj(X509_getm_notBefore(certificate), (time_t)from, 0, 0) ||
        !ASN1_TIME_adj(X509_getm_notAfter(certificate), (time_t)to, 0, 0))
        return false;
    return !root ||
           ASN1_TIME_compare(X509_get0_notAfter(certificate), X509_get0_notAfter(root)) <= 0 ||
           X509_set1_notAfter(certificate, X509_get0_notAfter(root)) == 1;
}

/* A CA certificate for `key`, by root and root_key, or self-signed when root is NULL. */
static int make(const struct issuer_plan *plan, EVP_PKEY *key, X509 *root, EVP_PKEY *root_key,
    X509 **ret, struct err *err)
{
    AUTO_TYPE(x509, X509) *c = X509_new();
    int days = root ? plan->days : plan->root_days;
    if (!c || X509_set_version(c, X509_VERSION_3) != 1 || !set_serial(c) ||
        !set_validity(c, plan->not_before_ms, days, root) || X509_set_pubkey(c, key) != 1)
        return library(err, "certificate");
    if (set_name(c, plan, root ? plan->name : plan->root_name, err))
        return -1;
    X509 *issuer = root ? root : c;
    if (X509_set_issuer_name(c, X509_get_subject_name(issuer)) != 1 ||
        !add_extension(c, issuer, NID_basic_constraints,
            root ? "critical,CA:TRUE,pathlen:0" : "critical,CA:TRUE") ||
        !add_extension(c, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(c, issuer, NID_subject_key_identifier, "hash") ||
        !add_extension(c, issuer, NID_authority_key_identifier, "keyid:always") ||
        X509_sign(c, root_key, EVP_sha256()) <= 0)
        return library(err, "certificate");
    *ret = TAKE(c);
    return 0;
}

static int write_key(const char *path, EVP_PKEY *key, struct err *err)
{
    AUTO_TYPE(bio, BIO) *bio = BIO_new(BIO_s_secmem());
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return library(err, path);
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    return file_create(path, (struct bytes){(const uint8_t *)data, (size_t)length}, 0600, err);
}

static void add_pem(X509 *certificate, struct buf *ret)
{
    unsigned char *der = NULL;
    int n = i2d_X509(certificate, &der);
    if (n > 0)
        certificate_pem((struct bytes){der, (size_t)n}, ret);
    OPENSSL_free(der);
}

/* The issuing certificate, and its root behind it when there is one. */
static int write_certificates(const char *path, X509 *certificate, X509 *root, struct err *err)
{
    AUTO_BUF pem = {0};
    add_pem(certificate, &pem);
    if (root)
        add_pem(root, &pem);
    return file_create(path, buf_bytes(&pem), 0644, err);
}

static int make_root(
    const struct issuer_plan *plan, X509 **ret, EVP_PKEY **ret_key, struct err *err)
{
    AUTO_TYPE(pkey, EVP_PKEY) *key = EVP_EC_gen("P-256");
    AUTO_TYPE(x509, X509) *root = NULL;
    if (!key)
        return library(err, "key");
    if (make(plan, key, NULL, key, &root, err) || write_key(plan->root_key, key, err) ||
        write_certificates(plan->root_certificate, root, NULL, err))
        return -1;
    *ret = TAKE(root);
    *ret_key = TAKE(key);
    return 0;
}

static int check_root(const struct issuer_plan *plan, X509 *root, EVP_PKEY *key, struct err *err)
{
    const char *path = plan->root_certificate;
    if (X509_check_ca(root) != 1 || X509_self_signed(root, 1) != 1)
        return err_set(err, ERR_INPUT, NULL, "%s: not a self-signed CA certificate", path);
    if (X509_check_private_key(root, key) != 1)
        return err_set(err, ERR_INPUT, NULL, "%s: not the key of %s", plan->root_key, path);
    if (issuer_name_is_test(X509_get_subject_name(root)) != plan->is_test)
        return err_set(err, ERR_INPUT, NULL,
            plan->is_test ? "%s: not a test root, so it signs no test CA"
                          : "%s: a test root, so it signs only test CAs",
            path);
    time_t from = (time_t)(plan->not_before_ms / 1000);
    if (X509_cmp_time(X509_get0_notBefore(root), &from) > 0 ||
        X509_cmp_time(X509_get0_notAfter(root), &from) < 0)
        return err_set(err, ERR_INPUT, NULL, "%s: not valid when the new CA begins", path);
    return 0;
}

static int read_root(
    const struct issuer_plan *plan, X509 **ret, EVP_PKEY **ret_key, struct err *err)
{
    AUTO_TYPE(pkey, EVP_PKEY) *key = NULL;
    X509 *read = NULL;
    size_t count = 0;
    int rc = issuer_read_certificates(plan->root_certificate, &read, 1, &count, err);
    AUTO_TYPE(x509, X509) *root = count ? read : NULL;
    if (rc || issuer_read_key(plan->root_key, &key, err) || check_root(plan, root, key, err))
        return -1;
    *ret = TAKE(root);
    *ret_key = TAKE(key);
    return 0;
}

static int check_plan(const struct issuer_plan *plan, struct err *err)
{
    if (plan->is_test && plan->organisation)
        return err_set(
            err, ERR_INPUT, NULL, "a test CA's organisation is always \"%s\"", ISSUER_TEST_MARK);
    if (plan->organisation && strcmp(plan->organisation, ISSUER_TEST_MARK) == 0)
        return err_set(err, ERR_INPUT, NULL, "the organisation is the mark of a test CA");
    if (plan->days < 1 || plan->days > DAYS_MOST || plan->root_days < 1 ||
        plan->root_days > DAYS_MOST)
        return err_set(err, ERR_INPUT, NULL, "days: not in 1 to %d", DAYS_MOST);
    const char *const files[] = {plan->certificate, plan->key};
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
        if (access(files[i], F_OK) == 0)
            return err_set(err, ERR_CONFLICT, NULL, "%s: exists", files[i]);
    return 0;
}

int issuer_init(const struct issuer_plan *plan, struct err *err)
{
    AUTO_TYPE(pkey, EVP_PKEY) *root_key = NULL, *key = NULL;
    AUTO_TYPE(x509, X509) *root = NULL, *certificate = NULL;
    if (check_plan(plan, err))
        return -1;
    bool has_key = access(plan->root_key, F_OK) == 0;
    bool has_root = access(plan->root_certificate, F_OK) == 0;
    if (has_key != has_root)
        return err_set(err, ERR_CONFLICT, NULL, "%s exists without %s",
            has_key ? plan->root_key : plan->root_certificate,
            has_key ? plan->root_certificate : plan->root_key);
    if (has_key ? read_root(plan, &root, &root_key, err) : make_root(plan, &root, &root_key, err))
        return err_context(err, "root");
    key = EVP_EC_gen("P-256");
    if (!key)
        return library(err, "key");
    if (make(plan, key, root, root_key, &certificate, err) || write_key(plan->key, key, err) ||
        write_certificates(plan->certificate, certificate, root, err))
        return err_context(err, "issuing CA");
    return 0;
}

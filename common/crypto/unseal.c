#include "base/hex.h"
#include "base/mem.h"
#include "crypto/openssl.h"
#include "crypto/pem_file.h"
#include "crypto/seal.h"
#include "crypto/seal_form.h"

#include <openssl/err.h>
#include <string.h>

struct seal_opener {
    struct pem_file file; /* keys[i] belongs to certificates[i] */
};

static int check_key(EVP_PKEY *key, const char *path, struct err *err)
{
    if (!EVP_PKEY_is_a(key, "EC"))
        return err_set(err, ERR_INPUT, NULL,
            "%s: an intake key is an EC key (PKCS #1 v1.5 of RSA can be probed)", path);
    return 0;
}

/* Puts keys beside their certificates and drops certificates whose key is gone. */
static void pair(struct pem_file *f)
{
    EVP_PKEY *keys[PEM_BLOCKS_MOST] = {0};
    size_t n = 0;
    for (size_t i = 0; i < f->certificate_count; i++) {
        X509 *certificate = f->certificates[i];
        EVP_PKEY *found = NULL;
        for (size_t k = 0; k < f->key_count && !found; k++)
            if (X509_check_private_key(certificate, f->keys[k]) == 1)
                found = f->keys[k];
        if (!found) {
            X509_free(certificate);
            continue;
        }
        EVP_PKEY_up_ref(found);
        keys[n] = found;
        f->certificates[n++] = certificate;
    }
    for (size_t k = 0; k < f->key_count; k++)
        EVP_PKEY_free(f->keys[k]);
    memcpy(f->keys, keys, sizeof keys);
    f->key_count = f->certificate_count = n;
    ERR_clear_error();
}

int seal_opener_load(
    const char *key_path, const char *certificate_path, struct seal_opener **ret, struct err *err)
{
    AUTO(seal_opener) o = MEM_NEW(struct seal_opener);
    if (pem_file_add_keys(&o->file, key_path, err) ||
        pem_file_add_certificates(&o->file, certificate_path, err))
        return -1;
    for (size_t i = 0; i < o->file.key_count; i++)
        if (check_key(o->file.keys[i], key_path, err))
            return -1;
    X509 *current = o->file.certificates[0];
    X509_up_ref(current);
    pair(&o->file);
    bool has_key = o->file.certificate_count && o->file.certificates[0] == current;
    X509_free(current);
    if (!has_key)
        return err_set(err, ERR_INPUT, NULL, "%s: the key of the first certificate is not in %s",
            certificate_path, key_path);
    *ret = TAKE(o);
    return 0;
}

void seal_opener_free(struct seal_opener *o)
{
    if (!o)
        return;
    pem_file_clear(&o->file);
    free(o);
}

/* --- opening --- */

static bool is_recipient(CMS_RecipientInfo *ri, X509 *certificate)
{
    if (CMS_RecipientInfo_type(ri) != CMS_RECIPINFO_AGREE)
        return false;
    STACK_OF(CMS_RecipientEncryptedKey) *keys = CMS_RecipientInfo_kari_get0_reks(ri);
    for (int i = 0; i < sk_CMS_RecipientEncryptedKey_num(keys); i++)
        if (!CMS_RecipientEncryptedKey_cert_cmp(
                sk_CMS_RecipientEncryptedKey_value(keys, i), certificate))
            return true;
    return false;
}

/* Which of our certificates it was sealed to; -1: none. */
static int find_recipient(const struct seal_opener *o, CMS_ContentInfo *cms)
{
    STACK_OF(CMS_RecipientInfo) *all = CMS_get0_RecipientInfos(cms);
    for (size_t c = 0; c < o->file.certificate_count; c++)
        for (int i = 0; i < sk_CMS_RecipientInfo_num(all); i++)
            if (is_recipient(sk_CMS_RecipientInfo_value(all, i), o->file.certificates[c]))
                return (int)c;
    return -1;
}

static int decrypt(const struct seal_opener *o, struct bytes der, BIO *ret, struct err *err)
{
    const uint8_t *p = der.data;
    AUTO_TYPE(cms, CMS_ContentInfo) *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.length);
    if (!cms || p != der.data + der.length) {
        ERR_clear_error();
        return err_set(err, ERR_INPUT, NULL, "it is not well-formed DER AuthEnvelopedData");
    }
    int at = find_recipient(o, cms);
    if (at < 0) {
        ERR_clear_error();
        return err_set(err, ERR_INPUT, NULL, "it is sealed to a key that is not the intake's");
    }
    /* One answer for all that can go wrong with the bytes themselves. */
    if (CMS_decrypt(cms, o->file.keys[at], o->file.certificates[at], NULL, ret, 0) != 1) {
        ERR_clear_error();
        return err_set(err, ERR_INPUT, NULL, "it does not open: it was altered");
    }
    return 0;
}

static void content_free(json_t **content)
{
    json_t *value = *content ? json_object_get(*content, "value") : NULL;
    if (json_is_string(value))
        secret_wipe((char *)(uintptr_t)json_string_value(value), json_string_length(value));
    json_decref(*content);
}

/* The parser's own message would quote the content. */
static int read_content(const struct uuid *id, const char *path, struct bytes text,
    struct secret **ret, struct err *err)
{
    CLEANUP(content_free) json_t *content = NULL;
    struct err ignored = {0};
    if (json_parse_object(text, &content, &ignored))
        return err_set(err, ERR_INPUT, NULL, "what was sealed is not a JSON object");
    const char *got_id = json_string_value(json_object_get(content, "id"));
    const char *got_path = json_string_value(json_object_get(content, "path"));
    const json_t *value = json_object_get(content, "value");
    if (json_object_size(content) != 3 || !got_id || !got_path || !json_is_string(value))
        return err_set(err, ERR_INPUT, NULL,
            "what was sealed is not {\"id\", \"path\", \"value\"}, all texts");
    struct uuid sealed_for;
    if (!uuid_parse(got_id, strlen(got_id), &sealed_for) || !uuid_equal(&sealed_for, id))
        return err_set(err, ERR_INPUT, NULL, "it was sealed for another job");
    if (strcmp(got_path, path) != 0)
        return err_set(err, ERR_INPUT, NULL, "it was sealed for another member of the args");
    if (json_string_length(value) > SEAL_VALUE_MOST)
        return err_set(
            err, ERR_INPUT, NULL, "what was sealed is longer than %d bytes", SEAL_VALUE_MOST);
    *ret = secret_new(json_string_value(value), json_string_length(value));
    return 0;
}

static int open_der(const struct seal_opener *o, const struct uuid *id, const char *path,
    struct bytes der, struct secret **ret, struct err *err)
{
    if (der.length > SEAL_DER_MOST)
        return err_set(err, ERR_INPUT, NULL, "it is longer than %d bytes", SEAL_DER_MOST);
    AUTO_TYPE(bio, BIO) *plain = BIO_new(BIO_s_mem()); /* wiped by OpenSSL when freed */
    if (!plain)
        return err_set(err, ERR_TEMPORARY, NULL, "no memory");
    if (seal_form_check(der, err) || decrypt(o, der, plain, err))
        return -1;
    char *text = NULL;
    long length = BIO_get_mem_data(plain, &text);
    struct bytes content = {(const uint8_t *)text, length > 0 ? (size_t)length : 0};
    return read_content(id, path, content, ret, err);
}

int unseal(const struct seal_opener *o, const struct uuid *id, const char *path, struct bytes der,
    struct secret **ret, struct err *err)
{
    if (open_der(o, id, path, der, ret, err))
        return err_context(err, "%s: sealed value", path);
    return 0;
}

int unseal_text(const struct seal_opener *o, const struct uuid *id, const char *path,
    struct bytes base64, struct secret **ret, struct err *err)
{
    AUTO_BUF der = {0};
    if (base64.length > (SEAL_DER_MOST + 2) / 3 * 4)
        return err_set(
            err, ERR_INPUT, NULL, "%s: sealed value: longer than %d bytes", path, SEAL_DER_MOST);
    if (!base64_decode(base64, &der))
        return err_set(err, ERR_INPUT, NULL,
            "%s: sealed value: not base64 (with padding, without line breaks)", path);
    return unseal(o, id, path, buf_bytes(&der), ret, err);
}

#include "crypto/seal.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "crypto/openssl.h"
#include "crypto/pem_file.h"
#include "crypto/secrets.h"

#include <openssl/ec.h>
#include <string.h>

struct sealer {
    X509 *certificate;
};

int sealer_load(const char *certificate_path, struct sealer **ret, struct err *err)
{
    AUTO_PEM_FILE file = {0};
    if (pem_file_add_certificates(&file, certificate_path, err))
        return -1;
    EVP_PKEY *key = X509_get0_pubkey(file.certificates[0]);
    if (!key || !EVP_PKEY_is_a(key, "EC"))
        return err_set(
            err, ERR_INPUT, NULL, "%s: an intake certificate has an EC key", certificate_path);
    AUTO(sealer) s = MEM_NEW(struct sealer);
    s->certificate = TAKE(file.certificates[0]);
    *ret = TAKE(s);
    return 0;
}

void sealer_free(struct sealer *s)
{
    if (!s)
        return;
    X509_free(s->certificate);
    free(s);
}

static void wipe_buf(struct buf *b)
{
    if (b->data)
        secret_wipe(b->data, b->capacity);
    buf_free(b);
}

/* jansson frees a string without wiping it. */
static void wipe_text(json_t *text)
{
    if (json_is_string(text))
        secret_wipe((char *)(uintptr_t)json_string_value(text), json_string_length(text));
}

static int write_content(const struct uuid *id, const char *path, const struct secret *value,
    struct buf *ret, struct err *err)
{
    if (value->length > SEAL_VALUE_MOST)
        return err_set(err, ERR_INPUT, NULL, "%s: longer than %d bytes", path, SEAL_VALUE_MOST);
    if (!utf8_is_valid((struct bytes){value->data, value->length}) ||
        memchr(value->data, 0, value->length))
        return err_set(err, ERR_INPUT, NULL, "%s: not UTF-8 text, or it has a NUL", path);
    AUTO_TYPE(json, json_t) *content = json_object();
    json_t *text = json_stringn((const char *)value->data, value->length);
    json_object_set_new(content, "id", json_string(uuid_s(id)));
    json_object_set_new(content, "path", json_string(path));
    json_object_set_new(content, "value", text);
    buf_reserve(ret, 6 * (value->length + strlen(path)) + 128); /* so that nothing moves */
    json_write(content, ret);
    wipe_text(text);
    return 0;
}

/* OpenSSL's own default digest in the key derivation is SHA-1. */
static int add_recipient(CMS_ContentInfo *cms, X509 *certificate)
{
    CMS_RecipientInfo *ri = CMS_add1_recipient_cert(cms, certificate, CMS_KEY_PARAM);
    EVP_PKEY_CTX *kdf = ri ? CMS_RecipientInfo_get0_pkey_ctx(ri) : NULL;
    return kdf && EVP_PKEY_CTX_set_ecdh_kdf_md(kdf, EVP_sha256()) > 0 ? 0 : -1;
}

static int encrypt(X509 *certificate, struct bytes content, struct buf *ret)
{
    AUTO_TYPE(bio, BIO) *in = BIO_new_mem_buf(content.data, (int)content.length);
    AUTO_TYPE(cms, CMS_ContentInfo) *cms =
        CMS_encrypt(NULL, NULL, EVP_aes_256_gcm(), CMS_BINARY | CMS_PARTIAL);
    if (!in || !cms || add_recipient(cms, certificate) || CMS_final(cms, in, NULL, CMS_BINARY) != 1)
        return -1;
    int length = i2d_CMS_ContentInfo(cms, NULL);
    if (length <= 0)
        return -1;
    uint8_t *to = buf_reserve(ret, (size_t)length);
    if (i2d_CMS_ContentInfo(cms, &to) != length)
        return -1;
    ret->length += (size_t)length;
    ret->data[ret->length] = 0;
    return 0;
}

int seal(const struct sealer *s, const struct uuid *id, const char *path,
    const struct secret *value, struct buf *ret, struct err *err)
{
    CLEANUP(wipe_buf) struct buf content = {0};
    if (write_content(id, path, value, &content, err))
        return -1;
    if (encrypt(s->certificate, buf_bytes(&content), ret))
        return err_set(err, ERR_TEMPORARY, NULL, "%s: sealing failed: %s", path, openssl_reason());
    return 0;
}

int seal_member(const struct sealer *s, const struct uuid *id, const char *path,
    const struct secret *value, json_t **ret, struct err *err)
{
    AUTO_BUF der = {0}, text = {0};
    if (seal(s, id, path, value, &der, err))
        return -1;
    base64_encode(buf_bytes(&der), &text);
    json_t *member = json_object();
    json_object_set_new(member, "sealed", json_stringn(buf_text(&text), text.length));
    *ret = member;
    return 0;
}

struct sealing {
    const struct sealer *sealer;
    const struct uuid *id;
};

static int seal_plain(const struct secret_member *m, void *context, struct err *err)
{
    const struct sealing *s = context;
    if (m->form != SECRET_PLAIN)
        return 0;
    AUTO(secret) value = secret_new(m->text, m->length);
    json_t *sealed = NULL;
    if (seal_member(s->sealer, s->id, m->path, value, &sealed, err))
        return -1;
    wipe_text(m->value);
    json_object_set_new(m->holder, m->name, sealed);
    return 0;
}

int seal_args(const struct sealer *s, const struct uuid *id, json_t *args, struct err *err)
{
    struct sealing sealing = {s, id};
    return secrets_each(args, seal_plain, &sealing, err);
}

#include "audit/key.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/secret.h"
#include "crypto/openssl.h"
#include "crypto/pem_file.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

enum { KEYS_MOST = 64 };

struct audit_signer {
    EVP_PKEY *key;
    char id[AUDIT_KEY_ID];
};

struct audit_checker {
    EVP_PKEY *keys[KEYS_MOST];
    char ids[KEYS_MOST][AUDIT_KEY_ID];
    size_t count;
};

/* The first 8 bytes of the SHA-256 of its SubjectPublicKeyInfo. */
static int id_of(EVP_PKEY *key, char ret[static AUDIT_KEY_ID], struct err *err)
{
    uint8_t hash[AUDIT_HASH];
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key, &der);
    if (length <= 0)
        return err_set(err, ERR_INPUT, NULL, "an audit key: %s", openssl_reason());
    audit_sha256((struct bytes){der, (size_t)length}, hash);
    OPENSSL_free(der);
    hex_encode(hash, 8, ret);
    return 0;
}

static bool is_p256(EVP_PKEY *key)
{
    char group[32] = "";
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
           strcmp(group, SN_X9_62_prime256v1) == 0;
}

/* ---- making ---- */

struct pair {
    BIO *key, *public; /* PEM */
};

static void pair_clear(struct pair *p)
{
    BIO_free_all(p->key);
    BIO_free_all(p->public);
}
#define AUTO_PAIR CLEANUP(pair_clear) struct pair

static int make_pair(struct pair *ret, struct err *err)
{
    AUTO_TYPE(pkey, EVP_PKEY) *key = EVP_EC_gen("P-256");
    ret->key = BIO_new(BIO_s_mem());
    ret->public = BIO_new(BIO_s_mem());
    if (!key || !ret->key || !ret->public ||
        PEM_write_bio_PrivateKey(ret->key, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_PUBKEY(ret->public, key) != 1)
        return err_set(err, ERR_TEMPORARY, NULL, "making an audit key: %s", openssl_reason());
    return 0;
}

static struct bytes bio_bytes(BIO *bio)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    return (struct bytes){(const uint8_t *)data, length > 0 ? (size_t)length : 0};
}

int audit_key_generate(const char *key_path, const char *public_path, struct err *err)
{
    AUTO_PAIR made = {0};
    if (make_pair(&made, err) || file_create(key_path, bio_bytes(made.key), 0600, err))
        return -1;
    if (!file_create(public_path, bio_bytes(made.public), 0644, err))
        return 0;
    unlink(key_path); /* nothing was signed with it yet */
    return -1;
}

int audit_key_rotate(const char *key_path, const char *public_path, struct err *err)
{
    AUTO_LOCK lock = -1;
    AUTO_PAIR made = {0};
    AUTO(secret) keys = NULL;
    AUTO_BUF publics = {0};
    AUTO(audit_signer) signer = NULL; /* both files must be what they should */
    if (file_lock(key_path, &lock, err) || audit_signer_load(key_path, public_path, &signer, err) ||
        file_read_secret(key_path, PEM_FILE_MOST, &keys, err) ||
        file_read(public_path, PEM_FILE_MOST, &publics, err) || make_pair(&made, err))
        return -1;
    return pem_file_write_in_front(
               public_path, bio_bytes(made.public), buf_bytes(&publics), 0644, err) ||
                   pem_file_write_in_front(key_path, bio_bytes(made.key),
                       (struct bytes){keys->data, keys->length}, 0600, err)
               ? -1
               : 0;
}

/* ---- signing ---- */

static int take_newest(const char *key_path, struct audit_signer *s, struct err *err)
{
    AUTO_PEM_FILE file = {0};
    if (pem_file_add_keys(&file, key_path, err))
        return -1;
    if (!is_p256(file.keys[0]))
        return err_set(err, ERR_INPUT, NULL, "%s: an audit key is EC P-256", key_path);
    s->key = file.keys[0];
    EVP_PKEY_up_ref(s->key);
    return id_of(s->key, s->id, err);
}

int audit_signer_load(
    const char *key_path, const char *public_path, struct audit_signer **ret, struct err *err)
{
    AUTO(audit_signer) s = MEM_NEW(struct audit_signer);
    AUTO(audit_checker) known = NULL;
    if (take_newest(key_path, s, err) || audit_checker_load(public_path, &known, err))
        return -1;
    if (!audit_checker_knows(known, s->id))
        return err_set(
            err, ERR_INPUT, NULL, "%s: lacks the public key of %s", public_path, key_path);
    *ret = TAKE(s);
    return 0;
}

void audit_signer_free(struct audit_signer *s)
{
    if (!s)
        return;
    EVP_PKEY_free(s->key);
    free(s);
}

int audit_sign(struct audit_signer *s, struct audit_seal *seal, struct err *err)
{
    seal->signature_length = sizeof seal->signature;
    memcpy(seal->key_id, s->id, sizeof seal->key_id);
    audit_seal_hash(seal, seal->hash);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, s->key) == 1 &&
              EVP_DigestSign(
                  context, seal->signature, &seal->signature_length, seal->hash, AUDIT_HASH) == 1;
    EVP_MD_CTX_free(context);
    return ok ? 0
              : err_set(err, ERR_FATAL, NULL, "signing a seal of the audit: %s", openssl_reason());
}

/* ---- checking ---- */

static int add_key(struct audit_checker *c, EVP_PKEY *key, struct err *err)
{
    if (c->count == KEYS_MOST || !is_p256(key)) {
        bool is_many = c->count == KEYS_MOST;
        EVP_PKEY_free(key);
        return is_many ? err_set(err, ERR_INPUT, NULL, "more than %d keys", KEYS_MOST)
                       : err_set(err, ERR_INPUT, NULL, "an audit key is EC P-256");
    }
    c->keys[c->count++] = key;
    return id_of(key, c->ids[c->count - 1], err);
}

struct block {
    char *label, *header;
    unsigned char *data;
    long length;
};

static void block_clear(struct block *b)
{
    OPENSSL_free(b->label);
    OPENSSL_free(b->header);
    OPENSSL_free(b->data);
}

static int read_keys(struct audit_checker *c, BIO *bio, struct err *err)
{
    for (;;) {
        CLEANUP(block_clear) struct block b = {0};
        if (PEM_read_bio(bio, &b.label, &b.header, &b.data, &b.length) != 1)
            break;
        const unsigned char *at = b.data;
        bool is_public = strcmp(b.label, PEM_STRING_PUBLIC) == 0;
        EVP_PKEY *key = is_public ? d2i_PUBKEY(NULL, &at, b.length) : NULL;
        if (!key)
            return err_set(err, ERR_INPUT, NULL, "a block %.40s, only public keys are wanted",
                is_public ? "PUBLIC KEY that cannot be read" : b.label);
        if (add_key(c, key, err))
            return -1;
    }
    bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (!is_end)
        return err_set(err, ERR_INPUT, NULL, "a broken PEM block: %s", openssl_reason());
    ERR_clear_error();
    return c->count ? 0 : err_set(err, ERR_INPUT, NULL, "no public key in it");
}

int audit_checker_load(const char *public_path, struct audit_checker **ret, struct err *err)
{
    AUTO(audit_checker) c = MEM_NEW(struct audit_checker);
    AUTO_BUF text = {0};
    if (file_read(public_path, PEM_FILE_MOST, &text, err))
        return -1;
    AUTO_TYPE(bio, BIO) *bio = BIO_new_mem_buf(text.data, (int)text.length);
    if (!bio || read_keys(c, bio, err))
        return err_context(err, "%s", public_path);
    *ret = TAKE(c);
    return 0;
}

void audit_checker_free(struct audit_checker *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        EVP_PKEY_free(c->keys[i]);
    free(c);
}

size_t audit_checker_count(const struct audit_checker *c)
{
    return c->count;
}

const char *audit_checker_id(const struct audit_checker *c, size_t at)
{
    return c->ids[at];
}

static EVP_PKEY *find_key(const struct audit_checker *c, const char *key_id)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->ids[i], key_id) == 0)
            return c->keys[i];
    return NULL;
}

bool audit_checker_knows(const struct audit_checker *c, const char *key_id)
{
    return find_key(c, key_id) != NULL;
}

bool audit_signed(const struct audit_checker *c, const struct audit_seal *seal)
{
    EVP_PKEY *key = find_key(c, seal->key_id);
    EVP_MD_CTX *context = key ? EVP_MD_CTX_new() : NULL;
    bool ok = context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(
                  context, seal->signature, seal->signature_length, seal->hash, AUDIT_HASH) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}

#include "crypto/scrypt.h"

#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/random.h"
#include "crypto/openssl.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define PREFIX "$scrypt$"
#define SALT_LENGTH 16
#define HASH_LENGTH 32
#define SALT_LEAST 8
#define SALT_MOST 64
#define HASH_LEAST 32
#define HASH_MOST 64

const struct scrypt_bounds scrypt_bounds_default = {
    .ln_least = 10, .ln_most = 20, .r_most = 32, .p_most = 16, .memory_most = 1LL << 30};

struct hash {
    struct scrypt_params params;
    uint8_t salt[SALT_MOST], hash[HASH_MOST];
    size_t salt_length, hash_length;
};

static int check_params(
    const struct scrypt_params *s, const struct scrypt_bounds *bounds, struct err *err)
{
    if (s->ln < bounds->ln_least || s->ln > bounds->ln_most)
        return err_set(err, ERR_INPUT, NULL, "scrypt: ln=%d is outside %d..%d", s->ln,
            bounds->ln_least, bounds->ln_most);
    if (s->r < 1 || s->r > bounds->r_most)
        return err_set(err, ERR_INPUT, NULL, "scrypt: r=%d is outside 1..%d", s->r, bounds->r_most);
    if (s->p < 1 || s->p > bounds->p_most)
        return err_set(err, ERR_INPUT, NULL, "scrypt: p=%d is outside 1..%d", s->p, bounds->p_most);
    long long memory = 128LL * s->r << s->ln;
    if (memory > bounds->memory_most)
        return err_set(err, ERR_INPUT, NULL,
            "scrypt: ln=%d with r=%d needs %lld MiB of memory, at most %lld are allowed", s->ln,
            s->r, memory >> 20, bounds->memory_most >> 20);
    /* p passes over that memory: every wrong guess at such a password costs them again. */
    if (memory * s->p > bounds->memory_most)
        return err_set(err, ERR_INPUT, NULL,
            "scrypt: ln=%d with r=%d goes over %lld MiB p=%d times, at most %lld MiB are allowed",
            s->ln, s->r, memory >> 20, s->p, bounds->memory_most >> 20);
    return 0;
}

/* Reads "NAME=NUMBER" and the character that ends it. */
static bool read_number(const char **p, const char *name, char end, int *ret)
{
    size_t n = strlen(name);
    if (strncmp(*p, name, n) != 0)
        return false;
    const char *digits = *p + n;
    int value = 0;
    size_t count = 0;
    for (; digits[count] >= '0' && digits[count] <= '9' && count < 5; count++)
        value = value * 10 + (digits[count] - '0');
    if (!count || (count > 1 && digits[0] == '0') || digits[count] != end)
        return false;
    *p = digits + count + 1;
    *ret = value;
    return true;
}

/* Canonical base64, usually without its padding. */
static bool read_base64(const char *text, size_t length, uint8_t *ret, size_t *ret_length)
{
    AUTO_BUF padded = {0}, raw = {0};
    if (length % 4 == 1 || (length % 4 && text[length - 1] == '='))
        return false;
    buf_add(&padded, text, length);
    for (size_t i = length; i % 4; i++)
        buf_add_char(&padded, '=');
    if (!base64_decode(buf_bytes(&padded), &raw))
        return false;
    *ret_length = raw.length;
    if (raw.length && raw.length <= HASH_MOST)
        memcpy(ret, raw.data, raw.length);
    return true;
}

static int parse(
    const char *text, const struct scrypt_bounds *bounds, struct hash *ret, struct err *err)
{
    *ret = (struct hash){0};
    const char *p = text;
    bool known = strnlen(text, SCRYPT_TEXT_MOST + 1) <= SCRYPT_TEXT_MOST &&
                 strncmp(text, PREFIX, strlen(PREFIX)) == 0;
    if (known)
        p += strlen(PREFIX);
    if (!known || !read_number(&p, "ln=", ',', &ret->params.ln) ||
        !read_number(&p, "r=", ',', &ret->params.r) || !read_number(&p, "p=", '$', &ret->params.p))
        return err_set(
            err, ERR_INPUT, NULL, "scrypt: not of the form $scrypt$ln=15,r=8,p=1$SALT$HASH");
    if (check_params(&ret->params, bounds, err))
        return -1;
    const char *end = strchr(p, '$');
    if (!end || !read_base64(p, (size_t)(end - p), ret->salt, &ret->salt_length))
        return err_set(err, ERR_INPUT, NULL, "scrypt: the salt is not base64");
    if (!read_base64(end + 1, strlen(end + 1), ret->hash, &ret->hash_length))
        return err_set(err, ERR_INPUT, NULL, "scrypt: the hash is not base64");
    if (ret->salt_length < SALT_LEAST || ret->salt_length > SALT_MOST)
        return err_set(err, ERR_INPUT, NULL, "scrypt: a salt of %zu bytes is outside %d..%d",
            ret->salt_length, SALT_LEAST, SALT_MOST);
    if (ret->hash_length < HASH_LEAST || ret->hash_length > HASH_MOST)
        return err_set(err, ERR_INPUT, NULL, "scrypt: a hash of %zu bytes is outside %d..%d",
            ret->hash_length, HASH_LEAST, HASH_MOST);
    return 0;
}

/* OpenSSL refuses N = 2^15 at r = 8 unless told how much memory it may take. */
static int compute(const struct secret *password, struct hash *h, struct err *err)
{
    uint64_t n = UINT64_C(1) << h->params.ln;
    uint64_t r = (uint64_t)h->params.r, p = (uint64_t)h->params.p;
    uint64_t memory = 128 * r * (n + p + 2) + (1 << 20);
    if (EVP_PBE_scrypt((const char *)password->data, password->length, h->salt, h->salt_length, n,
            r, p, memory, h->hash, h->hash_length) != 1)
        return err_set(err, ERR_TEMPORARY, NULL, "scrypt: %s", openssl_reason());
    return 0;
}

static void add_base64(const uint8_t *data, size_t length, struct buf *ret)
{
    base64_encode((struct bytes){data, length}, ret);
    while (ret->data[ret->length - 1] == '=')
        ret->data[--ret->length] = 0;
}

int scrypt_hash(
    const struct secret *password, const struct scrypt_params *params, char **ret, struct err *err)
{
    if (check_params(params, &scrypt_bounds_default, err))
        return -1;
    struct hash h = {.params = *params, .salt_length = SALT_LENGTH, .hash_length = HASH_LENGTH};
    random_bytes(h.salt, h.salt_length);
    if (compute(password, &h, err))
        return -1;
    AUTO_BUF text = {0};
    buf_printf(&text, PREFIX "ln=%d,r=%d,p=%d$", params->ln, params->r, params->p);
    add_base64(h.salt, h.salt_length, &text);
    buf_add_char(&text, '$');
    add_base64(h.hash, h.hash_length, &text);
    *ret = buf_take_text(&text);
    return 0;
}

int scrypt_verify(const struct secret *password, const char *text, bool *ret_match, struct err *err)
{
    struct hash stored;
    if (parse(text, &scrypt_bounds_default, &stored, err))
        return -1;
    struct hash h = stored;
    if (compute(password, &h, err))
        return -1;
    *ret_match = CRYPTO_memcmp(h.hash, stored.hash, h.hash_length) == 0;
    secret_wipe(&h, sizeof h);
    return 0;
}

int scrypt_text_valid(const char *text, const struct scrypt_bounds *bounds, struct err *err)
{
    struct hash h;
    return parse(text, bounds, &h, err);
}

void scrypt_dummy(const struct secret *password, const struct scrypt_params *params)
{
    struct hash h = {.params = *params, .salt_length = SALT_LENGTH, .hash_length = HASH_LENGTH};
    random_bytes(h.salt, h.salt_length);
    struct err err = {0};
    if (!check_params(params, &scrypt_bounds_default, &err))
        (void)!compute(password, &h, &err); /* only its time matters */
    secret_wipe(&h, sizeof h);
}

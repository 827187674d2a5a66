#include "crypto/keyring.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LENGTH 32
#define KEYS_MOST 1000
#define FILE_MOST (KEYS_MOST * 256)

/* Keyed once and begun anew for each use, one after the other: a copy for each takes twice as long.
 */
struct mac {
    EVP_MAC_CTX *context;
    pthread_mutex_t lock;
};

struct key {
    char id[KEY_ID];
    int64_t created_ms;
    struct mac *mac;
};

struct keyring {
    struct key *keys; /* newest first */
    size_t count;
};

/* Where OpenSSL has no memory or no HMAC, nothing can be promised any more. */
static void must(int ok)
{
    if (ok != 1) {
        fputs("level=error ev=hmac.failed\n", stderr);
        abort();
    }
}

static struct mac *mac_new(const struct secret *key)
{
    struct mac *mac = MEM_NEW(struct mac);
    pthread_mutex_init(&mac->lock, NULL);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    must(hmac != NULL);
    mac->context = EVP_MAC_CTX_new(hmac);
    must(mac->context != NULL);
    EVP_MAC_free(hmac);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    must(EVP_MAC_init(mac->context, key->data, key->length, params));
    return mac;
}

static void mac_free(struct mac *mac)
{
    if (!mac)
        return;
    EVP_MAC_CTX_free(mac->context);
    pthread_mutex_destroy(&mac->lock);
    free(mac);
}

void key_mac(const struct key *key, const char *label, const struct bytes *parts, size_t count,
    uint8_t ret[static KEY_MAC_LENGTH])
{
    EVP_MAC_CTX *mac = key->mac->context;
    pthread_mutex_lock(&key->mac->lock);
    must(EVP_MAC_init(mac, NULL, 0, NULL));
    must(EVP_MAC_update(mac, (const uint8_t *)label, strlen(label) + 1));
    for (size_t i = 0; i < count; i++)
        if (parts[i].length)
            must(EVP_MAC_update(mac, parts[i].data, parts[i].length));
    size_t length = 0;
    must(EVP_MAC_final(mac, ret, &length, KEY_MAC_LENGTH));
    pthread_mutex_unlock(&key->mac->lock);
    must(length == KEY_MAC_LENGTH);
}

/* A keyed digest of a constant says nothing about the key. */
static void set_id(struct key *key)
{
    uint8_t mac[KEY_MAC_LENGTH];
    key_mac(key, "certq key id", NULL, 0, mac);
    hex_encode(mac, (KEY_ID - 1) / 2, key->id);
}

/* --- the file --- */

/* The next field of a line, which ends at a space or the line's end; empty at the end. */
static struct bytes next_field(struct bytes *line)
{
    const uint8_t *p = line->data, *end = p + line->length;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    const uint8_t *start = p;
    while (p < end && *p != ' ' && *p != '\t')
        p++;
    *line = (struct bytes){p, (size_t)(end - p)};
    return (struct bytes){start, (size_t)(p - start)};
}

static int parse_key(struct bytes text, struct key *ret, struct err *err)
{
    struct buf raw = {0};
    bool ok =
        text.length <= 2 * KEY_LENGTH && base64_decode(text, &raw) && raw.length == KEY_LENGTH;
    if (ok) {
        AUTO(secret) key = secret_new(raw.data, raw.length);
        ret->mac = mac_new(key);
    }
    if (raw.data)
        secret_wipe(raw.data, raw.capacity);
    buf_free(&raw);
    if (!ok)
        return err_set(err, ERR_INPUT, NULL, "the key is not base64 of %d bytes", KEY_LENGTH);
    set_id(ret);
    return 0;
}

static int parse_line(struct bytes line, struct key *ret, struct err *err)
{
    struct bytes id = next_field(&line), created = next_field(&line), key = next_field(&line);
    if (!key.length || next_field(&line).length)
        return err_set(err, ERR_INPUT, NULL, "a line is ID CREATED BASE64");
    if (!clock_parse((const char *)created.data, created.length, &ret->created_ms))
        return err_set(err, ERR_INPUT, NULL, "the second word is not a time (RFC 3339)");
    if (parse_key(key, ret, err))
        return -1;
    if (!bytes_equal(id, bytes_of_text(ret->id)))
        return err_set(err, ERR_INPUT, NULL,
            "this key's id is %s: the line is damaged or mixed from two", ret->id);
    return 0;
}

static int add_line(struct keyring *k, struct bytes line, struct err *err)
{
    if (line.length && line.data[line.length - 1] == '\r')
        line.length--;
    struct bytes rest = line;
    struct bytes first = next_field(&rest);
    if (!first.length || first.data[0] == '#')
        return 0;
    if (k->count == KEYS_MOST)
        return err_set(err, ERR_INPUT, NULL, "more than %d keys", KEYS_MOST);
    k->keys = mem_resize(k->keys, k->count + 1, sizeof *k->keys);
    struct key *key = &k->keys[k->count++];
    *key = (struct key){0};
    if (parse_line(line, key, err))
        return -1;
    for (size_t i = 0; i + 1 < k->count; i++)
        if (!strcmp(k->keys[i].id, key->id))
            return err_set(err, ERR_INPUT, NULL, "key %s is there twice", key->id);
    return 0;
}

/* Newest first; of two made in the same second the later line is the newer. */
static void sort_keys(struct keyring *k)
{
    for (size_t i = 0; i < k->count; i++) {
        struct key key = k->keys[i];
        size_t at = i;
        for (; at > 0 && k->keys[at - 1].created_ms <= key.created_ms; at--)
            k->keys[at] = k->keys[at - 1];
        k->keys[at] = key;
    }
}

static int parse_file(const char *path, struct bytes text, struct keyring **ret, struct err *err)
{
    AUTO(keyring) k = MEM_NEW(struct keyring);
    for (int number = 1; text.length; number++) {
        const uint8_t *newline = memchr(text.data, '\n', text.length);
        size_t length = newline ? (size_t)(newline - text.data) : text.length;
        if (add_line(k, (struct bytes){text.data, length}, err))
            return err_context(err, "%s:%d", path, number);
        length += newline != NULL;
        text = (struct bytes){text.data + length, text.length - length};
    }
    if (!k->count)
        return err_set(err, ERR_INPUT, NULL, "%s: no key in it", path);
    sort_keys(k);
    *ret = TAKE(k);
    return 0;
}

int keyring_load(const char *path, struct keyring **ret, struct err *err)
{
    AUTO(secret) text = NULL;
    if (file_read_secret(path, FILE_MOST, &text, err))
        return -1;
    return parse_file(path, (struct bytes){text->data, text->length}, ret, err);
}

void keyring_free(struct keyring *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->count; i++)
        mac_free(k->keys[i].mac);
    free(k->keys);
    free(k);
}

/* --- making keys --- */

/* `old` and a line with a new key. Nothing in it moves, so that no copy of a key stays behind. */
static struct secret *with_new_line(const struct secret *old, int64_t now_ms)
{
    AUTO(secret) raw = secret_of_size(KEY_LENGTH);
    random_bytes(raw->data, raw->length);
    struct key key = {.mac = mac_new(raw)};
    set_id(&key);
    mac_free(key.mac);
    char start[KEY_ID + CLOCK_TEXT + 4];
    bool ended = !old->length || old->data[old->length - 1] == '\n';
    int n = snprintf(start, sizeof start, "%s%s %s ", ended ? "" : "\n", key.id, clock_s(now_ms));
    size_t base64 = (KEY_LENGTH + 2) / 3 * 4;
    struct secret *text = secret_of_size(old->length + (size_t)n + base64 + 1);
    memcpy(text->data, old->data, old->length);
    uint8_t *to = text->data + old->length;
    memcpy(to, start, (size_t)n);
    EVP_EncodeBlock(to + n, raw->data, KEY_LENGTH);
    to[(size_t)n + base64] = '\n';
    return text;
}

int keyring_generate(const char *path, int64_t now_ms, struct err *err)
{
    static const char note[] = "# HMAC keys of certq: ID CREATED KEY. The newest is used for new"
                               " values; keep the others\n# for as long as anything was made with"
                               " them. Anybody who reads this file can make codes.\n";
    AUTO(secret) head = secret_new(note, sizeof note - 1);
    AUTO(secret) text = with_new_line(head, now_ms);
    return file_create(path, (struct bytes){text->data, text->length}, 0600, err);
}

int keyring_rotate(const char *path, int64_t now_ms, struct err *err)
{
    AUTO_LOCK lock = -1;
    AUTO(secret) old = NULL;
    AUTO(keyring) k = NULL;
    if (file_lock(path, &lock, err) || file_read_secret(path, FILE_MOST, &old, err) ||
        parse_file(path, (struct bytes){old->data, old->length}, &k, err))
        return -1;
    if (k->count == KEYS_MOST)
        return err_set(err, ERR_INPUT, NULL, "%s: more than %d keys", path, KEYS_MOST);
    /* A clock that was set back must not leave the old key current. */
    if (now_ms < k->keys[0].created_ms)
        now_ms = k->keys[0].created_ms;
    AUTO(secret) text = with_new_line(old, now_ms);
    return file_write(path, (struct bytes){text->data, text->length}, 0600, err);
}

/* --- looking --- */

size_t keyring_count(const struct keyring *k)
{
    return k->count;
}

const struct key *keyring_at(const struct keyring *k, size_t index)
{
    return index < k->count ? &k->keys[index] : NULL;
}

const struct key *keyring_current(const struct keyring *k)
{
    return &k->keys[0];
}

const struct key *keyring_find(const struct keyring *k, const char *id)
{
    for (size_t i = 0; i < k->count; i++)
        if (!strcmp(k->keys[i].id, id))
            return &k->keys[i];
    return NULL;
}

const char *key_id(const struct key *key)
{
    return key->id;
}

int64_t key_created_ms(const struct key *key)
{
    return key->created_ms;
}

#include "seed.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define SEED_FILE_MOST 4096

DEFINE_AUTO(digest, EVP_MD_CTX, EVP_MD_CTX_free);

struct content {
    int64_t length;
    char sha256[65];
};

static void finish(EVP_MD_CTX *digest, char text[static 65])
{
    uint8_t hash[32];
    EVP_DigestFinal_ex(digest, hash, NULL);
    hex_encode(hash, sizeof hash, text);
}

/* SHA-256 of the first `first` bytes (when the file has so many) and of all of it. */
static int read_content(const char *path, int64_t first, struct content *ret_first,
    struct content *ret_all, struct err *err)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_set(err, ERR_NOT_FOUND, NULL, "%s: %s", path, strerror(errno));
    AUTO_TYPE(digest, EVP_MD_CTX) *digest = EVP_MD_CTX_new();
    EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
    *ret_first = *ret_all = (struct content){0};
    uint8_t block[65536];
    for (;;) {
        int64_t left = first - ret_all->length;
        size_t want = left > 0 && left < (int64_t)sizeof block ? (size_t)left : sizeof block;
        size_t n = fread(block, 1, want, f);
        if (n == 0)
            break;
        EVP_DigestUpdate(digest, block, n);
        ret_all->length += (int64_t)n;
        if (ret_all->length == first) {
            AUTO_TYPE(digest, EVP_MD_CTX) *copy = EVP_MD_CTX_new();
            EVP_MD_CTX_copy_ex(copy, digest);
            ret_first->length = first;
            finish(copy, ret_first->sha256);
        }
    }
    int failed = ferror(f);
    fclose(f);
    finish(digest, ret_all->sha256);
    return failed ? err_set(err, ERR_TEMPORARY, NULL, "%s: cannot be read", path) : 0;
}

static int write_seed(const char *seed_path, const char *kind, const struct uuid *seed,
    const struct content *content, struct err *err)
{
    AUTO_TYPE(json, json_t) *object = json_pack("{s:s, s:s, s:I, s:s}", "seed", uuid_s(seed),
        "kind", kind, "bytes", (json_int_t)content->length, "sha256", content->sha256);
    AUTO_BUF text = {0};
    json_write(object, &text);
    buf_add_char(&text, '\n');
    if (file_write(seed_path, buf_bytes(&text), 0644, err))
        return err_context(err, "the seed of the ids (give every line an id to do without)");
    return 0;
}

/* What FILE.seed says, checked against FILE. */
static int use_seed(const char *path, const char *seed_path, const char *kind, const json_t *object,
    struct uuid *ret, struct err *err)
{
    const char *seed = json_text_at(object, "seed"), *old_kind = json_text_at(object, "kind");
    const char *sha256 = json_text_at(object, "sha256");
    const json_t *bytes = json_object_get(object, "bytes");
    if (!seed || !uuid_parse(seed, strlen(seed), ret) || !old_kind || !sha256 ||
        !json_is_integer(bytes))
        return err_set(err, ERR_INPUT, NULL, "%s: no seed of certq's", seed_path);
    if (strcmp(old_kind, kind) != 0)
        return err_set(err, ERR_INPUT, NULL, "%s was submitted as %.32s before; %s says so", path,
            old_kind, seed_path);
    struct content first, all;
    if (read_content(path, json_integer_value(bytes), &first, &all, err))
        return -1;
    bool was_empty = json_integer_value(bytes) == 0;
    if (!was_empty && strcmp(first.sha256, sha256) != 0)
        return err_set(err, ERR_INPUT, NULL,
            "%s was changed since it was submitted: lines may only be added at its end. Take %s "
            "away to submit it as new jobs",
            path, seed_path);
    return all.length > first.length ? write_seed(seed_path, kind, ret, &all, err) : 0;
}

int seed_open(const char *path, const char *kind, struct uuid *ret, struct err *err)
{
    AUTO_TEXT seed_path = mem_printf("%s.seed", path);
    AUTO_BUF text = {0};
    AUTO_TYPE(json, json_t) *object = NULL;
    if (file_read(seed_path, SEED_FILE_MOST, &text, err) == 0) {
        if (json_parse_object(buf_bytes(&text), &object, err))
            return err_context(err, "%s", seed_path);
        return use_seed(path, seed_path, kind, object, ret, err);
    }
    if (err->kind != ERR_NOT_FOUND)
        return -1;
    struct content first, all;
    struct uuid seed = uuid_new();
    if (read_content(path, 0, &first, &all, err) || write_seed(seed_path, kind, &seed, &all, err))
        return -1;
    *ret = seed;
    return 0;
}

struct uuid seed_id(const struct uuid *seed, uint64_t line)
{
    uint8_t input[24], hash[32];
    memcpy(input, seed->b, 16);
    for (int i = 0; i < 8; i++)
        input[16 + i] = (uint8_t)(line >> (56 - 8 * i));
    EVP_Digest(input, sizeof input, hash, NULL, EVP_sha256(), NULL);
    struct uuid id = *seed;
    memcpy(id.b + 6, hash, 10);
    id.b[6] = (uint8_t)(0x70 | (id.b[6] & 0x0f));
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}

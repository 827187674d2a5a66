#include "crypto/fingerprint.h"

#include "base/buf.h"
#include "crypto/secrets.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

_Static_assert(FINGERPRINT_LENGTH == KEY_MAC_LENGTH, "one HMAC is one fingerprint");

static int canonical_args(const json_t *args, struct buf *ret, struct err *err)
{
    AUTO_TYPE(json, json_t) *open = NULL;
    if (secrets_strip(args, &open, err))
        return -1;
    return json_canonical(open, ret, err);
}

/* kind NUL at NUL args: neither a kind nor a number holds a NUL, and args are last. */
static void compute(const struct key *key, const char *kind, int64_t at_ms, struct bytes args,
    uint8_t ret[static FINGERPRINT_LENGTH])
{
    char at[24];
    int n = snprintf(at, sizeof at, "%" PRId64, at_ms);
    const struct bytes parts[] = {
        {(const uint8_t *)kind, strlen(kind) + 1},
        {(const uint8_t *)at, (size_t)n + 1},
        args,
    };
    key_mac(key, "certq fingerprint 1", parts, ARRAY_LENGTH(parts), ret);
}

int fingerprint_compute(const struct keyring *keys, const char *kind, int64_t at_ms,
    const json_t *args, uint8_t ret[static FINGERPRINT_LENGTH], struct err *err)
{
    AUTO_BUF text = {0};
    if (canonical_args(args, &text, err))
        return -1;
    compute(keyring_current(keys), kind, at_ms, buf_bytes(&text), ret);
    return 0;
}

void fingerprint_of_text(const struct keyring *keys, const char *kind, int64_t at_ms,
    struct bytes canonical_args, uint8_t ret[static FINGERPRINT_LENGTH])
{
    compute(keyring_current(keys), kind, at_ms, canonical_args, ret);
}

int fingerprint_matches(const struct keyring *keys, const char *kind, int64_t at_ms,
    const json_t *args, const uint8_t stored[static FINGERPRINT_LENGTH], bool *ret, struct err *err)
{
    AUTO_BUF text = {0};
    if (canonical_args(args, &text, err))
        return -1;
    bool same = false;
    for (size_t i = 0; i < keyring_count(keys) && !same; i++) {
        uint8_t mac[FINGERPRINT_LENGTH];
        compute(keyring_at(keys, i), kind, at_ms, buf_bytes(&text), mac);
        same = CRYPTO_memcmp(mac, stored, sizeof mac) == 0;
    }
    *ret = same;
    return 0;
}

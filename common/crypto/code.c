#include "crypto/code.h"

/* Every part has a fixed length, so no two inputs run together the same way. */
int code_derive(const struct keyring *keys, const char *key_id, const struct uuid *certificate,
    uint32_t generation, const uint8_t nonce[static CODE_NONCE_LENGTH], struct secret **ret_bits,
    struct err *err)
{
    const struct key *key = keyring_find(keys, key_id);
    if (!key)
        return err_set(err, ERR_TEMPORARY, "code-key-missing",
            "code key %s is not in this process's keyring", key_id);
    const uint8_t number[4] = {(uint8_t)(generation >> 24), (uint8_t)(generation >> 16),
        (uint8_t)(generation >> 8), (uint8_t)generation};
    const struct bytes parts[] = {
        {certificate->b, sizeof certificate->b},
        {number, sizeof number},
        {nonce, CODE_NONCE_LENGTH},
    };
    uint8_t mac[KEY_MAC_LENGTH];
    key_mac(key, "certq code 1", parts, ARRAY_LENGTH(parts), mac);
    *ret_bits = secret_new(mac, CODE_SECRET_LENGTH);
    secret_wipe(mac, sizeof mac);
    return 0;
}

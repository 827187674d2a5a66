#include "routing.h"

#include <openssl/sha.h>
#include <string.h>

struct uuid routing_key(const void *identity, size_t length)
{
    struct uuid key = {{0}};
    if (length < sizeof key.b) {
        key.b[0] = (uint8_t)length;
        memcpy(key.b + 1, identity, length);
    } else {
        uint8_t digest[SHA256_DIGEST_LENGTH];
        SHA256(identity, length, digest);
        memcpy(key.b, digest, sizeof key.b);
        key.b[0] |= 0x80; /* never a length */
    }
    return key;
}

/*
 * Keys for HMAC-SHA-256: certificate codes (I6) and request fingerprints (I3), one file each. Text,
 * mode 0600, one key a line: ID CREATED BASE64, 32 random bytes; lines that begin with # are notes.
 * The id is taken from the key, so a line that was damaged or copied wrongly does not load and
 * files of two hosts never mean different keys by one id. The newest is current; older ones stay
 * while a row refers to them. Keys never leave a keyring: it computes with them. After loading it
 * does not change and is thread-safe.
 */
#ifndef CERTQ_CRYPTO_KEYRING_H
#define CERTQ_CRYPTO_KEYRING_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define KEY_ID 9 /* 8 hex digits and the NUL */
#define KEY_MAC_LENGTH 32

struct keyring;
struct key;

/* A new file with one key; conflict when it exists. */
int keyring_generate(const char *path, int64_t now_ms, struct err *err) MUST_USE;
/* Adds a key, which is current from the next load on. Conflict when someone else is at it. */
int keyring_rotate(const char *path, int64_t now_ms, struct err *err) MUST_USE;
/* ERR_INPUT with "FILE:LINE: what" for a bad line, or when others than the owner may read it. */
int keyring_load(const char *path, struct keyring **ret, struct err *err) MUST_USE;
void keyring_free(struct keyring *k);

size_t keyring_count(const struct keyring *k);
/* Newest first; borrowed from the keyring, as are those below. */
const struct key *keyring_at(const struct keyring *k, size_t index);
const struct key *keyring_current(const struct keyring *k);
/* NULL when there is none. */
const struct key *keyring_find(const struct keyring *k, const char *id);

const char *key_id(const struct key *key);
int64_t key_created_ms(const struct key *key);
/*
 * HMAC-SHA-256 over the parts one after another. `label` names the use and goes first with its NUL,
 * so that one key in two uses gives unrelated values; parts of varying length need their own ends.
 */
void key_mac(const struct key *key, const char *label, const struct bytes *parts, size_t count,
    uint8_t ret[static KEY_MAC_LENGTH]);

DEFINE_AUTO_STRUCT(keyring);

#endif

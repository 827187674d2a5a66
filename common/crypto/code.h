/*
 * The secret part of certificate codes: HMAC(key, certificate, generation, nonce), never stored
 * (I6). Gives bits; lifecycle/code.h writes them as people read them (code_text) and compares what
 * was typed (code_matches).
 */
#ifndef CERTQ_CRYPTO_CODE_H
#define CERTQ_CRYPTO_CODE_H

#include "base/err.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "crypto/keyring.h"

#include <stdint.h>

#define CODE_NONCE_LENGTH 16
#define CODE_SECRET_LENGTH 10 /* = CODE_BITS_LENGTH of lifecycle/code.h */

/* key_id, generation and nonce are those of the certificate's row. ERR_TEMPORARY "code-key-missing"
 * when this process has no such key: copy the keyring here and start it again. */
int code_derive(const struct keyring *keys, const char *key_id, const struct uuid *certificate,
    uint32_t generation, const uint8_t nonce[static CODE_NONCE_LENGTH], struct secret **ret_bits,
    struct err *err) MUST_USE;

#endif

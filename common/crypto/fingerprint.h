/*
 * What a request says, in 32 bytes (I3, X2): HMAC-SHA-256 over kind, `at` and the canonical args
 * (RFC 8785) without their secret members (secrets.h says which: sealing is randomised, so an
 * honest retry differs there). Keyed, so that a dump does not let anyone try likely args.
 * Thread-safe.
 */
#ifndef CERTQ_CRYPTO_FINGERPRINT_H
#define CERTQ_CRYPTO_FINGERPRINT_H

#include "base/err.h"
#include "base/json.h"
#include "crypto/keyring.h"

#include <stdbool.h>
#include <stdint.h>

#define FINGERPRINT_LENGTH 32
#define FINGERPRINT_NO_AT INT64_C(-1)

/* With the current key. `at_ms` is the instant asked for, however it was written, or
 * FINGERPRINT_NO_AT. ERR_INPUT: secrets in a wrong form, a number that has no canonical text. */
int fingerprint_compute(const struct keyring *keys, const char *kind, int64_t at_ms,
    const json_t *args, uint8_t ret[static FINGERPRINT_LENGTH], struct err *err) MUST_USE;
/* The same from args as canonical text (RFC 8785) that secret members were left out of already. */
void fingerprint_of_text(const struct keyring *keys, const char *kind, int64_t at_ms,
    struct bytes canonical_args, uint8_t ret[static FINGERPRINT_LENGTH]);
/* Same content as the stored fingerprint, made with whichever key of the ring? */
int fingerprint_matches(const struct keyring *keys, const char *kind, int64_t at_ms,
    const json_t *args, const uint8_t stored[static FINGERPRINT_LENGTH], bool *ret,
    struct err *err) MUST_USE;

#endif

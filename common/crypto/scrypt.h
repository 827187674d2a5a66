/*
 * Password hashes: scrypt (RFC 7914) written as $scrypt$ln=15,r=8,p=1$SALT$HASH, N = 2^ln, base64
 * without padding, the way Python's passlib writes them. Slow on purpose (2^15: 0.1 s and 32 MB):
 * callers bound how many run at once and hold no lock meanwhile. Thread-safe.
 */
#ifndef CERTQ_CRYPTO_SCRYPT_H
#define CERTQ_CRYPTO_SCRYPT_H

#include "base/err.h"
#include "base/secret.h"

#include <stdbool.h>

#define SCRYPT_TEXT_MOST 256

struct scrypt_params {
    int ln, r, p;
};
/* What is taken from outside: too weak protects nobody, too strong stops the workers. */
struct scrypt_bounds {
    int ln_least, ln_most, r_most, p_most;
    long long memory_most; /* 128 * N * r * p, bytes: memory, and the time it takes */
};
/* ln 10..20, r 1..32, p 1..16, and 128 * N * r * p up to 1 GiB (ln=20,r=8,p=1): some 3 s. */
extern const struct scrypt_bounds scrypt_bounds_default;

/* A hash with a new random salt of 16 bytes; the caller frees. ERR_TEMPORARY: no memory for it.
 * ERR_INPUT: params outside the default bounds. */
int scrypt_hash(const struct secret *password, const struct scrypt_params *params, char **ret,
    struct err *err) MUST_USE;
/* Compares in constant time with the parameters in the text. 0 and *ret_match, or ERR_INPUT for a
 * text outside scrypt_bounds_default, ERR_TEMPORARY without memory. */
int scrypt_verify(
    const struct secret *password, const char *text, bool *ret_match, struct err *err) MUST_USE;
/* Is it a hash we would take from upstream? Salt 8..64 bytes, hash 32..64, canonical base64, and
 * within bounds; ERR_INPUT names what is outside. */
int scrypt_text_valid(
    const char *text, const struct scrypt_bounds *bounds, struct err *err) MUST_USE;
/* Spends the time of one verify, for an account that does not exist (B2). */
void scrypt_dummy(const struct secret *password, const struct scrypt_params *params);

#endif

/*
 * Making intake keys (crypto/seal.h): EC P-256 with a self-signed certificate that says what it is
 * for. Nobody verifies it by a chain: operators hand the certificate to upstream themselves.
 */
#ifndef CERTQ_CRYPTO_INTAKE_H
#define CERTQ_CRYPTO_INTAKE_H

#include "base/err.h"

#include <stdint.h>

/* Both files are new (conflict when one exists); key mode 0600, certificate 0644. */
int intake_generate(
    const char *key_path, const char *certificate_path, int64_t now_ms, struct err *err) MUST_USE;
/* Puts a new key and certificate in front of those there. The key is written first, so that whoever
 * reads between the two can open everything. One at a time. */
int intake_rotate(
    const char *key_path, const char *certificate_path, int64_t now_ms, struct err *err) MUST_USE;

#endif

/* The CSPRNG (OpenSSL's). It cannot fail: a machine without randomness must not issue. */
#ifndef CERTQ_BASE_RANDOM_H
#define CERTQ_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *ret, size_t length);
/* Uniform in [0, bound). */
uint64_t random_below(uint64_t bound);

#endif

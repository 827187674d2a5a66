/*
 * RSA moduli that are known to be weak by how they were made. Pure arithmetic, no key lists; tens
 * of microseconds a modulus.
 */
#ifndef CERTQ_PKI_RSA_WEAK_H
#define CERTQ_PKI_RSA_WEAK_H

#include <openssl/bn.h>

/* NULL, or in words what is wrong with an odd modulus of 1024 bits or more: a factor under 1000;
 * ROCA's fingerprint (CVE-2017-15361: n is a power of 65537 modulo each prime from 3 to
 * 167); primes so close that Fermat's method finds them in 100 rounds. */
const char *rsa_weakness(const BIGNUM *modulus, BN_CTX *ctx);

#endif

#include "pki/rsa_weak.h"

#include "base/auto.h"

#include <stdbool.h>

#define SMALL 1000
#define FERMAT_ROUNDS 100

static bool is_prime(unsigned n)
{
    for (unsigned d = 3; d * d <= n; d += 2)
        if (n % d == 0)
            return false;
    return true;
}

static bool has_small_factor(const BIGNUM *n)
{
    for (unsigned p = 3; p < SMALL; p += 2)
        if (is_prime(p) && BN_mod_word(n, p) == 0)
            return true;
    return false;
}

/* Is `residue` a power of 65537 modulo the prime p? */
static bool is_power(unsigned residue, unsigned p)
{
    unsigned base = 65537 % p, value = 1;
    do {
        if (value == residue)
            return true;
        value = value * base % p;
    } while (value != 1);
    return false;
}

/* The flawed generator makes primes k * M + (65537^a mod M), M a product of the first primes: then
 * n is a power of 65537 modulo each of them, which a sound modulus is by chance once in 10^8. */
static bool is_roca(const BIGNUM *n)
{
    for (unsigned p = 3; p <= 167; p += 2)
        if (is_prime(p) && !is_power((unsigned)BN_mod_word(n, p), p))
            return false;
    return true;
}

/* Cheap first: squares fall into few classes modulo 64, 63, 65 and 11. */
static bool may_be_square(const BIGNUM *n)
{
    static const unsigned moduli[] = {64, 63, 65, 11};
    for (size_t i = 0; i < ARRAY_LENGTH(moduli); i++) {
        unsigned m = moduli[i], residue = (unsigned)BN_mod_word(n, m), root = 0;
        while (root < m && root * root % m != residue)
            root++;
        if (root == m)
            return false;
    }
    return true;
}

/* The integer square root, by Newton from above. False only when out of memory. */
static bool square_root(BIGNUM *ret, const BIGNUM *n, BN_CTX *ctx)
{
    BN_CTX_start(ctx);
    BIGNUM *next = BN_CTX_get(ctx);
    bool ok = next && BN_set_bit(next, (BN_num_bits(n) + 1) / 2);
    do {
        ok = ok && BN_copy(ret, next) && BN_div(next, NULL, n, ret, ctx) &&
             BN_add(next, next, ret) && BN_rshift1(next, next);
    } while (ok && BN_cmp(next, ret) < 0);
    BN_CTX_end(ctx);
    return ok;
}

/* n = a^2 - b^2 for an a just above the root of n? */
static bool fermat_in(const BIGNUM *n, BIGNUM *a, BIGNUM *b2, BIGNUM *b, BN_CTX *ctx)
{
    if (!square_root(a, n, ctx))
        return false;
    for (int i = 0; i < FERMAT_ROUNDS; i++, BN_add_word(a, 1)) {
        if (!BN_sqr(b2, a, ctx) || !BN_sub(b2, b2, n))
            return false;
        if (BN_is_negative(b2) || !may_be_square(b2))
            continue;
        if (BN_is_zero(b2))
            return true;
        if (!square_root(b, b2, ctx) || !BN_sqr(b, b, ctx))
            return false;
        if (BN_cmp(b, b2) == 0)
            return true;
    }
    return false;
}

static bool has_close_primes(const BIGNUM *n, BN_CTX *ctx)
{
    BN_CTX_start(ctx);
    BIGNUM *a = BN_CTX_get(ctx), *b2 = BN_CTX_get(ctx), *b = BN_CTX_get(ctx);
    bool found = b && fermat_in(n, a, b2, b, ctx);
    BN_CTX_end(ctx);
    return found;
}

const char *rsa_weakness(const BIGNUM *modulus, BN_CTX *ctx)
{
    if (has_small_factor(modulus))
        return "has a small factor";
    if (is_roca(modulus))
        return "was made by a flawed generator (ROCA, CVE-2017-15361)";
    if (has_close_primes(modulus, ctx))
        return "has two primes close to each other (Fermat)";
    return NULL;
}

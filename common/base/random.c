#include "base/random.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

void random_bytes(void *ret, size_t length)
{
    if (RAND_bytes(ret, (int)length) != 1) {
        fputs("level=error ev=random.failed\n", stderr);
        abort();
    }
}

uint64_t random_below(uint64_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, value;
    do
        random_bytes(&value, sizeof value);
    while (value >= limit);
    return value % bound;
}

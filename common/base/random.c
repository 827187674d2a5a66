#include "base/random.h"

#include "base/secret.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void draw(void *ret, size_t length)
{
    if (RAND_bytes(ret, (int)length) != 1) {
        fputs("level=error ev=random.failed\n", stderr);
        abort();
    }
}

/*
 * Small draws (ids, serials, nonces: seven for an application) come from a pool that each thread
 * fills with one call, since a call costs more than a hundred bytes of it do. Bytes handed out are
 * wiped from the pool, and a child process never uses its parent's.
 */
enum { POOL_BYTES = 1024, SMALL_BYTES = 64 };
static _Thread_local struct {
    uint8_t bytes[POOL_BYTES];
    size_t left;
    unsigned forks;
} pool;
static atomic_uint forks;

static void forked(void)
{
    atomic_fetch_add(&forks, 1);
}

static void watch_forks(void)
{
    if (pthread_atfork(NULL, NULL, forked)) {
        fputs("level=error ev=random.failed\n", stderr);
        abort();
    }
}

void random_bytes(void *ret, size_t length)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (length > SMALL_BYTES) {
        draw(ret, length);
        return;
    }
    pthread_once(&once, watch_forks);
    const unsigned now = atomic_load(&forks);
    if (pool.left < length || pool.forks != now) {
        draw(pool.bytes, sizeof pool.bytes);
        pool.left = sizeof pool.bytes;
        pool.forks = now;
    }
    pool.left -= length;
    memcpy(ret, pool.bytes + pool.left, length);
    secret_wipe(pool.bytes + pool.left, length);
}

uint64_t random_below(uint64_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, value;
    do
        random_bytes(&value, sizeof value);
    while (value >= limit);
    return value % bound;
}

#include "base/secret.h"

#include "base/mem.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

struct secret *secret_of_size(size_t length)
{
    struct secret *s = mem_zero(1, sizeof *s + length + 1);
    s->length = length;
    return s;
}

struct secret *secret_new(const void *data, size_t length)
{
    struct secret *s = secret_of_size(length);
    if (length)
        memcpy(s->data, data, length);
    return s;
}

void secret_free(struct secret *s)
{
    if (!s)
        return;
    OPENSSL_cleanse(s, sizeof *s + s->length);
    free(s);
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a->length == b->length && CRYPTO_memcmp(a->data, b->data, a->length) == 0;
}

void secret_wipe(void *data, size_t length)
{
    OPENSSL_cleanse(data, length);
}

void secret_harden_process(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

#include "base/uuid.h"

#include "base/hex.h"
#include "base/random.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

struct uuid uuid_new(void)
{
    /* RFC 9562 section 6.2 method 2: within a millisecond the random part counts up. */
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t last_ms, tail_high, tail_low;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;

    pthread_mutex_lock(&lock);
    if (ms > last_ms) {
        uint64_t fresh[2];
        random_bytes(fresh, sizeof fresh);
        last_ms = ms;
        tail_high = fresh[0] & 0x7ff;              /* 12 bits, top one clear to leave room */
        tail_low = fresh[1] & 0x3fffffffffffffffU; /* 62 bits */
    } else {
        uint32_t step;
        random_bytes(&step, sizeof step);
        tail_low += (uint64_t)step + 1;
        if (tail_low >> 62) {
            tail_low &= 0x3fffffffffffffffU;
            if (++tail_high >> 12) {
                tail_high = 0;
                last_ms++;
            }
        }
    }
    uint64_t high = last_ms << 16 | 0x7000 | tail_high;
    uint64_t low = 0x8000000000000000U | tail_low;
    pthread_mutex_unlock(&lock);

    struct uuid id;
    for (int i = 0; i < 8; i++) {
        id.b[i] = (uint8_t)(high >> (56 - 8 * i));
        id.b[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    return id;
}

bool uuid_parse(const char *text, size_t length, struct uuid *ret)
{
    char hex[32];
    if (length == 36) {
        size_t n = 0;
        for (size_t i = 0; i < 36; i++) {
            bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
            if (hyphen != (text[i] == '-'))
                return false;
            if (!hyphen)
                hex[n++] = text[i];
        }
        text = hex;
    } else if (length != 32) {
        return false;
    }
    struct uuid id;
    if (!hex_decode(text, 32, id.b))
        return false;
    *ret = id;
    return true;
}

const char *uuid_format_hex(const struct uuid *id, char text[static 33])
{
    hex_encode(id->b, sizeof id->b, text);
    return text;
}

const char *uuid_format(const struct uuid *id, char text[static UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    char *to = text;
    for (size_t i = 0; i < sizeof id->b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[id->b[i] >> 4];
        *to++ = digits[id->b[i] & 15];
    }
    *to = '\0';
    return text;
}

int uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}

bool uuid_is_zero(const struct uuid *id)
{
    static const struct uuid zero;
    return uuid_equal(id, &zero);
}

int64_t uuid_time_ms(const struct uuid *id)
{
    if (id->b[6] >> 4 != 7)
        return -1;
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id->b[i];
    return ms;
}

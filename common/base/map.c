#include "base/map.h"

#include "base/mem.h"
#include "base/random.h"

#include <string.h>

__extension__ typedef unsigned __int128 wide;

struct entry {
    struct uuid key;
    void *value; /* NULL: empty */
};

struct map {
    struct entry *entries;
    size_t count, mask;
    uint64_t seed[2];
};

struct map *map_new(void)
{
    struct map *m = MEM_NEW(struct map);
    m->mask = 15;
    m->entries = mem_zero(m->mask + 1, sizeof *m->entries);
    random_bytes(m->seed, sizeof m->seed);
    return m;
}

void map_free(struct map *m)
{
    if (!m)
        return;
    free(m->entries);
    free(m);
}

size_t map_count(const struct map *m)
{
    return m->count;
}

static size_t home(const struct map *m, const struct uuid *key)
{
    uint64_t a, b;
    memcpy(&a, key->b, 8);
    memcpy(&b, key->b + 8, 8);
    wide product = (wide)(a ^ m->seed[0]) * (b ^ (m->seed[1] | 1));
    uint64_t h = (uint64_t)product ^ (uint64_t)(product >> 64);
    h *= 0x9e3779b97f4a7c15U;
    return (size_t)(h >> 20) & m->mask;
}

/* Index of the key, or of the empty place where it belongs. */
static size_t find(const struct map *m, const struct uuid *key)
{
    size_t i = home(m, key);
    while (m->entries[i].value && !uuid_equal(&m->entries[i].key, key))
        i = (i + 1) & m->mask;
    return i;
}

void *map_get(const struct map *m, const struct uuid *key)
{
    return m->entries[find(m, key)].value;
}

static void grow(struct map *m)
{
    struct entry *old = m->entries;
    size_t size = m->mask + 1;
    m->mask = size * 2 - 1;
    m->entries = mem_zero(size * 2, sizeof *m->entries);
    for (size_t i = 0; i < size; i++)
        if (old[i].value)
            m->entries[find(m, &old[i].key)] = old[i];
    free(old);
}

void *map_put(struct map *m, const struct uuid *key, void *value)
{
    size_t i = find(m, key);
    void *replaced = m->entries[i].value;
    if (!replaced) {
        if ((m->count + 1) * 10 > (m->mask + 1) * 7) {
            grow(m);
            i = find(m, key);
        }
        m->count++;
        m->entries[i].key = *key;
    }
    m->entries[i].value = value;
    return replaced;
}

void *map_remove(struct map *m, const struct uuid *key)
{
    size_t i = find(m, key);
    void *value = m->entries[i].value;
    if (!value)
        return NULL;
    m->count--;
    /* Backward shift: no tombstones, look-ups stay short. */
    for (size_t j = i;;) {
        m->entries[i].value = NULL;
        size_t h;
        do {
            j = (j + 1) & m->mask;
            if (!m->entries[j].value)
                return value;
            h = home(m, &m->entries[j].key);
        } while (i <= j ? i < h && h <= j : i < h || h <= j);
        m->entries[i] = m->entries[j];
        i = j;
    }
}

void *map_next(const struct map *m, size_t *at, struct uuid *ret_key)
{
    while (*at <= m->mask) {
        const struct entry *e = &m->entries[(*at)++];
        if (e->value) {
            if (ret_key)
                *ret_key = e->key;
            return e->value;
        }
    }
    return NULL;
}

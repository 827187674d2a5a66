#include "base/json_memory.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define STEP 16          /* sizes of cells are multiples of it, head included */
#define CELL_MOST 272    /* bytes */
#define SLAB (256 << 10) /* taken from the system at once */
#define POOLS_MOST 64    /* threads that have one; the others use malloc */
#define NO_POOL UINT32_MAX

/* In front of what the caller gets. */
struct head {
    uint32_t pool, kind; /* cell size / STEP */
};
struct cell {
    struct head head;
    struct cell *next;
};
struct pool {
    uint32_t number;
    struct cell *lists[CELL_MOST / STEP + 1];
    char *slab;
    size_t left;
    _Atomic(struct cell *) returned; /* by other threads */
};

static _Atomic(struct pool *) pools[POOLS_MOST];
static atomic_uint pool_count;
static _Thread_local struct pool *own;
static _Thread_local bool has_none;

static struct pool *pool_new(void)
{
    uint32_t number = atomic_fetch_add(&pool_count, 1);
    struct pool *p = number < POOLS_MOST ? calloc(1, sizeof *p) : NULL;
    has_none = !p;
    if (!p)
        return NULL;
    p->number = number;
    atomic_store(&pools[number], p);
    return own = p;
}

static void put(struct pool *p, struct cell *c)
{
    c->next = p->lists[c->head.kind];
    p->lists[c->head.kind] = c;
}

static struct cell *carve(struct pool *p, uint32_t kind)
{
    const size_t size = (size_t)kind * STEP;
    if (p->left < size) { /* what is left of the old one is lost: less than one cell */
        p->slab = malloc(SLAB);
        p->left = p->slab ? SLAB : 0;
        if (!p->slab)
            return NULL;
    }
    struct cell *c = (struct cell *)(void *)p->slab;
    c->head = (struct head){p->number, kind};
    p->slab += size;
    p->left -= size;
    return c;
}

static struct cell *take_cell(struct pool *p, uint32_t kind)
{
    struct cell *c = p->lists[kind];
    if (!c && atomic_load_explicit(&p->returned, memory_order_relaxed)) {
        struct cell *next = atomic_exchange(&p->returned, NULL);
        while ((c = next)) {
            next = c->next;
            put(p, c);
        }
        c = p->lists[kind];
    }
    if (!c)
        return carve(p, kind);
    p->lists[kind] = c->next;
    return c;
}

static void *behind(struct head *h)
{
    return h ? h + 1 : NULL;
}

void *json_memory_take(size_t size)
{
    const size_t whole = size + sizeof(struct head);
    struct pool *p = own || has_none ? own : pool_new();
    if (p && size <= CELL_MOST - sizeof(struct head)) {
        const size_t least = whole < sizeof(struct cell) ? sizeof(struct cell) : whole;
        struct cell *c = take_cell(p, (uint32_t)((least + STEP - 1) / STEP));
        return behind(c ? &c->head : NULL);
    }
    struct head *h = whole > size ? malloc(whole) : NULL;
    if (h)
        *h = (struct head){.pool = NO_POOL};
    return behind(h);
}

void json_memory_give(void *memory)
{
    if (!memory)
        return;
    struct head *h = (struct head *)memory - 1;
    if (h->pool == NO_POOL) {
        free(h);
        return;
    }
    struct cell *c = (struct cell *)(void *)h;
    struct pool *p = atomic_load_explicit(&pools[h->pool], memory_order_relaxed);
    if (p == own) {
        put(p, c);
        return;
    }
    c->next = atomic_load(&p->returned);
    while (!atomic_compare_exchange_weak(&p->returned, &c->next, c))
        ;
}

void json_memory_use(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    json_set_alloc_funcs(json_memory_take, json_memory_give);
#endif
}

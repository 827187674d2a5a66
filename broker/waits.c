#include "waits.h"

#include "broker.h"
#include "item.h"
#include "metrics.h"

#include "base/mem.h"

#include <string.h>

enum {
    WAITERS_MOST = 1000000, /* of one key's name; about 240 bytes each */
    OURS_PART = 10,         /* of what is looked up at once, a tenth for slots of ours */
};

struct wait;
struct waiter {
    struct wish wish;
    bool is_accepted; /* it waits for the end of a job there is, not for a request's fate */
    struct wait *wait;
    struct waiter *next;                        /* of the same id */
    struct waiter *client_next, *client_before; /* of the same client */
    char tag[];
};
struct wait {
    struct uuid id;
    struct waiter *first;
    uint16_t slot;            /* while absent; SLOTS_MAX: not known */
    struct absent_list *list; /* it is in; NULL: in none */
    struct wait *absent_next, *absent_before;
};
struct absent_list { /* the longest not looked up first */
    struct wait *first, *last;
};
struct waits {
    struct map *by_id;
    size_t waiters;
    /* Jobs of slots of ours come into memory by themselves, so they are looked up rarely. */
    struct absent_list ours, elsewhere;
};

struct waits *waits_new(void)
{
    struct waits *w = MEM_NEW(struct waits);
    w->by_id = map_new();
    return w;
}

size_t waits_count(const struct waits *w)
{
    return w->waiters;
}

/* ---- the absent ones ---- */

static void absent_remove(struct wait *wait)
{
    struct absent_list *list = wait->list;
    if (!list)
        return;
    wait->list = NULL;
    if (wait->absent_before)
        wait->absent_before->absent_next = wait->absent_next;
    else
        list->first = wait->absent_next;
    if (wait->absent_next)
        wait->absent_next->absent_before = wait->absent_before;
    else
        list->last = wait->absent_before;
}

static void absent_append(struct absent_list *list, struct wait *wait)
{
    wait->list = list;
    wait->absent_next = NULL;
    wait->absent_before = list->last;
    if (list->last)
        list->last->absent_next = wait;
    else
        list->first = wait;
    list->last = wait;
}

static struct absent_list *list_for(struct broker *b, uint16_t slot)
{
    return backlog_owns(&b->backlog, slot) ? &b->waits->ours : &b->waits->elsewhere;
}

void waits_absent(struct broker *b, const struct uuid *id, uint16_t slot)
{
    struct wait *wait = map_get(b->waits->by_id, id);
    if (!wait)
        return;
    wait->slot = slot;
    absent_remove(wait);
    absent_append(list_for(b, slot), wait);
}

void waits_slot_lost(struct broker *b, uint16_t slot)
{
    struct wait *next;
    for (struct wait *wait = b->waits->ours.first; wait; wait = next) {
        next = wait->absent_next;
        if (wait->slot == slot) {
            absent_remove(wait);
            absent_append(&b->waits->elsewhere, wait);
        }
    }
}

/* Takes ids from the front of a list, and puts those that are still absent at its end. */
static size_t look_up_some(
    struct broker *b, struct absent_list *list, struct uuid *ids, size_t most)
{
    struct wait *last = list->last, *next;
    size_t n = 0;
    for (struct wait *wait = list->first; wait && n < most; wait = next) {
        next = wait == last ? NULL : wait->absent_next;
        absent_remove(wait);
        const struct item *item = map_get(b->items, &wait->id);
        if (item && item_is_row(item))
            continue; /* it is in memory again */
        absent_append(list, wait);
        ids[n++] = wait->id;
    }
    return n;
}

size_t waits_to_look_up(struct broker *b, struct uuid *ids, size_t most)
{
    size_t n = look_up_some(b, &b->waits->elsewhere, ids, most - most / OURS_PART);
    return n + look_up_some(b, &b->waits->ours, ids + n, most / OURS_PART);
}

/* ---- waiters ---- */

static void free_wait(struct waits *w, struct wait *wait)
{
    absent_remove(wait);
    map_remove(w->by_id, &wait->id);
    free(wait);
}

/* Out of its client's list; the list of its id is the caller's. */
static void free_waiter(struct broker *b, struct waiter *waiter)
{
    struct client *client = waiter->wish.asker.client;
    if (waiter->client_before)
        waiter->client_before->client_next = waiter->client_next;
    else
        client->waiters = waiter->client_next;
    if (waiter->client_next)
        waiter->client_next->client_before = waiter->client_before;
    client->party->waiters--;
    b->waits->waiters--;
    client_release(b->clients, client);
    free(waiter);
}

static void unlink_of_id(struct waiter *waiter)
{
    struct waiter **p = &waiter->wait->first;
    while (*p != waiter)
        p = &(*p)->next;
    *p = waiter->next;
}

void waits_forget(struct broker *b, struct client *client)
{
    client_hold(client);
    while (client->waiters) {
        struct waiter *waiter = client->waiters;
        struct wait *wait = waiter->wait;
        unlink_of_id(waiter);
        free_waiter(b, waiter);
        if (!wait->first)
            free_wait(b->waits, wait);
    }
    client_release(b->clients, client);
}

void waits_free(struct waits *w, struct broker *b)
{
    if (!w)
        return;
    size_t at = 0;
    struct wait *wait;
    while ((wait = map_next(w->by_id, &at, NULL))) {
        struct waiter *next;
        for (struct waiter *waiter = wait->first; waiter; waiter = next) {
            next = waiter->next;
            free_waiter(b, waiter);
        }
        free(wait);
    }
    map_free(w->by_id);
    free(w);
}

bool waits_may_add(const struct broker *b, const struct client *client)
{
    (void)b;
    return client->party->waiters < WAITERS_MOST;
}

bool waits_has(const struct waits *w, const struct uuid *id)
{
    return map_get(w->by_id, id) != NULL;
}

static bool is_same_asker(const struct waiter *a, const struct wish *wish)
{
    return a->wish.asker.client == wish->asker.client && a->wish.style == wish->style &&
           bytes_equal(a->wish.asker.service, wish->asker.service);
}

/* A repeat on the same connection is the same waiter: a client that asks again gets one answer. */
static struct waiter *find_same(const struct wait *wait, const struct wish *wish)
{
    for (struct waiter *a = wait->first; a; a = a->next)
        if (is_same_asker(a, wish))
            return a;
    return NULL;
}

static void add_waiter(
    struct broker *b, struct wait *wait, const struct wish *wish, bool is_accepted)
{
    struct waiter *waiter = mem_zero(1, sizeof *waiter + wish->tag.length);
    struct client *client = wish->asker.client;
    waiter->wish = *wish;
    waiter->is_accepted = is_accepted;
    if (wish->tag.length)
        memcpy(waiter->tag, wish->tag.data, wish->tag.length);
    waiter->wish.tag.data = (uint8_t *)waiter->tag;
    waiter->wait = wait;
    waiter->next = wait->first;
    wait->first = waiter;
    waiter->client_next = client->waiters;
    if (client->waiters)
        client->waiters->client_before = waiter;
    client->waiters = waiter;
    client_hold(client);
    client->party->waiters++;
    b->waits->waiters++;
}

/* ---- answers ---- */

void waits_add(struct broker *b, const struct uuid *id, const struct wish *wish, bool is_accepted)
{
    if (is_accepted && wish_says_accepted(wish)) {
        wish_accepted(b, wish, id);
        if (wish_ends_accepted(wish))
            return;
    }
    struct wait *wait = map_get(b->waits->by_id, id);
    if (!wait) {
        wait = MEM_NEW(struct wait);
        wait->id = *id;
        map_put(b->waits->by_id, &wait->id, wait);
    }
    struct waiter *same = find_same(wait, wish);
    if (same) {
        unlink_of_id(same);
        free_waiter(b, same);
    }
    add_waiter(b, wait, wish, is_accepted);
}

void waits_accepted(struct broker *b, const struct uuid *id, bool is_over)
{
    struct wait *wait = map_get(b->waits->by_id, id);
    if (!wait)
        return;
    struct waiter **p = &wait->first;
    while (*p) {
        struct waiter *waiter = *p;
        if (waiter->is_accepted) {
            p = &waiter->next;
            continue;
        }
        waiter->is_accepted = true;
        bool is_last =
            is_over ? waiter->wish.style == WISH_TITANIC : wish_ends_accepted(&waiter->wish);
        if (is_last || (!is_over && wish_says_accepted(&waiter->wish)))
            wish_accepted(b, &waiter->wish, id);
        if (is_last) {
            *p = waiter->next;
            free_waiter(b, waiter);
        } else {
            p = &waiter->next;
        }
    }
    if (!wait->first)
        free_wait(b->waits, wait);
}

enum whom { EVERYBODY, ACCEPTED, NOT_ACCEPTED };

static bool is_meant(const struct waiter *waiter, enum whom whom)
{
    return whom == EVERYBODY || waiter->is_accepted == (whom == ACCEPTED);
}

/* Takes those out who are meant: a list, for the caller to answer and free. */
static struct waiter *take_waiters(struct broker *b, const struct uuid *id, enum whom whom)
{
    struct waiter *taken = NULL, **last = &taken;
    struct wait *wait = map_get(b->waits->by_id, id);
    struct waiter **p = wait ? &wait->first : &taken;
    while (wait && *p) {
        struct waiter *waiter = *p;
        if (!is_meant(waiter, whom)) {
            p = &waiter->next;
            continue;
        }
        *p = waiter->next;
        waiter->next = NULL;
        *last = waiter;
        last = &waiter->next;
    }
    if (wait && !wait->first)
        free_wait(b->waits, wait);
    return taken;
}

static void end(struct broker *b, const struct uuid *id, enum job_state state, struct bytes result,
    enum whom whom)
{
    struct uuid copy = *id; /* it may be the wait's own */
    struct waiter *next;
    for (struct waiter *waiter = take_waiters(b, id, whom); waiter; waiter = next) {
        next = waiter->next;
        wish_end(b, &waiter->wish, &copy, state, result);
        free_waiter(b, waiter);
    }
}

void waits_end(struct broker *b, const struct uuid *id, enum job_state state, struct bytes result)
{
    end(b, id, state, result, EVERYBODY);
}

void waits_end_accepted(
    struct broker *b, const struct uuid *id, enum job_state state, struct bytes result)
{
    end(b, id, state, result, ACCEPTED);
}

static void reject(struct broker *b, const struct uuid *id, const struct err *err, enum whom whom)
{
    struct uuid copy = *id;
    struct waiter *next;
    for (struct waiter *waiter = take_waiters(b, id, whom); waiter; waiter = next) {
        next = waiter->next;
        wish_reject(b, &waiter->wish, &copy, err);
        free_waiter(b, waiter);
    }
}

void waits_reject(struct broker *b, const struct uuid *id, const struct err *err)
{
    reject(b, id, err, NOT_ACCEPTED);
}

void waits_gone(struct broker *b, const struct uuid *id, const struct err *err)
{
    reject(b, id, err, EVERYBODY);
}

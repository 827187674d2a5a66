#include "unit.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "db/job_store.h"
#include "kind_ops.h"
#include "store/application_store.h"
#include "store/audit_store.h"
#include "store/certificate_store.h"
#include "store/contract_store.h"
#include "store/subscriber_store.h"
#include "store/value.h"

#include <stdlib.h>
#include <string.h>

struct unit {
    struct db *db;
    struct aggregate **aggregates;
    size_t count;
    struct contract **contracts;
    size_t contract_count;
    struct map *by_id, *contract_by_id;
    struct key_hash *keys; /* sorted: those looked up already */
    size_t key_count;
    struct buf reported; /* those of them that were reported compromised */
    bool has_failed;
    struct err failure;
};

struct unit *unit_new(struct db *db)
{
    struct unit *u = MEM_NEW(struct unit);
    u->db = db;
    u->by_id = map_new();
    u->contract_by_id = map_new();
    return u;
}

void unit_free(struct unit *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->count; i++)
        aggregate_free(u->aggregates[i]);
    for (size_t i = 0; i < u->contract_count; i++)
        contract_free(u->contracts[i]);
    free(u->aggregates);
    free(u->contracts);
    map_free(u->by_id);
    map_free(u->contract_by_id);
    free(u->keys);
    buf_free(&u->reported);
    free(u);
}

/* --- loading --- */

static int compare_ids(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

/* Sorted and without repeats; the caller frees. */
static struct uuid *lock_order(const struct uuid *ids, size_t n, size_t *ret_n)
{
    struct uuid *sorted = mem_zero(n, sizeof *sorted);
    size_t m = 0;
    memcpy(sorted, ids, n * sizeof *ids);
    qsort(sorted, n, sizeof *sorted, compare_ids);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !uuid_equal(&sorted[i], &sorted[i - 1]))
            sorted[m++] = sorted[i];
    *ret_n = m;
    return sorted;
}

/* A list of ids that grows. */
struct ids {
    struct uuid *items;
    size_t count;
};

static void ids_add(void *ids, const struct uuid *id)
{
    struct ids *to = ids;
    if ((to->count & (to->count + 1)) == 0) /* full at 1, 3, 7, 15... */
        to->items = mem_resize(to->items, 2 * to->count + 1, sizeof *to->items);
    to->items[to->count++] = *id;
}

static void ids_sort(struct ids *ids)
{
    if (ids->count == 0)
        return;
    size_t m;
    struct uuid *sorted = lock_order(ids->items, ids->count, &m);
    free(ids->items);
    *ids = (struct ids){sorted, m};
}

/* The next part of a list that one statement takes; false at its end. */
static bool next_part(const struct ids *ids, size_t *at, const struct uuid **ret, size_t *ret_n)
{
    if (*at >= ids->count)
        return false;
    *ret = ids->items + *at;
    *ret_n = ids->count - *at < DB_IDS_MOST ? ids->count - *at : DB_IDS_MOST;
    *at += *ret_n;
    return true;
}

static void take(void *unit, struct aggregate *a)
{
    unit_add(unit, a);
}

static void take_contract(void *unit, struct contract *c)
{
    struct unit *u = unit;
    u->contracts = mem_resize(u->contracts, u->contract_count + 1, sizeof(struct contract *));
    u->contracts[u->contract_count++] = c;
    map_put(u->contract_by_id, &c->id, c);
}

static struct aggregate *find(void *unit, const struct uuid *subscriber)
{
    return unit_find(unit, subscriber);
}

static struct aggregate *find_own(void *unit, const struct uuid *contract)
{
    struct contract *c = unit_find_contract(unit, contract);
    return c ? c->own : NULL;
}

/* Adds the contracts of the subscribers to `contracts`. */
static int find_contracts(
    struct unit *u, const struct ids *subscribers, struct ids *contracts, struct err *err)
{
    const struct uuid *some;
    size_t n;
    for (size_t at = 0; next_part(subscribers, &at, &some, &n);) {
        struct uuid found[DB_IDS_MOST];
        if (contract_of(u->db, some, n, found, err))
            return -1;
        for (size_t i = 0; i < n; i++)
            if (!uuid_is_zero(&found[i]))
                ids_add(contracts, &found[i]);
    }
    ids_sort(contracts);
    return 0;
}

/* Locks them; adds all who are under them to `subscribers`, whom nobody else can add to now. */
static int lock_contracts(
    struct unit *u, const struct ids *contracts, struct ids *subscribers, struct err *err)
{
    const struct uuid *some;
    size_t n;
    for (size_t at = 0; next_part(contracts, &at, &some, &n);)
        if (contract_lock(u->db, some, n, err))
            return -1;
    for (size_t at = 0; next_part(contracts, &at, &some, &n);)
        if (contract_load(u->db, some, n, take_contract, u, err) ||
            application_load_own(u->db, some, n, find_own, u, err) ||
            contract_members(u->db, some, n, ids_add, subscribers, err))
            return -1;
    ids_sort(subscribers);
    return 0;
}

/* All are locked before anything is read: what is read is then the newest version. */
static int lock_subscribers(struct unit *u, const struct ids *subscribers, struct err *err)
{
    const struct uuid *some;
    size_t n;
    for (size_t at = 0; next_part(subscribers, &at, &some, &n);)
        if (subscriber_lock(u->db, some, n, err))
            return -1;
    for (size_t at = 0; next_part(subscribers, &at, &some, &n);)
        if (subscriber_load(u->db, some, n, take, u, err) ||
            application_load(u->db, some, n, find, u, err) ||
            certificate_load(u->db, some, n, find, u, err))
            return -1;
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct key_hash));
}

/* All keys of the group at once; the decisions ask one by one. */
static int load_keys(struct unit *u, const struct unit_wanted *wanted, struct err *err)
{
    if (!wanted->key_count)
        return 0;
    u->keys = mem_copy(wanted->keys, wanted->key_count * sizeof *u->keys);
    qsort(u->keys, wanted->key_count, sizeof *u->keys, compare_keys);
    for (size_t i = 0; i < wanted->key_count; i++)
        if (i == 0 || compare_keys(&u->keys[i], &u->keys[i - 1]))
            u->keys[u->key_count++] = u->keys[i];
    for (size_t at = 0; at < u->key_count; at += DB_IDS_MOST) {
        size_t some = u->key_count - at < DB_IDS_MOST ? u->key_count - at : DB_IDS_MOST;
        if (compromised_key_find(u->db, u->keys + at, some, &u->reported, err))
            return -1;
    }
    return 0;
}

static bool was_reported(struct bytes keys, const uint8_t spki_sha256[static 32])
{
    for (size_t i = 0; i < keys.length; i += 32)
        if (memcmp(keys.data + i, spki_sha256, 32) == 0)
            return true;
    return false;
}

int unit_lock_and_load(struct unit *u, const struct unit_wanted *wanted, struct err *err)
{
    struct ids subscribers = {0}, contracts = {0};
    for (size_t i = 0; i < wanted->subscriber_count; i++)
        ids_add(&subscribers, &wanted->subscribers[i]);
    for (size_t i = 0; i < wanted->contract_count; i++)
        ids_add(&contracts, &wanted->contracts[i]);
    ids_sort(&subscribers);
    int result = find_contracts(u, &subscribers, &contracts, err) ||
                         (contracts.count && lock_contracts(u, &contracts, &subscribers, err)) ||
                         lock_subscribers(u, &subscribers, err) || load_keys(u, wanted, err)
                     ? -1
                     : 0;
    free(subscribers.items);
    free(contracts.items);
    return result;
}

struct aggregate *unit_find(const struct unit *u, const struct uuid *subscriber)
{
    return map_get(u->by_id, subscriber);
}

struct aggregate *unit_find_key(const struct unit *u, const char *product, const char *unit_key)
{
    for (size_t i = 0; i < u->count; i++) {
        const struct subscriber *s = &u->aggregates[i]->subscriber;
        if (strcmp(s->unit_key, unit_key) == 0 && strcmp(s->product, product) == 0)
            return u->aggregates[i];
    }
    return NULL;
}

void unit_add(struct unit *u, struct aggregate *a)
{
    u->aggregates = mem_resize(u->aggregates, u->count + 1, sizeof(struct aggregate *));
    u->aggregates[u->count++] = a;
    map_put(u->by_id, &a->subscriber.id, a);
    struct contract *c = unit_find_contract(u, &a->subscriber.contract);
    if (c && !a->contract)
        contract_join(c, a);
    else if (a->contract && !c)
        take_contract(u, a->contract);
}

struct contract *unit_find_contract(const struct unit *u, const struct uuid *id)
{
    return uuid_is_zero(id) ? NULL : map_get(u->contract_by_id, id);
}

int unit_key_taken(
    struct unit *u, const char *product, const char *unit_key, bool *ret, struct err *err)
{
    struct subscriber_hit hit = {0};
    size_t n = 0;
    *ret = unit_find_key(u, product, unit_key) != NULL;
    if (*ret)
        return 0;
    if (subscriber_find_unit(u->db, product, unit_key, &hit, &n, err))
        return -1;
    /* One that is in this unit under another key has just given this one up. */
    *ret = n && !unit_find(u, &hit.id);
    free(hit.password);
    return 0;
}

static bool is_compromised_now(const struct certificate *c)
{
    return !uuid_is_zero(&c->reported_by);
}

int unit_key_compromised(
    struct unit *u, const uint8_t spki_sha256[static 32], bool *ret, struct err *err)
{
    for (size_t i = 0; i < u->count; i++)
        for (size_t k = 0; k < u->aggregates[i]->certificate_count; k++) {
            const struct certificate *c = u->aggregates[i]->certificates[k];
            if (is_compromised_now(c) && memcmp(c->spki_sha256, spki_sha256, 32) == 0) {
                *ret = true;
                return 0;
            }
        }
    struct key_hash key;
    memcpy(key.b, spki_sha256, sizeof key.b);
    if (u->key_count && bsearch(&key, u->keys, u->key_count, sizeof key, compare_keys)) {
        *ret = was_reported(buf_bytes(&u->reported), spki_sha256);
        return 0;
    }
    AUTO_BUF found = {0};
    if (compromised_key_find(u->db, &key, 1, &found, err))
        return -1;
    *ret = found.length > 0;
    return 0;
}

int unit_load_der(struct unit *u, struct certificate *c, struct err *err)
{
    return c->der.length ? 0 : certificate_load_der(u->db, &c->id, &c->der, err);
}

void unit_each_revoked(
    const struct unit *u, void (*each)(void *arg, const struct certificate *c), void *arg)
{
    for (size_t i = 0; i < u->count; i++)
        for (size_t k = 0; k < u->aggregates[i]->certificate_count; k++)
            if (!uuid_is_zero(&u->aggregates[i]->certificates[k]->revoked_by))
                each(arg, u->aggregates[i]->certificates[k]);
}

void unit_fail(struct unit *u, const struct err *err)
{
    if (!u->has_failed)
        u->failure = *err;
    u->has_failed = true;
}

int unit_conflict(const struct unit *u, struct err *err)
{
    if (!u->has_failed)
        return 0;
    *err = u->failure;
    return -1;
}

/* --- storing --- */

/* Rows of one table in one state, to be written with one statement. */
struct rows {
    const void **items;
    size_t count;
};

static void rows_add(struct rows *r, const void *row)
{
    if ((r->count & (r->count + 1)) == 0) /* full at 1, 3, 7, 15... */
        r->items = mem_resize(r->items, 2 * r->count + 1, sizeof *r->items);
    r->items[r->count++] = row;
}

struct writes {
    struct rows subscribers[ROW_NEW + 1], applications[ROW_NEW + 1], certificates[ROW_NEW + 1];
    struct rows revocations, compromised;
};

static void gather_aggregate(struct writes *w, const struct aggregate *a)
{
    if (!uuid_is_zero(&a->subscriber.id))
        rows_add(&w->subscribers[a->subscriber.row], &a->subscriber);
    for (size_t i = 0; i < a->application_count; i++)
        rows_add(&w->applications[a->applications[i]->row], a->applications[i]);
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *c = a->certificates[i];
        rows_add(&w->certificates[c->row], c);
        if (!uuid_is_zero(&c->revoked_by))
            rows_add(&w->revocations, c);
        if (is_compromised_now(c))
            rows_add(&w->compromised, c);
    }
}

#define ROWS(type, r) (const struct type *const *)(const void *)(r).items, (r).count

static int write_rows(struct db *db, const struct writes *w, struct err *err)
{
    return subscriber_insert(db, ROWS(subscriber, w->subscribers[ROW_NEW]), err) ||
                   subscriber_update(db, ROWS(subscriber, w->subscribers[ROW_CHANGED]), err) ||
                   former_email_insert(db, ROWS(subscriber, w->subscribers[ROW_CHANGED]), err) ||
                   application_insert(db, ROWS(application, w->applications[ROW_NEW]), err) ||
                   application_update(db, ROWS(application, w->applications[ROW_CHANGED]), err) ||
                   certificate_insert(db, ROWS(certificate, w->certificates[ROW_NEW]), err) ||
                   certificate_update(db, ROWS(certificate, w->certificates[ROW_CHANGED]), err) ||
                   revocation_insert(db, ROWS(certificate, w->revocations), err) ||
                   compromised_key_insert(db, ROWS(certificate, w->compromised), err)
               ? -1
               : 0;
}

static void writes_free(struct writes *w)
{
    for (int row = 0; row <= ROW_NEW; row++) {
        free(w->subscribers[row].items);
        free(w->applications[row].items);
        free(w->certificates[row].items);
    }
    free(w->revocations.items);
    free(w->compromised.items);
}

static int write_audit(struct unit *u, struct task *const *tasks, size_t n, struct err *err)
{
    struct audit_source *sources = mem_zero(n, sizeof *sources);
    for (size_t i = 0; i < n; i++)
        sources[i] = (struct audit_source){tasks[i]->job, &tasks[i]->plan};
    int result = audit_insert(u->db, sources, n, clock_now_ms(), err);
    free(sources);
    return result;
}

static int cancel_followups(struct unit *u, struct task *const *tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct plan *p = &tasks[i]->plan;
        for (size_t at = 0; at < p->cancel_count; at += DB_IDS_MOST) {
            size_t some = p->cancel_count - at < DB_IDS_MOST ? p->cancel_count - at : DB_IDS_MOST;
            if (job_cancel(u->db, p->cancels + at, some, clock_now_ms(), err))
                return -1;
        }
    }
    return 0;
}

int unit_store(struct unit *u, struct task *const *tasks, size_t n, struct err *err)
{
    struct writes w = {0};
    for (size_t i = 0; i < u->count; i++)
        gather_aggregate(&w, u->aggregates[i]);
    for (size_t i = 0; i < u->contract_count; i++)
        gather_aggregate(&w, u->contracts[i]->own);
    int result =
        contract_write(u->db, u->contracts, u->contract_count, err) || write_rows(u->db, &w, err);
    writes_free(&w);
    return result || cancel_followups(u, tasks, n, err) ? -1 : write_audit(u, tasks, n, err);
}

#include "unit.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "db/job_store.h"
#include "kind_ops.h"
#include "store/application_store.h"
#include "store/audit_store.h"
#include "store/certificate_store.h"
#include "store/subscriber_store.h"
#include "store/value.h"

#include <stdlib.h>
#include <string.h>

struct unit {
    struct db *db;
    struct aggregate **aggregates;
    size_t count;
    struct map *by_id;
    bool has_failed;
    struct err failure;
};

struct unit *unit_new(struct db *db)
{
    struct unit *u = MEM_NEW(struct unit);
    u->db = db;
    u->by_id = map_new();
    return u;
}

void unit_free(struct unit *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->count; i++)
        aggregate_free(u->aggregates[i]);
    free(u->aggregates);
    map_free(u->by_id);
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

static void take(void *unit, struct aggregate *a)
{
    unit_add(unit, a);
}

static struct aggregate *find(void *unit, const struct uuid *subscriber)
{
    return unit_find(unit, subscriber);
}

/* All are locked before anything is read: what is read is then the newest version. */
static int lock_and_load(struct unit *u, const struct uuid *ids, size_t n, struct err *err)
{
    for (size_t at = 0; at < n; at += DB_IDS_MOST) {
        size_t some = n - at < DB_IDS_MOST ? n - at : DB_IDS_MOST;
        if (subscriber_lock(u->db, ids + at, some, err))
            return -1;
    }
    for (size_t at = 0; at < n; at += DB_IDS_MOST) {
        size_t some = n - at < DB_IDS_MOST ? n - at : DB_IDS_MOST;
        if (subscriber_load(u->db, ids + at, some, take, u, err) ||
            application_load(u->db, ids + at, some, find, u, err) ||
            certificate_load(u->db, ids + at, some, find, u, err))
            return -1;
    }
    return 0;
}

int unit_lock_and_load(struct unit *u, const struct uuid *ids, size_t n, struct err *err)
{
    if (n == 0)
        return 0;
    size_t m;
    struct uuid *order = lock_order(ids, n, &m);
    int result = lock_and_load(u, order, m, err);
    free(order);
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
    return !uuid_is_zero(&c->revoked_by) && c->reason == REASON_KEY_COMPROMISE && c->has_request;
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
    return compromised_key_find(u->db, spki_sha256, ret, err);
}

int unit_load_der(struct unit *u, struct certificate *c, struct err *err)
{
    return c->der.length ? 0 : certificate_load_der(u->db, &c->id, &c->der, err);
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
    int result = write_rows(u->db, &w, err);
    writes_free(&w);
    return result || cancel_followups(u, tasks, n, err) ? -1 : write_audit(u, tasks, n, err);
}

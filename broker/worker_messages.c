#include "workers_inside.h"

#include "broker.h"
#include "outcomes.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

enum { WORKERS_MOST = 10000, CREDIT_MOST = 64 };

/* ---- who is there ---- */

void workers_remove(struct workers *w, struct broker *b, struct worker *worker, bool orderly)
{
    while (worker->groups.first)
        outcomes_lost(b, worker->groups.first, orderly);
    struct worker **p = &w->first;
    while (*p != worker)
        p = &(*p)->next;
    *p = worker->next;
    if (map_get(w->by_key, &worker->key) == worker)
        map_remove(w->by_key, &worker->key);
    map_remove(w->by_life, &worker->life);
    w->count--;
    free(worker);
}

static void copy_text(struct bytes from, char *to, size_t size)
{
    size_t n = from.length < size - 1 ? from.length : size - 1;
    if (n)
        memcpy(to, from.data, n);
    to[n] = '\0';
}

static bool key_allows(const struct config_worker_key *key, const struct kind *kind)
{
    for (size_t i = 0; i < key->kind_count; i++)
        if (strcmp(key->kinds[i], kind->name) == 0)
            return true;
    return !key->kinds;
}

/* The kinds it announces and may (I12), as bits. Names we do not know are of a newer program. */
static int read_kinds(const struct broker *b, const struct worker_ready *m,
    const struct config_worker_key *key, uint64_t *ret, struct err *err)
{
    if (b->curve && !key)
        return err_set(err, ERR_DENIED, "forbidden", "this key is no worker's");
    *ret = 0;
    for (size_t i = 0; i < m->kind_count; i++) {
        const struct kind *kind = kind_find((const char *)m->kinds[i].data, m->kinds[i].length);
        if (kind && key && !key_allows(key, kind))
            return err_set(err, ERR_DENIED, "forbidden", "worker key %s may not serve %s",
                key->name, kind->name);
        if (kind)
            *ret |= UINT64_C(1) << kind->id;
    }
    if (*ret == 0)
        return err_set(err, ERR_INPUT, "bad-request", "kinds: none that this broker knows");
    return 0;
}

static struct worker *enrol(struct workers *w, struct broker *b, const struct worker_ready *m)
{
    struct worker *worker = MEM_NEW(struct worker);
    worker->life = m->life;
    worker->joined_ms = b->now_ms;
    worker->next = w->first;
    w->first = worker;
    w->count++;
    map_put(w->by_life, &worker->life, worker);
    return worker;
}

static void take_identity(struct workers *w, struct worker *worker, const struct sender *from)
{
    if (map_get(w->by_key, &worker->key) == worker)
        map_remove(w->by_key, &worker->key);
    worker->key = from->key;
    worker->identity_length = from->length;
    memcpy(worker->identity, from->identity, from->length);
    map_put(w->by_key, &worker->key, worker);
}

static uint16_t bounded(uint16_t value, uint16_t most)
{
    return value < most ? value : most;
}

static int on_ready(struct workers *w, struct broker *b, const struct sender *from,
    struct bytes body, struct err *err)
{
    struct worker_ready m;
    uint64_t kinds = 0;
    if (worker_ready_parse(body, &m, err) || read_kinds(b, &m, from->owner, &kinds, err))
        return -1;
    if (uuid_is_zero(&m.life) || !utf8_is_line(m.name) || !utf8_is_line(m.host))
        return err_set(err, ERR_INPUT, "bad-request", "life, name or host is bad");
    if (w->count >= WORKERS_MOST)
        return err_set(err, ERR_TEMPORARY, "busy", "there are %zu workers", w->count);
    struct worker *worker = map_get(w->by_life, &m.life);
    bool is_new = !worker;
    if (!is_new && worker->owner != from->owner)
        return err_set(err, ERR_DENIED, "forbidden", "this life is another key's worker");
    if (is_new)
        worker = enrol(w, b, &m);
    worker->owner = from->owner;
    /* Another life behind this routing identity is gone; its groups are found lost by silence. */
    take_identity(w, worker, from);
    copy_text(m.name, worker->name, sizeof worker->name);
    copy_text(m.host, worker->host, sizeof worker->host);
    worker->pid = m.pid;
    worker->kinds = kinds;
    worker->credit = bounded(m.credit, CREDIT_MOST);
    worker->urgent = bounded(m.urgent, CREDIT_MOST);
    worker->group_most = m.group ? m.group : 1;
    worker->heard_ms = b->tick_ms;
    workers_welcome(w, b, worker);
    if (is_new)
        log_info("worker.joined", "worker=%s life=%s host=%s workerpid=%u credit=%u",
            log_q(worker->name), uuid_s(&worker->life), log_q(worker->host), worker->pid,
            worker->credit);
    return 0;
}

static int on_heartbeat(
    struct workers *w, struct broker *b, struct worker *worker, struct bytes body, struct err *err)
{
    (void)w;
    struct worker_heartbeat m;
    if (worker_heartbeat_parse(body, &m, err))
        return -1;
    groups_heartbeat(b->groups, &worker->groups, m.groups, m.count, b->tick_ms);
    worker->ghosts = 0;
    for (uint32_t i = 0; i < m.count; i++)
        worker->ghosts += groups_find(b->groups, &m.groups[i]) == NULL;
    worker->clock_epoch = m.clock_epoch;
    worker_heartbeat_free(&m);
    return 0;
}

static int on_report(struct broker *b, struct worker *worker, struct bytes body, struct err *err)
{
    struct worker_report m;
    if (worker_report_parse(body, &m, err))
        return -1;
    outcomes_report(b, worker, &m);
    worker_report_free(&m);
    return 0;
}

int workers_message(struct workers *w, struct broker *b, const struct sender *from,
    struct bytes body, struct err *err)
{
    enum worker_command command;
    if (worker_command_of(body, &command, err))
        return -1;
    if (command == WORKER_READY)
        return on_ready(w, b, from, body, err);
    struct worker *worker = map_get(w->by_key, &from->key);
    if (!worker || worker->owner != from->owner) /* routing identities are the sender's choice */
        return err_set(err, ERR_NOT_FOUND, "unknown-worker", "READY comes first");
    worker->heard_ms = b->tick_ms;
    switch (command) {
    case WORKER_HEARTBEAT:
        return on_heartbeat(w, b, worker, body, err);
    case WORKER_REPORT:
        return on_report(b, worker, body, err);
    case WORKER_DRAIN:
        if (!worker->is_draining)
            log_info("worker.draining", "worker=%s groups=%zu", log_q(worker->name),
                worker->groups.count);
        worker->is_draining = true;
        return 0;
    case WORKER_BYE:
        log_info("worker.left", "worker=%s life=%s", log_q(worker->name), uuid_s(&worker->life));
        workers_remove(w, b, worker, true);
        return 0;
    case WORKER_READY:
    case WORKER_WELCOME:
    case WORKER_JOBS:
    case WORKER_ERROR:
        break;
    }
    return err_set(
        err, ERR_INPUT, "bad-request", "command %d is a broker's, not a worker's", (int)command);
}

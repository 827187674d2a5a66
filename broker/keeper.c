#include "keeper.h"

#include "metrics.h"

#include "base/clock.h"
#include "base/kind.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BURY_AFTER = 30 }; /* equal readings until a dead broker's row is removed: a minute */

struct keeper {
    struct keeper_options options;
    struct db *db;
    struct slots slots;
    struct keeper_note *note; /* of the round under way */
    uint64_t epoch_seen;
    bool joined, is_away;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    uint64_t kinds, clock_epoch;
    bool told, poked, stopping, stopped;
};

static uint64_t kinds_of_text(const char *text)
{
    uint64_t kinds = 0;
    while (*text) {
        size_t n = strcspn(text, ",");
        const struct kind *kind = kind_find(text, n);
        if (kind)
            kinds |= UINT64_C(1) << kind->id;
        text += n + (text[n] == ',');
    }
    return kinds;
}

static void text_of_kinds(uint64_t kinds, char *text, size_t size)
{
    size_t n = 0;
    text[0] = '\0';
    for (int k = 0; k < KINDS; k++)
        if (kinds >> k & 1)
            n += (size_t)snprintf(
                text + n, size - n, "%s%s", n ? "," : "", kind_name((enum kind_id)k));
}

static void on_broker(void *context, const struct broker_row *row)
{
    struct keeper *k = context;
    struct keeper_note *note = k->note;
    slots_peer(&k->slots, &row->life, kinds_of_text(row->kinds), row->beat, clock_monotonic_ms());
    if (uuid_equal(&row->life, &k->options.self.life))
        k->joined = true;
    if (note->peer_count < ARRAY_LENGTH(note->peers))
        note->peers[note->peer_count++].row = *row;
}

static void on_paused(void *context, const char *kind, const char *by, int64_t at_ms)
{
    (void)by, (void)at_ms;
    struct keeper_note *note = context;
    const struct kind *known = kind_find(kind, strlen(kind));
    if (known)
        note->paused |= UINT64_C(1) << known->id;
}

static int read_slots(struct keeper *k, struct keeper_note *note, struct err *err)
{
    if (registry_read_slots(k->db, note->slots, &note->slot_count, err))
        return -1;
    slots_observe(&k->slots, note->slots, note->slot_count, clock_monotonic_ms());
    return 0;
}

static int read_all(struct keeper *k, struct keeper_note *note, struct err *err)
{
    k->joined = false;
    slots_peers_begin(&k->slots);
    if (read_slots(k, note, err) || registry_read_brokers(k->db, on_broker, k, err))
        return -1;
    slots_peers_end(&k->slots);
    for (size_t i = 0; i < note->peer_count; i++) {
        struct keeper_peer *p = &note->peers[i];
        p->is_self = uuid_equal(&p->row.life, &k->options.self.life);
        p->is_alive = p->is_self || !slots_peer_is_dead(&k->slots, &p->row.life);
    }
    return registry_read_paused(k->db, on_paused, note, err) ||
                   registry_read_clock(k->db, &note->shift_ms, &note->clock_epoch, err)
               ? -1
               : 0;
}

static int take_slots(struct keeper *k, const struct slots_plan *plan, struct err *err)
{
    size_t taken_count = 0;
    for (size_t i = 0; i < plan->take_count; i++) {
        const struct slot_row *row = &plan->take[i];
        bool taken;
        if (registry_take_slot(k->db, row->id, row->epoch, &k->options.self.life, &taken, err))
            return -1;
        if (taken && !uuid_is_zero(&row->broker))
            log_warn("slot.adopted", "slot=%u epoch=%" PRIu64 " from=%s", row->id, row->epoch + 1,
                uuid_s(&row->broker));
        taken_count += taken;
    }
    if (taken_count)
        log_info("slots.taken", "slots=%zu", taken_count);
    return 0;
}

/* A dead broker's row goes after its slots have: by then nobody needs it. */
static int bury_the_dead(struct keeper *k, struct err *err)
{
    for (size_t i = 0; i < k->slots.peer_count; i++) {
        const struct slots_peer *p = &k->slots.peers[i];
        if (p->watch.same < BURY_AFTER)
            continue;
        log_warn("broker.buried", "life=%s", uuid_s(&p->life));
        if (registry_leave(k->db, &p->life, err))
            return -1;
    }
    return 0;
}

static int move_slots(struct keeper *k, uint64_t kinds, struct keeper_note *note, struct err *err)
{
    struct slots_plan plan;
    slots_decide(&k->slots, kinds, clock_monotonic_ms(), &plan);
    if (plan.take_count + plan.give_count == 0)
        return 0;
    if (plan.give_count) {
        log_info("slots.given", "slots=%zu", plan.give_count);
        if (registry_give_slots(k->db, &k->options.self.life, plan.give, plan.give_count, err))
            return -1;
    }
    return take_slots(k, &plan, err) ? -1 : read_slots(k, note, err);
}

static int do_round(struct keeper *k, uint64_t kinds, uint64_t epoch, struct err *err)
{
    struct keeper_note *note = k->note;
    note->beat_ms = clock_monotonic_ms();
    text_of_kinds(kinds, k->options.self.kinds, sizeof k->options.self.kinds);
    k->options.self.clock_epoch = epoch;
    if (!db_is_open(k->db) && db_open(k->db, err))
        return -1;
    if (!k->joined && registry_join(k->db, &k->options.self, err))
        return -1;
    if (registry_beat(k->db, &k->options.self, err) || read_all(k, note, err))
        return -1;
    k->epoch_seen = note->clock_epoch;
    return move_slots(k, kinds, note, err) || bury_the_dead(k, err) ? -1 : 0;
}

static void round_and_note(struct keeper *k, uint64_t kinds, uint64_t epoch)
{
    struct err err = {0};
    k->note = MEM_NEW(struct keeper_note);
    k->note->task.done = k->options.done;
    if (do_round(k, kinds, epoch, &err)) {
        if (!k->is_away)
            log_warn("keeper.away", "error=%s", log_q(err.text));
        k->is_away = true;
        metric_set(METRIC_DATABASE, 0);
        free(k->note);
        return;
    }
    if (k->is_away)
        log_info("keeper.back", "life=%s", uuid_s(&k->options.self.life));
    k->is_away = false;
    metric_set(METRIC_DATABASE, 1);
    inbox_post(k->options.inbox, &k->note->task);
}

/* Has the clock row changed since the last round? Away counts as no. */
static bool clock_has_changed(struct keeper *k)
{
    struct err err = {0};
    int64_t shift;
    uint64_t epoch;
    if (!db_is_open(k->db) || registry_read_clock(k->db, &shift, &epoch, &err))
        return false;
    return epoch != k->epoch_seen;
}

static struct timespec timespec_of_ms(int64_t ms)
{
    return (struct timespec){ms / 1000, ms % 1000 * 1000000};
}

/* Waits until `due_ms` or until something wants a round now; false when the thread is to end. */
static bool wait_until(struct keeper *k, int64_t due_ms, uint64_t *ret_kinds, uint64_t *ret_epoch)
{
    struct timespec until = timespec_of_ms(due_ms);
    pthread_mutex_lock(&k->lock);
    while (
        !k->stopping && !k->poked && pthread_cond_timedwait(&k->changed, &k->lock, &until) == 0) {
    }
    *ret_kinds = k->kinds;
    *ret_epoch = k->clock_epoch;
    bool go_on = !k->stopping;
    pthread_mutex_unlock(&k->lock);
    return go_on;
}

static bool take_poke(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    bool poked = k->poked;
    k->poked = false;
    pthread_mutex_unlock(&k->lock);
    return poked;
}

static void *thread_main(void *context)
{
    struct keeper *k = context;
    pthread_setname_np(pthread_self(), "keeper");
    int64_t beat_due = clock_monotonic_ms(), step = SLOTS_BEAT_MS;
    if (k->options.settable_clock)
        step = KEEPER_CLOCK_MS;
    uint64_t kinds, epoch;
    for (int64_t due = beat_due; wait_until(k, due, &kinds, &epoch);) {
        int64_t now = clock_monotonic_ms();
        bool poked = take_poke(k);
        if (poked || now >= beat_due || clock_has_changed(k)) {
            round_and_note(k, kinds, epoch);
            beat_due = now + SLOTS_BEAT_MS;
        }
        due = now + step < beat_due ? now + step : beat_due;
    }
    struct err err = {0};
    if (k->joined && registry_leave(k->db, &k->options.self.life, &err))
        log_warn("keeper.leave_failed", "error=%s", log_q(err.text));
    return NULL;
}

struct keeper *keeper_new(const struct keeper_options *options, struct db *db)
{
    struct keeper *k = MEM_NEW(struct keeper);
    k->options = *options;
    k->db = db;
    slots_init(&k->slots, &options->self.life);
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&k->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_create(&k->thread, NULL, thread_main, k);
    return k;
}

static void wake(struct keeper *k)
{
    k->poked = true;
    pthread_cond_signal(&k->changed);
}

void keeper_tell(struct keeper *k, uint64_t kinds, uint64_t clock_epoch)
{
    pthread_mutex_lock(&k->lock);
    if (kinds != k->kinds || clock_epoch != k->clock_epoch || !k->told) {
        k->kinds = kinds;
        k->clock_epoch = clock_epoch;
        k->told = true;
        wake(k);
    }
    pthread_mutex_unlock(&k->lock);
}

void keeper_poke(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    wake(k);
    pthread_mutex_unlock(&k->lock);
}

void keeper_stop(struct keeper *k)
{
    if (k->stopped)
        return;
    pthread_mutex_lock(&k->lock);
    k->stopping = true;
    pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    k->stopped = true;
}

void keeper_free(struct keeper *k)
{
    if (!k)
        return;
    keeper_stop(k);
    db_free(k->db);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->changed);
    free(k);
}

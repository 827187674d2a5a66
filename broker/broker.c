#include "broker.h"

#include "admin.h"
#include "changes.h"
#include "clients.h"
#include "dispatch.h"
#include "export.h"
#include "housekeeping.h"
#include "http.h"
#include "intake.h"
#include "jobs.h"
#include "metrics.h"
#include "questions.h"
#include "schedule.h"
#include "sealing.h"
#include "waits.h"
#include "workers.h"
#include "zap.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/fingerprint.h"
#include "crypto/seal.h"
#include "db/migrate.h"
#include "lifecycle/policy_set.h"
#include "lifecycle/schedule.h"
#include "setup/database.h"
#include "wire/curve.h"

#include <inttypes.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <zmq.h>

enum {
    TURN_MS = 250,         /* longest wait of a turn */
    STALLED_MS = 1000,     /* a turn so late means the process was held up */
    CLIENT_MESSAGES = 512, /* handled in a turn, at most */
    WORKER_MESSAGES = 256,
    DRAIN_MS = 10000,
    STORE_THREADS = 2,
};

bool broker_may_dispatch(const struct broker *b)
{
    return b->note && !b->is_draining && b->tick_ms - b->note->beat_ms < SLOTS_FENCE_MS;
}

/* ---- what other threads post ---- */

static void on_sealed(struct task *task, struct broker *b)
{
    struct sealed *sealed = (struct sealed *)task;
    intake_sealed(b, sealed->item, &task->err);
    free(sealed);
}

static void take_clock(struct broker *b, const struct keeper_note *note)
{
    if (!b->config->settable_clock || note->clock_epoch == (uint64_t)b->clock_epoch)
        return;
    if (note->shift_ms != clock_shift_ms())
        log_warn("clock.shifted", "shift_ms=%" PRId64 " epoch=%" PRIu64, note->shift_ms,
            note->clock_epoch);
    clock_set_shift_ms(note->shift_ms);
    b->clock_epoch = (int64_t)note->clock_epoch;
    b->now_ms = clock_now_ms();
    workers_beat_now(b->workers);
}

static void on_note(struct task *task, struct broker *b)
{
    struct keeper_note *note = (struct keeper_note *)task;
    free(b->note);
    b->note = note;
    b->paused = note->paused;
    take_clock(b, note);
    jobs_lease(b, note);
}

static void take_posts(struct broker *b)
{
    for (struct task *task = inbox_take(b->inbox), *next; task; task = next) {
        next = task->next;
        task->done(task, b);
    }
}

/* ---- setting up ---- */

static int open_database(const struct config *config, struct err *err)
{
    AUTO(db) db = NULL;
    if (setup_database(config, DB_BROKER, 3, &db, err))
        return -1;
    if (db_open(db, err) || migrate_check(db, SCHEMA_NUMBER, err)) {
        if (err->kind != ERR_TEMPORARY)
            return -1;
        log_warn("database.away", "error=%s", log_q(err->text));
        err_clear(err); /* it may come later: requests are answered `unavailable` until then */
    }
    return 0;
}

static int set_up_keys(struct broker *b, struct err *err)
{
    const struct config *c = b->config;
    if (keyring_load(c->fingerprint_key, &b->fingerprints, err))
        return err_context(err, "fingerprint_key");
    if (policy_set_load(c->products, &b->policies, err))
        return -1;
    if (c->broker.curve_key && (curve_load(c->broker.curve_key, &b->curve, err) ||
                                   zap_new(b->zmq, &c->broker, &b->zap, err)))
        return err_context(err, "broker.curve_key");
    if (!c->intake.plaintext)
        return 0;
    struct sealer *sealer = NULL;
    if (sealer_load(c->intake.certificate, &sealer, err))
        return err_context(err, "intake.certificate");
    b->sealing = sealing_new(sealer, c->broker.pending_requests, b->inbox, on_sealed);
    return 0;
}

static int set_up_store(struct broker *b, struct err *err)
{
    const struct config *c = b->config;
    struct db *connections[STORE_THREADS] = {NULL};
    for (int i = 0; i < STORE_THREADS; i++)
        if (setup_database(c, DB_BROKER, 1, &connections[i], err)) {
            while (i-- > 0)
                db_free(connections[i]);
            return -1;
        }
    for (int i = 0; i < STORE_THREADS; i++)
        db_make_transactional(connections[i]);
    const struct store_options options = {
        .rows = c->broker.batch_rows,
        .bytes = c->broker.batch_bytes,
        .pending = c->broker.pending_requests,
        .inbox = b->inbox,
        .done = jobs_stored,
    };
    b->store = store_new(&options, connections, STORE_THREADS);
    return 0;
}

static int set_up_threads(struct broker *b, struct err *err)
{
    const struct config *c = b->config;
    struct db *db = NULL;
    if (set_up_store(b, err) || setup_database(c, DB_BROKER, 3, &db, err))
        return -1;
    b->clerk = clerk_new("clerk", db, b->inbox);
    if (setup_database(c, DB_BROKER, 3, &db, err))
        return -1;
    b->desk = clerk_new("desk", db, b->inbox);
    if (!c->broker.http)
        return 0;
    db = NULL;
    return setup_database(c, DB_BROKER, 3, &db, err) ||
                   http_new(c, c->broker.http, db, &b->http, err)
               ? -1
               : 0;
}

static int set_up_keeper(struct broker *b, struct err *err)
{
    struct keeper_options options = {
        .settable_clock = b->config->settable_clock, .inbox = b->inbox, .done = on_note};
    struct broker_row *self = &options.self;
    self->life = b->life;
    self->pid = (uint32_t)getpid();
    self->started_ms = b->started_ms;
    gethostname(self->host, sizeof self->host - 1);
    snprintf(self->name, sizeof self->name, "%s", b->config->broker.name);
    snprintf(self->clients, sizeof self->clients, "%s", clients_endpoint(b->clients));
    snprintf(self->workers, sizeof self->workers, "%s", workers_endpoint(b->workers));
    struct db *db = NULL;
    if (setup_database(b->config, DB_BROKER, 3, &db, err))
        return -1;
    b->keeper = keeper_new(&options, db);
    return 0;
}

static int set_up(struct broker *b, struct err *err)
{
    if (open_database(b->config, err) || set_up_keys(b, err) || clients_new(b, &b->clients, err) ||
        workers_new(b, &b->workers, err) || set_up_threads(b, err))
        return -1;
    return set_up_keeper(b, err);
}

int broker_new(const struct config *config, struct broker **ret, struct err *err)
{
    AUTO(broker) b = MEM_NEW(struct broker);
    b->config = config;
    b->life = uuid_new();
    b->now_ms = b->started_ms = clock_now_ms();
    b->tick_ms = clock_monotonic_ms();
    b->ready.retry_most_ms = config->retry.most_ms;
    b->zmq = zmq_ctx_new();
    b->inbox = inbox_new();
    b->items = map_new();
    b->groups = groups_new();
    b->waits = waits_new();
    b->questions = questions_new();
    b->changes = changes_new();
    b->admin = admin_new();
    b->housekeeping = housekeeping_new();
    b->schedules = schedules_new(config->schedule_count);
    b->exports = exports_new(config->issuer_count);
    if (schedule_check(config, err) || set_up(b, err))
        return -1;
    *ret = TAKE(b);
    return 0;
}

/* ---- the loop ---- */

/* New jobs go to one of our slots, another from turn to turn, so that a batch shares a place in the
 * index; without a slot of ours to any: whoever leases it finds them. */
static void choose_slot(struct broker *b)
{
    for (uint16_t i = 1; i <= SLOTS_MAX; i++) {
        uint16_t slot = (uint16_t)((b->next_slot + i) % SLOTS_MAX);
        if (backlog_owns(&b->backlog, slot)) {
            b->next_slot = slot;
            return;
        }
    }
    if (b->note && b->note->slot_count)
        b->next_slot = b->note->slots[(size_t)b->tick_ms % b->note->slot_count].id;
    else
        b->next_slot = 0;
}

static void set_gauges(const struct broker *b)
{
    size_t ready = 0;
    for (int k = 0; k < KINDS; k++)
        ready += b->ready.kinds[k].count;
    metric_set(METRIC_READY, ready);
    metric_set(METRIC_SCHEDULED, b->ready.scheduled.count);
    metric_set(METRIC_JOBS, map_count(b->items));
    metric_set(METRIC_RUNNING, groups_count(b->groups));
    metric_set(METRIC_WORKERS, workers_count(b->workers));
    metric_set(METRIC_CLIENTS, clients_count(b->clients));
    metric_set(METRIC_WAITERS, waits_count(b->waits));
}

/* What follows from what was received; returns how long the next wait may be. */
static int64_t turn(struct broker *b, int64_t stalled_ms)
{
    int64_t wait = workers_turn(b->workers, b, stalled_ms);
    wait = ready_turn(&b->ready, b->now_ms, b->tick_ms, wait < TURN_MS ? wait : TURN_MS);
    jobs_turn(b);
    if (!b->is_draining)
        dispatch_turn(b);
    admin_turn(b);
    housekeeping_turn(b);
    schedules_turn(b);
    exports_turn(b);
    mail_watch_turn(&b->mail_watch, b);
    store_flush(b->store);
    questions_turn(b);
    clients_sweep(b->clients, b);
    keeper_tell(b->keeper, workers_kinds(b->workers),
        (uint64_t)workers_clock_epoch(b->workers, b->clock_epoch));
    choose_slot(b);
    set_gauges(b);
    return wait > 0 ? wait : 0;
}

static bool read_signal(int signal_fd)
{
    struct signalfd_siginfo info;
    return read(signal_fd, &info, sizeof info) == sizeof info;
}

enum { ON_SIGNAL, ON_POST, ON_WORKERS, ON_MONITOR, ON_CLIENTS, ON_COUNT };

static void read_clocks(struct broker *b)
{
    b->tick_ms = clock_monotonic_ms();
    b->now_ms = clock_now_ms();
}

/* One turn: wait, receive, act. Returns how long the next wait may be; *ret_signals counts. */
static int64_t serve(struct broker *b, int signal_fd, int64_t wait, int *ret_signals)
{
    zmq_pollitem_t items[ON_COUNT] = {
        [ON_SIGNAL] = {NULL, signal_fd, ZMQ_POLLIN, 0},
        [ON_POST] = {NULL, inbox_fd(b->inbox), ZMQ_POLLIN, 0},
        [ON_WORKERS] = {workers_socket(b->workers), 0, ZMQ_POLLIN, 0},
        [ON_MONITOR] = {clients_monitor(b->clients), 0, ZMQ_POLLIN, 0},
        [ON_CLIENTS] = {clients_socket(b->clients), 0, ZMQ_POLLIN, 0},
    };
    int64_t before = b->tick_ms;
    zmq_poll(items, ON_COUNT, (long)wait);
    read_clocks(b);
    int64_t late = b->tick_ms - before - wait;
    if (items[ON_SIGNAL].revents)
        *ret_signals += read_signal(signal_fd);
    if (items[ON_WORKERS].revents)
        workers_receive(b->workers, b, WORKER_MESSAGES);
    if (items[ON_POST].revents)
        take_posts(b);
    if (items[ON_MONITOR].revents)
        clients_watch(b->clients, b);
    if (items[ON_CLIENTS].revents)
        clients_receive(b->clients, b, CLIENT_MESSAGES);
    return turn(b, late > STALLED_MS ? late : 0);
}

static void announce(const struct broker *b)
{
    if (b->config->settable_clock)
        log_warn("clock.settable", "testing.settable_clock=true not=for-production");
    log_info("broker.ready", "broker=%s life=%s clients=%s workers=%s http=%s curve=%s",
        b->config->broker.name, uuid_s(&b->life), clients_endpoint(b->clients),
        workers_endpoint(b->workers), b->http ? http_address(b->http) : "none",
        b->curve ? "on" : "off");
    sd_notify(0, "READY=1");
}

/* Nothing is left that somebody could be told the end of. */
static bool is_drained(const struct broker *b)
{
    return groups_count(b->groups) == 0 && store_held(b->store) == 0 && clerk_load(b->clerk) == 0;
}

int broker_run(struct broker *b, int signal_fd)
{
    int signals = 0;
    int64_t wait = 0, drain_until = INT64_MAX;
    announce(b);
    while (signals < 2) {
        wait = serve(b, signal_fd, wait, &signals);
        sd_notify(0, "WATCHDOG=1");
        if (signals && !b->is_draining) {
            b->is_draining = true;
            drain_until = b->tick_ms + DRAIN_MS;
            log_info("broker.draining", "groups=%zu", groups_count(b->groups));
            sd_notify(0, "STOPPING=1");
        }
        if (b->is_draining && (is_drained(b) || b->tick_ms >= drain_until))
            break;
    }
    workers_bye(b->workers);
    log_info("broker.stopped", "groups=%zu jobs=%zu", groups_count(b->groups), map_count(b->items));
    return signals > 1;
}

static void free_items(struct broker *b)
{
    size_t at = 0;
    struct item *item;
    ready_clear(&b->ready);
    while ((item = map_next(b->items, &at, NULL)))
        item_free(item);
    map_free(b->items);
}

void broker_free(struct broker *b)
{
    if (!b)
        return;
    if (b->store)
        store_stop(b->store);
    if (b->clerk)
        clerk_stop(b->clerk);
    if (b->desk)
        clerk_stop(b->desk);
    keeper_free(b->keeper); /* gives the slots up */
    sealing_free(b->sealing);
    http_free(b->http);
    if (b->clients && b->workers && b->desk)
        take_posts(b);
    store_free(b->store);
    clerk_free(b->clerk);
    clerk_free(b->desk);
    admin_free(b, b->admin);
    waits_free(b->waits, b);
    clients_free(b->clients);
    workers_free(b->workers);
    if (b->zmq)
        zmq_ctx_shutdown(b->zmq);
    zap_free(b->zap);
    zmq_ctx_term(b->zmq);
    groups_free(b->groups);
    free_items(b);
    questions_free(b->questions);
    changes_free(b->changes);
    housekeeping_free(b->housekeeping);
    schedules_free(b->schedules);
    exports_free(b->exports);
    keyring_free(b->fingerprints);
    policy_set_free(b->policies);
    buf_free(&b->canonical);
    curve_pair_free(b->curve);
    inbox_free(b->inbox);
    json_decref(b->counts);
    free(b->note);
    free(b);
}

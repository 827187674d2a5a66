/* certq.clock: the test clock (docs/protocol.md section 5.6). */
#include "broker.h"
#include "call.h"
#include "workers.h"

#include "base/clock.h"

enum { POKE_MS = 200 };

static json_t *json_of_clock(const struct broker *b)
{
    json_t *clock = json_object();
    json_object_set_new(clock, "now", json_of_time(clock_now_ms()));
    json_object_set_new(clock, "shift_ms", json_integer(clock_shift_ms()));
    json_object_set_new(clock, "epoch", json_integer(b->clock_epoch));
    json_object_set_new(clock, "settable", json_boolean(b->config->settable_clock));
    return clock;
}

static enum call_step begin_show(struct broker *b, struct call *call, struct err *err)
{
    (void)err;
    call->result = json_of_clock(b);
    return CALL_DONE;
}

static enum call_step begin_set(struct broker *b, struct call *call, struct err *err)
{
    if (!b->config->settable_clock) {
        err_set(err, ERR_DENIED, "forbidden",
            "the clock is real here (testing.settable_clock is false)");
        return CALL_FAILED;
    }
    int64_t time_ms = 0;
    return call_time(call, "time", call->op->members[0] != '\0', &time_ms, err) ? CALL_FAILED
                                                                                : CALL_ASK;
}

static int run_set(struct call *call, struct db *db, struct err *err)
{
    int64_t shift_ms = 0, time_ms = -1;
    if (call_time(call, "time", false, &time_ms, err))
        return -1;
    if (time_ms >= 0)
        shift_ms = time_ms - (clock_now_ms() - clock_shift_ms());
    return registry_set_clock(db, shift_ms, &call->epoch, err);
}

/* Who has not taken the epoch yet; NULL when all have. */
static const char *who_lags(const struct broker *b, uint64_t epoch)
{
    if ((uint64_t)b->clock_epoch < epoch || !b->note)
        return b->config->broker.name;
    for (const struct worker *w = workers_first(b->workers); w; w = w->next)
        if ((uint64_t)w->clock_epoch < epoch)
            return w->name;
    for (size_t i = 0; i < b->note->peer_count; i++) {
        const struct keeper_peer *p = &b->note->peers[i];
        if (!p->is_self && p->is_alive && p->row.clock_epoch < epoch)
            return p->row.name;
    }
    return NULL;
}

static enum call_step finish_set(struct broker *b, struct call *call, struct err *err)
{
    const char *lagging = who_lags(b, call->epoch);
    if (!lagging) {
        call->result = json_of_clock(b);
        return CALL_DONE;
    }
    if (b->tick_ms - call->since_ms > CALL_MS) {
        err_set(err, ERR_TEMPORARY, "unavailable",
            "the time is set, but %s has not taken it yet: ask again", lagging);
        return CALL_FAILED;
    }
    if (b->tick_ms - b->poked_ms >= POKE_MS) {
        b->poked_ms = b->tick_ms;
        keeper_poke(b->keeper);
    }
    return CALL_KEPT;
}

const struct op clock_ops[] = {
    {"certq.clock", "show", "", false, begin_show, NULL, NULL, NULL},
    {"certq.clock", "set", "time", false, begin_set, run_set, finish_set, NULL},
    {"certq.clock", "reset", "", false, begin_set, run_set, finish_set, NULL},
};
const size_t clock_op_count = ARRAY_LENGTH(clock_ops);

#include "slots.h"

void slots_init(struct slots *s, const struct uuid *self)
{
    *s = (struct slots){.self = *self};
}

/* Readings closer together than a beat (less some slack) are not counted. */
static void watch(struct slots_beat *w, uint64_t beat, bool is_other, int64_t now_ms)
{
    if (is_other || beat != w->beat) {
        *w = (struct slots_beat){beat, 0, now_ms};
    } else if (now_ms - w->read_ms >= SLOTS_BEAT_MS * 9 / 10) {
        w->same++;
        w->read_ms = now_ms;
    }
}

void slots_observe(struct slots *s, const struct slot_row *rows, size_t n, int64_t now_ms)
{
    for (size_t i = 0; i < n; i++) {
        bool is_other = i >= s->count || s->rows[i].id != rows[i].id ||
                        s->rows[i].epoch != rows[i].epoch ||
                        !uuid_equal(&s->rows[i].broker, &rows[i].broker);
        watch(&s->watches[i], rows[i].beat, is_other, now_ms);
        s->rows[i] = rows[i];
    }
    s->count = n;
}

static struct slots_peer *find_peer(const struct slots *s, const struct uuid *life)
{
    for (size_t i = 0; i < s->peer_count; i++)
        if (uuid_equal(&s->peers[i].life, life))
            return (struct slots_peer *)(uintptr_t)&s->peers[i];
    return NULL;
}

void slots_peers_begin(struct slots *s)
{
    for (size_t i = 0; i < s->peer_count; i++)
        s->peers[i].seen = false;
}

void slots_peer(
    struct slots *s, const struct uuid *life, uint64_t kinds, uint64_t beat, int64_t now_ms)
{
    if (uuid_equal(life, &s->self))
        return;
    struct slots_peer *p = find_peer(s, life);
    bool is_new = !p;
    if (is_new) {
        if (s->peer_count == SLOTS_PEERS_MAX)
            return;
        p = &s->peers[s->peer_count++];
        *p = (struct slots_peer){.life = *life};
    }
    p->seen = true;
    p->kinds = kinds;
    watch(&p->watch, beat, is_new, now_ms);
}

void slots_peers_end(struct slots *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->peer_count; i++)
        if (s->peers[i].seen)
            s->peers[kept++] = s->peers[i];
    s->peer_count = kept;
}

static bool is_alive(const struct slots_peer *p)
{
    return p->watch.same < SLOTS_SAME_BEATS;
}

bool slots_peer_is_dead(const struct slots *s, const struct uuid *life)
{
    const struct slots_peer *p = find_peer(s, life);
    return p && !is_alive(p);
}

bool slots_holds(const struct slots *s, uint16_t slot)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->rows[i].id == slot)
            return uuid_equal(&s->rows[i].broker, &s->self);
    return false;
}

/*
 * Should a, serving these kinds, step back for b? Following it one always comes to a broker with
 * more kinds or, at equal numbers, an older life: the chain ends, and its end steps back for
 * nobody.
 */
static bool steps_back(
    uint64_t a_kinds, const struct uuid *a, uint64_t b_kinds, const struct uuid *b)
{
    if (!(b_kinds & ~a_kinds))
        return false;
    int a_count = __builtin_popcountll(a_kinds), b_count = __builtin_popcountll(b_kinds);
    return b_count > a_count || (b_count == a_count && uuid_compare(b, a) < 0);
}

static bool peer_is_eligible(const struct slots *s, const struct slots_peer *p, uint64_t own_kinds)
{
    if (!is_alive(p) || steps_back(p->kinds, &p->life, own_kinds, &s->self))
        return false;
    for (size_t i = 0; i < s->peer_count; i++)
        if (&s->peers[i] != p && is_alive(&s->peers[i]) &&
            steps_back(p->kinds, &p->life, s->peers[i].kinds, &s->peers[i].life))
            return false;
    return true;
}

static bool lacks_a_kind(const struct slots *s, uint64_t own_kinds)
{
    for (size_t i = 0; i < s->peer_count; i++)
        if (is_alive(&s->peers[i]) &&
            steps_back(own_kinds, &s->self, s->peers[i].kinds, &s->peers[i].life))
            return true;
    return false;
}

static bool may_take(const struct slots *s, size_t i)
{
    const struct slot_row *row = &s->rows[i];
    if (uuid_equal(&row->broker, &s->self))
        return false;
    return uuid_is_zero(&row->broker) || s->watches[i].same >= SLOTS_SAME_BEATS;
}

static void give(const struct slots *s, size_t n, struct slots_plan *ret)
{
    for (size_t i = s->count; i-- > 0 && n > 0;)
        if (uuid_equal(&s->rows[i].broker, &s->self)) {
            ret->give[ret->give_count++] = s->rows[i].id;
            n--;
        }
}

void slots_decide(struct slots *s, uint64_t own_kinds, int64_t now_ms, struct slots_plan *ret)
{
    *ret = (struct slots_plan){0};
    size_t held = 0, eligible = 1;
    for (size_t i = 0; i < s->count; i++)
        held += uuid_equal(&s->rows[i].broker, &s->self);
    for (size_t i = 0; i < s->peer_count; i++)
        eligible += peer_is_eligible(s, &s->peers[i], own_kinds);
    if (lacks_a_kind(s, own_kinds)) {
        if (s->lacking_since_ms == 0)
            s->lacking_since_ms = now_ms;
        if (now_ms - s->lacking_since_ms >= SLOTS_LACKING_MS)
            give(s, held, ret);
        return;
    }
    s->lacking_since_ms = 0;
    size_t share = (s->count + eligible - 1) / eligible;
    if (held > share) {
        give(s, held - share, ret);
        return;
    }
    /* Start at a place of our own, so that brokers that start together rarely want the same. */
    size_t start = s->count ? s->self.b[15] % s->count : 0;
    for (size_t k = 0; k < s->count && held + ret->take_count < share; k++) {
        size_t i = (start + k) % s->count;
        if (may_take(s, i))
            ret->take[ret->take_count++] = s->rows[i];
    }
}

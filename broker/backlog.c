#include "backlog.h"

#include <string.h>

int place_compare(const struct place *a, const struct place *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return uuid_compare(&a->id, &b->id);
}

/* The place just before another: ids and ranks are integers. */
static struct place place_before(const struct place *at)
{
    struct place p = *at;
    for (int i = 15; i >= 0; i--)
        if (p.id.b[i]-- != 0)
            return p;
    p.rank--; /* the id was zero and has become all ones */
    return p;
}

void backlog_own(struct backlog *b, uint16_t slot)
{
    uint32_t ticket = b->slots[slot].ticket + 1;
    b->slots[slot] = (struct backlog_slot){.owned = true, .ticket = ticket};
}

void backlog_disown(struct backlog *b, uint16_t slot)
{
    uint32_t ticket = b->slots[slot].ticket + 1;
    b->slots[slot] = (struct backlog_slot){.ticket = ticket};
}

bool backlog_owns(const struct backlog *b, uint16_t slot)
{
    return slot < SLOTS_MAX && b->slots[slot].owned;
}

bool backlog_keeps(const struct backlog *b, uint16_t slot, const struct place *at)
{
    if (!backlog_owns(b, slot))
        return false;
    const struct backlog_slot *s = &b->slots[slot];
    return s->complete || s->reading || (s->started && place_compare(at, &s->horizon) <= 0);
}

void backlog_cut(struct backlog *b, uint16_t slot, const struct place *at)
{
    if (!backlog_owns(b, slot))
        return;
    struct backlog_slot *s = &b->slots[slot];
    s->ticket++;
    struct place before = place_before(at);
    if (s->complete || (s->started && place_compare(&before, &s->horizon) < 0)) {
        s->horizon = before;
        s->complete = false;
        s->started = true;
    }
}

void backlog_rewind(struct backlog *b)
{
    b->parked = 0;
    for (uint16_t slot = 0; slot < SLOTS_MAX; slot++)
        if (b->slots[slot].owned) {
            bool reading = b->slots[slot].reading;
            backlog_own(b, slot);
            b->slots[slot].reading = reading;
        }
}

int backlog_next(const struct backlog *b, bool room)
{
    int best = -1;
    for (int slot = 0; slot < SLOTS_MAX; slot++) {
        const struct backlog_slot *s = &b->slots[slot];
        if (!s->owned || s->reading || s->complete)
            continue;
        if (!s->started)
            return slot;
        if (room && (best < 0 || place_compare(&s->horizon, &b->slots[best].horizon) < 0))
            best = slot;
    }
    return best;
}

void backlog_read_begin(struct backlog *b, uint16_t slot, struct backlog_page *ret)
{
    struct backlog_slot *s = &b->slots[slot];
    s->reading = true;
    *ret = (struct backlog_page){slot, s->ticket, !s->started, s->horizon};
}

bool backlog_read_end(
    struct backlog *b, const struct backlog_page *page, const struct place *last, bool full)
{
    struct backlog_slot *s = &b->slots[page->slot];
    s->reading = false;
    if (!s->owned || s->ticket != page->ticket)
        return false;
    s->started = true;
    s->complete = !full;
    if (last)
        s->horizon = *last;
    return true;
}

void backlog_read_failed(struct backlog *b, const struct backlog_page *page)
{
    b->slots[page->slot].reading = false;
}

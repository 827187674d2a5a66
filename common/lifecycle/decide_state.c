#include "lifecycle/decide_state.h"

#include "base/clock.h"

static bool is_behind_password(const struct decision *d)
{
    const struct actor *a = &d->actor;
    bool is_own = a->role == ACTOR_SUBSCRIBER || a->role == ACTOR_HOLDER;
    return is_own && (a->how == CHANNEL_CREDENTIALS || a->how == CHANNEL_SESSION);
}

bool state_is_open(const struct decision *d, const struct aggregate *a, struct plan *plan)
{
    const struct subscriber *s = &a->subscriber;
    if (a->contract && a->contract->has_ended)
        plan_refuse(plan, "contract-ended", "contract %s ended on %s", uuid_s(&a->contract->id),
            clock_s(a->contract->ended_ms));
    else if (s->is_withdrawn)
        plan_refuse(plan, "withdrawn", "subscriber %s has withdrawn", uuid_s(&s->id));
    else if (s->locked_ms && is_behind_password(d))
        plan_refuse(plan, "locked", "subscriber %s was locked on %s after wrong passwords",
            uuid_s(&s->id), clock_s(s->locked_ms));
    return !plan->refused;
}

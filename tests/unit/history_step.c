/* One step of a history: time passes, deferred revocations wake, somebody asks for something. And
 * its end: from every state that was reached something must lead on. */
#include "history.h"

/* --- time --- */

/* Some end of a certificate, or a month before it: its second, one before, one after. */
static int64_t some_end(struct history *h)
{
    const int64_t days = draw_chance(&h->random, 50) ? 0 : 30;
    int64_t found_ms = 0;
    for (size_t i = 0; i < h->people_count; i++)
        for (size_t k = 0; k < h->people[i]->certificate_count; k++) {
            const int64_t at_ms = h->people[i]->certificates[k]->not_after_ms - days * DAY_MS;
            if (at_ms > h->w.now_ms && (!found_ms || draw_chance(&h->random, 50)))
                found_ms = at_ms;
        }
    return found_ms;
}

static int64_t some_deferral(struct history *h)
{
    int64_t found_ms = 0;
    for (size_t i = 0; i < h->job_count; i++)
        if (!h->jobs[i].is_done && !h->jobs[i].is_cancelled && h->jobs[i].at_ms > h->w.now_ms &&
            (!found_ms || draw_chance(&h->random, 50)))
            found_ms = h->jobs[i].at_ms;
    return found_ms;
}

static void pass_time(struct history *h)
{
    struct history_random *r = &h->random;
    int64_t to_ms = h->w.now_ms;
    switch (draw_below(r, 20)) {
    case 0:
    case 1:
    case 2:
        to_ms += (int64_t)draw_below(r, 120) * 1000;
        break;
    case 3:
        to_ms += (int64_t)draw_below(r, 24) * 3600000;
        break;
    case 4:
        to_ms += (1 + (int64_t)draw_below(r, 16)) * DAY_MS;
        break;
    case 5:
        to_ms += (20 + (int64_t)draw_below(r, 20)) * DAY_MS;
        break;
    case 6:
        if (draw_chance(r, 25))
            to_ms += (60 + (int64_t)draw_below(r, 400)) * DAY_MS;
        break;
    case 7:
    case 8:
        to_ms = some_deferral(h) + (int64_t)draw_below(r, 3) * 1000 - 1000;
        break;
    case 9:
        if (draw_chance(r, 60))
            to_ms = some_end(h) + (int64_t)draw_below(r, 3) * 1000 - 1000;
        break;
    default:
        break;
    }
    if (to_ms > h->w.now_ms)
        h->w.now_ms = to_ms;
}

/* --- deferred revocations (X4) --- */

static struct aggregate *owner_of(
    const struct history *h, const struct uuid *id, struct certificate **ret)
{
    for (size_t i = 0; i < h->people_count; i++) {
        *ret = aggregate_certificate(h->people[i], id);
        if (*ret)
            return h->people[i];
    }
    return NULL;
}

/* Does a valid certificate take this one's place, at that time? */
static bool is_replaced(const struct aggregate *a, const struct uuid *successor, int64_t at_ms)
{
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *c = a->certificates[i];
        const bool lives = c->state == CERTIFICATE_VALID && !certificate_is_expired(c, at_ms);
        for (const struct certificate *p = lives ? c : NULL; p;
             p = aggregate_certificate(a, &p->predecessor))
            if (uuid_equal(&p->id, successor))
                return true;
    }
    return false;
}

static size_t count_revoked(const struct history *h)
{
    size_t n = 0;
    for (size_t i = 0; i < h->people_count; i++)
        for (size_t k = 0; k < h->people[i]->certificate_count; k++)
            n += h->people[i]->certificates[k]->state == CERTIFICATE_REVOKED;
    return n;
}

static bool is_reminder(
    const struct aggregate *a, const struct history_job *job, const struct revoke_request *r)
{
    struct succession s;
    const struct certificate *next = aggregate_certificate(a, &r->successor);
    const struct application *row = next ? aggregate_application(a, &next->application) : NULL;
    return row && succession_read(row, &s) && uuid_equal(&s.reminder, &job->id);
}

static void wake(struct history *h, size_t index)
{
    const struct history_job job = h->jobs[index];
    struct certificate *c = NULL;
    struct revoke_request r;
    int result = 0;
    struct aggregate *a = owner_of(h, &job.certificate, &c);
    struct decision d = history_decision(h, &job.id, job.at_ms);
    h->jobs[index].is_done = true;
    snprintf(h->what, sizeof h->what, "deferred revoke of %s", uuid_s(&job.certificate));
    h->asked = NULL;
    if (!a || !revoke_read(&d, job.args, &r, &h->w.plan)) {
        history_fail(h, "X4: %s is about nothing", h->what);
        return;
    }
    const bool is_due = c->state == CERTIFICATE_VALID && !certificate_is_expired(c, job.at_ms) &&
                        is_replaced(a, &r.successor, job.at_ms) && !is_reminder(a, &job, &r);
    const size_t before = count_revoked(h);
    result = decide_revoke(&d, &r, h->policy, a, c, &h->w.plan, &h->w.err);
    if (count_revoked(h) != before + is_due)
        history_fail(h, "X4: %s revoked %zu, and %s due", h->what, count_revoked(h) - before,
            is_due ? "was" : "was not");
    if (is_due && c->revoked_ms != job.at_ms)
        history_fail(h, "X4: %s: not at its second", h->what);
    history_apply(h, result);
}

void history_wake(struct history *h, bool may_be_late)
{
    for (;;) {
        size_t next = h->job_count;
        for (size_t i = 0; i < h->job_count; i++)
            if (!h->jobs[i].is_done && !h->jobs[i].is_cancelled &&
                h->jobs[i].at_ms <= h->w.now_ms &&
                (next == h->job_count || h->jobs[i].at_ms < h->jobs[next].at_ms))
                next = i;
        if (next == h->job_count || (may_be_late && draw_chance(&h->random, 20)))
            return;
        wake(h, next);
    }
}

/* --- somebody asks --- */

static struct aggregate *somebody(struct history *h)
{
    return h->people_count ? h->people[draw_below(&h->random, (unsigned)h->people_count)] : NULL;
}

/* Any of theirs; rather the newest, or one that lives. */
static struct certificate *some_certificate(struct history *h, const struct aggregate *a)
{
    struct certificate *found = NULL;
    if (!a || !a->certificate_count)
        return NULL;
    if (draw_chance(&h->random, 40))
        return a->certificates[a->certificate_count - 1];
    const bool is_any = draw_chance(&h->random, 25);
    for (size_t i = 0; i < a->certificate_count; i++) {
        struct certificate *c = a->certificates[i];
        const bool lives = c->state == CERTIFICATE_VALID && !certificate_is_expired(c, h->w.now_ms);
        if ((lives || is_any) && (!found || draw_chance(&h->random, 50)))
            found = c;
    }
    return found ? found : a->certificates[a->certificate_count - 1];
}

static void decide_some(struct history *h, struct aggregate *a)
{
    if (a->contract && draw_chance(&h->random, 40))
        a = a->contract->own;
    const struct application *row = NULL;
    for (size_t i = 0; i < a->application_count; i++)
        if (a->applications[i]->state == APPLICATION_AWAITING_APPROVAL || history_errs(h, 2))
            row = a->applications[i];
    if (row)
        ask_decide(h, a, row, draw_chance(&h->random, 75));
}

static void ask_about(
    struct history *h, enum policy_procedure procedure, struct aggregate *a, struct certificate *c)
{
    switch (procedure) {
    case PROC_RETRIEVE:
        ask_retrieve(h, a, c);
        break;
    case PROC_LOOKUP:
        ask_lookup(h, a, c);
        break;
    case PROC_REISSUE:
        ask_reissue(h, a, c);
        break;
    case PROC_RENEW:
        ask_renew(h, a, c);
        break;
    case PROC_CHANGE:
        ask_change(h, a);
        break;
    case PROC_WITHDRAW:
        if (draw_chance(&h->random, 20))
            ask_withdraw(h, a);
        break;
    case PROC_REVOKE:
        if (draw_chance(&h->random, 30))
            ask_revoke(h, a, c);
        break;
    case PROC_PASSWORD_CHANGE:
    case PROC_PASSWORD_RESET:
    case PROC_PASSWORD_SET:
        ask_password(h, a, procedure);
        break;
    case PROC_DISCLOSE:
    case PROC_CORRECT:
    case PROC_ERASABLE:
        ask_records(h, a, procedure);
        break;
    case PROC_ISSUE:
    case PROC_NOTICES:
    case PROCEDURES:
        ask_issue(h);
    }
}

/* The newest that can be retrieved. */
static struct certificate *waiting(const struct aggregate *a)
{
    for (size_t i = a->certificate_count; i > 0; i--)
        if (a->certificates[i - 1]->state == CERTIFICATE_AWAITING_RETRIEVAL)
            return a->certificates[i - 1];
    return NULL;
}

static bool is_worth_asking(struct history *h, enum policy_procedure procedure)
{
    const bool wants_code = procedure == PROC_RETRIEVE || procedure == PROC_LOOKUP;
    if (wants_code && !policy_offers(h->policy, procedure))
        return false;
    return policy_offers(h->policy, procedure) || draw_chance(&h->random, 3);
}

void history_step(struct history *h, uint64_t seed)
{
    h->random = (struct history_random){seed};
    pass_time(h);
    history_wake(h, true);
    struct aggregate *a = somebody(h);
    struct certificate *c = some_certificate(h, a);
    const unsigned what = draw_below(&h->random, 100);
    if (h->failure[0] || h->memory_count > HISTORY_CERTIFICATES)
        return;
    if (!c || what < 8)
        ask_issue(h);
    else if (what < 16)
        ask_scan(h);
    else if (what < 30)
        decide_some(h, a);
    else if (what < 65 && waiting(a))
        ask_retrieve(h, a, waiting(a));
    else if (what < 72 && h->policy->reissue.is_offered)
        ask_reissue(h, a, c);
    else if (what < 80 && policy_offers(h->policy, PROC_RENEW))
        ask_renew(h, a, c);
    else
        for (;;) {
            const enum policy_procedure procedure =
                (enum policy_procedure)draw_below(&h->random, PROCEDURES);
            if (!is_worth_asking(h, procedure))
                continue;
            ask_about(h, procedure, a, c);
            return;
        }
}

/* --- everything ends --- */

static bool is_done(const struct history *h)
{
    return !h->failure[0] && !h->w.plan.refused;
}

/* What waits for an operator: one word or the other must do. */
static void end_applications(struct history *h, struct aggregate *a)
{
    for (size_t i = 0; i < a->application_count && !h->failure[0]; i++) {
        const struct application *row = a->applications[i];
        if (row->state != APPLICATION_AWAITING_APPROVAL)
            continue;
        ask_decide(h, a, row, draw_chance(&h->random, 50));
        if (!is_done(h))
            ask_decide(h, a, row, false);
        if (!is_done(h))
            history_fail(h, "a way out: neither approved nor rejected: %s %s: %s", row->kind,
                uuid_s(&row->id), h->w.plan.message);
    }
}

static void end_lock(struct history *h, struct aggregate *a)
{
    const struct policy_password *p = &h->policy->password;
    if (!p->is_used || p->unlock == UNLOCK_NONE || !a->subscriber.locked_ms ||
        a->subscriber.is_withdrawn) /* which is final */
        return;
    ask_password(h, a, PROC_PASSWORD_RESET);
    if (is_done(h) && p->reset_then_set)
        ask_password(h, a, PROC_PASSWORD_SET);
    if (!is_done(h))
        history_fail(
            h, "a way out: locked for good: %s: %s", uuid_s(&a->subscriber.id), h->w.plan.message);
}

static bool is_final(const struct history *h, const struct certificate *c)
{
    return c->state == CERTIFICATE_REVOKED || c->state == CERTIFICATE_CANCELLED ||
           certificate_is_expired(c, h->w.now_ms);
}

static void end_certificate(struct history *h, struct aggregate *a, struct certificate *c)
{
    const bool is_retrieved = policy_offers(h->policy, PROC_RETRIEVE);
    if (c->state == CERTIFICATE_AWAITING_RETRIEVAL && is_retrieved && draw_chance(&h->random, 50))
        ask_retrieve(h, a, c);
    for (int tries = 0; tries < 25 && !is_final(h, c) && !h->failure[0]; tries++) {
        if (c->state == CERTIFICATE_AWAITING_RETRIEVAL && c->not_after_ms &&
            certificate_is_expired(c, h->w.now_ms))
            break;
        ask_revoke(h, a, c);
        end_applications(h, a);
    }
    if (!is_final(h, c))
        history_fail(h, "a way out: nothing ends certificate %s, which is %s: %s", uuid_s(&c->id),
            certificate_state_word(c->state), h->w.plan.message);
}

void history_end(struct history *h)
{
    h->is_proper = true;
    history_wake(h, false);
    for (size_t i = 0; i < h->contract_count; i++)
        end_applications(h, h->contracts[i]->own);
    for (size_t i = 0; i < h->people_count && !h->failure[0]; i++) {
        struct aggregate *a = h->people[i];
        end_applications(h, a);
        end_lock(h, a);
        for (size_t k = 0; k < a->certificate_count && !h->failure[0]; k++)
            if (!is_final(h, a->certificates[k]))
                end_certificate(h, a, a->certificates[k]);
    }
}

/* Withdrawals, passwords, records, and the scan for what expires. */
#include "history.h"

#include "lifecycle/decide_correct.h"
#include "lifecycle/decide_password.h"
#include "lifecycle/decide_records.h"
#include "lifecycle/decide_withdraw.h"

static void describe(struct history *h, const char *kind, const json_t *args)
{
    AUTO_TEXT text = json_dumps(args, JSON_COMPACT);
    snprintf(h->what, sizeof h->what, "%s %s", kind, text);
    utf8_mend(h->what);
    h->request = 0;
    h->asked = NULL;
    h->was_right = false;
}

void ask_withdraw(struct history *h, struct aggregate *a)
{
    AUTO_TYPE(json, json_t) *args = json_pack("{s:o}", "subscriber", json_uuid(&a->subscriber.id));
    const char *reason = args_reason(h, &h->policy->withdraw.reasons);
    struct withdraw_request r;
    int result = 0;
    args_by(h, PROC_WITHDRAW, args);
    if (reason)
        args_put(args, "reason", json_string(reason));
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    describe(h, "withdraw", args);
    if (withdraw_read(&d, args, &r, &h->w.plan))
        result = decide_withdraw(&d, &r, h->policy, a, &h->w.plan, &h->w.err);
    history_apply(h, result);
}

/* --- passwords (D6, D7) --- */

void ask_password(struct history *h, struct aggregate *a, enum policy_procedure procedure)
{
    AUTO_TYPE(json, json_t) *args = json_pack("{s:o}", "subscriber", json_uuid(&a->subscriber.id));
    struct password_request r;
    int result = 0;
    args_by(h, procedure, args);
    if (procedure == PROC_PASSWORD_CHANGE)
        args_put(args, "old", json_string(PASSWORD_MARK "2"));
    if (procedure != PROC_PASSWORD_RESET)
        args_put(args, "new", json_string(PASSWORD_MARK "3"));
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    describe(h, policy_word(procedure, procedure), args);
    if (password_request_read(&d, h->w.set, procedure, args, &r, &h->w.plan)) {
        r.hash = procedure == PROC_PASSWORD_RESET ? NULL : "hash-mark";
        r.tried = a->subscriber.password;
        r.fits = r.tried && !history_errs(h, 40);
        result = decide_password(&d, &r, h->policy, a, &h->w.plan, &h->w.err);
    }
    password_request_clear(&r);
    history_apply(h, result);
}

/* --- records (D4, D5, D8) --- */

static void put_corrections(struct history *h, json_t *args)
{
    json_t *changes = json_object();
    for (size_t i = 0; i < h->policy->field_count; i++) {
        const struct policy_field *f = &h->policy->fields[i];
        const bool is_taken = f->change == EFFECT_CORRECTION || history_errs(h, 3);
        if (is_taken && f->place == PLACE_SUBSCRIBER && draw_chance(&h->random, 30))
            json_object_set_new(changes, f->path,
                draw_chance(&h->random, 20) ? json_null() : args_value(h, f, 1, true));
    }
    args_put(args, "changes", changes);
}

static int decide_correction(struct history *h, struct aggregate *a, const json_t *args)
{
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    struct correct_request r;
    int result = 0;
    if (correct_read(&d, h->w.set, args, &r, &h->w.plan))
        result = decide_correct(&d, &r, h->policy, a, &h->w.plan, &h->w.err);
    correct_request_clear(&r);
    return result;
}

static int decide_records(
    struct history *h, struct aggregate *a, enum policy_procedure procedure, const json_t *args)
{
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    struct records_request r;
    int result = 0;
    if (records_read(&d, h->w.set, args, &r, &h->w.plan))
        result = procedure == PROC_DISCLOSE
                     ? decide_disclose(&d, &r, h->policy, a, &h->w.plan, &h->w.err)
                     : decide_erasable(&d, &r, h->policy, a, &h->w.plan, &h->w.err);
    records_request_clear(&r);
    return result;
}

void ask_records(struct history *h, struct aggregate *a, enum policy_procedure procedure)
{
    AUTO_TYPE(json, json_t) *args = json_pack("{s:o}", "subscriber", json_uuid(&a->subscriber.id));
    args_by(h, procedure, args);
    if (procedure == PROC_CORRECT)
        put_corrections(h, args);
    describe(h, policy_word(procedure, procedure), args);
    history_apply(h, procedure == PROC_CORRECT ? decide_correction(h, a, args)
                                               : decide_records(h, a, procedure, args));
}

/* --- the scan (X3) --- */

static struct notice_facts facts_of(struct history *h, const struct aggregate *a,
    const struct certificate *c, json_t *profile, json_t *contacts)
{
    return (struct notice_facts){.policy = h->policy,
        .certificate = c->id,
        .subscriber = a->subscriber.id,
        .serial = {c->serial, c->serial_length},
        .not_after_ms = c->not_after_ms,
        .noticed_days = history_remember(h, c)->noticed_days,
        .is_valid = c->state == CERTIFICATE_VALID,
        .is_renewed = notice_is_renewed(h->policy, a, c),
        .is_withdrawn = a->subscriber.is_withdrawn,
        .language = a->subscriber.language,
        .profile = profile,
        .contacts = contacts};
}

static void write_notice(struct history *h, const struct certificate *c, const struct notice *n)
{
    for (size_t i = 0; i < h->notice_count; i++)
        if (uuid_equal(&h->notices[i].certificate, &c->id) && h->notices[i].days == n->days &&
            strcmp(h->notices[i].recipient, n->recipient) == 0)
            history_fail(h, "X3: a second notice at %d days of %s to %s", n->days, uuid_s(&c->id),
                n->recipient);
    h->notices = mem_resize(h->notices, h->notice_count + 1, sizeof *h->notices);
    struct history_notice *row = &h->notices[h->notice_count++];
    *row = (struct history_notice){.certificate = c->id, .days = n->days};
    snprintf(row->recipient, sizeof row->recipient, "%s", n->recipient);
}

static void notify(struct history *h, const struct decision *d, const struct aggregate *a,
    const struct certificate *c, int days)
{
    AUTO_TYPE(json, json_t) *profile = json_loads(a->subscriber.profile, 0, NULL);
    AUTO_TYPE(json, json_t) *state = a->contract ? contract_state(a->contract) : json_object();
    struct notice_facts f = facts_of(h, a, c, profile, json_object_get(state, "contacts"));
    struct notice notices[NOTICES_MOST];
    const size_t n = notice_decide(&f, days, notices);
    for (size_t i = 0; i < n; i++) {
        write_notice(h, c, &notices[i]);
        if (notices[i].reason != NOTICE_WANTED)
            continue;
        if (!f.is_valid || f.is_withdrawn || f.is_renewed || notices[i].days != days)
            history_fail(h, "X3: a notice about %s, which needs none", uuid_s(&c->id));
        plan_followup(&h->w.plan, KIND_MAIL, 5, 0, notice_mail(d, &f, &notices[i]));
    }
    history_remember(h, c)->noticed_days = days;
}

static void scan_band(struct history *h, const struct decision *d, const struct notice_band *band)
{
    const int64_t now_ms = d->now_ms / 1000 * 1000;
    const int64_t from_ms = band->from_ms < now_ms ? now_ms : band->from_ms;
    for (size_t i = 0; i < h->people_count; i++)
        for (size_t k = 0; k < h->people[i]->certificate_count; k++) {
            const struct certificate *c = h->people[i]->certificates[k];
            const bool is_issued = c->state == CERTIFICATE_VALID || c->state == CERTIFICATE_REVOKED;
            if (is_issued && history_remember(h, c)->noticed_days > band->days &&
                c->not_after_ms >= from_ms && c->not_after_ms < band->until_ms)
                notify(h, d, h->people[i], c, band->days);
        }
}

/* Of today mostly; sometimes as of another day. */
void ask_scan(struct history *h)
{
    const int off = draw_chance(&h->random, 80) ? 0 : (int)draw_below(&h->random, 61) - 30;
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    struct notice_band bands[POLICY_LIST_MOST];
    const size_t n = notice_bands(h->policy, h->w.now_ms + off * DAY_MS, bands);
    snprintf(h->what, sizeof h->what, "expiry-scan %+d", off);
    h->asked = NULL;
    for (size_t i = 0; i < n && h->policy->mails[MAIL_EXPIRY].count; i++)
        scan_band(h, &d, &bands[i]);
    plan_result(&h->w.plan, json_object());
    history_apply(h, 0);
}

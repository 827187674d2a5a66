#include "lifecycle/mail_facts.h"

#include "base/mem.h"
#include "lifecycle/decide_succession.h"
#include "lifecycle/people_words.h"

#include <stdio.h>
#include <string.h>

/* One mail to one recipient. */
struct letter {
    const struct decision *d;
    const struct mail_order *o;
    const struct policy_recipient *to;
    enum policy_language language;
    json_t *facts;
};

static void put(const struct letter *l, const char *name, const char *value)
{
    if (value && value[0])
        json_object_set_new(l->facts, name, json_string(value));
}

static void say(const struct letter *l, const char *name, bool is_so)
{
    put(l, name, is_so ? "yes" : NULL);
}

static const char *time_text(const struct letter *l, int64_t time_ms, char text[static 64])
{
    return l->d->ports->time_text(l->d->ports->arg, time_ms, l->o->policy->zone, l->language, text);
}

static void put_time(const struct letter *l, const char *name, int64_t time_ms)
{
    char text[64];
    if (time_ms)
        put(l, name, time_text(l, time_ms, text));
}

static void put_serial(const struct letter *l, const char *name, const struct certificate *c)
{
    if (c->serial_length)
        json_object_set_new(l->facts, name, json_serial(c));
}

/* --- to whom, about whom --- */

const struct contact *mail_contact(const struct mail_order *o, const struct policy_recipient *to)
{
    const struct contract *contract = o->aggregate->contract;
    const bool is_contact = to->party == PARTY_CONTACT || to->party == PARTY_REGISTERED ||
                            to->party == PARTY_TECHNICAL || to->party == PARTY_ADMINISTRATIVE;
    if (!contract || !is_contact)
        return NULL;
    const int role =
        to->party == PARTY_CONTACT ? (int)o->role : (int)(to->party - PARTY_REGISTERED);
    return contract->contacts[role].email ? &contract->contacts[role] : NULL;
}

static const char *own_value(const struct letter *l, const char *ja, const char *latin)
{
    const struct person *p = l->o->person;
    const char *value = p ? person_value(p, l->language == LANGUAGE_JA ? ja : latin) : NULL;
    return value || !p ? value : person_value(p, l->language == LANGUAGE_JA ? latin : ja);
}

/* A subscriber by name; an organisation as such; a contact by name and company. */
static void put_addressee(const struct letter *l)
{
    const char *organisation = own_value(l, "organisation.ja", "organisation.latin");
    const char *name = own_value(l, "name.ja", "name.latin");
    if (l->to->party == PARTY_SUBSCRIBER) {
        put(l, "organisation", organisation);
        put(l, "name", l->o->person ? person_name(l->o->person, l->language) : NULL);
        return;
    }
    const struct contact *contact = mail_contact(l->o, l->to);
    AUTO_TYPE(json, json_t) *profile =
        contact && contact->profile ? json_loads(contact->profile, 0, NULL) : NULL;
    const char *company = json_text_at(profile, "company");
    put(l, "organisation", company ? company : organisation);
    put(l, "name", json_text_at(profile, "name"));
    put(l, "about", name);
}

/* --- the certificate --- */

static void put_subject(const struct letter *l)
{
    if (l->o->person)
        put(l, "common_name", subject_common_name(l->o->policy, l->o->person));
}

static void put_certificate(const struct letter *l)
{
    const struct certificate *c = l->o->certificate;
    put_subject(l);
    put_serial(l, "serial", c);
    put_time(l, "not_before", c->not_before_ms);
    put_time(l, "not_after", c->not_after_ms);
    say(l, "keep_code",
        c->code_key[0] &&
            l->o->policy->credentials.needed[PROC_REISSUE] & POLICY_BIT(CREDENTIAL_CODE));
}

static const struct certificate *predecessor(const struct letter *l, struct succession *s)
{
    const struct mail_order *o = l->o;
    *s = (struct succession){.timing = TIMING_KEEP};
    if (!o->application || !succession_read(o->application, s) || uuid_is_zero(&s->revokes))
        return o->certificate ? aggregate_certificate(o->aggregate, &o->certificate->predecessor)
                              : NULL;
    return aggregate_certificate(o->aggregate, &s->revokes);
}

/* What has become or will become of the one that is replaced (B4, C5, D1). */
static void put_old(const struct letter *l)
{
    struct succession s;
    const struct certificate *old = predecessor(l, &s);
    if (!old)
        return;
    if (old->state == CERTIFICATE_REVOKED)
        put_time(l, "old_revoked_on", old->revoked_ms);
    else if (old->state != CERTIFICATE_VALID || certificate_is_expired(old, l->d->now_ms))
        return;
    else
        put_time(l, s.revoke_ms ? "old_revoke_at" : "old_not_after",
            s.revoke_ms ? s.revoke_ms : old->not_after_ms);
    put_serial(l, "old_serial", old);
}

/* The valid one that takes its place; else one under way; NULL: none. */
static const struct certificate *successor(const struct letter *l)
{
    const struct aggregate *a = l->o->aggregate;
    const struct certificate *under_way = NULL;
    for (size_t i = a->certificate_count; i-- > 0;) {
        const struct certificate *c = a->certificates[i];
        if (c == l->o->certificate)
            continue;
        if (c->state == CERTIFICATE_VALID && !certificate_is_expired(c, l->d->now_ms))
            return c;
        if (!under_way && (c->state == CERTIFICATE_AWAITING_RETRIEVAL ||
                              c->state == CERTIFICATE_AWAITING_APPROVAL))
            under_way = c;
    }
    return under_way;
}

static void put_new(const struct letter *l)
{
    const struct certificate *c = successor(l);
    if (!c || c->state != CERTIFICATE_VALID)
        return;
    put_serial(l, "new_serial", c);
    put_time(l, "new_not_after", c->not_after_ms);
}

/* --- terms --- */

static const char *length_text(
    struct length length, enum policy_language language, char text[static 64])
{
    static const char *const ja[] = {
        [LENGTH_DAYS] = "日間", [LENGTH_MONTHS] = "か月間", [LENGTH_YEARS] = "年間"};
    static const char *const en[] = {
        [LENGTH_DAYS] = " day", [LENGTH_MONTHS] = " month", [LENGTH_YEARS] = " year"};
    if (language == LANGUAGE_JA)
        snprintf(text, 64, "%d%s", length.count, ja[length.unit]);
    else
        snprintf(text, 64, "%d%s%s", length.count, en[length.unit], length.count == 1 ? "" : "s");
    return text;
}

static bool is_kind(const struct letter *l, const char *kind)
{
    return l->o->application && strcmp(l->o->application->kind, kind) == 0;
}

static void put_request(const struct letter *l)
{
    const struct application *a = l->o->application;
    put_time(l, "applied_on", a ? a->created_ms : l->d->now_ms);
    put(l, "reference", a ? uuid_s(&a->id) : NULL);
}

/* --- the occasions --- */

static void tell_code(const struct letter *l)
{
    const struct certificate *c = l->o->certificate;
    struct succession s;
    char text[64];
    const struct certificate *old = predecessor(l, &s);
    say(l, "resent", l->o->is_resent);
    put_subject(l);
    put_serial(l, "serial", c);
    if (c->not_after_ms)
        put_time(l, "not_after", c->not_after_ms);
    else if (l->o->person)
        put(l, "validity",
            length_text(*person_term(l->o->person, l->o->policy), l->language, text));
    say(l, uuid_is_zero(&c->predecessor) && !is_kind(l, KIND_WORD_REISSUE) ? "first" : "reissue",
        true);
    if (!old)
        return;
    const bool lives =
        old->state == CERTIFICATE_VALID && !certificate_is_expired(old, l->d->now_ms);
    if (old->state == CERTIFICATE_REVOKED)
        put_time(l, "old_revoked_on", old->revoked_ms);
    say(l, "revokes", lives && (s.timing == TIMING_ON_RETRIEVAL || s.timing == TIMING_IMMEDIATE));
    if (lives && s.timing == TIMING_DEFERRED)
        put(l, "revokes_after",
            length_text(
                (struct length){LENGTH_DAYS, l->o->policy->reissue.defer_days}, l->language, text));
    if (old->state == CERTIFICATE_REVOKED || (lives && s.timing != TIMING_KEEP))
        put_serial(l, "old_serial", old);
}

static void tell_issued(const struct letter *l)
{
    put_certificate(l);
    put_old(l);
}

static void tell_revoked(const struct letter *l)
{
    const struct certificate *c = l->o->certificate, *next = successor(l);
    const struct contract *contract = l->o->aggregate->contract;
    const bool has_ended = contract && contract->has_ended;
    put_certificate(l);
    put_time(l, "revoked_on", c->revoked_ms);
    put(l, "reason", people_reason(c->reason, l->language));
    put_new(l);
    say(l, "new_waiting",
        next && next->state == CERTIFICATE_AWAITING_RETRIEVAL && next->code_key[0]);
    say(l, "new_reviewed", next && next->state == CERTIFICATE_AWAITING_APPROVAL);
    say(l, "contract_ended", has_ended);
    say(l, "apply_again", !next && !has_ended && !l->o->aggregate->subscriber.is_withdrawn);
}

static void tell_accepted(const struct letter *l)
{
    put_certificate(l);
    say(l, "confirm", l->o->policy->revoke.confirm == CONFIRM_TELEPHONE);
}

static void tell_received(const struct letter *l)
{
    const bool withdraws = is_kind(l, "withdraw"), changes = is_kind(l, "change");
    const bool revokes = is_kind(l, "revoke");
    if (l->o->certificate)
        put_certificate(l);
    else
        put_subject(l);
    say(l, "withdrawal", withdraws);
    say(l, "change", changes);
    say(l, "revocation", revokes);
    say(l, "request", !withdraws && !changes && !revokes);
}

static void tell_rejected(const struct letter *l)
{
    const bool reissues = is_kind(l, KIND_WORD_REISSUE), withdraws = is_kind(l, "withdraw");
    const bool revokes = is_kind(l, "revoke");
    const bool renews = is_kind(l, "renew") || (is_kind(l, "issue") && l->o->certificate &&
                                                   !uuid_is_zero(&l->o->certificate->predecessor));
    put_subject(l);
    put(l, "note", l->o->note);
    say(l, "reissue", reissues);
    say(l, "withdrawal", withdraws);
    say(l, "revocation", revokes);
    say(l, "renewal", renews);
    say(l, "first", !reissues && !withdraws && !revokes && !renews);
    put_old(l);
}

/* Those this very job revoked. */
static void add_ended(const struct letter *l, const struct aggregate *a, json_t *list)
{
    char text[64];
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *c = a->certificates[i];
        if (!uuid_equal(&c->revoked_by, &l->d->job))
            continue;
        json_t *item = json_pack("{s:o, s:s}", "serial", json_serial(c), "revoked_on",
            time_text(l, c->revoked_ms, text));
        json_array_append_new(list, item);
    }
}

static void tell_withdrawn(const struct letter *l)
{
    const struct contract *contract = l->o->aggregate->contract;
    json_t *list = json_array();
    add_ended(l, l->o->aggregate, list);
    for (size_t i = 0; contract && i < contract->member_count; i++)
        if (contract->members[i] != l->o->aggregate)
            add_ended(l, contract->members[i], list);
    json_object_set_new(l->facts, "certificates", list);
    put_time(l, "completed_on", l->d->now_ms);
    say(l, "contract_ended", contract && contract->has_ended);
}

/* What was changed, without the values: a mail may go to an address that is no longer theirs. */
static void put_changes(const struct letter *l)
{
    json_t *list = json_array();
    const char *path;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)l->o->changed, path, value)
    {
        const char *whose = people_contact(path, l->language);
        const char *field = people_field(path, l->language);
        AUTO_TEXT label = !whose                       ? mem_text(field)
                          : l->language == LANGUAGE_JA ? mem_printf("%sの%s", whose, field)
                                                       : mem_printf("%s: %s", whose, field);
        json_array_append_new(list, json_pack("{s:s}", "label", label));
    }
    json_object_set_new(l->facts, "changes", list);
}

static void tell_changed(const struct letter *l)
{
    const struct certificate *c = l->o->certificate;
    const enum policy_effect effect = l->o->effect;
    const bool is_free = l->o->policy->change.effects[effect].charge == CHARGE_FREE;
    put_changes(l);
    put_time(l, "completed_on", l->d->now_ms);
    say(l, "to_old", l->to->when == WHEN_OLD);
    say(l, "reissue", effect == EFFECT_REISSUE);
    say(l, "new_application", effect == EFFECT_NEW_APPLICATION);
    say(l, "code_follows", effect != EFFECT_NEVER && l->o->policy->code.is_used);
    say(l, "free", effect == EFFECT_REISSUE && is_free);
    say(l, "charged", effect == EFFECT_NEW_APPLICATION && !is_free);
    if (c && c->state == CERTIFICATE_REVOKED) {
        put_serial(l, "old_serial", c);
        put_time(l, "old_revoked_on", c->revoked_ms);
    }
}

static void tell_change_rejected(const struct letter *l)
{
    put_changes(l);
    put(l, "note", l->o->note);
}

static void tell_account(const struct letter *l)
{
    say(l, "to_old", l->to->when == WHEN_OLD);
}

static void tell_email(const struct letter *l)
{
    say(l, "reissue", is_kind(l, KIND_WORD_REISSUE));
}

static void tell_reset(const struct letter *l)
{
    put_time(l, "reset_on", l->d->now_ms);
    say(l, "set_new", l->o->policy->password.reset_then_set);
}

static void tell_locked(const struct letter *l)
{
    static const char *const ways[UNLOCKS] = {
        [UNLOCK_NONE] = "ends", [UNLOCK_OPERATOR] = "operator", [UNLOCK_COUNTER] = "counter"};
    const struct subscriber *s = &l->o->aggregate->subscriber;
    char text[64];
    snprintf(text, sizeof text, l->language == LANGUAGE_JA ? "%u回" : "%u", s->failures);
    put(l, "tries", s->failures ? text : NULL);
    put_time(l, "locked_on", s->locked_ms);
    say(l, ways[l->o->policy->password.unlock], true);
}

/* The certificate is the predecessor, the application its successor's. */
static void tell_deferred(const struct letter *l)
{
    struct succession s;
    put_certificate(l);
    if (l->o->application && succession_read(l->o->application, &s))
        put_time(l, "revoke_at", s.revoke_ms);
    put_new(l);
}

static const struct {
    const char *template;
    void (*tell)(const struct letter *l);
} occasions[POLICY_MAIL_EVENTS] = {
    [MAIL_CODE] = {"certificate-code", tell_code},
    [MAIL_ISSUED] = {"certificate-issued", tell_issued},
    [MAIL_REISSUED] = {"certificate-reissued", tell_issued},
    [MAIL_RENEWED] = {"certificate-renewed", tell_issued},
    [MAIL_REVOKED] = {"certificate-revoked", tell_revoked},
    [MAIL_EXPIRY] = {"expiry-notice", NULL}, /* notice.c */
    [MAIL_EMAIL_CHANGED] = {"email-changed", tell_email},
    [MAIL_ACCOUNT_CHANGED] = {"account-changed", tell_account},
    [MAIL_CHANGE_COMPLETED] = {"change-completed", tell_changed},
    [MAIL_CHANGE_REJECTED] = {"change-rejected", tell_change_rejected},
    [MAIL_REQUEST_RECEIVED] = {"request-received", tell_received},
    [MAIL_REVOCATION_ACCEPTED] = {"revocation-accepted", tell_accepted},
    [MAIL_REJECTED] = {"application-rejected", tell_rejected},
    [MAIL_WITHDRAWN] = {"withdrawal-completed", tell_withdrawn},
    [MAIL_PASSWORD_RESET] = {"password-reset", tell_reset},
    [MAIL_LOCKED] = {"account-locked", tell_locked},
    [MAIL_DEFERRED_DUE] = {"deferred-due", tell_deferred},
};

/* A product may send `issued` for all three. */
static enum policy_mail occasion_of(const struct mail_order *o)
{
    if (o->event != MAIL_ISSUED || !o->application || !o->certificate)
        return o->event;
    if (strcmp(o->application->kind, KIND_WORD_REISSUE) == 0)
        return MAIL_REISSUED;
    return uuid_is_zero(&o->certificate->predecessor) ? MAIL_ISSUED : MAIL_RENEWED;
}

const char *mail_template(const struct mail_order *o)
{
    return occasions[occasion_of(o)].template;
}

json_t *mail_facts(const struct decision *d, const struct mail_order *o,
    const struct policy_recipient *to, enum policy_language language)
{
    const struct letter l = {d, o, to, language, json_object()};
    put(&l, "service", o->policy->service[language]);
    put_addressee(&l);
    put_request(&l);
    if (occasions[occasion_of(o)].tell)
        occasions[occasion_of(o)].tell(&l);
    return l.facts;
}

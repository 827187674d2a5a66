#include "lifecycle/decide_mail.h"

#include "base/job.h"
#include "base/mem.h"
#include "lifecycle/decide_succession.h"

#include <stdio.h>
#include <string.h>

static const char *const templates[POLICY_MAIL_EVENTS] = {
    [MAIL_CODE] = "certificate-code",
    [MAIL_ISSUED] = "certificate-issued",
    [MAIL_REISSUED] = "certificate-issued",
    [MAIL_EMAIL_CHANGED] = "email-changed",
    [MAIL_REVOKED] = "certificate-revoked",
};

static bool is_contact(enum policy_party party)
{
    return party == PARTY_CONTACT || party == PARTY_REGISTERED || party == PARTY_TECHNICAL ||
           party == PARTY_ADMINISTRATIVE;
}

/* NULL: the recipient is no contact, or the contract has none of that role. */
static const struct contact *contact_of(
    const struct mail_order *o, const struct policy_recipient *to)
{
    const struct contract *contract = o->aggregate->contract;
    if (!contract || !is_contact(to->party))
        return NULL;
    const int role =
        to->party == PARTY_CONTACT ? (int)o->role : (int)(to->party - PARTY_REGISTERED);
    return contract->contacts[role].email ? &contract->contacts[role] : NULL;
}

/* The address as it was given: letters may matter in a local part, whatever we look up by. */
static char *address_of(const struct mail_order *o, const struct policy_recipient *to)
{
    const struct person *p = to->when == WHEN_OLD && o->before ? o->before : o->person;
    const struct contact *contact = contact_of(o, to);
    const char *found = NULL;
    AUTO_TYPE(json, json_t) *account = NULL;
    if (to->party == PARTY_SUBSCRIBER && o->spares_subscriber)
        return NULL;
    if (to->when == WHEN_OLD && o->address_before &&
        (to->party == PARTY_CONTACT || to->party == PARTY_ACCOUNT)) {
        found = o->address_before;
    } else if (to->party == PARTY_SUBSCRIBER || to->party == PARTY_ORGANISATION) {
        found = p ? person_value(p, to->party == PARTY_SUBSCRIBER ? "email" : "organisation.email")
                  : NULL;
    } else if (contact) {
        found = contact->email;
    } else if (to->party == PARTY_ACCOUNT && o->aggregate->contract) {
        const char *text = o->aggregate->contract->account;
        account = text ? json_loads(text, 0, NULL) : NULL;
        found = json_text_at(account, "otp_email");
    }
    return found ? mem_text(found) : NULL;
}

static void put(json_t *facts, const char *name, const char *value)
{
    if (value && value[0])
        json_object_set_new(facts, name, json_string(value));
}

static void put_time(const struct decision *d, const struct mail_order *o,
    enum policy_language language, json_t *facts, const char *name, int64_t time_ms)
{
    char text[64];
    if (time_ms)
        put(facts, name,
            d->ports->time_text(d->ports->arg, time_ms, o->policy->zone, language, text));
}

/* "760日間", "1 year". */
static void put_term(const struct mail_order *o, enum policy_language language, json_t *facts)
{
    static const char *const ja[] = {
        [LENGTH_DAYS] = "日間", [LENGTH_MONTHS] = "か月間", [LENGTH_YEARS] = "年間"};
    static const char *const en[] = {
        [LENGTH_DAYS] = " day", [LENGTH_MONTHS] = " month", [LENGTH_YEARS] = " year"};
    const struct length *term = person_term(o->person, o->policy);
    char text[64];
    if (language == LANGUAGE_JA)
        snprintf(text, sizeof text, "%d%s", term->count, ja[term->unit]);
    else
        snprintf(
            text, sizeof text, "%d%s%s", term->count, en[term->unit], term->count == 1 ? "" : "s");
    put(facts, "validity", text);
}

static void put_certificate(const struct decision *d, const struct mail_order *o,
    enum policy_language language, json_t *facts)
{
    const struct certificate *c = o->certificate;
    if (o->event == MAIL_CODE) {
        if (c->not_after_ms)
            put_time(d, o, language, facts, "not_after", c->not_after_ms);
        else
            put_term(o, language, facts);
        return;
    }
    put(facts, "common_name", subject_common_name(o->policy, o->person));
    json_object_set_new(facts, "serial", json_serial(c));
    put_time(d, o, language, facts, "not_before", c->not_before_ms);
    put_time(d, o, language, facts, "not_after", c->not_after_ms);
    put_time(d, o, language, facts, "revoked_on", c->revoked_ms);
    if (c->code_key[0] && o->policy->credentials.needed[PROC_REISSUE] & POLICY_BIT(CREDENTIAL_CODE))
        put(facts, "keep_code", "yes");
}

/* What becomes of the certificate this one replaces (B4, C5). */
static void put_succession(const struct decision *d, const struct mail_order *o,
    enum policy_language language, json_t *facts)
{
    struct succession s;
    if (!succession_read(o->application, &s) || o->event == MAIL_REVOKED)
        return;
    const struct certificate *old = aggregate_certificate(o->aggregate, &s.revokes);
    bool is_later = s.timing == TIMING_ON_RETRIEVAL || s.timing == TIMING_IMMEDIATE;
    if (!old)
        return;
    if (o->event == MAIL_CODE)
        put(facts, "revokes", is_later ? "yes" : NULL);
    else if (uuid_equal(&old->revoked_by, &d->job))
        json_object_set_new(facts, "revoked_serial", json_serial(old));
    else if (old->state == CERTIFICATE_VALID)
        put_time(d, o, language, facts, "revoke_at", s.revoke_ms);
}

/* A renewal is an application that names what it renews; a code mail calls it a first one. */
static const char *origin_of(const struct mail_order *o)
{
    if (strcmp(o->application->kind, KIND_WORD_REISSUE) == 0)
        return "reissue";
    bool renews = o->event != MAIL_CODE && !uuid_is_zero(&o->certificate->predecessor);
    return renews ? "renewal" : "first";
}

static void put_name(const struct mail_order *o, const struct policy_recipient *to,
    enum policy_language language, json_t *facts)
{
    const struct contact *contact = contact_of(o, to);
    AUTO_TYPE(json, json_t) *profile =
        contact && contact->profile ? json_loads(contact->profile, 0, NULL) : NULL;
    const char *name = json_text_at(profile, "name");
    put(facts, "name", name ? name : o->person ? person_name(o->person, language) : NULL);
}

static json_t *facts_of(const struct decision *d, const struct mail_order *o,
    const struct policy_recipient *to, enum policy_language language)
{
    json_t *facts = json_object();
    const char *organisation =
        person_value(o->person, language == LANGUAGE_JA ? "organisation.ja" : "organisation.latin");
    put(facts, "service", o->policy->service[language]);
    put(facts, "organisation", organisation);
    put_name(o, to, language, facts);
    put_time(d, o, language, facts, "applied_on", o->application->created_ms);
    if (o->event == MAIL_EMAIL_CHANGED)
        return facts;
    if (!o->certificate)
        return facts;
    put(facts, origin_of(o), "yes");
    put_certificate(d, o, language, facts);
    put_succession(d, o, language, facts);
    return facts;
}

static json_t *args_of(const struct decision *d, const struct mail_order *o,
    const struct policy_recipient *to, const char *address)
{
    const enum policy_language language =
        policy_language_of(o->policy, o->aggregate->subscriber.language);
    json_t *args = json_object();
    json_object_set_new(args, "template", json_string(templates[o->event]));
    json_object_set_new(args, "recipient", json_string(address));
    json_object_set_new(args, "language", json_string(policy_word(language, language)));
    json_object_set_new(args, "subscriber", json_uuid(&o->aggregate->subscriber.id));
    if (o->certificate) {
        json_object_set_new(args, "certificate", json_uuid(&o->certificate->id));
        json_object_set_new(args, "generation", json_integer(o->certificate->code_generation));
    }
    json_object_set_new(args, "facts", facts_of(d, o, to, language));
    return args;
}

/* One person in two roles gets one mail; old and new are the same where something else changed. */
static bool is_repeat(
    const struct mail_order *o, const struct policy_recipients *to, size_t at, const char *address)
{
    for (size_t i = 0; i < at; i++) {
        AUTO_TEXT before = address_of(o, &to->items[i]);
        if (before && strcmp(before, address) == 0)
            return true;
    }
    return false;
}

enum policy_mail mail_of_issue(const struct policy *policy, const struct application *application)
{
    const enum policy_mail own = strcmp(application->kind, KIND_WORD_REISSUE) == 0 ? MAIL_REISSUED
                                 : strcmp(application->kind, "renew") == 0         ? MAIL_RENEWED
                                                                                   : MAIL_ISSUED;
    return policy->mails[own].count ? own : MAIL_ISSUED;
}

void mail_plan(const struct decision *d, const struct mail_order *o, struct plan *plan)
{
    const struct policy_recipients *to = &o->policy->mails[o->event];
    const int priority = o->priority ? o->priority : JOB_PRIORITY_DEFAULT;
    for (size_t i = 0; templates[o->event] && i < to->count; i++) {
        AUTO_TEXT address = address_of(o, &to->items[i]);
        if (address && !is_repeat(o, to, i, address))
            plan_followup(plan, KIND_MAIL, priority, 0, args_of(d, o, &to->items[i], address));
    }
}

#include "lifecycle/decide_mail.h"

#include "base/job.h"
#include "base/mem.h"
#include "lifecycle/decide_succession.h"
#include "lifecycle/mail_facts.h"

#include <string.h>

/*
 * The address recorded now, which a change may have replaced since the application was made; NULL:
 * the one of the application counts (B10), or the mail is about the change itself.
 */
static char *present_address(
    const struct mail_order *o, const struct policy_recipient *to, const char *path)
{
    const char *profile = o->aggregate->subscriber.profile;
    if (to->when != WHEN_CURRENT || o->policy->credentials.email != AGE_CURRENT || !profile)
        return NULL;
    /* Mostly it is what the person was made of: comparing texts costs less than parsing one. */
    const json_t *given = o->person ? o->person->profile : NULL;
    AUTO_TEXT given_text = given ? json_compact(given) : NULL;
    bool is_given = given && strcmp(given_text, profile) == 0;
    AUTO_TYPE(json, json_t) *present = is_given ? NULL : json_loads(profile, 0, NULL);
    const char *found = json_text_at(is_given ? given : present, path);
    return found && found[0] ? mem_text(found) : NULL;
}

/* The address as it was given: letters may matter in a local part, whatever we look up by. */
static char *address_of(const struct mail_order *o, const struct policy_recipient *to)
{
    const struct person *p = to->when == WHEN_OLD && o->before ? o->before : o->person;
    const struct contact *contact = mail_contact(o, to);
    const char *found = NULL;
    AUTO_TYPE(json, json_t) *account = NULL;
    if (to->party == PARTY_SUBSCRIBER && o->spares_subscriber)
        return NULL;
    if (to->when == WHEN_OLD && o->address_before &&
        (to->party == PARTY_CONTACT || to->party == PARTY_ACCOUNT)) {
        found = o->address_before;
    } else if (to->when == WHEN_NEW && o->address_after && to->party == PARTY_CONTACT) {
        found = o->address_after;
    } else if (to->party == PARTY_SUBSCRIBER || to->party == PARTY_ORGANISATION) {
        const char *path = to->party == PARTY_SUBSCRIBER ? "email" : "organisation.email";
        char *present = present_address(o, to, path);
        if (present)
            return present;
        found = p ? person_value(p, path) : NULL;
    } else if (contact) {
        found = contact->email;
    } else if (to->party == PARTY_ACCOUNT && o->aggregate->contract) {
        const char *text = o->aggregate->contract->account;
        account = text ? json_loads(text, 0, NULL) : NULL;
        found = json_text_at(account, "otp_email");
    }
    return found && found[0] ? mem_text(found) : NULL;
}

static json_t *args_of(const struct decision *d, const struct mail_order *o,
    const struct policy_recipient *to, const char *address)
{
    const enum policy_language language =
        policy_language_of(o->policy, o->aggregate->subscriber.language);
    json_t *args = json_object();
    json_object_set_new(args, "template", json_string(mail_template(o)));
    json_object_set_new(args, "recipient", json_string(address));
    json_object_set_new(args, "language", json_string(policy_word(language, language)));
    json_object_set_new(args, "subscriber", json_uuid(&o->aggregate->subscriber.id));
    if (o->certificate) {
        json_object_set_new(args, "certificate", json_uuid(&o->certificate->id));
        json_object_set_new(args, "generation", json_integer(o->certificate->code_generation));
    }
    json_object_set_new(args, "facts", mail_facts(d, o, to, language));
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

typedef struct uuid follow(
    struct plan *p, enum kind_id kind, int priority, int64_t run_at_ms, json_t *args);

static void plan_all(
    const struct decision *d, const struct mail_order *o, follow *follow_up, struct plan *plan)
{
    const struct policy_recipients *to = &o->policy->mails[o->event];
    const int priority = o->priority ? o->priority : JOB_PRIORITY_DEFAULT;
    for (size_t i = 0; i < to->count; i++) {
        AUTO_TEXT address = address_of(o, &to->items[i]);
        if (address && !is_repeat(o, to, i, address))
            follow_up(plan, KIND_MAIL, priority, 0, args_of(d, o, &to->items[i], address));
    }
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
    plan_all(d, o, plan_followup, plan);
}

void mail_plan_regardless(const struct decision *d, const struct mail_order *o, struct plan *plan)
{
    plan_all(d, o, plan_followup_regardless, plan);
}

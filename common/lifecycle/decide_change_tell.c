/* What is told of a change: in its result, in the audit, and to whom by mail (A3, A4, C2, C3). */
#include "base/mem.h"
#include "lifecycle/decide_change.h"
#include "lifecycle/decide_mail.h"
#include "lifecycle/decide_profile.h"

json_t *change_paths(const struct change_case *k)
{
    json_t *paths = json_array();
    const char *path;
    json_t *value;
    json_object_foreach(k->changes, path, value) json_array_append_new(paths, json_string(path));
    return paths;
}

/* role: of a contact, -1: any. */
static bool touches(const struct change_case *k, enum policy_place place, int role)
{
    const char *path;
    json_t *value;
    json_object_foreach(k->changes, path, value)
    {
        const struct policy_field *field = policy_field(k->policy, path);
        if (field && (int)field->place == (int)place && (role < 0 || (int)field->role == role))
            return true;
    }
    return false;
}

/* The last that fell with it; NULL: none. */
static const struct certificate *revoked_now(const struct change_case *k)
{
    for (size_t i = k->aggregate->certificate_count; i-- > 0;)
        if (uuid_equal(&k->aggregate->certificates[i]->revoked_by, &k->d->job))
            return k->aggregate->certificates[i];
    return NULL;
}

/* role: the contact concerned, -1: it is about no contact. */
static void mail(const struct change_case *k, enum policy_mail event, int role, const char *old,
    struct plan *plan)
{
    AUTO_TEXT path = mem_printf("contacts.%s.email", role < 0 ? "-" : policy_word(role, role));
    struct mail_order order = {.event = event,
        .policy = k->policy,
        .aggregate = k->aggregate,
        .application = k->application,
        .person = k->is_of_contract ? NULL : &k->after,
        .before = k->is_of_contract ? NULL : &k->before,
        .role = role < 0 ? ROLE_REGISTERED : (enum policy_role)role,
        .address_before = old,
        .address_after =
            event == MAIL_CHANGE_REJECTED ? json_text_at(k->after.profile, path) : NULL,
        .changed = k->changes,
        .certificate = revoked_now(k),
        .effect = k->led_to,
        .note = k->note};
    mail_plan(k->d, &order, plan);
}

/* C2: each contact concerned is told, at the old address and at the new one. */
void change_mail_contacts(const struct change_case *k, enum policy_mail event, struct plan *plan)
{
    for (int role = 0; role < ROLES; role++) {
        AUTO_TEXT path = mem_printf("contacts.%s.email", policy_word(role, role));
        if (touches(k, PLACE_CONTACT, role))
            mail(k, event, role, json_text_at(k->before.profile, path), plan);
    }
}

void change_mail_all(const struct change_case *k, struct plan *plan)
{
    if (touches(k, PLACE_SUBSCRIBER, -1))
        mail(k, MAIL_CHANGE_COMPLETED, -1, NULL, plan);
    change_mail_contacts(k, MAIL_CHANGE_COMPLETED, plan);
    if (touches(k, PLACE_ACCOUNT, -1))
        mail(k, MAIL_ACCOUNT_CHANGED, -1, json_text_at(k->before.profile, "account.otp_email"),
            plan);
    if (!k->is_of_contract && profile_differs(k->before.profile, k->after.profile, "email"))
        mail(k, MAIL_EMAIL_CHANGED, -1, NULL, plan);
}

void change_audit(const struct change_case *k, const char *event, struct plan *plan)
{
    const struct uuid *subject =
        k->is_of_contract ? &k->aggregate->contract->id : &k->aggregate->subscriber.id;
    plan_audit(plan, event, subject,
        json_pack("{s:o, s:o}", "application", json_uuid(&k->application->id), "changed",
            change_paths(k)));
}

void change_mail_rejected(const struct change_case *k, struct plan *plan)
{
    if (!k->is_of_contract)
        mail(k, MAIL_CHANGE_REJECTED, -1, NULL, plan);
    change_mail_contacts(k, MAIL_CHANGE_REJECTED, plan);
}

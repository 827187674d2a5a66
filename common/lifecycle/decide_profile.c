#include "lifecycle/decide_profile.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define SUBSCRIBER "subscriber."

json_t *profile_merge(const json_t *profile, const json_t *changes)
{
    json_t *merged = json_deep_copy(profile);
    const char *path;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)changes, path, value)
        json_put(merged, path, json_deep_copy(value));
    return merged;
}

/* --- checking --- */

void profile_bad_fields(const json_t *fields, struct plan *plan)
{
    const char *path;
    json_t *message;
    json_object_foreach((json_t *)(uintptr_t)fields, path, message)
    {
        const size_t n = strlen(SUBSCRIBER);
        bool is_field = strncmp(path, SUBSCRIBER, n) == 0;
        AUTO_TEXT key = mem_printf("%s%s", is_field ? "changes." : "", path + (is_field ? n : 0));
        plan_bad_field(plan, key, "%s", json_string_value(message));
    }
}

bool profile_check(const struct decision *d, const struct policy *policy,
    const struct person *after, struct plan *plan)
{
    AUTO_TYPE(json, json_t) *fields = json_object();
    AUTO_TYPE(json, json_t) *whole = json_pack("{s:O}", "subscriber", after->profile);
    const json_t *dns = json_object_get(after->request, "dns");
    if (dns)
        json_object_set(whole, "dns", (json_t *)(uintptr_t)dns);
    if (!policy_check_fields(policy, whole, fields))
        profile_bad_fields(fields, plan);
    else
        subject_check(d, policy, after, plan);
    return !plan->refused;
}

/* --- what tells subscribers apart --- */

static char *unit_key_of(const struct policy *policy, const struct person *p)
{
    AUTO_BUF key = {0};
    for (size_t i = 0; i < policy->unit.subscriber_count; i++) {
        const char *path = policy->unit.subscriber[i];
        const char *value = person_value(p, path);
        AUTO_TEXT folded = value && strcmp(path, "email") == 0 ? email_fold(value) : NULL;
        if (i)
            buf_add_char(&key, '\n');
        buf_add_text(&key, folded ? folded : value ? value : "");
    }
    return buf_take_text(&key);
}

static bool unit_has(const struct policy *policy, const char *path)
{
    for (size_t i = 0; i < policy->unit.subscriber_count; i++)
        if (strcmp(policy->unit.subscriber[i], path) == 0)
            return true;
    return false;
}

int profile_check_unit(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, const struct person *after, char **ret_key, struct plan *plan,
    struct err *err)
{
    AUTO_TEXT key = unit_key_of(policy, after);
    bool is_taken = false;
    *ret_key = NULL;
    if (strcmp(key, a->subscriber.unit_key) == 0)
        return 0;
    if (strlen(key) > UNIT_KEY_MOST) {
        plan_bad_field(
            plan, "changes", "what tells subscribers apart is longer than %d bytes", UNIT_KEY_MOST);
        return 0;
    }
    if (d->ports->unit_is_taken(d->ports->arg, policy->name, key, &is_taken, err))
        return -1;
    if (is_taken)
        plan_bad_field(plan, unit_has(policy, "email") ? "changes.email" : "changes",
            "is another subscriber's already");
    else
        *ret_key = TAKE(key);
    return 0;
}

/* --- writing --- */

void profile_set(
    const struct policy *policy, struct aggregate *a, const json_t *profile, char **unit_key)
{
    struct subscriber *s = &a->subscriber;
    const char *email = json_text_at(profile, "email");
    profile_keep(a);
    free(s->profile);
    s->profile = json_compact(profile);
    AUTO_TEXT folded = email ? email_fold(email) : NULL;
    if (s->email && (!folded || strcmp(folded, s->email) != 0) &&
        policy->credentials.email == AGE_OF_CERTIFICATE)
        text_set(&s->former_email, s->email);
    free(s->email);
    s->email = TAKE(folded);
    text_set(&s->user_id, json_text_at(profile, "user_id"));
    snprintf(s->language, sizeof s->language, "%s",
        policy_word(language, policy_language_of(policy, json_text_at(profile, "language"))));
    if (*unit_key) {
        free(s->unit_key);
        s->unit_key = TAKE(*unit_key);
    }
    row_touch(&s->row);
}

bool profile_differs(const json_t *before, const json_t *after, const char *path)
{
    const json_t *old = json_at(before, path), *new = json_at(after, path);
    const bool had = old && !json_is_null(old), has = new && !json_is_null(new);
    return had != has || (has && !json_equal(old, new));
}

#include "lifecycle/decide_reissue_form.h"

#include "base/mem.h"

#include <string.h>

#define SUBSCRIBER "subscriber."

/* --- checking --- */

static void add_bad(const json_t *fields, struct plan *plan)
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

static void check_places(const struct reissue_case *k, struct plan *plan)
{
    const char *path;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)k->r->changes, path, value)
    {
        const struct policy_field *field = policy_field(k->policy, path);
        AUTO_TEXT key = mem_printf("changes.%s", path);
        if (field && field->place != PLACE_SUBSCRIBER)
            plan_bad_field(plan, key, "cannot be changed with a reissue");
    }
}

/* B6: what is bad in the changes, and what is missing with them, all at once. */
static void check_changes(struct reissue_case *k, struct plan *plan)
{
    AUTO_TYPE(json, json_t) *fields = json_object();
    if (!policy_check_changes(k->policy, PROC_REISSUE, k->r->changes, fields))
        add_bad(fields, plan);
    else
        check_places(k, plan);
    if (plan->refused)
        return;
    AUTO_TYPE(json, json_t) *whole = json_pack("{s:O}", "subscriber", k->after.profile);
    const json_t *dns = json_object_get(k->after.request, "dns");
    if (dns)
        json_object_set(whole, "dns", (json_t *)(uintptr_t)dns);
    if (!policy_check_fields(k->policy, whole, fields))
        add_bad(fields, plan);
    else
        subject_check(k->d, k->policy, &k->after, plan);
}

/* --- merging --- */

static json_t *with_changes(const json_t *profile, const json_t *changes)
{
    json_t *merged = json_deep_copy(profile);
    const char *path;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)changes, path, value)
        json_put(merged, path, json_deep_copy(value));
    return merged;
}

/* What the old application asked for beyond the profile, and the terms of this one. */
static json_t *request_of(const struct person *before, const struct succession *terms)
{
    static const char *const kept[] = {"term", "dns"};
    json_t *request = json_object();
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++) {
        json_t *value = json_object_get(before->request, kept[i]);
        if (value)
            json_object_set(request, kept[i], value);
    }
    json_object_set_new(request, "reissue", succession_json(terms));
    return request;
}

/* --- what tells subscribers apart may be among the changes --- */

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

static int check_unit(struct reissue_case *k, struct plan *plan, struct err *err)
{
    AUTO_TEXT key = unit_key_of(k->policy, &k->after);
    bool is_taken = false;
    if (strcmp(key, k->aggregate->subscriber.unit_key) == 0)
        return 0;
    if (strlen(key) > UNIT_KEY_MOST) {
        plan_bad_field(
            plan, "changes", "what tells subscribers apart is longer than %d bytes", UNIT_KEY_MOST);
        return 0;
    }
    if (k->d->ports->unit_is_taken(k->d->ports->arg, k->policy->name, key, &is_taken, err))
        return -1;
    if (is_taken)
        plan_bad_field(plan, form_changes_email(k) ? "changes.email" : "changes",
            "is another subscriber's already");
    else
        k->unit_key = TAKE(key);
    return 0;
}

int form_fill(
    struct reissue_case *k, const struct succession *terms, struct plan *plan, struct err *err)
{
    const struct certificate *c = k->certificate;
    const struct application *a = aggregate_application(k->aggregate, &c->application);
    if (!a)
        return err_set(
            err, ERR_TEMPORARY, "damaged", "certificate %s has no application", uuid_s(&c->id));
    if (person_of_rows(k->aggregate, a, &k->before, err))
        return -1;
    memcpy(k->after.id, k->before.id, sizeof k->after.id);
    k->after.profile = with_changes(k->before.profile, k->r->changes);
    k->after.request = request_of(&k->before, terms);
    if (!k->r->changes)
        return 0;
    check_changes(k, plan);
    return plan->refused ? 0 : check_unit(k, plan, err);
}

/* --- writing --- */

static void update_subscriber(struct reissue_case *k, const json_t *profile)
{
    struct subscriber *s = &k->aggregate->subscriber;
    const char *email = json_text_at(profile, "email");
    profile_keep(k->aggregate);
    free(s->profile);
    s->profile = json_dumps(profile, JSON_COMPACT);
    free(s->email);
    s->email = email ? email_fold(email) : NULL;
    if (k->unit_key) {
        free(s->unit_key);
        s->unit_key = TAKE(k->unit_key);
    }
    row_touch(&s->row);
}

void form_apply(struct reissue_case *k)
{
    AUTO_TYPE(json, json_t) *present = json_loads(k->aggregate->subscriber.profile, 0, NULL);
    AUTO_TYPE(json, json_t) *profile =
        with_changes(present ? present : k->before.profile, k->r->changes);
    if (k->r->changes)
        update_subscriber(k, profile);
    if (!json_equal(profile, k->after.profile)) /* of an older application (B7) */
        json_object_set(k->after.request, "subscriber", k->after.profile);
}

bool form_changes_email(const struct reissue_case *k)
{
    const char *before = json_text_at(k->before.profile, "email");
    const char *after = json_text_at(k->after.profile, "email");
    return k->r->changes && after && (!before || strcmp(before, after) != 0);
}

json_t *form_changed(const struct reissue_case *k)
{
    json_t *paths = json_array();
    const char *path;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)k->r->changes, path, value)
        json_array_append_new(paths, json_string(path));
    return paths;
}

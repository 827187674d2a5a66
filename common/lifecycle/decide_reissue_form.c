#include "lifecycle/decide_reissue_form.h"

#include "base/mem.h"
#include "lifecycle/decide_profile.h"
#include "lifecycle/decide_successor.h"

#include <string.h>

/* --- checking --- */

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
        profile_bad_fields(fields, plan);
    else
        check_places(k, plan);
    if (!plan->refused)
        profile_check(k->d, k->policy, &k->after, plan);
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
    k->after.profile = profile_merge(k->before.profile, k->r->changes);
    k->after.request = successor_request(k->before.request, terms);
    if (!k->r->changes)
        return 0;
    check_changes(k, plan);
    return plan->refused ? 0
                         : profile_check_unit(
                               k->d, k->policy, k->aggregate, &k->after, &k->unit_key, plan, err);
}

/* --- writing --- */

void form_apply(struct reissue_case *k)
{
    AUTO_TYPE(json, json_t) *present = json_loads(k->aggregate->subscriber.profile, 0, NULL);
    AUTO_TYPE(json, json_t) *profile =
        profile_merge(present ? present : k->before.profile, k->r->changes);
    if (k->r->changes)
        profile_set(k->policy, k->aggregate, profile, &k->unit_key);
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

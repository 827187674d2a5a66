#include "lifecycle/decide_whom.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

#define PREFIX "subscriber."

static const char *name_of(const struct policy *policy, size_t i)
{
    const struct policy_field *field = policy_field(policy, policy->unit.subscriber[i]);
    return field && field->place == PLACE_SUBSCRIBER ? field->path : NULL;
}

/* How many members of the object are names of the unit; each must be one. */
static size_t count_members(const json_t *names)
{
    size_t n = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)names, key, value) n +=
        json_is_object(value) ? count_members(value) : 1;
    return n;
}

/* One value a line, as `issue` makes the key (no field holds a line break). */
static void add_name(const struct whom *w, const char *path, struct buf *key, struct plan *plan)
{
    AUTO_TEXT at = mem_printf(PREFIX "%s", path);
    const json_t *value = json_at(w->names, path);
    AUTO_BUF message = {0};
    if (!policy_check_value(policy_field(w->policy, path), value, &message)) {
        plan_bad_field(plan, at, "%s", buf_text(&message));
        return;
    }
    const char *text = json_string_value(value);
    AUTO_TEXT folded = text && strcmp(path, "email") == 0 ? email_fold(text) : NULL;
    buf_add_text(key, folded ? folded : text ? text : "");
}

static void read_names(struct whom *w, struct plan *plan)
{
    AUTO_BUF key = {0};
    const size_t n = w->policy->unit.subscriber_count;
    for (size_t i = 0; i < n; i++) {
        const char *path = name_of(w->policy, i);
        if (!path) {
            plan_bad_field(
                plan, "subscriber", "subscribers of %s are named by their id", w->policy->name);
            return;
        }
        if (i)
            buf_add_char(&key, '\n');
        add_name(w, path, &key, plan);
    }
    if (!plan->refused && count_members(w->names) != n)
        plan_bad_field(plan, "subscriber", "holds what tells subscribers apart, and nothing else");
    w->unit_key = buf_take_text(&key);
}

static void read_product(
    const struct policy_set *policies, const json_t *args, struct whom *w, struct plan *plan)
{
    const char *product = args_text(args, "product", POLICY_NAME_MOST, plan);
    if (!product && !plan->refused)
        plan_bad_field(plan, "product", "is missing: whose subscriber is it?");
    if (product && !(w->policy = policy_set_find(policies, product)))
        plan_bad_field(plan, "product", "there is no product \"%s\"", product);
}

bool whom_read(
    const struct policy_set *policies, const json_t *args, struct whom *ret, struct plan *plan)
{
    const json_t *given = json_object_get(args, "subscriber");
    const json_t *product = json_object_get(args, "product");
    *ret = (struct whom){0};
    if (!given || json_is_null(given)) {
        plan_bad_field(plan, "subscriber", "is missing: an id, or what tells subscribers apart");
        return false;
    }
    if (!json_is_object(given)) {
        ret->has_id = args_uuid(args, "subscriber", &ret->id, plan);
        if (product && !json_is_null(product))
            plan_bad_field(plan, "product", "goes with a subscriber's names, not with an id");
        return !plan->refused;
    }
    ret->names = given;
    read_product(policies, args, ret, plan);
    if (ret->policy)
        read_names(ret, plan);
    return !plan->refused;
}

void whom_clear(struct whom *w)
{
    free(w->unit_key);
    w->unit_key = NULL;
}

void whom_refuse(const struct whom *w, struct plan *plan)
{
    if (w->has_id)
        plan_refuse(plan, "not-found", "there is no subscriber %s", uuid_s(&w->id));
    else
        plan_refuse(plan, "not-found", "%s has no such subscriber", w->policy->name);
}

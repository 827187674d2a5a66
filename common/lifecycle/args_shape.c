#include "lifecycle/args_shape.h"

#include "base/mem.h"
#include "lifecycle/policy_read.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MOST 4 /* of objects in changes and in a subscriber */
#define COUNT_MOST 99999

/* --- the term --- */

static json_t *term_text(json_int_t count, const char *unit)
{
    AUTO_TEXT text = mem_printf("%" JSON_INTEGER_FORMAT " %s", count, unit);
    return json_string(text);
}

/* {"months": 12}; NULL: something else. */
static json_t *term_of_object(const json_t *term)
{
    static const char *const units[] = {"days", "months", "years"};
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        const json_t *count = json_object_get(term, units[i]);
        if (json_is_integer(count) && json_object_size(term) == 1)
            return term_text(json_integer_value(count), units[i]);
    }
    return NULL;
}

/* ISO 8601's P1Y, P6M, P760D; NULL: something else. */
static json_t *term_of_text(const char *text)
{
    int count = 0, end = 0;
    char unit = 0;
    if (sscanf(text, "P%5d%c%n", &count, &unit, &end) != 2 || text[end] || count < 1)
        return NULL;
    return unit == 'Y'   ? term_text(count, "years")
           : unit == 'M' ? term_text(count, "months")
           : unit == 'D' ? term_text(count, "days")
                         : NULL;
}

static void shape_term(json_t *args)
{
    const json_t *term = json_object_get(args, "term");
    json_int_t months = json_integer_value(term);
    json_t *text = NULL;
    if (json_is_integer(term) && months > 0 && months <= COUNT_MOST)
        text = term_text(months, "months");
    else if (json_is_object(term))
        text = term_of_object(term);
    else if (json_is_string(term))
        text = term_of_text(json_string_value(term));
    if (text)
        json_object_set_new(args, "term", text);
}

/* --- changes --- */

static void flatten(const json_t *object, const char *path, int depth, json_t *ret)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        AUTO_TEXT at = mem_printf("%s%s%s", path, *path ? "." : "", name);
        if (json_object_size(value) && depth < DEPTH_MOST)
            flatten(value, at, depth + 1, ret);
        else
            json_object_set(ret, at, value);
    }
}

static bool has_objects(const json_t *changes)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)changes, name, value)
    {
        if (json_is_object(value))
            return true;
    }
    return false;
}

void args_shape(json_t *args)
{
    const json_t *changes = json_object_get(args, "changes");
    shape_term(args);
    if (!has_objects(changes))
        return;
    json_t *flat = json_object();
    flatten(changes, "", 0, flat);
    json_object_set_new(args, "changes", flat);
}

/* --- fields of other products --- */

static bool is_foreign(const struct policy *policy, const char *path)
{
    return !policy_field(policy, path) && strncmp(path, "attributes.", 11) != 0 &&
           policy_field_is_known(path);
}

/* `path`: where `object` stands as a field's path; `prefix` what stands before it in args. */
static void drop_foreign(const struct policy *policy, json_t *object, const char *prefix,
    const char *path, int depth, json_t *ret_ignored)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, name, value)
    {
        AUTO_TEXT at = mem_printf("%s%s%s", path, *path ? "." : "", name);
        bool is_dropped = !strchr(name, '.') && is_foreign(policy, at);
        if (is_dropped) {
            AUTO_TEXT whole = mem_printf("%s%s", prefix, at);
            json_array_append_new(ret_ignored, json_string(whole));
        } else if (json_object_size(value) && depth < DEPTH_MOST) {
            drop_foreign(policy, value, prefix, at, depth + 1, ret_ignored);
            is_dropped = !json_object_size(value);
        }
        if (is_dropped)
            json_object_del(object, name);
    }
}

/* `path` is where `object` stands as a field's path, with a dot behind; as it was afterwards. */
static bool has_foreign(
    const struct policy *policy, const json_t *object, struct buf *path, int depth)
{
    const size_t mark = path->length;
    const char *name;
    json_t *value;
    bool has = false;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        buf_add_text(path, name);
        has = !strchr(name, '.') && is_foreign(policy, buf_text(path));
        if (!has && json_object_size(value) && depth < DEPTH_MOST) {
            buf_add_char(path, '.');
            has = has_foreign(policy, value, path, depth + 1);
        }
        buf_cut(path, mark);
        if (has)
            break;
    }
    return has;
}

json_t *args_own_fields(const struct policy *policy, const json_t *args, json_t *ret_ignored)
{
    AUTO_BUF path = {0};
    bool has = has_foreign(policy, json_object_get(args, "subscriber"), &path, 0);
    buf_add_text(&path, "contacts.");
    if (!has && !has_foreign(policy, json_at(args, "contract.contacts"), &path, 0))
        return json_incref((json_t *)(uintptr_t)args); /* as mostly: nothing to leave out */
    json_t *own = json_deep_copy(args), *contract = json_object_get(own, "contract");
    drop_foreign(policy, json_object_get(own, "subscriber"), "subscriber.", "", 0, ret_ignored);
    drop_foreign(
        policy, json_object_get(contract, "contacts"), "contract.", "contacts", 0, ret_ignored);
    return own;
}

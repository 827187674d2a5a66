/* The keys of one item of `schedules`. */
#include "config/config_table.h"

#include "base/json.h"
#include "base/kind.h"
#include "base/mem.h"

#include <string.h>

/* --- args: YAML as JSON --- */

static json_t *json_of(const struct yaml_node *node);

/* In quotes it is a text; plain, a whole number, true and false are what they look like. */
static json_t *json_of_text(const struct yaml_node *node)
{
    int64_t n;
    bool flag;
    struct err ignored = {0};
    if (!node->is_quoted && bind_int(node, INT32_MIN, INT32_MAX, &n, &ignored) == 0)
        return json_integer(n);
    if (!node->is_quoted && bind_bool(node, &flag, &ignored) == 0)
        return json_boolean(flag);
    return json_string(node->text);
}

static json_t *json_of_children(const struct yaml_node *node)
{
    json_t *all = node->type == YAML_MAP ? json_object() : json_array();
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        if (node->type == YAML_MAP)
            json_object_set_new(all, c->key, json_of(c));
        else
            json_array_append_new(all, json_of(c));
    }
    return all;
}

static json_t *json_of(const struct yaml_node *node)
{
    switch (node->type) {
    case YAML_TEXT:
        return json_of_text(node);
    case YAML_MAP:
    case YAML_LIST:
        return json_of_children(node);
    case YAML_NULL:
        break;
    }
    return json_null();
}

static int read_args(const struct yaml_node *node, void *to, struct err *err)
{
    AUTO_BUF text = {0};
    if (bind_expect(node, YAML_MAP, err))
        return -1;
    AUTO_TYPE(json, json_t) *args = json_of(node);
    json_write(args, &text);
    free(*(char **)to);
    *(char **)to = buf_take_text(&text);
    return 0;
}

/* --- the others --- */

/* HH:MM as the minute of the day. */
static int read_daily(const struct yaml_node *node, void *to, struct err *err)
{
    const char *text;
    if (bind_text(node, &text, err))
        return -1;
    const bool is_time = strlen(text) == 5 && strspn(text, "0123456789") == 2 && text[2] == ':' &&
                         strspn(text + 3, "0123456789") == 2;
    const int hour = is_time ? (text[0] - '0') * 10 + text[1] - '0' : 24;
    const int minute = is_time ? (text[3] - '0') * 10 + text[4] - '0' : 60;
    if (hour > 23 || minute > 59)
        return yaml_error(node, err, "a time of day is wanted, 00:00 to 23:59");
    *(int *)to = hour * 60 + minute;
    return 0;
}

/* Durable and for clients: what is not has nobody to answer to. */
static int read_kind(const struct yaml_node *node, void *to, struct err *err)
{
    const char *text;
    const char *words[KINDS + 1] = {NULL};
    for (int i = 0, n = 0; i < KINDS; i++)
        if (kind_of((enum kind_id)i)->durable && !kind_of((enum kind_id)i)->internal)
            words[n++] = kind_name((enum kind_id)i);
    if (bind_text(node, &text, err))
        return -1;
    const struct kind *kind = kind_find(text, strlen(text));
    if (!kind || !kind->durable || kind->internal)
        return bind_unknown(node, "kind that can be scheduled", text, words, err);
    free(*(char **)to);
    *(char **)to = mem_text(text);
    return 0;
}

#define IN(member) offsetof(struct config_schedule, member)
const struct bind_key config_schedule_keys[] = {
    {"name", BIND_TEXT, .is_required = true, .offset = IN(name), .least = 1, .most = 64},
    {"kind", BIND_CALL, .is_required = true, .offset = IN(kind), .call = read_kind},
    {"args", BIND_CALL, .offset = IN(args), .call = read_args},
    {"daily", BIND_CALL, .offset = IN(minute), .call = read_daily},
    {"every", BIND_MS, .offset = IN(every_ms), .least = 1000, .most = INT64_C(86400000)},
    {"zone", BIND_TEXT, .offset = IN(zone), .least = 1, .most = 64},
    {.name = NULL},
};

void config_schedule_prepare(void *item)
{
    struct config_schedule *s = item;
    s->minute = -1;
    s->args = mem_text("{}");
    s->zone = mem_text("Asia/Tokyo");
}

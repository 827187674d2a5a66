#include "table.h"

#include "base/clock.h"
#include "people.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MOST 16

struct writer {
    const char *zone;
    struct buf *to;
};

static void write_members(
    const struct writer *w, const json_t *object, const char *prefix, int depth);

/* A text of several lines (PEM) stands alone, unindented, so that it can be copied. */
static void write_text(const struct writer *w, const char *text)
{
    int64_t ms;
    size_t length = strlen(text);
    char mark[8];
    if (length >= 20 && clock_parse(text, length, &ms)) {
        people_time(ms, w->zone, w->to);
        buf_printf(w->to, " %s", people_zone_mark(w->zone, mark));
    } else if (strchr(text, '\n')) {
        for (const char *line = text; *line;) {
            size_t n = strcspn(line, "\n");
            char *copy = strndup(line, n);
            buf_add_char(w->to, '\n');
            if (copy)
                people_text(copy, w->to);
            free(copy);
            line += n + (line[n] == '\n');
        }
    } else {
        people_text(text, w->to);
    }
}

static void write_scalar(const struct writer *w, const json_t *value)
{
    if (json_is_string(value))
        write_text(w, json_string_value(value));
    else if (json_is_boolean(value))
        buf_add_text(w->to, json_is_true(value) ? "yes" : "no");
    else if (json_is_null(value))
        buf_add_char(w->to, '-');
    else
        json_write(value, w->to);
}

static bool holds_objects(const json_t *list)
{
    return json_is_object(json_array_get(list, 0)) || json_is_array(json_array_get(list, 0));
}

static void write_list(const struct writer *w, const json_t *list, int depth)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (holds_objects(list)) {
            buf_printf(w->to, "\n%*s-\n", depth * 2, "");
            write_members(w, item, "", depth + 1);
            if (w->to->length && w->to->data[w->to->length - 1] == '\n')
                w->to->length--; /* the caller ends the line */
        } else {
            buf_add_text(w->to, i ? ", " : "");
            write_scalar(w, item);
        }
    }
    buf_add(w->to, "", 0);
    if (!json_array_size(list))
        buf_add_text(w->to, "none");
}

static void write_member(
    const struct writer *w, const char *name, const json_t *value, const char *prefix, int depth)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s", prefix, name);
    if (json_is_object(value) && depth < DEPTH_MOST) {
        size_t n = strlen(path);
        snprintf(path + n, sizeof path - n, ".");
        write_members(w, value, path, depth);
        return;
    }
    buf_printf(w->to, "%*s", depth * 2, "");
    people_text(path, w->to);
    const char *text = json_string_value(value);
    bool goes_on_below = holds_objects(value) || (text && strchr(text, '\n'));
    buf_add_text(w->to, goes_on_below ? ":" : ": ");
    if (json_is_array(value) && depth < DEPTH_MOST)
        write_list(w, value, depth + 1);
    else
        write_scalar(w, value);
    buf_add_char(w->to, '\n');
}

static void write_members(
    const struct writer *w, const json_t *object, const char *prefix, int depth)
{
    void *at = json_object_iter((json_t *)(uintptr_t)object);
    for (; at; at = json_object_iter_next((json_t *)(uintptr_t)object, at))
        write_member(w, json_object_iter_key(at), json_object_iter_value(at), prefix, depth);
}

void record_write(const json_t *object, const char *zone, struct buf *ret)
{
    struct writer w = {zone, ret};
    write_members(&w, object, "", 0);
}

void record_print(const struct cli *cli, const json_t *object, const char *zone)
{
    if (cli->json) {
        cli_line(object);
        return;
    }
    AUTO_BUF text = {0};
    record_write(object, zone, &text);
    fputs(buf_text(&text), stdout);
}

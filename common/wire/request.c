#include "base/clock.h"
#include "base/json.h"
#include "wire/client.h"

#include <string.h>

#define FRAME_MOST 1024 /* bytes of a body beyond its args */
#define SCAN_MOST 4096  /* how far into a body that is no JSON its id is looked for */

/*
 * Finds the bytes of a member of the outermost object without building anything. Trusts nothing:
 * the text may be no JSON at all. A key written with escapes is not found.
 */
struct scan {
    const uint8_t *at, *end;
};

static void scan_space(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

/* Past the string that begins at `at`; false when it does not end. */
static bool scan_string(struct scan *s)
{
    bool escaped = false;
    while (++s->at < s->end) {
        if (*s->at == '"' && !escaped) {
            s->at++;
            return true;
        }
        escaped = *s->at == '\\' && !escaped;
    }
    return false;
}

/* Past a value: to the comma or brace that ends it on its own level. */
static bool scan_value(struct scan *s)
{
    size_t depth = 0;
    while (s->at < s->end) {
        uint8_t c = *s->at;
        if (c == '"') {
            if (!scan_string(s))
                return false;
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}'))
            return true;
        if (c == '{' || c == '[')
            depth++;
        if ((c == '}' || c == ']') && depth-- == 0)
            return false;
        s->at++;
    }
    return false;
}

static bool scan_member(struct bytes text, const char *name, struct bytes *ret)
{
    struct scan s = {text.data, text.data + text.length};
    scan_space(&s);
    if (s.at >= s.end || *s.at++ != '{')
        return false;
    for (;;) {
        scan_space(&s);
        const uint8_t *key = s.at + 1;
        if (s.at >= s.end || *s.at != '"' || !scan_string(&s))
            return false;
        bool found =
            bytes_equal((struct bytes){key, (size_t)(s.at - 1 - key)}, bytes_of_text(name));
        scan_space(&s);
        if (s.at >= s.end || *s.at++ != ':')
            return false;
        scan_space(&s);
        const uint8_t *value = s.at;
        if (!scan_value(&s))
            return false;
        if (found) {
            const uint8_t *end = s.at;
            while (end > value && strchr(" \t\r\n", end[-1]) && end[-1])
                end--;
            *ret = (struct bytes){value, (size_t)(end - value)};
            return true;
        }
        if (*s.at++ != ',')
            return false;
    }
}

bool job_request_id(struct bytes body, struct uuid *ret)
{
    struct bytes id;
    if (body.length > SCAN_MOST)
        body.length = SCAN_MOST;
    return body.length && scan_member(body, "id", &id) && id.length > 2 && id.data[0] == '"' &&
           uuid_parse((const char *)id.data + 1, id.length - 2, ret);
}

static int read_id(const json_t *value, struct job_request *r, struct err *err)
{
    const char *text = json_string_value(value);
    if (!text || !uuid_parse(text, json_string_length(value), &r->id))
        return err_set(err, ERR_INPUT, NULL,
            "id: a UUID is wanted, 36 characters with hyphens or 32 hex digits, in a string");
    if (uuid_is_zero(&r->id))
        return err_set(err, ERR_INPUT, NULL, "id: all zeros is no id");
    r->has_id = true;
    return 0;
}

static int read_at(const json_t *value, struct job_request *r, struct err *err)
{
    const char *text = json_string_value(value);
    if (!text || !clock_parse(text, json_string_length(value), &r->at_ms))
        return err_set(err, ERR_INPUT, NULL,
            "at: an RFC 3339 time with its offset is wanted, such as 2026-04-01T09:00:00+09:00");
    r->has_at = true;
    return 0;
}

static int read_priority(const json_t *value, struct job_request *r, struct err *err)
{
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0 || n > 9)
        return err_set(err, ERR_INPUT, NULL, "priority: an integer from 0 to 9 is wanted");
    r->priority = (int)n;
    r->has_priority = true;
    return 0;
}

static int read_args(json_t *value, struct job_request *r, struct err *err)
{
    if (!json_is_object(value))
        return err_set(err, ERR_INPUT, NULL, "args: an object is wanted");
    json_decref(r->args);
    r->args = json_incref(value);
    return 0;
}

static int read_member(const char *key, json_t *value, struct job_request *r, struct err *err)
{
    if (strcmp(key, "args") == 0)
        return read_args(value, r, err);
    if (strcmp(key, "id") == 0)
        return read_id(value, r, err);
    if (strcmp(key, "at") == 0)
        return read_at(value, r, err);
    if (strcmp(key, "priority") == 0)
        return read_priority(value, r, err);
    return err_set(err, ERR_INPUT, NULL, "%.64s: no such member (id, at, priority, args)", key);
}

static int read_members(const json_t *object, struct job_request *r, struct err *err)
{
    /* The id first, so that a rejection for any other member carries it. */
    json_t *id = json_object_get(object, "id");
    if (id && read_id(id, r, err))
        return -1;
    void *at = json_object_iter((json_t *)(uintptr_t)object);
    for (; at; at = json_object_iter_next((json_t *)(uintptr_t)object, at))
        if (json_object_iter_value(at) != id &&
            read_member(json_object_iter_key(at), json_object_iter_value(at), r, err))
            return -1;
    return 0;
}

static int too_large(size_t length, size_t most, struct err *err)
{
    return err_set(
        err, ERR_INPUT, "too-large", "args have %zu bytes, at most %zu are taken", length, most);
}

int job_request_parse(struct bytes body, size_t args_most, struct job_request *ret, struct err *err)
{
    struct job_request r = {0};
    *ret = r;
    if (!body.length)
        return err_set(err, ERR_INPUT, NULL, "the body is empty; a JSON object is wanted");
    if (body.length > args_most && body.length - args_most > FRAME_MOST) {
        ret->has_id = job_request_id(body, &ret->id);
        return too_large(body.length, args_most, err);
    }
    AUTO_TYPE(json, json_t) *object = NULL;
    if (json_parse_object(body, &object, err)) {
        ret->has_id = job_request_id(body, &ret->id);
        return err_context(err, "body");
    }
    int failed = read_members(object, &r, err);
    if (!failed) {
        if (!r.args)
            r.args = json_object();
        else
            scan_member(body, "args", &r.args_text);
        if (r.args_text.length > args_most)
            failed = too_large(r.args_text.length, args_most, err);
    }
    if (failed) {
        ret->has_id = r.has_id;
        ret->id = r.id;
        job_request_clear(&r);
        return -1;
    }
    *ret = r;
    return 0;
}

void job_request_clear(struct job_request *r)
{
    json_decref(r->args);
    r->args = NULL;
}

#include "crypto/secrets.h"

#include "base/buf.h"
#include "base/hex.h"
#include "crypto/scrypt.h"

#include <string.h>

/* The one list. Adding a name: here, docs/protocol.md, docs/security.md. */
static const struct {
    const char *name;
    bool may_be_hashed; /* upstream may send its scrypt hash instead */
} names[] = {
    {"password", true},
    {"old", false},
    {"new", true},
    {"code", false},
};

static int name_index(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (!strcmp(names[i].name, name))
            return (int)i;
    return -1;
}

bool secret_is_name(const char *name)
{
    return name_index(name) >= 0;
}

struct walk {
    struct buf path;
    size_t seen;
    secret_visit *visit;
    void *context;
};

static int wrong_form(const struct walk *w, int index, struct err *err)
{
    return err_set(err, ERR_INPUT, NULL,
        "%s: a secret is a string or {\"sealed\": BASE64}%s, nothing else", buf_text(&w->path),
        names[index].may_be_hashed ? " or {\"scrypt\": TEXT}" : "");
}

/* Finds the form; the value itself never gets into a message. */
static int recognise(struct secret_member *m, int index, const struct walk *w, struct err *err)
{
    const json_t *text = m->value;
    m->form = SECRET_PLAIN;
    if (json_is_object(m->value) && json_object_size(m->value) == 1) {
        text = json_object_get(m->value, "sealed");
        m->form = SECRET_SEALED;
        if (!text && names[index].may_be_hashed) {
            text = json_object_get(m->value, "scrypt");
            m->form = SECRET_HASHED;
        }
    }
    if (!text || !json_is_string(text))
        return wrong_form(w, index, err);
    m->text = json_string_value(text);
    m->length = json_string_length(text);
    return 0;
}

static int visit_member(
    struct walk *w, json_t *holder, const char *name, json_t *value, int index, struct err *err)
{
    if (++w->seen > SECRETS_MOST)
        return err_set(err, ERR_INPUT, NULL, "more than %d secrets in one job", SECRETS_MOST);
    struct secret_member m = {
        .path = buf_text(&w->path), .holder = holder, .name = name, .value = value};
    if (recognise(&m, index, w, err))
        return -1;
    return w->visit(&m, w->context, err);
}

static void truncate_path(struct walk *w, size_t length)
{
    w->path.length = length;
    if (w->path.data)
        w->path.data[length] = 0;
}

static int walk_value(struct walk *w, json_t *value, struct err *err);

static int walk_object(struct walk *w, json_t *object, struct err *err)
{
    size_t length = w->path.length;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        int index = name_index(name);
        bool is_secret = index >= 0 && !json_is_null(value);
        if (!is_secret && !json_is_object(value) && !json_is_array(value))
            continue;
        if (length)
            buf_add_char(&w->path, '.');
        buf_add_text(&w->path, name);
        if (is_secret ? visit_member(w, object, name, value, index, err)
                      : walk_value(w, value, err))
            return -1;
        truncate_path(w, length);
    }
    return 0;
}

/* Recursion is bounded by the JSON parser's depth. */
static int walk_value(struct walk *w, json_t *value, struct err *err)
{
    if (json_is_object(value))
        return walk_object(w, value, err);
    size_t length = w->path.length;
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *item = json_array_get(value, i);
        if (!json_is_object(item) && !json_is_array(item))
            continue;
        buf_printf(&w->path, "%s%zu", length ? "." : "", i);
        if (walk_value(w, item, err))
            return -1;
        truncate_path(w, length);
    }
    return 0;
}

int secrets_each(json_t *args, secret_visit *visit, void *context, struct err *err)
{
    struct walk w = {.visit = visit, .context = context};
    int failed = walk_value(&w, args, err);
    buf_free(&w.path);
    return failed;
}

/* A ContentInfo (RFC 5652 section 3) begins with an object identifier below 1.2.840.113549.1. */
static bool is_content_info(struct bytes der)
{
    static const uint8_t arc[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01};
    if (der.length < 2 || der.data[0] != 0x30)
        return false;
    size_t at = der.data[1] < 0x80 ? 2 : 2 + (size_t)(der.data[1] & 0x7f);
    return der.length > at + 2 + sizeof arc && der.data[at] == 0x06 &&
           memcmp(der.data + at + 2, arc, sizeof arc) == 0;
}

static int check_sealed(struct bytes text, struct err *err)
{
    AUTO_BUF der = {0};
    if (!base64_decode(text, &der) || !is_content_info(buf_bytes(&der)))
        return err_set(err, ERR_INPUT, NULL, "sealed: not base64 of CMS AuthEnvelopedData in DER");
    return 0;
}

int secret_form_check(enum secret_form form, struct bytes text, struct err *err)
{
    if (form == SECRET_PLAIN)
        return 0;
    if (form == SECRET_SEALED)
        return check_sealed(text, err);
    char terminated[SCRYPT_TEXT_MOST + 1];
    if (text.length > SCRYPT_TEXT_MOST)
        return err_set(err, ERR_INPUT, NULL, "scrypt: longer than %d bytes", SCRYPT_TEXT_MOST);
    memcpy(terminated, text.data, text.length);
    terminated[text.length] = 0;
    return scrypt_text_valid(terminated, &scrypt_bounds_default, err);
}

/* --- args without secrets --- */

static json_t *stripped(json_t *value);

static json_t *stripped_array(json_t *array)
{
    json_t *copy = NULL;
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *item = json_array_get(array, i), *kept = stripped(item);
        if (kept != item && !copy)
            copy = json_copy(array);
        if (kept != item)
            json_array_set_new(copy, i, kept);
        else
            json_decref(kept);
    }
    return copy ? copy : json_incref(array);
}

static json_t *stripped_object(json_t *object)
{
    json_t *copy = NULL;
    const char *name;
    json_t *member;
    json_object_foreach(object, name, member)
    {
        bool is_secret = secret_is_name(name) && !json_is_null(member);
        json_t *kept = is_secret ? NULL : stripped(member);
        if (kept != member && !copy)
            copy = json_copy(object);
        if (is_secret)
            json_object_del(copy, name);
        else if (kept != member)
            json_object_set_new(copy, name, kept);
        else
            json_decref(kept);
    }
    return copy ? copy : json_incref(object);
}

/* A new reference: to the value itself where nothing in it is secret, else to a copy. */
static json_t *stripped(json_t *value)
{
    if (json_is_object(value))
        return stripped_object(value);
    if (json_is_array(value))
        return stripped_array(value);
    return json_incref(value);
}

static int count_one(const struct secret_member *m, void *context, struct err *err)
{
    (void)m, (void)err;
    ++*(size_t *)context;
    return 0;
}

int secrets_strip(const json_t *args, json_t **ret, struct err *err)
{
    json_t *all = (json_t *)(uintptr_t)args; /* count_one changes nothing */
    size_t count = 0;
    if (secrets_each(all, count_one, &count, err))
        return -1;
    *ret = count ? stripped(all) : json_incref(all);
    return 0;
}

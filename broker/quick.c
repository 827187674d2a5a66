#include "quick.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "crypto/secrets.h"

#include <string.h>

enum { DEPTH_MOST = 16, MEMBERS_MOST = 48, KEY_MOST = 64, DIGITS_MOST = 15, BODY_MORE = 1024 };

struct quick {
    const uint8_t *at, *end;
    struct buf *out; /* NULL: only checked */
    bool is_ascii;   /* so far */
    int secrets;     /* so far */
};

static void skip_space(struct quick *q)
{
    while (q->at < q->end && (*q->at == ' ' || *q->at == '\n' || *q->at == '\r' || *q->at == '\t'))
        q->at++;
}

/* The next byte that is no space is `c`; it is passed. */
static bool take(struct quick *q, uint8_t c)
{
    skip_space(q);
    if (q->at >= q->end || *q->at != c)
        return false;
    q->at++;
    return true;
}

static void emit(struct quick *q, const uint8_t *from, const uint8_t *to)
{
    if (q->out)
        buf_add(q->out, from, (size_t)(to - from));
}

static void emit_char(struct quick *q, char c)
{
    if (q->out)
        buf_add_char(q->out, c);
}

/* A string without escapes is its own canonical form. Gives its content. */
static bool take_string(struct quick *q, struct bytes *ret)
{
    const uint8_t *start;
    uint8_t seen = 0;
    if (!take(q, '"'))
        return false;
    for (start = q->at; q->at < q->end && *q->at != '"'; q->at++) {
        if (*q->at < 0x20 || *q->at == '\\')
            return false;
        seen |= *q->at;
    }
    if (q->at >= q->end)
        return false;
    if (seen & 0x80)
        q->is_ascii = false;
    *ret = (struct bytes){start, (size_t)(q->at - start)};
    q->at++;
    return true;
}

static bool string_value(struct quick *q)
{
    struct bytes text;
    if (!take_string(q, &text))
        return false;
    emit(q, text.data - 1, text.data + text.length + 1);
    return true;
}

static bool number_value(struct quick *q)
{
    const uint8_t *start = q->at, *digits;
    if (*q->at == '-')
        q->at++;
    for (digits = q->at; q->at < q->end && *q->at >= '0' && *q->at <= '9'; q->at++) {
    }
    size_t n = (size_t)(q->at - digits);
    if (n == 0 || n > DIGITS_MOST || (*digits == '0' && (n > 1 || digits != start)))
        return false;
    if (q->at < q->end && (*q->at == '.' || *q->at == 'e' || *q->at == 'E'))
        return false;
    emit(q, start, q->at);
    return true;
}

static bool word_value(struct quick *q)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(q->end - q->at) >= n && memcmp(q->at, words[i], n) == 0) {
            emit(q, q->at, q->at + n);
            q->at += n;
            return true;
        }
    }
    return false;
}

static bool value(struct quick *q, int depth);

static bool array_value(struct quick *q, int depth)
{
    emit_char(q, '[');
    q->at++;
    if (!take(q, ']')) {
        do {
            if (!value(q, depth + 1))
                return false;
            skip_space(q);
            if (q->at < q->end && *q->at == ',')
                emit_char(q, ',');
        } while (take(q, ','));
        if (!take(q, ']'))
            return false;
    }
    emit_char(q, ']');
    return true;
}

struct member {
    struct bytes key;
    size_t from, length; /* of "key":value in out */
};

static int compare_keys(struct bytes a, struct bytes b)
{
    int order = memcmp(a.data, b.data, a.length < b.length ? a.length : b.length);
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* Writes the members again in the order of their keys; false when two are equal. */
static bool sort_members(struct quick *q, struct member *members, size_t n, size_t start)
{
    bool is_sorted = true;
    for (size_t i = 1; i < n; i++) { /* few, and often in order: by insertion */
        struct member m = members[i];
        size_t k = i;
        int order = -1;
        while (k > 0 && (order = compare_keys(members[k - 1].key, m.key)) > 0) {
            members[k] = members[k - 1];
            k--;
        }
        if (order == 0)
            return false;
        is_sorted = is_sorted && k == i;
        members[k] = m;
    }
    if (is_sorted || !q->out)
        return true;
    AUTO_BUF sorted = {0};
    buf_reserve(&sorted, q->out->length - start);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_char(&sorted, ',');
        buf_add(&sorted, q->out->data + members[i].from, members[i].length);
    }
    memcpy(q->out->data + start, sorted.data, sorted.length);
    return true;
}

/*
 * The value of a secret is no part of the canonical text. It is passed when its form is one that
 * secrets.h knows and needs no sealing: {"sealed": …}, {"scrypt": …} (for those that may be
 * hashed), and the text is of that form.
 */
static bool skip_secret(struct quick *q, struct bytes name)
{
    struct bytes form, text;
    bool may_be_hashed = name.data[0] == 'p' || name.data[0] == 'n'; /* password, new */
    if (!take(q, '{') || !take_string(q, &form) || !take(q, ':') || !take_string(q, &text))
        return false;
    bool is_sealed = bytes_equal(form, bytes_of_text("sealed"));
    if (!is_sealed && !(may_be_hashed && bytes_equal(form, bytes_of_text("scrypt"))))
        return false;
    struct err ignored = {0};
    return secret_form_check(is_sealed ? SECRET_SEALED : SECRET_HASHED, text, &ignored) == 0 &&
           take(q, '}');
}

static bool is_secret(struct bytes key)
{
    char name[KEY_MOST + 1];
    if (key.length < 3 || key.length > 8) /* old … password */
        return false;
    memcpy(name, key.data, key.length);
    name[key.length] = '\0';
    return secret_is_name(name);
}

/* One member, or a secret, which leaves nothing (*ret_secret). */
static bool take_member(struct quick *q, int depth, struct member *m, bool *ret_secret)
{
    bool was_ascii = q->is_ascii;
    q->is_ascii = true;
    if (!take_string(q, &m->key) || !q->is_ascii || m->key.length > KEY_MOST || !take(q, ':'))
        return false;
    q->is_ascii = was_ascii;
    *ret_secret = is_secret(m->key);
    if (*ret_secret)
        return ++q->secrets <= SECRETS_MOST && skip_secret(q, m->key);
    emit(q, m->key.data - 1, m->key.data + m->key.length + 1);
    emit_char(q, ':');
    return value(q, depth + 1);
}

static bool object_value(struct quick *q, int depth)
{
    struct member members[MEMBERS_MOST];
    struct bytes secrets[SECRETS_MOST];
    size_t n = 0, secret_count = 0;
    emit_char(q, '{');
    q->at++;
    size_t start = q->out ? q->out->length : 0;
    if (take(q, '}')) {
        emit_char(q, '}');
        return true;
    }
    do {
        struct member m;
        bool secret;
        size_t from = q->out ? q->out->length : 0;
        if (n == MEMBERS_MOST || secret_count == SECRETS_MOST)
            return false;
        if (n > 0)
            emit_char(q, ',');
        m.from = q->out ? q->out->length : 0;
        if (!take_member(q, depth, &m, &secret))
            return false;
        if (secret) {
            for (size_t i = 0; i < secret_count; i++)
                if (bytes_equal(secrets[i], m.key))
                    return false;
            secrets[secret_count++] = m.key;
            if (q->out)
                q->out->length = from;
        } else {
            m.length = q->out ? q->out->length - m.from : 0;
            members[n++] = m;
        }
    } while (take(q, ','));
    if (!take(q, '}') || !sort_members(q, members, n, start))
        return false;
    emit_char(q, '}');
    return true;
}

static bool value(struct quick *q, int depth)
{
    skip_space(q);
    if (q->at >= q->end || depth > DEPTH_MOST)
        return false;
    switch (*q->at) {
    case '{':
        return object_value(q, depth);
    case '[':
        return array_value(q, depth);
    case '"':
        return string_value(q);
    case 't':
    case 'f':
    case 'n':
        return word_value(q);
    default:
        return number_value(q);
    }
}

/* ---- the request ---- */

static bool take_id(struct quick *q, struct job_request *r)
{
    struct bytes text;
    if (r->has_id || !take_string(q, &text))
        return false;
    r->has_id = uuid_parse((const char *)text.data, text.length, &r->id) && !uuid_is_zero(&r->id);
    return r->has_id;
}

static bool take_at(struct quick *q, struct job_request *r)
{
    struct bytes text;
    if (r->has_at || !take_string(q, &text))
        return false;
    r->has_at = clock_parse((const char *)text.data, text.length, &r->at_ms);
    return r->has_at;
}

static bool take_priority(struct quick *q, struct job_request *r)
{
    skip_space(q);
    if (r->has_priority || q->at + 1 >= q->end || *q->at < '0' || *q->at > '9')
        return false;
    r->priority = *q->at++ - '0';
    r->has_priority = true;
    return *q->at == ',' || *q->at == '}';
}

static bool take_args(struct quick *q, struct job_request *r, struct buf *canonical)
{
    skip_space(q);
    const uint8_t *start = q->at;
    if (r->args_text.length || q->at >= q->end || *q->at != '{')
        return false;
    q->out = canonical;
    bool ok = object_value(q, 0);
    q->out = NULL;
    r->args_text = (struct bytes){start, (size_t)(q->at - start)};
    return ok;
}

static bool take_request(struct quick *q, struct job_request *r, struct buf *canonical)
{
    if (!take(q, '{'))
        return false;
    do {
        struct bytes key;
        bool ok = false;
        if (!take_string(q, &key) || !take(q, ':'))
            return false;
        if (bytes_equal(key, bytes_of_text("id")))
            ok = take_id(q, r);
        else if (bytes_equal(key, bytes_of_text("args")))
            ok = take_args(q, r, canonical);
        else if (bytes_equal(key, bytes_of_text("priority")))
            ok = take_priority(q, r);
        else if (bytes_equal(key, bytes_of_text("at")))
            ok = take_at(q, r);
        if (!ok)
            return false;
    } while (take(q, ','));
    if (!take(q, '}'))
        return false;
    skip_space(q);
    return q->at == q->end;
}

bool quick_parse(
    struct bytes body, size_t args_most, struct job_request *ret, struct buf *canonical)
{
    struct quick q = {.at = body.data, .end = body.data + body.length, .is_ascii = true};
    struct job_request r = {0};
    buf_clear(canonical);
    if (body.length > args_most + BODY_MORE || !take_request(&q, &r, canonical))
        return false;
    if (r.args_text.length == 0 || r.args_text.length > args_most)
        return false;
    if (!q.is_ascii && !utf8_is_valid(body))
        return false;
    *ret = r;
    return true;
}

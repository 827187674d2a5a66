#include "audit/seal.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct audit_member) == 48, "members are stored as they stand");

void audit_seal_clear(struct audit_seal *s)
{
    free(s->members);
    s->members = NULL;
}

void audit_seal_take_members(struct audit_seal *s, struct audit_member *members, size_t count)
{
    s->members = members;
    s->count = (uint32_t)count;
    s->first = count ? members[0].id : (struct uuid){{0}};
    s->last = count ? members[count - 1].id : (struct uuid){{0}};
    audit_sha256(
        (struct bytes){(const uint8_t *)members, count * sizeof *members}, s->members_hash);
}

void audit_seal_hash(const struct audit_seal *s, uint8_t ret[static AUDIT_HASH])
{
    static const char mark[] = "certq audit seal 1"; /* its NUL is hashed too */
    AUTO_BUF all = {0};
    buf_add(&all, mark, sizeof mark);
    audit_put_number(&all, s->number, 8);
    audit_put_number(&all, s->after, 8);
    audit_put_number(&all, (uint64_t)s->at_ms, 8);
    audit_put_number(&all, s->count, 4);
    buf_add(&all, s->previous, AUDIT_HASH);
    buf_add(&all, s->members_hash, AUDIT_HASH);
    audit_sha256(buf_bytes(&all), ret);
}

/* ---- the file's lines ---- */

static json_t *json_hex(const uint8_t *hash)
{
    char text[AUDIT_HASH * 2 + 1];
    hex_encode(hash, AUDIT_HASH, text);
    return json_string(text);
}

void audit_seal_write(const struct audit_seal *s, struct buf *ret)
{
    AUTO_BUF signature = {0};
    base64_encode((struct bytes){s->signature, s->signature_length}, &signature);
    AUTO_TYPE(json, json_t) *line =
        json_pack("{s:I, s:I, s:s, s:I, s:s, s:s, s:o, s:o, s:o, s:s, s:s}", "seal",
            (json_int_t)s->number, "after", (json_int_t)s->after, "at", clock_s(s->at_ms), "lines",
            (json_int_t)s->count, "first", uuid_s(&s->first), "last", uuid_s(&s->last), "previous",
            json_hex(s->previous), "members", json_hex(s->members_hash), "hash", json_hex(s->hash),
            "key", s->key_id, "signature", buf_text(&signature));
    json_write(line, ret);
    buf_add_char(ret, '\n');
}

static bool read_hash(const json_t *o, const char *name, uint8_t ret[static AUDIT_HASH])
{
    const char *text = json_string_value(json_object_get(o, name));
    return text && strlen(text) == AUDIT_HASH * 2 && hex_decode(text, AUDIT_HASH * 2, ret);
}

static bool read_number(const json_t *o, const char *name, uint64_t most, uint64_t *ret)
{
    const json_t *value = json_object_get(o, name);
    json_int_t n = json_is_integer(value) ? json_integer_value(value) : -1;
    *ret = (uint64_t)n;
    return n >= 0 && (uint64_t)n <= most;
}

static bool read_id(const json_t *o, const char *name, struct uuid *ret)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text && uuid_parse(text, strlen(text), ret);
}

static bool read_signature(const json_t *o, struct audit_seal *s)
{
    const char *key = json_string_value(json_object_get(o, "key"));
    const char *text = json_string_value(json_object_get(o, "signature"));
    AUTO_BUF bytes = {0};
    if (!key || strlen(key) >= sizeof s->key_id || !text ||
        !base64_decode(bytes_of_text(text), &bytes) || bytes.length > sizeof s->signature)
        return false;
    snprintf(s->key_id, sizeof s->key_id, "%s", key);
    memcpy(s->signature, bytes.data, bytes.length);
    s->signature_length = bytes.length;
    return true;
}

int audit_seal_parse(struct bytes line, struct audit_seal *ret, struct err *err)
{
    AUTO_TYPE(json, json_t) *o = NULL;
    struct audit_seal s = {0};
    uint64_t count;
    if (json_parse_object(line, &o, err))
        return -1;
    const char *at = json_string_value(json_object_get(o, "at"));
    if (!read_number(o, "seal", INT64_MAX, &s.number) ||
        !read_number(o, "after", INT64_MAX, &s.after) ||
        !read_number(o, "lines", UINT32_MAX, &count) || !at ||
        !clock_parse(at, strlen(at), &s.at_ms) || !read_id(o, "first", &s.first) ||
        !read_id(o, "last", &s.last) || !read_hash(o, "previous", s.previous) ||
        !read_hash(o, "members", s.members_hash) || !read_hash(o, "hash", s.hash) ||
        !read_signature(o, &s))
        return err_set(err, ERR_INPUT, NULL, "not a seal of the audit");
    s.count = (uint32_t)count;
    *ret = s;
    return 0;
}

/* What comes in, against what the product says about its fields and its evidence (B5, B6, D10). */
#include "lifecycle/policy.h"

#include "base/address.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "lifecycle/policy_read.h"

#include <ctype.h>
#include <string.h>

#define BAD_MOST 50   /* messages in one answer */
#define DEPTH_MOST 4  /* of objects in args */
#define NAME_MOST 100 /* bytes of a member's path in a message */

/* --- one value --- */

static bool say(struct buf *message, const char *text)
{
    buf_add_text(message, text);
    return false;
}

/*
 * Marks that change how the rest of a line is shown, or show nothing at all: bidirectional
 * controls, joiners, fillers, annotations, tags, noncharacters. Variation selectors are not among
 * them: names are written with them.
 */
static bool is_invisible(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x17b4, 0x17b5},
        {0x180b, 0x180f}, {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
        {0xfdd0, 0xfdef}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1d173, 0x1d17a},
        {0xe0000, 0xe00ff}};
    if (c < ranges[0].first)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return (c & 0xfffe) == 0xfffe;
}

static bool is_full_width(uint32_t c)
{
    bool is_half_kana = c >= 0xff61 && c <= 0xff9f;
    return c >= 0xa0 && !is_half_kana;
}

/* Looks at each character: `full_width` ones only, or any that can be seen. */
static bool check_characters(struct bytes text, bool full_width, struct buf *message)
{
    const uint8_t *p = text.data, *end = p + text.length;
    while (p < end) {
        uint32_t c = utf8_next(&p, end);
        if (is_invisible(c))
            return say(message, "contains an invisible character");
        if (full_width && !is_full_width(c))
            return say(message, "must be full-width characters only");
    }
    return true;
}

static bool all_are(const char *text, int (*is)(int))
{
    for (; *text; text++)
        if (!is((unsigned char)*text) || (unsigned char)*text > 0x7e)
            return false;
    return true;
}

/* RFC 1123 2.1 names, at least two labels; one leading `*.` is no host and not taken. */
static bool is_host(const char *text)
{
    size_t label = 0, labels = 1;
    bool has_letter = false;
    for (const char *p = text; *p; p++) {
        bool is_edge = !label || p[1] == '.' || !p[1];
        if (*p == '.') {
            if (!label)
                return false;
            label = 0;
            labels++;
            has_letter = false;
            continue;
        }
        if (!isalnum((unsigned char)*p) && !(*p == '-' && !is_edge))
            return false;
        has_letter = has_letter || isalpha((unsigned char)*p);
        if (++label > 63)
            return false;
    }
    return label && labels > 1 && has_letter;
}

static bool check_words(const struct policy_field *field, const char *text, struct buf *message)
{
    for (size_t i = 0; i < field->word_count; i++)
        if (strcmp(field->words[i], text) == 0)
            return true;
    buf_add_text(message, "must be one of");
    for (size_t i = 0; i < field->word_count; i++)
        buf_printf(message, "%s %s", i ? "," : "", field->words[i]);
    return false;
}

static bool check_digits(const struct policy_field *field, const char *text, struct buf *message)
{
    if (!all_are(text, isdigit))
        return say(message, "must be digits only (0 to 9)");
    if (field->digits && strlen(text) != (size_t)field->digits) {
        buf_printf(message, "must be exactly %d digits", field->digits);
        return false;
    }
    return true;
}

static bool check_format(const struct policy_field *field, const char *text, struct buf *message)
{
    struct err why = {0};
    switch ((enum policy_format)field->format) {
    case FORMAT_EMAIL:
        if (!address_check(text, &why))
            return true;
        buf_printf(message, "is not an e-mail address: %s", why.text);
        return false;
    case FORMAT_DIGITS:
        return check_digits(field, text, message);
    case FORMAT_ASCII:
        return all_are(text, isprint) || say(message, "must be ASCII letters, digits and marks");
    case FORMAT_FULL_WIDTH:
        return check_characters(bytes_of_text(text), true, message);
    case FORMAT_WORDS:
    case FORMAT_LANGUAGE:
        return check_words(field, text, message);
    case FORMAT_HOST:
        return is_host(text) || say(message, "must be a host name such as www.example.jp");
    case FORMAT_LINE:
    case FORMATS:
        break;
    }
    return true;
}

static bool check_text(const struct policy_field *field, const json_t *value, struct buf *message)
{
    if (!json_is_string(value))
        return say(message, "must be a text");
    const char *text = json_string_value(value);
    struct bytes bytes = {(const uint8_t *)text, json_string_length(value)};
    if (!utf8_is_line(bytes)) /* an embedded NUL too */
        return say(message, "must be one line of UTF-8 without control characters");
    if (!bytes.length)
        return say(message, "must not be empty");
    if (utf8_length(bytes) > (size_t)field->most) {
        buf_printf(message, "must not be longer than %d characters", field->most);
        return false;
    }
    if (text[0] == ' ' || text[bytes.length - 1] == ' ' || !strncmp(text, "\u3000", 3) ||
        (bytes.length >= 3 && !strcmp(text + bytes.length - 3, "\u3000")))
        return say(message, "must not begin or end with a space");
    return check_characters(bytes, false, message) && check_format(field, text, message);
}

static bool is_missing(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
           (json_is_array(value) && !json_array_size(value));
}

bool policy_check_value(const struct policy_field *field, const json_t *value, struct buf *message)
{
    if (is_missing(value))
        return !field->is_required || say(message, "is required");
    if (!field->is_list)
        return check_text(field, value, message);
    if (!json_is_array(value))
        return say(message, "must be a list of texts");
    if (json_array_size(value) > POLICY_LIST_MOST)
        return say(message, "has too many items");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        for (size_t j = 0; j < i; j++)
            if (json_equal(item, json_array_get(value, j)))
                return say(message, "names the same twice");
        if (!check_text(field, item, message))
            return false;
    }
    return true;
}

/* --- all fields of a request --- */

static void bad(json_t *fields, const char *path, const char *message)
{
    if (json_object_size(fields) < BAD_MOST && !json_object_get(fields, path))
        json_object_set_new(fields, path, json_string(message));
}

/* A member nobody knows. Its name comes from outside and is shown only when it is harmless. */
static void bad_member(json_t *fields, const char *prefix, const char *path)
{
    if (json_object_size(fields) >= BAD_MOST)
        return; /* before the nearest name is looked for: args may have thousands of these */
    struct bytes name = bytes_of_text(path);
    bool is_harmless = name.length <= NAME_MOST && utf8_is_line(name);
    AUTO_TEXT key = mem_printf("%s%s", prefix, is_harmless ? path : "?");
    const char *hint = is_harmless ? policy_field_nearest(path) : NULL;
    AUTO_TEXT message = hint && strcmp(hint, path) != 0
                            ? mem_printf("is not a field of this product; did you mean %s?", hint)
                            : mem_text("is not a field of this product");
    bad(fields, key, message);
}

/* `path`: where `object` stands as a field's path, with a dot behind; as it was afterwards. */
static void check_below(const struct policy *p, const json_t *object, const char *prefix,
    struct buf *path, int depth, json_t *fields)
{
    const size_t mark = path->length;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        buf_add_text(path, name);
        const struct policy_field *field = policy_field(p, buf_text(path));
        if (strchr(name, '.')) { /* would look like a path and be read by nobody */
            bad_member(fields, prefix, buf_text(path));
        } else if (json_is_object(value) && !field && depth < DEPTH_MOST) {
            buf_add_char(path, '.');
            check_below(p, value, prefix, path, depth + 1, fields);
        } else if (!field) {
            bad_member(fields, prefix, buf_text(path));
        }
        buf_cut(path, mark);
    }
}

/* Refuses members that are no field; `path` as check_below's. */
static void check_members(const struct policy *p, const json_t *object, const char *prefix,
    const char *path, json_t *fields)
{
    AUTO_BUF at = {0};
    buf_add_text(&at, path);
    check_below(p, object, prefix, &at, 0, fields);
}

static void check_shapes(const struct policy *p, const json_t *args, json_t *fields)
{
    const json_t *subscriber = json_object_get(args, "subscriber");
    const json_t *contract = json_object_get(args, "contract");
    const json_t *contacts = json_object_get(contract, "contacts");
    const json_t *account = json_object_get(contract, "account");
    if (subscriber && !json_is_object(subscriber))
        bad(fields, "subscriber", "must be an object");
    check_members(p, subscriber, "subscriber.", "", fields);
    if (contract && !json_is_object(contract))
        bad(fields, "contract", "must be an object");
    if (json_is_object(contract) && !p->unit.has_contract)
        bad(fields, "contract", "this product has no contracts");
    if (p->unit.has_contract) {
        check_members(p, contacts, "contract.", "contacts.", fields);
        check_members(p, account, "contract.", "account.", fields);
    }
    if (json_object_get(args, "dns") && !policy_field(p, "dns"))
        bad(fields, "dns", "is not a field of this product");
}

bool policy_check_fields(const struct policy *p, const json_t *args, json_t *fields)
{
    size_t before = json_object_size(fields);
    bool has_contract = !is_missing(json_at(args, "contract.id"));
    for (size_t i = 0; i < p->field_count; i++) {
        const struct policy_field *field = &p->fields[i];
        const json_t *value = json_at(args, field->args_path);
        bool is_of_contract = field->place == PLACE_CONTACT || field->place == PLACE_ACCOUNT;
        AUTO_BUF message = {0};
        if (is_of_contract && has_contract && is_missing(value))
            continue; /* an existing contract has them */
        if (!policy_check_value(field, value, &message))
            bad(fields, field->args_path, buf_text(&message));
    }
    check_shapes(p, args, fields);
    return json_object_size(fields) == before;
}

/* --- changes --- */

/* Why this procedure may not change a field; NULL when it may. */
static const char *change_refused(
    const struct policy *p, enum policy_procedure procedure, const struct policy_field *field)
{
    bool at_reissue = field->change == EFFECT_AT_REISSUE;
    bool by_correction = field->change == EFFECT_CORRECTION;
    if (field->change == EFFECT_NEVER)
        return "cannot be changed";
    if (procedure == PROC_REISSUE)
        return at_reissue ? NULL : "cannot be changed with a reissue";
    if (procedure == PROC_CORRECT)
        return by_correction ? NULL : "is not changed by a correction";
    if (procedure == PROC_RENEW)
        return field->place == PLACE_CONTACT && p->renew.takes_contact_changes
                   ? NULL
                   : "cannot be changed with a renewal";
    if (at_reissue)
        return "can be changed only with a reissue";
    return by_correction ? "can be changed only by a correction" : NULL;
}

bool policy_check_changes(
    const struct policy *p, enum policy_procedure procedure, const json_t *changes, json_t *fields)
{
    size_t before = json_object_size(fields);
    const char *path;
    json_t *value;
    if (!json_is_object(changes)) {
        bad(fields, "changes", "must be an object of field paths and values");
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)changes, path, value)
    {
        const struct policy_field *field = policy_field(p, path);
        if (!field) {
            bad_member(fields, "changes.", path);
            continue;
        }
        AUTO_TEXT key = mem_printf("changes.%s", path);
        AUTO_BUF message = {0};
        const char *refused = change_refused(p, procedure, field);
        if (refused)
            bad(fields, key, refused);
        else if (!policy_check_value(field, value, &message))
            bad(fields, key, buf_text(&message));
    }
    return json_object_size(fields) == before;
}

/* --- evidence --- */

/* NULL when the value serves as evidence on that day, else what is wrong. */
static const char *evidence_wrong(
    const struct policy_evidence *e, const json_t *value, struct date today)
{
    struct date day;
    const char *text = json_string_value(value);
    if (is_missing(value) || (json_is_false(value) && e->if_any))
        return e->if_any ? NULL : "is required";
    if (!e->within_months) {
        if (json_is_true(value))
            return NULL;
        bool is_line =
            text && utf8_is_line((struct bytes){(const uint8_t *)text, json_string_length(value)});
        return is_line && json_string_length(value) <= 1000 ? NULL
                                                            : "must be true or one line of "
                                                              "text";
    }
    if (!text || !date_parse(text, &day))
        return "must be a day, YYYY-MM-DD";
    if (date_compare(day, today) > 0)
        return "is in the future";
    struct length length = {LENGTH_MONTHS, e->within_months};
    return date_compare(period_last_day(day, length, FIRST_DAY_EXCLUDED), today) >= 0
               ? NULL
               : "is too long ago";
}

/* A dated piece may be given as its day, or by {"date": day}: {"seal_certificate": "2014-01-16"}.
 */
static const json_t *evidence_at(const json_t *evidence, const struct policy_evidence *e)
{
    const json_t *value = evidence ? json_at(evidence, e->path) : NULL;
    const char *last = strrchr(e->path, '.');
    if (value || !evidence || !last || !e->within_months)
        return value;
    AUTO_TEXT piece = mem_text_n(e->path, (size_t)(last - e->path));
    value = json_at(evidence, piece);
    return json_is_object(value) ? json_object_get(value, "date") : value;
}

bool policy_check_evidence(const struct policy *p, enum policy_procedure procedure,
    enum policy_actor actor, enum policy_channel channel, const json_t *by, int64_t now_ms,
    json_t *fields)
{
    size_t before = json_object_size(fields);
    const json_t *evidence = json_object_get(by, "evidence");
    struct date today = date_at(now_ms, p->zone);
    for (size_t i = 0; i < p->evidence_count; i++) {
        const struct policy_evidence *e = &p->evidence[i];
        if (!(e->procedures & POLICY_BIT(procedure)) || !(e->actors & POLICY_BIT(actor)) ||
            !(e->channels & POLICY_BIT(channel)))
            continue;
        const json_t *value = evidence_at(evidence, e);
        const char *wrong = evidence_wrong(e, value, today);
        AUTO_TEXT key = mem_printf("by.evidence.%s", e->path);
        if (wrong)
            bad(fields, key, wrong);
    }
    return json_object_size(fields) == before;
}

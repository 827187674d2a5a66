#include "lifecycle/policy_read.h"

#include "base/address.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define MOST_DEFAULT 128
#define MOST_HOST 253

/* Fields a product may have. Adding one: here, docs/products.md, and where upstream gives it. */
struct known {
    const char *path;
    enum policy_place place;
    enum policy_format format;
    bool is_list;
};
static const struct known catalogue[] = {
    {"email", PLACE_SUBSCRIBER, FORMAT_EMAIL, false},
    {"user_id", PLACE_SUBSCRIBER, FORMAT_ASCII, false},
    {"resident_id", PLACE_SUBSCRIBER, FORMAT_ASCII, false},
    {"role", PLACE_SUBSCRIBER, FORMAT_WORDS, false},
    {"name.ja", PLACE_SUBSCRIBER, FORMAT_LINE, false},
    {"name.latin", PLACE_SUBSCRIBER, FORMAT_ASCII, false},
    {"organisation.ja", PLACE_SUBSCRIBER, FORMAT_LINE, false},
    {"organisation.latin", PLACE_SUBSCRIBER, FORMAT_ASCII, false},
    {"organisation.company_code", PLACE_SUBSCRIBER, FORMAT_ASCII, false},
    {"organisation.email", PLACE_SUBSCRIBER, FORMAT_EMAIL, false},
    {"title", PLACE_SUBSCRIBER, FORMAT_LINE, false},
    {"department", PLACE_SUBSCRIBER, FORMAT_LINE, false},
    {"title_department.latin", PLACE_SUBSCRIBER, FORMAT_ASCII, false},
    {"address.postal_code", PLACE_SUBSCRIBER, FORMAT_LINE, false},
    {"address.prefecture", PLACE_SUBSCRIBER, FORMAT_LINE, false},
    {"address.city", PLACE_SUBSCRIBER, FORMAT_LINE, false},
    {"address.street", PLACE_SUBSCRIBER, FORMAT_LINE, false},
    {"address.building", PLACE_SUBSCRIBER, FORMAT_LINE, false},
    {"telephone", PLACE_SUBSCRIBER, FORMAT_LINE, false},
    {"language", PLACE_SUBSCRIBER, FORMAT_LANGUAGE, false},
    {"account.otp_email", PLACE_ACCOUNT, FORMAT_EMAIL, false},
    {"dns", PLACE_ARGS, FORMAT_HOST, true},
};
/* Of each contact (C1), as contacts.ROLE.NAME. */
static const struct known of_contact[] = {
    {"name", PLACE_CONTACT, FORMAT_LINE, false},
    {"telephone", PLACE_CONTACT, FORMAT_LINE, false},
    {"address", PLACE_CONTACT, FORMAT_LINE, false},
    {"email", PLACE_CONTACT, FORMAT_EMAIL, false},
    {"department", PLACE_CONTACT, FORMAT_LINE, false},
    {"company", PLACE_CONTACT, FORMAT_LINE, false},
    {"invoice", PLACE_CONTACT, FORMAT_WORDS, false},
    {"renewal_notice", PLACE_CONTACT, FORMAT_WORDS, false},
};
static const struct known own_attribute = {"attributes.*", PLACE_SUBSCRIBER, FORMAT_LINE, false};

static const struct known *find_in(const struct known *list, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].path, path) == 0)
            return &list[i];
    return NULL;
}

static bool is_attribute(const char *path)
{
    const char *name = path + 11;
    return strncmp(path, "attributes.", 11) == 0 && *name &&
           !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")];
}

/* "contacts.ROLE.NAME": the role (-1: `*`) and what it is; NULL when it is no such path. */
static const struct known *find_contact(const char *path, int *ret_role)
{
    if (strncmp(path, "contacts.", 9) != 0)
        return NULL;
    size_t n = strcspn(path + 9, ".");
    AUTO_TEXT role = mem_text_n(path + 9, n);
    *ret_role = policy_word_find(policy_role_words, role);
    if (!path[9 + n] || (*ret_role < 0 && strcmp(role, "*") != 0))
        return NULL;
    return find_in(of_contact, ARRAY_LENGTH(of_contact), path + 9 + n + 1);
}

bool policy_field_is_known(const char *path)
{
    int role;
    const struct known *contact = find_contact(path, &role);
    return (contact && role >= 0) || is_attribute(path) ||
           find_in(catalogue, ARRAY_LENGTH(catalogue), path);
}

const char *policy_field_nearest(const char *path)
{
    const char *words[ARRAY_LENGTH(catalogue) + 1] = {NULL};
    for (size_t i = 0; i < ARRAY_LENGTH(catalogue); i++)
        words[i] = catalogue[i].path;
    return bind_nearest(path, words);
}

/* --- one field --- */

/* "email", "ascii", "digits" or "digits{7}". */
static int read_format(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy_field *field = to;
    const char *text;
    int digits = 0, end = 0;
    if (bind_text(node, &text, err))
        return -1;
    if (sscanf(text, "digits{%3d}%n", &digits, &end) == 1 && end && !text[end]) {
        if (digits < 1 || digits > 128)
            return yaml_error(node, err, "1 to 128 digits");
        field->format = FORMAT_DIGITS;
        field->digits = field->most = digits;
        return 0;
    }
    if (bind_word(node, policy_format_words, &field->format, err))
        return -1;
    if (field->format == FORMAT_HOST || field->format == FORMAT_LANGUAGE)
        return yaml_error(node, err, "only dns and language have this format, by themselves");
    return 0;
}

static const struct bind_key field_keys[] = {
    {"required", BIND_BOOL, .offset = IN(policy_field, is_required)},
    {"format", BIND_CALL, .call = read_format},
    {"most", BIND_INT, .offset = IN(policy_field, most), BOUNDS(1, 1000)},
    {"words", BIND_TEXTS, .offset = IN(policy_field, words),
        .count_offset = IN(policy_field, word_count)},
    {"change", BIND_WORD, NEED, IN(policy_field, change), .words = policy_effect_words},
    END,
};

static char *args_path(const struct known *known, const char *path)
{
    switch (known->place) {
    case PLACE_SUBSCRIBER:
        return mem_printf("subscriber.%s", path);
    case PLACE_CONTACT:
    case PLACE_ACCOUNT:
        return mem_printf("contract.%s", path);
    case PLACE_ARGS:
        break;
    }
    return mem_text(path);
}

static void set_words(struct policy_field *field, const char *const *words, size_t count)
{
    field->words = mem_zero(count, sizeof *field->words);
    for (size_t i = 0; i < count; i++)
        field->words[field->word_count++] = mem_text(words[i]);
}

/* Words a field has by its nature, unless the product gave its own. */
static void default_words(struct policy_field *field, const struct policy *p)
{
    static const char *const invoice[] = {"electronic", "paper"};
    static const char *const notice[] = {"wanted", "unwanted"};
    const char *last = strrchr(field->path, '.');
    if (field->format == FORMAT_LANGUAGE) {
        const char *words[LANGUAGES];
        for (size_t i = 0; i < p->language_count; i++)
            words[i] = policy_word(language, p->languages[i]);
        set_words(field, words, p->language_count);
    } else if (field->format == FORMAT_WORDS && !field->word_count) {
        if (last && strcmp(last, ".invoice") == 0)
            set_words(field, invoice, 2);
        else if (last && strcmp(last, ".renewal_notice") == 0)
            set_words(field, notice, 2);
        else if (strcmp(field->path, "role") == 0)
            set_words(field, (const char *const *)p->unit.roles, p->unit.role_count);
    }
}

static void default_most(struct policy_field *field)
{
    if (field->format == FORMAT_EMAIL && (!field->most || field->most > ADDRESS_MOST))
        field->most = ADDRESS_MOST;
    if (!field->most)
        field->most = field->format == FORMAT_HOST ? MOST_HOST : MOST_DEFAULT;
}

static int add_field(const struct yaml_node *node, const struct known *known, const char *path,
    int role, struct policy *p, struct err *err)
{
    if (p->field_count == POLICY_LIST_MOST)
        return yaml_error(node, err, "more than %d fields", POLICY_LIST_MOST);
    p->fields = mem_resize(p->fields, p->field_count + 1, sizeof *p->fields);
    struct policy_field *field = &p->fields[p->field_count++];
    *field = (struct policy_field){.path = mem_text(path),
        .args_path = args_path(known, path),
        .place = known->place,
        .role = (enum policy_role)role,
        .is_list = known->is_list,
        .format = (int)known->format};
    if (bind_map(node, field_keys, field, err))
        return -1;
    int format = (int)known->format;
    if ((format == FORMAT_EMAIL || format == FORMAT_HOST || format == FORMAT_LANGUAGE) &&
        field->format != format)
        return yaml_error(
            node, err, "this field always has the format %s", policy_word(format, format));
    if (field->word_count && field->format != FORMAT_WORDS)
        return yaml_error(
            node, err, "words are given, but the format is %s", policy_word(format, field->format));
    default_words(field, p);
    if (field->format == FORMAT_WORDS && !field->word_count)
        return yaml_error(node, err, "the format is words, but no words are given");
    default_most(field);
    return 0;
}

/* --- all fields --- */

static bool has_field(const struct policy *p, const char *path)
{
    for (size_t i = 0; i < p->field_count; i++)
        if (strcmp(p->fields[i].path, path) == 0)
            return true;
    return false;
}

static int unknown_field(const struct yaml_node *node, struct err *err)
{
    const char *hint = policy_field_nearest(node->key);
    return hint ? yaml_error(node, err, "no field a product can have; did you mean %s?", hint)
                : yaml_error(node, err,
                      "no field a product can have (docs/products.md lists "
                      "them; one of its own is attributes.NAME)");
}

static int read_named(const struct yaml_node *node, struct policy *p, struct err *err)
{
    int role = 0;
    const struct known *known = find_contact(node->key, &role);
    if (known && role < 0)
        return 0; /* a wildcard, read later */
    if (known && !(p->unit.contacts & POLICY_BIT(role)))
        return yaml_error(node, err, "the unit has no %s contact", policy_word(role, role));
    if (!known)
        known = find_in(catalogue, ARRAY_LENGTH(catalogue), node->key);
    if (!known && is_attribute(node->key))
        known = &own_attribute;
    return known ? add_field(node, known, node->key, role, p, err) : unknown_field(node, err);
}

static int read_contact_wildcard(const struct yaml_node *node, struct policy *p, struct err *err)
{
    int role;
    const struct known *known = find_contact(node->key, &role);
    if (!known || role >= 0)
        return 0;
    if (!p->unit.contacts)
        return yaml_error(node, err, "the unit has no contacts");
    for (int i = 0; i < ROLES; i++) {
        AUTO_TEXT path = mem_printf("contacts.%s.%s", policy_word(role, i), known->path);
        if (p->unit.contacts & POLICY_BIT(i) && !has_field(p, path) &&
            add_field(node, known, path, i, p, err))
            return -1;
    }
    return 0;
}

/* Names of a subscriber are there only where the product says so. */
static bool is_own(const char *path)
{
    return strcmp(path, "role") == 0 || strcmp(path, "user_id") == 0 ||
           strcmp(path, "resident_id") == 0;
}

/* "*": the subscriber's other fields; never required. */
static int read_wildcard(const struct yaml_node *node, struct policy *p, struct err *err)
{
    for (const struct yaml_node *c = node->first; c; c = c->next)
        if (strcmp(c->key, "change") != 0)
            return yaml_error(c, err, "* says what a change does, nothing else");
    for (size_t i = 0; i < ARRAY_LENGTH(catalogue); i++) {
        const struct known *known = &catalogue[i];
        if (known->place == PLACE_SUBSCRIBER && !is_own(known->path) &&
            !has_field(p, known->path) && add_field(node, known, known->path, 0, p, err))
            return -1;
    }
    return 0;
}

static int compare_fields(const void *a, const void *b)
{
    return strcmp(((const struct policy_field *)a)->path, ((const struct policy_field *)b)->path);
}

int policy_read_fields(const struct yaml_node *node, struct policy *p, struct err *err)
{
    if (bind_expect(node, YAML_MAP, err))
        return -1;
    for (const struct yaml_node *c = node->first; c; c = c->next)
        if (strcmp(c->key, "*") != 0 && (bind_expect(c, YAML_MAP, err) || read_named(c, p, err)))
            return -1;
    for (const struct yaml_node *c = node->first; c; c = c->next)
        if (read_contact_wildcard(c, p, err))
            return -1;
    const struct yaml_node *rest = yaml_get(node, "*");
    if (rest && (bind_expect(rest, YAML_MAP, err) || read_wildcard(rest, p, err)))
        return -1;
    if (!p->field_count)
        return yaml_error(node, err, "a product has at least one field");
    qsort(p->fields, p->field_count, sizeof *p->fields, compare_fields);
    return 0;
}

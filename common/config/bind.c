#include "config/bind.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MOST 1024

struct unit {
    const char *name;
    int64_t factor;
};
static const struct unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct unit size_units[] = {
    {"", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static void *at(void *to, size_t offset)
{
    return (char *)to + offset;
}

void texts_free(struct texts *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->items[i]);
    free(t->items);
    *t = (struct texts){0};
}

/* --- hints --- */

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t n = a < b ? a : b;
    return n < c ? n : c;
}

/* Changes that make one short word the other: a letter put in, left out, replaced, or two
 * neighbours exchanged. */
static size_t distance(const char *a, const char *b)
{
    size_t d[3][YAML_KEY_MOST + 1], n = strlen(b);
    if (strlen(a) > YAML_KEY_MOST || n > YAML_KEY_MOST)
        return YAML_KEY_MOST;
    size_t *before = d[0], *last = d[1], *row = d[2];
    for (size_t j = 0; j <= n; j++)
        before[j] = last[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            row[j] = least_of(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (is_swap && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[n];
}

const char *bind_nearest(const char *word, const char *const *words)
{
    size_t nearest = 1 + strlen(word) / 3;
    const char *found = NULL;
    for (; *words; words++) {
        size_t d = distance(word, *words);
        if (d <= nearest && (!found || d < nearest)) {
            nearest = d;
            found = *words;
        }
    }
    return found;
}

int bind_unknown(const struct yaml_node *node, const char *what, const char *word,
    const char *const *words, struct err *err)
{
    const char *hint = bind_nearest(word, words);
    if (hint)
        return yaml_error(node, err, "unknown %s %s; did you mean %s?", what, word, hint);
    AUTO_BUF all = {0};
    for (size_t i = 0; words[i] && all.length < 256; i++)
        buf_printf(&all, "%s%s", i ? ", " : "", words[i]);
    return yaml_error(node, err, "unknown %s %s; known: %s", what, word, buf_text(&all));
}

/* --- single values --- */

int bind_expect(const struct yaml_node *node, enum yaml_type type, struct err *err)
{
    static const char *const names[] = {[YAML_NULL] = "nothing",
        [YAML_TEXT] = "a value",
        [YAML_LIST] = "a list",
        [YAML_MAP] = "a map of keys"};
    if (node->type == type)
        return 0;
    if (node->type == YAML_NULL)
        return yaml_error(node, err, "no value is given; %s is wanted", names[type]);
    return yaml_error(node, err, "%s is wanted, not %s", names[type], names[node->type]);
}

bool bind_is_none(const struct yaml_node *node)
{
    return node->type == YAML_TEXT && !node->is_quoted && strcmp(node->text, "none") == 0;
}

int bind_text(const struct yaml_node *node, const char **ret, struct err *err)
{
    if (bind_expect(node, YAML_TEXT, err))
        return -1;
    if (!utf8_is_line(bytes_of_text(node->text)))
        return yaml_error(node, err, "must be one line without control characters");
    *ret = node->text;
    return 0;
}

/* Decimal digits and one of the units; both bounds are given in the smallest unit. */
static int read_number(const struct yaml_node *node, const struct unit *units, const char *wanted,
    int64_t *ret, struct err *err)
{
    if (bind_expect(node, YAML_TEXT, err))
        return -1;
    size_t digits = strspn(node->text, "0123456789");
    if (node->is_quoted || !digits || digits > 18)
        return yaml_error(node, err, "%s is wanted", wanted);
    for (; units->name; units++) {
        int64_t n;
        if (strcmp(node->text + digits, units->name) != 0)
            continue;
        if (__builtin_mul_overflow((int64_t)strtoll(node->text, NULL, 10), units->factor, &n))
            return yaml_error(node, err, "too large");
        *ret = n;
        return 0;
    }
    return yaml_error(node, err, "%s is wanted", wanted);
}

int bind_int(
    const struct yaml_node *node, int64_t least, int64_t most, int64_t *ret, struct err *err)
{
    int64_t n;
    if (read_number(node, no_units, "a whole number", &n, err))
        return -1;
    if (n < least || n > most)
        return yaml_error(node, err, "must be %lld to %lld", (long long)least, (long long)most);
    *ret = n;
    return 0;
}

static int read_size(
    const struct yaml_node *node, const struct bind_key *key, int64_t *ret, struct err *err)
{
    int64_t n;
    if (read_number(node, size_units, "a size such as 500, 64KiB or 4MiB", &n, err))
        return -1;
    if (n < key->least || n > key->most)
        return yaml_error(
            node, err, "must be %lld to %lld", (long long)key->least, (long long)key->most);
    *ret = n;
    return 0;
}

static const char *time_text(int64_t ms, char text[32])
{
    const struct unit *best = &time_units[0];
    for (const struct unit *u = time_units; u->name; u++)
        if (ms % u->factor == 0)
            best = u;
    snprintf(text, 32, "%lld%s", (long long)(ms / best->factor), best->name);
    return text;
}

static int read_ms(
    const struct yaml_node *node, const struct bind_key *key, int64_t *ret, struct err *err)
{
    int64_t n;
    char least[32], most[32];
    if (read_number(node, time_units, "a duration such as 500ms, 30s, 15m, 12h or 14d", &n, err))
        return -1;
    if (n < key->least || n > key->most)
        return yaml_error(node, err, "must be %s to %s", time_text(key->least, least),
            time_text(key->most, most));
    *ret = n;
    return 0;
}

int bind_bool(const struct yaml_node *node, bool *ret, struct err *err)
{
    if (bind_expect(node, YAML_TEXT, err))
        return -1;
    bool is_true = strcmp(node->text, "true") == 0;
    if (node->is_quoted || (!is_true && strcmp(node->text, "false") != 0))
        return yaml_error(node, err, "true or false is wanted");
    *ret = is_true;
    return 0;
}

int bind_word(const struct yaml_node *node, const char *const *words, int *ret, struct err *err)
{
    const char *text;
    if (bind_text(node, &text, err))
        return -1;
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0) {
            *ret = i;
            return 0;
        }
    return bind_unknown(node, "word", text, words, err);
}

int bind_words(
    const struct yaml_node *node, const char *const *words, unsigned *ret, struct err *err)
{
    unsigned mask = 0;
    int n;
    if (node->type == YAML_TEXT) {
        if (bind_is_none(node)) {
            *ret = 0;
            return 0;
        }
        if (bind_word(node, words, &n, err))
            return -1;
        *ret = 1u << n;
        return 0;
    }
    if (bind_expect(node, YAML_LIST, err))
        return -1;
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        if (bind_word(c, words, &n, err))
            return -1;
        if (mask & 1u << n)
            return yaml_error(c, err, "%s is listed twice", words[n]);
        mask |= 1u << n;
    }
    *ret = mask;
    return 0;
}

int bind_texts(const struct yaml_node *node, struct texts *ret, struct err *err)
{
    CLEANUP(texts_free) struct texts list = {0};
    const struct yaml_node *only = node->type == YAML_TEXT ? node : NULL;
    if (!only && bind_expect(node, YAML_LIST, err))
        return -1;
    if (only && bind_is_none(only))
        only = NULL;
    for (const struct yaml_node *c = only ? only : node->first; c; c = only ? NULL : c->next) {
        const char *text;
        if (bind_text(c, &text, err))
            return -1;
        if (!*text)
            return yaml_error(c, err, "must not be empty");
        for (size_t i = 0; i < list.count; i++)
            if (strcmp(list.items[i], text) == 0)
                return yaml_error(c, err, "%s is listed twice", text);
        list.items = mem_resize(list.items, list.count + 1, sizeof *list.items);
        list.items[list.count++] = mem_text(text);
    }
    texts_free(ret);
    *ret = list;
    list = (struct texts){0};
    return 0;
}

/* --- tables --- */

static int set_text(
    const struct yaml_node *node, const struct bind_key *key, char **to, struct err *err)
{
    const char *text;
    bool is_path = key->kind == BIND_PATH || key->kind == BIND_OPTIONAL_PATH;
    size_t most = key->most ? (size_t)key->most : TEXT_MOST;
    if (key->kind != BIND_TEXT && key->kind != BIND_PATH && bind_is_none(node)) {
        free(*to);
        *to = NULL;
        return 0;
    }
    if (bind_text(node, &text, err))
        return -1;
    if (!*text || strlen(text) < (size_t)key->least)
        return yaml_error(node, err, *text ? "too short" : "must not be empty");
    if (strlen(text) > most)
        return yaml_error(node, err, "longer than %zu bytes", most);
    free(*to);
    *to = is_path ? file_beside(node->file, text) : mem_text(text);
    return 0;
}

static int set_texts(
    const struct yaml_node *node, const struct bind_key *key, void *to, struct err *err)
{
    struct texts list = {0};
    if (bind_texts(node, &list, err))
        return -1;
    char ***items = at(to, key->offset);
    size_t *count = at(to, key->count_offset);
    struct texts old = {*items, *count};
    texts_free(&old);
    *items = list.items;
    *count = list.count;
    return 0;
}

/* One zeroed item more at the end of the array whose pointer (of any type) is at `pointer`. */
static void *grow(void *pointer, size_t count, size_t size)
{
    void *items;
    memcpy(&items, pointer, sizeof items);
    items = mem_resize(items, count + 1, size);
    memcpy(pointer, &items, sizeof items);
    return memset((char *)items + count * size, 0, size);
}

static int set_list(
    const struct yaml_node *node, const struct bind_key *key, void *to, struct err *err)
{
    size_t *count = at(to, key->count_offset);
    if (bind_is_none(node))
        return 0;
    if (bind_expect(node, YAML_LIST, err))
        return -1;
    if (key->most && node->count > (size_t)key->most)
        return yaml_error(node, err, "more than %lld items", (long long)key->most);
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        if (bind_expect(c, YAML_MAP, err))
            return -1;
        void *item = grow(at(to, key->offset), (*count)++, key->size);
        if (key->prepare)
            key->prepare(item);
        if (bind_map(c, key->table, item, err))
            return -1;
    }
    return 0;
}

static int set_number(
    const struct yaml_node *node, const struct bind_key *key, void *to, struct err *err)
{
    int64_t n = 0;
    switch (key->kind) {
    case BIND_COUNT:
        if (!bind_is_none(node) && bind_int(node, key->least, key->most, &n, err))
            return -1;
        *(int *)to = (int)n;
        return 0;
    case BIND_SIZE:
        if (read_size(node, key, &n, err))
            return -1;
        *(size_t *)to = (size_t)n;
        return 0;
    case BIND_MS:
        return read_ms(node, key, to, err);
    case BIND_PORT:
        if (bind_int(node, 1, 65535, &n, err))
            return -1;
        *(uint16_t *)to = (uint16_t)n;
        return 0;
    default:
        if (bind_int(node, key->least, key->most, &n, err))
            return -1;
        *(int *)to = (int)n;
        return 0;
    }
}

static int set_value(
    const struct yaml_node *node, const struct bind_key *key, void *to, struct err *err)
{
    void *here = at(to, key->offset);
    switch (key->kind) {
    case BIND_TEXT:
    case BIND_OPTIONAL:
    case BIND_PATH:
    case BIND_OPTIONAL_PATH:
        return set_text(node, key, here, err);
    case BIND_INT:
    case BIND_COUNT:
    case BIND_PORT:
    case BIND_SIZE:
    case BIND_MS:
        return set_number(node, key, here, err);
    case BIND_BOOL:
        return bind_bool(node, here, err);
    case BIND_WORD:
        return bind_word(node, key->words, here, err);
    case BIND_WORDS:
        return bind_words(node, key->words, here, err);
    case BIND_TEXTS:
        return set_texts(node, key, to, err);
    case BIND_MAP:
        return bind_map(node, key->table, here, err);
    case BIND_LIST:
        return set_list(node, key, to, err);
    case BIND_CALL:
        break;
    }
    return key->call(node, here, err);
}

static int unknown_key(const struct yaml_node *node, const struct bind_key *table, struct err *err)
{
    const char *words[128] = {NULL};
    for (size_t i = 0; table[i].name && i < ARRAY_LENGTH(words) - 1; i++)
        words[i] = table[i].name;
    return bind_unknown(node, "key", node->key, words, err);
}

/* The first required key under a map that was left out; NULL when there is none. */
static const char *required_below(const struct bind_key *table, struct buf *path)
{
    for (const struct bind_key *k = table; k->name; k++) {
        size_t before = path->length;
        buf_printf(path, "%s%s", before ? "." : "", k->name);
        if (k->is_required || (k->kind == BIND_MAP && required_below(k->table, path)))
            return buf_text(path);
        path->length = before;
    }
    return NULL;
}

static int check_required(
    const struct yaml_node *map, const struct bind_key *table, struct err *err)
{
    for (const struct bind_key *k = table; k->name; k++) {
        AUTO_BUF path = {0};
        buf_add_text(&path, k->name);
        if (yaml_get(map, k->name))
            continue;
        if (k->is_required)
            return yaml_error(map, err, "the key %s is missing", k->name);
        if (k->kind == BIND_MAP && required_below(k->table, &path))
            return yaml_error(map, err, "the key %s is missing", buf_text(&path));
    }
    return 0;
}

int bind_map(const struct yaml_node *map, const struct bind_key *table, void *to, struct err *err)
{
    if (bind_expect(map, YAML_MAP, err))
        return -1;
    for (const struct yaml_node *c = map->first; c; c = c->next) {
        const struct bind_key *k = table;
        while (k->name && strcmp(k->name, c->key) != 0)
            k++;
        if (!k->name)
            return unknown_key(c, table, err);
        if (set_value(c, k, to, err))
            return -1;
    }
    return check_required(map, table, err);
}

void bind_each_key(const struct bind_key *table, const char *prefix,
    void (*each)(const char *path, void *arg), void *arg)
{
    for (const struct bind_key *k = table; k->name; k++) {
        AUTO_TEXT path = mem_printf(
            "%s%s%s%s", prefix, *prefix ? "." : "", k->name, k->kind == BIND_LIST ? "[]" : "");
        if (k->table)
            bind_each_key(k->table, path, each, arg);
        else
            each(path, arg);
    }
}

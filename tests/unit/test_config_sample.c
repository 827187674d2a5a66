/* links: config */
/* config/certq.yaml against the programs: the same values, and every key. */
#include "config_file.h"

#include "config/config_table.h"
#include "config/yaml.h"

static void dump(const struct bind_key *table, const char *at, const char *prefix, struct buf *to);

static void dump_texts(char *const *items, size_t count, struct buf *to)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(to, "%s,", items[i]);
}

static void dump_list(const struct bind_key *k, const char *at, const char *path, struct buf *to)
{
    size_t count = *(const size_t *)(at + k->count_offset);
    const char *items = *(char *const *)(at + k->offset);
    for (size_t i = 0; i < count; i++) {
        AUTO_TEXT item = mem_printf("%s[%zu]", path, i);
        dump(k->table, items + i * k->size, item, to);
    }
}

static void dump_call(const struct bind_key *k, const char *value, struct buf *to)
{
    struct texts list;
    if (strcmp(k->name, "key") == 0) {
        buf_add_text(to, value);
    } else if (strcmp(k->name, "plaintext") == 0) {
        buf_printf(to, "%d", *(const bool *)value);
    } else if (strcmp(k->name, "name") == 0 || strcmp(k->name, "from") == 0) {
        buf_add_text(to, *(char *const *)value);
    } else {
        memcpy(&list, value, sizeof list);
        dump_texts(list.items, list.count, to);
    }
}

static void dump_value(const struct bind_key *k, const char *at, struct buf *to)
{
    const char *value = at + k->offset;
    switch (k->kind) {
    case BIND_TEXT:
    case BIND_OPTIONAL:
    case BIND_PATH:
    case BIND_OPTIONAL_PATH:
        buf_add_text(to, *(char *const *)value ? *(char *const *)value : "(none)");
        break;
    case BIND_PORT:
        buf_printf(to, "%d", *(const uint16_t *)value);
        break;
    case BIND_SIZE:
        buf_printf(to, "%zu", *(const size_t *)value);
        break;
    case BIND_MS:
        buf_printf(to, "%lld", (long long)*(const int64_t *)value);
        break;
    case BIND_BOOL:
        buf_printf(to, "%d", *(const bool *)value);
        break;
    case BIND_CALL:
        dump_call(k, value, to);
        break;
    default:
        buf_printf(to, "%d", *(const int *)value);
    }
}

static void dump(const struct bind_key *table, const char *at, const char *prefix, struct buf *to)
{
    for (const struct bind_key *k = table; k->name; k++) {
        AUTO_TEXT path = mem_printf("%s.%s", prefix, k->name);
        if (k->kind == BIND_MAP) {
            dump(k->table, at + k->offset, path, to);
        } else if (k->kind == BIND_LIST) {
            dump_list(k, at, path, to);
        } else {
            buf_printf(to, "%s=", path);
            dump_value(k, at, to);
            buf_add_char(to, '\n');
        }
    }
}

static void the_sample_is_the_default(void **state)
{
    (void)state;
    AUTO(config) sample = NULL;
    AUTO(config) bare = NULL;
    AUTO_BUF a = {0}, b = {0};
    struct err err = {0};
    if (load(config_sample(), &sample, &err))
        fail_msg("%s", err.text);
    AUTO_TEXT own = mem_printf("mail: {from: \"%s\", help_ja: \"%s\", help_en: \"%s\"}\n",
        sample->mail.from, sample->mail.help_ja, sample->mail.help_en);
    if (load(own, &bare, &err))
        fail_msg("%s", err.text);
    dump(config_keys, (const char *)sample, "", &a);
    dump(config_keys, (const char *)bare, "", &b);
    assert_string_equal(buf_text(&a), buf_text(&b));
    assert_true(a.length > 1500);
    AUTO_BUF file = {0};
    assert_int_equal(file_read(CERTQ_SOURCE_DIR "/config/certq.yaml", 1 << 20, &file, &err), 0);
    assert_string_equal(config_sample(), buf_text(&file));
}

/* Commented settings: # and a letter, or # and two spaces; prose has # and one space. */
static char *uncommented(const char *text)
{
    AUTO_BUF out = {0};
    bool is_leading = true;
    for (const char *p = text; *p; p++) {
        bool is_setting = p[0] == '#' && ((p[1] >= 'a' && p[1] <= 'z') || !strncmp(p, "#  ", 3));
        if (!(is_leading && is_setting))
            buf_add_char(&out, *p);
        is_leading = *p == '\n' || (is_leading && *p == ' ');
    }
    return buf_take_text(&out);
}

static void walk(const struct yaml_node *node, const char *prefix, struct buf *to)
{
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        bool is_list = c->type == YAML_LIST && c->first && c->first->type == YAML_MAP;
        AUTO_TEXT path =
            mem_printf("%s%s%s%s", prefix, *prefix ? "." : "", c->key, is_list ? "[]" : "");
        bool is_value = strcmp(c->key, "args") == 0; /* a job's, whatever they are */
        for (const struct yaml_node *item = is_list ? c->first : NULL; item; item = item->next)
            walk(item, path, to);
        if (!is_list && c->type == YAML_MAP && !is_value)
            walk(c, path, to);
        else if (!is_list)
            buf_printf(to, "%s\n", path);
    }
}

static void collect(const char *path, void *to)
{
    buf_printf(to, "%s\n", path);
}

static void assert_all_in(char *lines, const char *all, const char *what)
{
    AUTO_TEXT copy = mem_printf("\n%s", all);
    char *rest = NULL;
    for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        AUTO_TEXT wanted = mem_printf("\n%s\n", line);
        if (!strstr(copy, wanted))
            fail_msg("%s: %s", what, line);
    }
}

static void every_key_is_documented_and_none_else(void **state)
{
    (void)state;
    AUTO_TEXT text = uncommented(config_sample());
    AUTO(yaml_tree) y = NULL;
    AUTO(config) c = MEM_NEW(struct config);
    AUTO_BUF in_sample = {0}, in_table = {0};
    struct err err = {0};
    if (yaml_read("certq.yaml", bytes_of_text(text), &y, &err) ||
        bind_map(yaml_root(y), config_keys, c, &err))
        fail_msg("%s", err.text);
    walk(yaml_root(y), "", &in_sample);
    config_each_key(collect, &in_table);
    AUTO_TEXT a = mem_text(buf_text(&in_sample));
    AUTO_TEXT b = mem_text(buf_text(&in_table));
    assert_all_in(a, buf_text(&in_table), "in the sample, not in the table");
    assert_all_in(b, buf_text(&in_sample), "in the table, not in the sample");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_is_the_default),
        cmocka_unit_test(every_key_is_documented_and_none_else),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}

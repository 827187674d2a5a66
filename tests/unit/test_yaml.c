/* links: config */
#include "base/mem.h"
#include "config/bind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_says(const struct err *err, const char *wanted, const char *of)
{
    if (err->kind != ERR_INPUT || !strstr(err->text, wanted))
        fail_msg("wanted %s\n   got %s\n    of %s", wanted, err->text, of);
}

static void trees_refuse_what_they_do_not_take(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"a: 1\nb: 2\na: 3\n", "f:3: a: given twice (first on line 1)"},
        {"a: &x 1\nb: *x\n", "f:1: anchors"},
        {"a: *x\n", "f:1: aliases"},
        {"a: !!int 1\n", "f:1: tags"},
        {"a: !x {b: 1}\n", "f:1: tags"},
        {"a: &x [1]\n", "f:1: anchors"},
        {"%YAML 1.1\n---\na: 1\n", "directives"},
        {"a: 1\n---\nb: 2\n", "f:2: a second document"},
        {"- a\n- b\n", "f:1: a map of keys and values is wanted"},
        {"a\n", "a map of keys"},
        {"a: [1, 2\n", "not YAML"},
        {"a: 1\n\tb: 2\n", "not YAML"},
        {"a: \"x\\0y\"\n", "f:1: NUL"},
        {"a: \xff\xfe\n", "f: byte 3"},
        {"? [a]\n: 1\n", "a key must be a word"},
        {"? \"a\\nb\"\n: 1\n", "a key must be one line"},
        {"\"\": 1\n", "a key must be one line"},
        {"a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: 1}}}}}}}}}}}}\n", "nested too deep"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(yaml_tree) y = NULL;
        struct err err = {0};
        if (!yaml_read("f", bytes_of_text(rows[i].text), &y, &err))
            fail_msg("taken: %s", rows[i].text);
        assert_null(y);
        assert_says(&err, rows[i].wanted, rows[i].text);
    }
}

static void trees_are_bounded(void **state)
{
    (void)state;
    AUTO_BUF text = {0};
    struct err err = {0};
    AUTO(yaml_tree) y = NULL;
    for (int i = 0; i <= YAML_NODES_MOST; i++)
        buf_printf(&text, "- %d\n", i);
    assert_int_equal(yaml_read("f", buf_bytes(&text), &y, &err), -1);
    assert_says(&err, "too many values", "many");
    while (text.length <= YAML_BYTES_MOST)
        buf_add_text(&text, "# longer\n");
    assert_int_equal(yaml_read("f", buf_bytes(&text), &y, &err), -1);
    assert_says(&err, "longer than", "long");
    buf_clear(&text);
    for (int i = 0; i < 50000; i++)
        buf_add_char(&text, '[');
    assert_int_equal(yaml_read("f", buf_bytes(&text), &y, &err), -1);
    assert_says(&err, "nested too deep", "deep");
}

static void trees_hold_what_was_written(void **state)
{
    (void)state;
    static const char text[] = "# comment\na: 1\nb:\n  - x: 'none'\n    y: ~\n  - [p, \"q\"]\n"
                               "c: {d: \"\", e: }\n";
    AUTO(yaml_tree) y = NULL;
    struct err err = {0};
    assert_int_equal(yaml_read("f", bytes_of_text(text), &y, &err), 0);
    const struct yaml_node *root = yaml_root(y);
    assert_int_equal(root->count, 3);
    assert_string_equal(yaml_get(root, "a")->text, "1");
    assert_int_equal(yaml_get(root, "a")->line, 2);
    const struct yaml_node *item = yaml_get(root, "b")->first;
    assert_true(yaml_get(item, "x")->is_quoted);
    assert_false(bind_is_none(yaml_get(item, "x")));
    assert_int_equal(yaml_get(item, "y")->type, YAML_NULL);
    AUTO_BUF path = {0};
    yaml_path(item->next->last, &path);
    assert_string_equal(buf_text(&path), "b[1][1]");
    assert_int_equal(item->next->last->line, 6);
    assert_int_equal(yaml_at(root, "c.d")->type, YAML_TEXT);
    assert_int_equal(yaml_at(root, "c.e")->type, YAML_NULL);
    assert_null(yaml_at(root, "c.f"));
    assert_null(yaml_at(root, "a.b"));
}

static void trees_merge_key_by_key(void **state)
{
    (void)state;
    AUTO(yaml_tree) base = NULL;
    AUTO(yaml_tree) child = NULL;
    AUTO(yaml_tree) whole = NULL;
    struct err err = {0};
    assert_int_equal(
        yaml_read(
            "base", bytes_of_text("a: {b: 1, c: [1, 2], d: 4}\ne: 5\nf: {g: 1}\n"), &base, &err),
        0);
    assert_int_equal(
        yaml_read("child", bytes_of_text("a:\n  c: [3]\n  d: ~\n  h: 8\nf: none\n"), &child, &err),
        0);
    assert_int_equal(yaml_merge(base, child, &whole, &err), 0);
    yaml_tree_free(TAKE(base));
    yaml_tree_free(TAKE(child));
    const struct yaml_node *root = yaml_root(whole);
    assert_string_equal(yaml_at(root, "a.b")->text, "1");
    assert_string_equal(yaml_at(root, "a.b")->file, "base");
    assert_int_equal(yaml_at(root, "a.c")->count, 1);
    assert_string_equal(yaml_at(root, "a.c")->file, "child");
    assert_int_equal(yaml_at(root, "a.c")->line, 2);
    assert_null(yaml_at(root, "a.d"));
    assert_string_equal(yaml_at(root, "a.h")->text, "8");
    assert_string_equal(yaml_at(root, "e")->text, "5");
    assert_string_equal(yaml_at(root, "f")->text, "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_refuse_what_they_do_not_take),
        cmocka_unit_test(trees_are_bounded),
        cmocka_unit_test(trees_hold_what_was_written),
        cmocka_unit_test(trees_merge_key_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

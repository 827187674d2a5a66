/* links: cli */
#include "cli/args.h"
#include "cli/command.h"
#include "cli/people.h"
#include "cli/progress.h"
#include "cli/seed.h"
#include "cli/table.h"
#include "cli/wish.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static char *path_of(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static void put(const char *path, const char *content)
{
    struct err err = {0};
    if (file_write(path, bytes_of_text(content), 0600, &err))
        fail_msg("%s", err.text);
}

/* ---- arguments ---- */

static int never(struct cli *cli UNUSED, const struct args *args UNUSED)
{
    return 0;
}

static const struct option options[] = {
    {"--kind", OPTION_VALUE, "K", ""},
    {"--set", OPTION_VALUE, "P=V", ""},
    {"--wait", OPTION_MAYBE, "S", ""},
    {"--all", OPTION_FLAG, NULL, ""},
    {0},
};
static const struct command command = {"x", "ID...", 1, 2, "", NULL, options, never};

static void arguments_are_read_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *argv[8];
        const char *error; /* part of it; NULL: taken */
        size_t values, options;
        bool json;
        const char *config;
    } rows[] = {
        {{"a"}, NULL, 1, 0, false, NULL},
        {{"a", "b", "--kind", "k"}, NULL, 2, 1, false, NULL},
        {{"--kind=k=l", "a", "--json"}, NULL, 1, 1, true, NULL},
        {{"--config", "f", "a", "--wait", "--wait=3", "--all"}, NULL, 1, 3, false, "f"},
        {{"--config=g", "--", "--kind", "-x"}, NULL, 2, 0, false, "g"},
        {{"-"}, NULL, 1, 0, false, NULL},
        {{"--kind", "--all", "a"}, NULL, 1, 1, false, NULL}, /* a value is a value */
        {{NULL}, "ID... is missing", 0, 0, false, NULL},
        {{"a", "b", "c"}, "c: one argument too many", 0, 0, false, NULL},
        {{"a", "--kind"}, "--kind: K is missing", 0, 0, false, NULL},
        {{"a", "--config"}, "--config: FILE is missing", 0, 0, false, NULL},
        {{"a", "--all=1"}, "--all takes no value", 0, 0, false, NULL},
        {{"a", "--wiat"}, "--wiat: no such option (did you mean --wait?)", 0, 0, false, NULL},
        {{"a", "--knid=1"}, "did you mean --kind?", 0, 0, false, NULL},
        {{"a", "--nothing-like"}, "--nothing-like: no such option", 0, 0, false, NULL},
        {{"a", "-q"}, "-q: no such option", 0, 0, false, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char *argv[8];
        int argc = 0;
        for (; argc < 8 && rows[i].argv[argc]; argc++)
            argv[argc] = (char *)(uintptr_t)rows[i].argv[argc];
        struct globals globals = {0};
        struct args args = {0};
        struct err err = {0};
        int failed = args_parse(&command, argc, argv, 0, &globals, &args, &err);
        if ((failed != 0) != (rows[i].error != NULL) ||
            (failed && !strstr(err.text, rows[i].error)))
            fail_msg("row %zu: %d %s", i, failed, err.text);
        if (failed)
            continue;
        assert_int_equal(args.count, rows[i].values);
        assert_int_equal(args.option_count, rows[i].options);
        assert_int_equal(globals.json, rows[i].json);
        if (rows[i].config)
            assert_string_equal(globals.config, rows[i].config);
        args_clear(&args);
    }
}

static void options_are_found_by_name(void **state)
{
    (void)state;
    char *argv[] = {"a", "--kind", "first", "--kind=second", "--wait=30", "--set", "x"};
    struct globals globals = {0};
    struct args args;
    struct err err = {0};
    assert_int_equal(args_parse(&command, 7, argv, 0, &globals, &args, &err), 0);
    assert_string_equal(args_value(&args, "--kind"), "second");
    assert_true(args_has(&args, "--wait"));
    assert_false(args_has(&args, "--all"));
    assert_null(args_value(&args, "--all"));
    int64_t n = -1;
    assert_int_equal(args_number(&args, "--wait", 0, 30, &n, &err), 0);
    assert_int_equal(n, 30);
    assert_int_equal(args_number(&args, "--all", 0, 30, &n, &err), 0);
    assert_int_equal(n, 30);
    assert_int_equal(args_number(&args, "--wait", 0, 29, &n, &err), -1);
    assert_int_equal(args_number(&args, "--set", 0, 29, &n, &err), -1);
    assert_string_equal(err.code, "usage");
    args_clear(&args);
}

static void the_table_of_commands_is_sound(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct group *g = groups; g->name; g++) {
        assert_ptr_equal(group_find(g->name), g);
        for (const struct command *c = g->commands; c->run; c++, count++) {
            assert_ptr_equal(command_find(g, c->name), c);
            assert_true(c->summary[strlen(c->summary) - 1] != '.');
            assert_true(c->least <= c->most && (c->most > 0) == (c->values != NULL));
            for (const struct option *o = c->options; o && o->name; o++)
                if (strncmp(o->name, "--", 2) != 0 ||
                    (o->kind == OPTION_FLAG) != (o->value == NULL))
                    fail_msg("%s %s %s", g->name, c->name, o->name);
            for (const char *p = c->text; p && *p;) {
                size_t length = strcspn(p, "\n");
                if (length > 90 || p[length] != '\n')
                    fail_msg("%s %s: %.30s", g->name, c->name ? c->name : "", p);
                p += length + 1;
            }
        }
    }
    assert_true(count > 25);
    assert_null(group_find("jobs"));
    assert_null(command_find(group_find("job"), NULL));
}

/* ---- what to submit ---- */

static void assignments_build_args(void **state)
{
    (void)state;
    static const struct {
        const char *assignment;
        const char *want; /* args afterwards, or */
        const char *error;
    } rows[] = {
        {"a=1", "{\"a\":\"1\"}", NULL},
        {"a.b.c=〇=〇", "{\"a\":{\"b\":{\"c\":\"〇=〇\"}}}", NULL},
        {"a:=1", "{\"a\":1}", NULL},
        {"a:={\"b\":[true,null]}", "{\"a\":{\"b\":[true,null]}}", NULL},
        {"a=", "{\"a\":\"\"}", NULL},
        {"a", NULL, "path=text"},
        {"=1", NULL, "path=text"},
        {":=1", NULL, "path=text"},
        {".a=1", NULL, "path=text"},
        {"a.=1", NULL, "path=text"},
        {"a..b=1", NULL, "path=text"},
        {"a:={", NULL, "not JSON"},
        {"a:={\"b\":1,\"b\":2}", NULL, "not JSON"},
        {"a=\xff", NULL, "not UTF-8"},
        {"password=hunter2", NULL, "--secret password=FILE"},
        {"deep.code=hunter2", NULL, "--secret deep.code=FILE"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *args = json_object();
        struct err err = {0};
        int failed = wish_set(args, rows[i].assignment, &err);
        AUTO_BUF text = {0};
        json_write(args, &text);
        if (failed ? !rows[i].error || !strstr(err.text, rows[i].error)
                   : !rows[i].want || strcmp(buf_text(&text), rows[i].want) != 0)
            fail_msg("%s: %s %s", rows[i].assignment, buf_text(&text), err.text);
        assert_null(strstr(err.text, "hunter2"));
    }
}

static void secrets_come_from_files(void **state)
{
    (void)state;
    AUTO_TEXT secret = path_of("secret");
    AUTO_TEXT args_file = path_of("args.json");
    static const struct {
        const char *content, *want;
    } rows[] = {{"pass\n", "pass"}, {"pass\r\n", "pass"}, {"pass", "pass"}, {"a\n\n", "a\n"},
        {"〇 〇\n", "〇 〇"}, {"\n", NULL}, {"", NULL}};
    put(args_file, "{\"a\":{\"b\":1}}");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        put(secret, rows[i].content);
        AUTO_TEXT option = mem_printf("password=%s", secret);
        char *argv[] = {"noop", "--args", args_file, "--set", "a.c=x", "--secret", option};
        struct globals globals = {0};
        struct args args;
        struct wish w;
        struct err err = {0};
        assert_int_equal(args_parse(submit_commands, 7, argv, 0, &globals, &args, &err), 0);
        int failed = wish_read(&args, &w, &err);
        if ((failed != 0) != (rows[i].want == NULL))
            fail_msg("row %zu: %s", i, err.text);
        if (!failed) {
            assert_int_equal(w.secret_count, 1);
            assert_string_equal(w.secrets[0].path, "password");
            assert_string_equal(w.secrets[0].value, rows[i].want);
            assert_int_equal(w.secrets[0].length, strlen(rows[i].want));
            AUTO_BUF text = {0};
            json_write(w.args, &text);
            assert_string_equal(buf_text(&text), "{\"a\":{\"b\":1,\"c\":\"x\"}}");
            wish_clear(&w);
        }
        args_clear(&args);
    }
    static const char *const bad[] = {"password", "password=", "=f", "pass=/dev/null",
        "password=/nonexistent", "password=/dev/zero"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char *argv[] = {"noop", "--secret", (char *)(uintptr_t)bad[i]};
        struct globals globals = {0};
        struct args args;
        struct wish w;
        struct err err = {0};
        assert_int_equal(args_parse(submit_commands, 3, argv, 0, &globals, &args, &err), 0);
        if (wish_read(&args, &w, &err) == 0)
            fail_msg("%s", bad[i]);
        args_clear(&args);
    }
    unlink(secret);
    unlink(args_file);
}

/* ---- ids of a batch ---- */

static void a_file_keeps_its_ids(void **state)
{
    (void)state;
    AUTO_TEXT path = path_of("batch");
    AUTO_TEXT seed_path = path_of("batch.seed");
    struct uuid seed, again;
    struct err err = {0};
    assert_int_equal(seed_open(path, "noop", &seed, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    put(path, "{}\n{}\n");
    assert_int_equal(seed_open(path, "noop", &seed, &err), 0);
    assert_int_equal(seed_open(path, "noop", &again, &err), 0);
    assert_true(uuid_equal(&seed, &again));

    put(path, "{}\n{}\n{}\n"); /* grown */
    assert_int_equal(seed_open(path, "noop", &again, &err), 0);
    assert_true(uuid_equal(&seed, &again));
    put(path, "{}\n{}\n"); /* shrunk below what it was submitted as */
    assert_int_equal(seed_open(path, "noop", &again, &err), -1);
    assert_non_null(strstr(err.text, "was changed"));
    put(path, "{}\n{ }\n{}\n");
    assert_int_equal(seed_open(path, "noop", &again, &err), -1);
    assert_non_null(strstr(err.text, "was changed"));
    put(path, "{}\n{}\n{}\n");
    assert_int_equal(seed_open(path, "issue", &again, &err), -1);
    assert_non_null(strstr(err.text, "submitted as noop"));
    put(seed_path, "{\"seed\":7}");
    assert_int_equal(seed_open(path, "noop", &again, &err), -1);
    unlink(seed_path);
    assert_int_equal(seed_open(path, "noop", &again, &err), 0);
    assert_false(uuid_equal(&seed, &again));
    unlink(path);
    unlink(seed_path);

    struct uuid one = seed_id(&seed, 1), two = seed_id(&seed, 2), same = seed_id(&seed, 1);
    assert_true(uuid_equal(&one, &same));
    assert_false(uuid_equal(&one, &two));
    assert_int_equal(uuid_time_ms(&one), uuid_time_ms(&seed));
    assert_int_equal(one.b[8] >> 6, 2);
}

/* ---- for people ---- */

static void times_are_read_and_written(void **state)
{
    (void)state;
    const int64_t now = 1775001600000; /* 2026-04-01T00:00:00Z */
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } rows[] = {
        {"2026-04-01T09:00:00+09:00", 1775001600000},
        {"2026-04-01", 1774969200000},
        {"90m", 1775001600000 - 5400000},
        {"3d", 1775001600000 - 259200000},
        {"999999d", 0},
        {"3", -1},
        {"d", -1},
        {"3w", -1},
        {"2026-02-29", -1},
        {"yesterday", -1},
        {"", -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int64_t ms = -1;
        struct err err = {0};
        int failed = people_time_parse(rows[i].text, now, &ms, &err);
        if (ms != rows[i].ms || (failed != 0) != (rows[i].ms < 0))
            fail_msg("%s: %lld", rows[i].text, (long long)ms);
    }
    int64_t ms = 0;
    struct err err = {0};
    assert_int_equal(people_time_parse("2h", PEOPLE_NO_AGO, &ms, &err), -1);
    assert_null(strstr(err.text, "ago"));
    AUTO_BUF text = {0};
    char mark[8];
    people_time(1774969199000, NULL, &text);
    assert_string_equal(buf_text(&text), "2026-03-31 23:59:59");
    buf_clear(&text);
    people_time(1774969199000, "UTC", &text);
    assert_string_equal(buf_text(&text), "2026-03-31 14:59:59");
    assert_string_equal(people_zone_mark(NULL, mark), "JST");
    assert_string_equal(people_zone_mark("UTC", mark), "UTC");
    assert_string_equal(people_zone_mark("Nowhere/None", mark), "UTC");
}

static void terminals_are_protected(void **state)
{
    (void)state;
    AUTO_BUF text = {0};
    people_text("a\x1b[31m\r\n\xe2\x80\xae〇\xff\x7f", &text);
    assert_string_equal(buf_text(&text), "a?[31m???〇??");
    buf_clear(&text);
    people_cut(bytes_of_text("〇〇〇〇"), 6, &text);
    assert_string_equal(buf_text(&text), "〇〇…");
    buf_clear(&text);
    people_cut(bytes_of_text("〇〇〇"), 6, &text);
    assert_string_equal(buf_text(&text), "〇〇〇");
}

static void tables_fit(void **state)
{
    (void)state;
    static const struct column columns[] = {
        {"ID", "id", COLUMN_TEXT},
        {"STATE", "deep.state", COLUMN_TEXT},
        {"AT", "at", COLUMN_TIME},
        {"N", "n", COLUMN_COUNT},
        {"WHO", "who", COLUMN_SQUEEZE},
        {"LAST", "last", COLUMN_SQUEEZE},
        {0},
    };
    AUTO_TYPE(json, json_t) *rows = json_loads(
        "[{\"id\":\"01a201b4-840c-7151-86a6-319763414014\",\"deep\":{\"state\":\"ready\"},"
        "\"at\":\"2026-03-31T15:00:00Z\",\"n\":7,\"who\":\"〇〇〇〇〇〇〇〇\",\"last\":[\"a\","
        "\"b\"]},"
        "{\"id\":\"x\",\"n\":12345,\"who\":\"\\u001b[2J\",\"last\":true}]",
        0, NULL);
    AUTO_BUF text = {0};
    table_write(rows, columns, NULL, 80, &text);
    assert_string_equal(buf_text(&text),
        "ID                                    STATE  AT JST                N  WHO\n"
        "01a201b4-840c-7151-86a6-319763414014  ready  2026-04-01 00:00      7  〇〇〇〇…\n"
        "x                                     -      -                 12345  ?[2J\n");
    for (size_t screen = 80; screen < 120; screen++) {
        buf_clear(&text);
        table_write(rows, columns, NULL, screen, &text);
        for (const char *p = buf_text(&text); *p; p += strcspn(p, "\n") + 1)
            assert_true(
                utf8_columns((struct bytes){(const uint8_t *)p, strcspn(p, "\n")}) <= screen);
    }
    assert_non_null(strstr(buf_text(&text), "〇〇〇〇〇〇〇〇  a,b"));
    assert_non_null(strstr(buf_text(&text), "yes"));
}

static void records_are_told_line_by_line(void **state)
{
    (void)state;
    AUTO_TYPE(json, json_t) *object = json_loads(
        "{\"a\":{\"b\":\"x\\u0007\",\"at\":\"2026-03-31T15:00:00Z\"},\"list\":[1,2],\"none\":[],"
        "\"jobs\":[{\"id\":\"p\",\"deep\":[{\"q\":1}]},{\"id\":\"r\"}],\"pem\":\"--\\nAB\\n\","
        "\"no\":false,\"nil\":null}",
        0, NULL);
    assert_non_null(object);
    AUTO_BUF text = {0};
    record_write(object, "UTC", &text);
    assert_string_equal(buf_text(&text), "a.b: x?\n"
                                         "a.at: 2026-03-31 15:00:00 UTC\n"
                                         "list: 1, 2\n"
                                         "none: none\n"
                                         "jobs:\n  -\n    id: p\n    deep:\n      -\n        q: 1\n"
                                         "  -\n    id: r\n"
                                         "pem:\n--\nAB\n"
                                         "no: no\n"
                                         "nil: -\n");
}

static void the_bar_says_how_far(void **state)
{
    (void)state;
    char text[128];
    struct progress p = {.total = 200, .done = 50, .started_ms = 1000};
    progress_draw(&p, 3, 2000, text);
    assert_string_equal(text, "[#######.......................] 25 %  50/200  50/s, 3 not done");
    p.done = 300; /* the file grew meanwhile */
    progress_draw(&p, 0, 1000, text);
    assert_string_equal(text, "[##############################] 100 %  200/200  0/s");
    p.total = 0;
    progress_draw(&p, 0, 2000, text);
    assert_string_equal(text, "300  300/s");
    p = (struct progress){.total = SIZE_MAX / 64, .done = SIZE_MAX / 64};
    progress_draw(&p, SIZE_MAX, 2000, text);
    assert_true(strlen(text) < sizeof text);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/certq-cli-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_read_or_refused),
        cmocka_unit_test(options_are_found_by_name),
        cmocka_unit_test(the_table_of_commands_is_sound),
        cmocka_unit_test(assignments_build_args),
        cmocka_unit_test(secrets_come_from_files),
        cmocka_unit_test(a_file_keeps_its_ids),
        cmocka_unit_test(times_are_read_and_written),
        cmocka_unit_test(terminals_are_protected),
        cmocka_unit_test(tables_fit),
        cmocka_unit_test(records_are_told_line_by_line),
        cmocka_unit_test(the_bar_says_how_far),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

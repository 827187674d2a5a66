/* links: base */
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/json_memory.h"
#include "base/json_quick.h"
#include "base/kind.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/utf8.h"
#include "base/uuid.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void uuids_round_trip_and_rise(void **state)
{
    (void)state;
    struct uuid last = uuid_new();
    for (int i = 0; i < 100000; i++) {
        struct uuid next = uuid_new();
        assert_true(uuid_compare(&last, &next) < 0);
        last = next;
    }
    struct uuid back;
    const char *text = uuid_s(&last);
    assert_true(uuid_parse(text, strlen(text), &back));
    assert_true(uuid_equal(&last, &back));
    char hex[33];
    uuid_format_hex(&last, hex);
    assert_true(uuid_parse(hex, 32, &back) && uuid_equal(&last, &back));
    assert_true(uuid_time_ms(&last) > 1700000000000);
    assert_false(uuid_parse("0190a0b0-0000-7000-8000-00000000000", 35, &back));
    assert_false(uuid_parse("0190a0b0-0000-7000-8000-00000000000g", 36, &back));
    assert_false(uuid_parse("0190a0b0000007000-8000-000000000000x", 36, &back));
}

static void times_parse_and_format(void **state)
{
    (void)state;
    static const struct {
        const char *text, *utc;
    } rows[] = {
        {"2026-04-01T00:00:00+09:00", "2026-03-31T15:00:00Z"},
        {"2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"},
        {"2026-04-01T00:00:00.250Z", "2026-04-01T00:00:00.250Z"},
        {"2026-04-01T00:00:00-00:30", "2026-04-01T00:30:00Z"},
        {"2025-02-29T00:00:00Z", NULL},
        {"2026-04-01T24:00:00Z", NULL},
        {"2026-04-01T00:00:00", NULL},
        {"2026-04-01", NULL},
        {"1969-12-31T23:59:59Z", NULL},
        {"2026-04-01T00:00:00Zx", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int64_t ms = 0;
        bool ok = clock_parse(rows[i].text, strlen(rows[i].text), &ms);
        if (ok != (rows[i].utc != NULL))
            fail_msg("%s", rows[i].text);
        if (ok)
            assert_string_equal(clock_s(ms), rows[i].utc);
    }
}

static void base64_is_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "A", "AA", "AAA", "AB==", "AAB=", "AA=A", "A===", "AA\nA", "AAAA====", "-_=="};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        AUTO_BUF out = {0};
        if (base64_decode(bytes_of_text(bad[i]), &out))
            fail_msg("%s", bad[i]);
        assert_int_equal(out.length, 0);
    }
    AUTO_BUF text = {0}, back = {0};
    base64_encode(bytes_of_text("certq!"), &text);
    assert_true(base64_decode(buf_bytes(&text), &back));
    assert_string_equal(buf_text(&back), "certq!");
}

static void utf8_refuses_what_rfc3629_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff",
        "\xe3\x81", "\xe0\x80\x80", "a\x80"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(utf8_is_valid(bytes_of_text(bad[i])));
    assert_true(utf8_is_line(bytes_of_text("〇〇 花子")));
    assert_false(utf8_is_line(bytes_of_text("a\r\nBcc: x")));
    assert_false(utf8_is_line(bytes_of_text("a\xe2\x80\xa8"
                                            "b")));
    assert_int_equal(utf8_columns(bytes_of_text("〇a花")), 5);
}

static void canonical_json_follows_rfc8785(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"{\"b\":1,\"a\":[true,null,\"\\u20ac\\n\"]}", "{\"a\":[true,null,\"€\\n\"],\"b\":1}"},
        {"{\"n\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]}",
            "{\"n\":[333333333.3333333,1e+30,4.5,0.002,1e-27]}"},
        {"{\"n\":[5e-324,1.5e-323,2.2250738585072014e-308,1.7976931348623157e308,0.1,-0.0]}",
            "{\"n\":[5e-324,1.5e-323,2.2250738585072014e-308,1.7976931348623157e+308,0.1,0]}"},
        {"{\"n\":[9007199254740993.0,0.30000000000000004,1e21,1e20,1e-6,1e-7,1e23,123456.0]}",
            "{\"n\":[9007199254740992,0.30000000000000004,1e+21,100000000000000000000,0.000001,"
            "1e-7,1e+23,123456]}"},
        {"{\"\\ufb33\":1,\"\\ud83d\\ude00\":2,\"\\u20ac\":3}",
            "{\"€\":3,\"😀\":2,\"\xef\xac\xb3\":1}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct err err = {0};
        AUTO_TYPE(json, json_t) *value = NULL;
        AUTO_BUF out = {0};
        assert_int_equal(json_parse_object(bytes_of_text(rows[i].in), &value, &err), 0);
        assert_int_equal(json_canonical(value, &out, &err), 0);
        assert_string_equal(buf_text(&out), rows[i].out);
    }
    struct err err = {0};
    json_t *value = NULL;
    assert_int_equal(json_parse_object(bytes_of_text("{\"a\":1,\"a\":2}"), &value, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    assert_int_equal(json_parse_object(bytes_of_text("[1]"), &value, &err), -1);
    assert_int_equal(json_parse_object(bytes_of_text("{\"a\":\"\xff\"}"), &value, &err), -1);
}

/* json_write and json_compact, held against jansson's own. */
static void json_is_written_as_jansson_does(void **state)
{
    (void)state;
    static const char *const rows[] = {"{}", "[]", "[[],{},[{}]]", "\"\"", "null", "-7", "1.5e300",
        "{\"z\":1,\"a\":[true,false,null,-9223372036854775808,0.1,1e22,3.0,-0.0]}",
        "[\"\\\"\\\\/"
        "\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\\u20ac\\ud83d\\ude00〇\",{\"k\\\"\\n\\u0002\":\"v\"}"
        "]"};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *value = json_loads(rows[i], JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        AUTO_TEXT wanted = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        AUTO_TEXT text = json_compact(value);
        AUTO_BUF out = {0};
        buf_add_text(&out, "before");
        json_write(value, &out);
        assert_string_equal(text, wanted);
        assert_string_equal(buf_text(&out) + strlen("before"), wanted);
    }
}

/* What the quick reader makes of bytes is what jansson makes of them, or nothing. */
static bool check_quick(struct bytes text)
{
    AUTO_TYPE(json, json_t) *quick = json_quick(text);
    AUTO_TYPE(json, json_t) *slow =
        json_loadb((const char *)text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
    if (!quick)
        return false;
    AUTO_TEXT one = json_compact(quick);
    AUTO_TEXT other = slow ? json_compact(slow) : NULL;
    if (!other || strcmp(one, other) != 0)
        fail_msg("%.*s: %s, not %s", (int)text.length, (const char *)text.data, one, other);
    return true;
}

static const char *const quick_rows[] = {"{}", " {\"a\" : [ ] , \"b\":{ }}\n",
    "{\"a\":[1,-2,0,999999999999999999,true,false,null],\"b\":\"\",\"\":[[{}],[\"x\"]]}",
    "{\"csr\":\"-----BEGIN\\nMII\\/\\\"\\\\\\t\\b\\f\\r\",\"〇\":\"〇〇 花子\"}"};

/* Every byte at every place of a text that is plain but for it. */
static void plain_text_ends_where_it_must(void **state UNUSED)
{
    for (int c = 0; c < 256; c++)
        for (size_t at = 0; at < 20; at++) {
            char text[20];
            memset(text, c % 2 ? '!' : '\xff', sizeof text);
            text[at] = (char)c;
            const bool is_plain = c >= 0x20 && c != '"' && c != '\\';
            assert_int_equal(json_plain(text, sizeof text), is_plain ? sizeof text : at);
        }
}

static void quick_json_is_jansson_s(void **state UNUSED)
{
    static const char *const left[] = {"", " ", "[]", "1", "{", "{}x", "{\"a\":1,}", "{\"a\" 1}",
        "{\"a\":1,\"a\":2}", "{\"a\":-0}", "{\"a\":01}", "{\"a\":1.0}", "{\"a\":1e2}", "{\"a\":-}",
        "{\"a\":1234567890123456789}", "{\"a\":\"\\u0041\"}", "{\"a\\n\":1}", "{\"a\":\"\n\"}",
        "{\"a\":\"\xff\"}", "{\"a\":tru}", "{\"a\":truex}", "{\"a\":\"", "{\"a\":\"\\",
        "{\"a\":[1,]}", "{\"a\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}"};
    for (size_t i = 0; i < ARRAY_LENGTH(quick_rows); i++)
        assert_true(check_quick(bytes_of_text(quick_rows[i])));
    for (size_t i = 0; i < ARRAY_LENGTH(left); i++)
        assert_false(check_quick(bytes_of_text(left[i])));
    static const char bytes[] = "{}[]\",:\\ntrue0123-.e \n\xe3\x80\x87\x01";
    unsigned seed = 1;
    for (int n = 0; n < 40000; n++) {
        AUTO_BUF text = {0};
        buf_add_text(&text, quick_rows[n % (int)ARRAY_LENGTH(quick_rows)]);
        for (int changes = 0; changes < 1 + n % 3; changes++)
            text.data[(size_t)rand_r(&seed) % text.length] =
                (uint8_t)bytes[(size_t)rand_r(&seed) % sizeof bytes];
        check_quick((struct bytes){text.data, text.length - (size_t)rand_r(&seed) % 2});
    }
}

/* A password behind a typing error must not get into an answer, onto a terminal, into a log. */
static void json_errors_quote_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"{\"password\":\"hunter2", "cut off: line 1 column "},
        {"{\"password\" \"hunter2\"}", "':' expected"},
        {"{\"a\":\"\\x\",\n\"password\":\"hunter2\"}", "invalid escape"},
        {"{\"password\":\"hunter2\n\"}", "unexpected newline"},
        {"{\"password\":\"hunter2\xff\"}", "unable to decode byte 0xff"},
        {"{\"password\":\"near\" \"hunter2\"}", "'}' expected"},
        {"{\"password\":hunter2}", "invalid token"},
        {"{\"hunter2\":1,\"hunter2\":2}", "duplicate"},
        {"{\"a\":1} hunter2", "end of file expected"},
        {"hunter2", "line 1 column "},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct err err = {0};
        json_t *value = NULL;
        assert_int_equal(json_parse_object(bytes_of_text(rows[i].text), &value, &err), -1);
        if (strstr(err.text, "hunter2") || !strstr(err.text, rows[i].told))
            fail_msg("row %zu: %s", i, err.text);
    }
}

/* Somebody who may write into the folder lays a link where the temporary file will be. */
static void files_are_not_written_through_links(void **state)
{
    (void)state;
    char folder[] = "/tmp/certq-base-XXXXXX";
    struct err err = {0};
    assert_non_null(mkdtemp(folder));
    AUTO_TEXT path = mem_printf("%s/key", folder);
    AUTO_TEXT prey = mem_printf("%s/prey", folder);
    AUTO_TEXT laid = mem_printf("%s.%d.tmp", path, (int)getpid());
    AUTO_BUF left = {0}, written = {0};
    assert_int_equal(file_write(prey, bytes_of_text("prey"), 0644, &err), 0);
    assert_int_equal(symlink(prey, laid), 0);
    assert_int_equal(file_write(path, bytes_of_text("secret"), 0600, &err), 0);
    assert_int_equal(file_read(prey, 100, &left, &err), 0);
    assert_int_equal(file_read(path, 100, &written, &err), 0);
    assert_string_equal(buf_text(&left), "prey");
    assert_string_equal(buf_text(&written), "secret");
    assert_int_equal(access(laid, F_OK), -1);
    unlink(path);
    unlink(prey);
    rmdir(folder);
}

static void map_keeps_what_it_holds(void **state)
{
    (void)state;
    AUTO(map) m = map_new();
    enum { N = 20000 };
    static struct uuid keys[N];
    for (size_t i = 0; i < N; i++) {
        keys[i] = uuid_new();
        assert_null(map_put(m, &keys[i], &keys[i]));
    }
    for (size_t i = 0; i < N; i += 2)
        assert_ptr_equal(map_remove(m, &keys[i]), &keys[i]);
    assert_int_equal(map_count(m), N / 2);
    for (size_t i = 0; i < N; i++)
        assert_ptr_equal(map_get(m, &keys[i]), i % 2 ? &keys[i] : NULL);
    size_t at = 0, seen = 0;
    while (map_next(m, &at, NULL))
        seen++;
    assert_int_equal(seen, N / 2);
}

static void mails_outlast_days(void **state)
{
    (void)state;
    static const int64_t pauses_ms[] = {2000, 60000, 600000, 3600000};
    for (size_t i = 0; i < sizeof pauses_ms / sizeof pauses_ms[0]; i++) {
        const uint32_t n = kind_attempts(kind_of(KIND_MAIL), 25, pauses_ms[i]);
        const double days = (n - 25) * 0.75 * (double)pauses_ms[i] / 86400000;
        assert_true(n >= 25 && days > 4.9 && days < 5.1);
        assert_int_equal(kind_attempts(kind_of(KIND_ISSUE), 25, pauses_ms[i]), 25);
    }
    assert_int_equal(kind_attempts(kind_of(KIND_MAIL), 3, 0), 3);
    assert_int_equal(kind_attempts(kind_of(KIND_MAIL), 1, INT64_C(30) * 86400000), 1);
}

struct tally {
    atomic_int times[1000];
    atomic_int inside[PARALLEL_MOST]; /* calls of one thread that run now */
    atomic_bool overlapped;
};

static void count_one(void *context, size_t at, size_t thread)
{
    struct tally *t = context;
    if (thread >= PARALLEL_MOST)
        abort();
    if (atomic_fetch_add(&t->inside[thread], 1))
        atomic_store(&t->overlapped, true);
    atomic_fetch_add(&t->times[at], 1);
    atomic_fetch_sub(&t->inside[thread], 1);
}

static void parallel_does_each_once(void **state UNUSED)
{
    static const size_t counts[] = {0, 1, 2, 3, 7, 1000};
    for (size_t c = 0; c < ARRAY_LENGTH(counts); c++) {
        static struct tally t;
        memset(&t, 0, sizeof t);
        parallel_each(counts[c], c, count_one, &t);
        for (size_t i = 0; i < ARRAY_LENGTH(t.times); i++)
            assert_int_equal(atomic_load(&t.times[i]), i < counts[c]);
        assert_false(atomic_load(&t.overlapped));
    }
}

enum { SIZES = 600 };

static void *give_odd(void *all)
{
    uint8_t **memory = all;
    for (size_t i = 1; i < SIZES; i += 2)
        json_memory_give(memory[i]);
    return NULL;
}

/* Nothing overlaps and nothing is lost, whichever thread gives it back. */
static void json_memory_keeps_what_it_holds(void **state UNUSED)
{
    static uint8_t *memory[SIZES];
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < SIZES; i++) {
            memory[i] = json_memory_take(i);
            assert_non_null(memory[i]);
            assert_int_equal((uintptr_t)memory[i] % sizeof(void *), 0);
            memset(memory[i], (int)(i % 251), i);
        }
        for (size_t i = 0; i < SIZES; i++)
            for (size_t k = 0; k < i; k++)
                assert_int_equal(memory[i][k], i % 251);
        pthread_t other;
        assert_int_equal(pthread_create(&other, NULL, give_odd, memory), 0);
        for (size_t i = 0; i < SIZES; i += 2)
            json_memory_give(memory[i]);
        pthread_join(other, NULL);
    }
    json_memory_give(NULL);
    assert_null(json_memory_take(SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_memory_keeps_what_it_holds),
        cmocka_unit_test(parallel_does_each_once),
        cmocka_unit_test(uuids_round_trip_and_rise),
        cmocka_unit_test(times_parse_and_format),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(utf8_refuses_what_rfc3629_refuses),
        cmocka_unit_test(canonical_json_follows_rfc8785),
        cmocka_unit_test(json_is_written_as_jansson_does),
        cmocka_unit_test(plain_text_ends_where_it_must),
        cmocka_unit_test(quick_json_is_jansson_s),
        cmocka_unit_test(json_errors_quote_nothing),
        cmocka_unit_test(files_are_not_written_through_links),
        cmocka_unit_test(map_keeps_what_it_holds),
        cmocka_unit_test(mails_outlast_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

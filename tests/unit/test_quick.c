/* links: broker crypto wire */
#include "broker/quick.h"

#include "base/json.h"
#include "base/random.h"
#include "crypto/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The header of CMS AuthEnvelopedData, and a hash, in the shapes secret_form_check takes. */
#define SEALED "{\"sealed\":\"MA0GCyqGSIb3DQEJEAEX\"}"
#define HASHED                                                                                     \
    "{\"scrypt\":\"$scrypt$ln=10,r=8,p=1$c2FsdC1vZi0xNi1ieXRlcw$"                                  \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"
#define ID "\"id\":\"0199c0de-0000-7000-8000-000000000001\""

enum { MOST = 4096 };

/* What the quick way took, the long way takes too, with the same outcome. */
static bool agree(struct bytes body)
{
    struct job_request quick, slow;
    struct err err = {0};
    AUTO_BUF canonical = {0}, expected = {0};
    if (!quick_parse(body, MOST, &quick, &canonical))
        return false;
    if (job_request_parse(body, MOST, &slow, &err))
        fail_msg("the long way refuses (%s): %.*s", err.text, (int)body.length, body.data);
    assert_int_equal(quick.has_id, slow.has_id);
    assert_true(uuid_equal(&quick.id, &slow.id));
    assert_int_equal(quick.has_at, slow.has_at);
    assert_int_equal(quick.at_ms, slow.at_ms);
    assert_int_equal(quick.has_priority, slow.has_priority);
    assert_int_equal(quick.priority, slow.priority);
    assert_true(bytes_equal(quick.args_text, slow.args_text));
    AUTO_TYPE(json, json_t) *open = NULL;
    assert_int_equal(secrets_strip(slow.args, &open, &err), 0);
    assert_int_equal(json_canonical(open, &expected, &err), 0);
    if (!bytes_equal(buf_bytes(&canonical), buf_bytes(&expected)))
        fail_msg("%s\nbut\n%s", buf_text(&canonical), buf_text(&expected));
    job_request_clear(&slow);
    return true;
}

static void the_plain_case_goes_the_quick_way(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{" ID ",\"args\":{}}",
        "{" ID ",\"args\":{\"a\":1}}",
        "{ \"args\" : { \"b\" : [ 1 , -2 , 999999999999999 , [ ] , { } ] , \"a\" : \"x\" } , " ID
        " } ",
        "{\"priority\":9,\"at\":\"2026-04-01T09:00:00+09:00\"," ID
        ",\"args\":{\"t\":true,\"f\":false,"
        "\"n\":null,\"z\":0}}",
        "{" ID ",\"args\":{\"name\":\"〇〇 花子\",\"a\":{\"z\":1,\"y\":{\"b\":2,\"a\":[3]}}}}",
        "{" ID ",\"args\":{\"password\":" HASHED ",\"aa\":1,\"code\":" SEALED "}}",
        "{" ID ",\"args\":{\"b\":1,\"new\":" SEALED "}}",
        "{" ID ",\"args\":{\"old\":" SEALED "}}",
        "{\"args\":{\"\":{\"ab\":1,\"a\":2,\"abc\":3,\"\":4}}}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (!agree(bytes_of_text(rows[i])))
            fail_msg("not quick: %s", rows[i]);
}

static void all_else_is_left_to_the_long_way(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "{",
        "{}",
        "{" ID "}",
        "[]",
        "null",
        "{" ID ",\"args\":{}} x",
        "{" ID ",\"args\":{},}",
        "{" ID "," ID ",\"args\":{}}",
        "{" ID ",\"args\":{},\"args\":{}}",
        "{" ID ",\"args\":[]}",
        "{" ID ",\"args\":{\"a\":1,\"a\":2}}",
        "{" ID ",\"args\":{\"a\":1,\"b\":0,\"a\":2}}",
        "{" ID ",\"args\":{\"a\":1.5}}",
        "{" ID ",\"args\":{\"a\":1e3}}",
        "{" ID ",\"args\":{\"a\":01}}",
        "{" ID ",\"args\":{\"a\":-0}}",
        "{" ID ",\"args\":{\"a\":-}}",
        "{" ID ",\"args\":{\"a\":+1}}",
        "{" ID ",\"args\":{\"a\":1234567890123456}}",
        "{" ID ",\"args\":{\"a\":\"\\u0041\"}}",
        "{" ID ",\"args\":{\"a\":\"\n\"}}",
        "{" ID ",\"args\":{\"a\":\"x}}",
        "{" ID ",\"args\":{\"a\":tru}}",
        "{" ID ",\"args\":{\"a\":truefalse}}",
        "{" ID ",\"args\":{\"a\" 1}}",
        "{" ID ",\"args\":{a:1}}",
        "{" ID ",\"args\":{\"〇\":1}}",
        "{" ID ",\"args\":{\"a\":\"\xff\"}}",
        "{" ID ",\"args\":{\"a\":[1,]}}",
        "{" ID ",\"args\":{\"a\":[1 2]}}",
        "{" ID ",\"args\":{\"password\":\"plain\"}}",
        "{" ID ",\"args\":{\"password\":null}}",
        "{" ID ",\"args\":{\"code\":{\"scrypt\":\"x\"}}}",
        "{" ID ",\"args\":{\"code\":" HASHED "}}",
        "{" ID ",\"args\":{\"password\":{\"scrypt\":\"a password\"}}}",
        "{" ID ",\"args\":{\"password\":{\"sealed\":\"YSBwYXNzd29yZA==\"}}}",
        "{" ID ",\"args\":{\"code\":{\"sealed\":1}}}",
        "{" ID ",\"args\":{\"code\":{\"sealed\":\"a\",\"x\":1}}}",
        "{" ID ",\"args\":{\"code\":{\"sealed\":\"a\"},\"code\":{\"sealed\":\"a\"}}}",
        "{\"id\":\"00000000-0000-0000-0000-000000000000\",\"args\":{}}",
        "{\"id\":\"x\",\"args\":{}}",
        "{" ID ",\"args\":{},\"priority\":10}",
        "{" ID ",\"args\":{},\"priority\":-1}",
        "{" ID ",\"args\":{},\"at\":\"now\"}",
        "{" ID ",\"args\":{},\"more\":1}",
        "{" ID ",\"args\":{\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}}",
        "{" ID ",\"args\":{\"a\":{\"code\":{\"sealed\":\"\"}},\"b\":{\"code\":{\"sealed\":\"\"}},"
        "\"c\":{\"code\":{\"sealed\":\"\"}},\"d\":{\"code\":{\"sealed\":\"\"}},\"e\":{\"code\":{"
        "\"sealed\":\"\"}},"
        "\"f\":{\"code\":{\"sealed\":\"\"}},\"g\":{\"code\":{\"sealed\":\"\"}},\"h\":{\"code\":{"
        "\"sealed\":\"\"}},"
        "\"i\":{\"code\":{\"sealed\":\"\"}}}}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct job_request r;
        AUTO_BUF canonical = {0};
        if (quick_parse(bytes_of_text(rows[i]), MOST, &r, &canonical))
            fail_msg("quick: %s", rows[i]);
    }
    char large[MOST + 64];
    int n = snprintf(large, sizeof large, "{\"args\":{\"a\":\"%0*d\"}}", MOST, 0);
    struct job_request r;
    AUTO_BUF canonical = {0};
    assert_false(quick_parse((struct bytes){(uint8_t *)large, (size_t)n}, MOST, &r, &canonical));
}

static void add_value(struct buf *b, int depth)
{
    static const char *const scalars[] = {"1", "-17", "0", "true", "null", "\"\"", "\"text\"",
        "\"〇\"", "1.5", "\"\\n\"", "12345678901234567"};
    static const char *const keys[] = {
        "a", "b", "ab", "z", "id", "code", "password", "Z", "_", "1"};
    uint64_t what = random_below(10);
    if (depth > 3 || what < 6) {
        buf_add_text(b, scalars[random_below(what ? 8 : ARRAY_LENGTH(scalars))]);
        return;
    }
    uint64_t n = random_below(5);
    buf_add_char(b, what < 9 ? '{' : '[');
    for (uint64_t i = 0; i < n; i++) {
        if (i)
            buf_add_text(b, random_below(4) ? "," : " , ");
        if (what < 9) {
            const char *key = keys[random_below(ARRAY_LENGTH(keys))];
            buf_printf(b, "\"%s\":", key);
            if (secret_is_name(key) && random_below(4)) {
                buf_add_text(b, SEALED);
                continue;
            }
        }
        add_value(b, depth + 1);
    }
    buf_add_char(b, what < 9 ? '}' : ']');
}

/* Random requests, whole and damaged: never another answer than the long way's. */
static void both_ways_agree(void **state)
{
    (void)state;
    size_t quick = 0;
    for (int i = 0; i < 30000; i++) {
        AUTO_BUF body = {0};
        buf_add_text(&body, "{" ID ",\"args\":{\"x\":");
        add_value(&body, 0);
        buf_add_text(&body, ",\"b\":");
        add_value(&body, 0);
        buf_add_text(&body, "}}");
        quick += agree(buf_bytes(&body));
        for (int k = 0; k < 3; k++) {
            static const char bytes[] = "{}[]\",:0-9atn \\\x01\xe3";
            body.data[random_below(body.length)] = (uint8_t)bytes[random_below(sizeof bytes - 1)];
            agree(buf_bytes(&body));
        }
        body.length = random_below(body.length);
        agree(buf_bytes(&body)); /* spoiled before, its beginning may be whole by now */
    }
    assert_in_range(quick, 10000, 29999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_case_goes_the_quick_way),
        cmocka_unit_test(all_else_is_left_to_the_long_way),
        cmocka_unit_test(both_ways_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

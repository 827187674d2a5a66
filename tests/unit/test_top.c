/* links: cli */
#include "cli/top_text.h"

#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);
    if (!value)
        fail_msg("%s: %s", error.text, text);
    return value;
}

static json_t *counts(const char *life, int done)
{
    return json_pack(
        "{s:s, s:{s:i}}", "life", life, "metrics", "certq_jobs_ended_total{state=\"done\"}", done);
}

static void rates_are_of_one_broker_and_one_life(void **state)
{
    (void)state;
    static const struct {
        const char *life_before, *life_after; /* NULL: the first look */
        int before, after;
        int64_t ms;
        double wanted; /* -1: none */
    } rows[] = {
        {"a", "a", 100, 130, 1000, 30},
        {"a", "a", 100, 130, 2000, 15},
        {"a", "a", 100, 101, 1500, 0.6},
        {"a", "a", 100, 100, 1000, 0},
        {"a", "b", 100, 130, 1000, -1}, /* another one answered */
        {NULL, "a", 0, 130, 1000, -1},
        {"a", "a", 130, 100, 1000, -1}, /* counts do not go back */
        {"a", "a", 100, 130, 0, -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *before =
            rows[i].life_before ? counts(rows[i].life_before, rows[i].before) : NULL;
        AUTO_TYPE(json, json_t) *after = counts(rows[i].life_after, rows[i].after);
        AUTO_TYPE(json, json_t) *rates = top_rates(before, after, rows[i].ms);
        const json_t *done = json_object_get(rates, "done");
        double got = done ? json_number_value(done) : -1;
        if (got < rows[i].wanted - 0.01 || got > rows[i].wanted + 0.01)
            fail_msg("row %zu: %f", i, got);
    }
}

static const char frame_text[] =
    "{\"at\": \"2026-04-01T00:00:00Z\", \"broker\": \"tokyo-\\u001b[31m-1\", \"brokers\": 2,"
    " \"rates\": {\"accepted\": 12.5, \"done\": 12},"
    " \"metrics\": {\"certq_database_up\": 1, \"certq_jobs_ready\": 7,"
    "  \"certq_mail_oldest_seconds\": 400, \"certq_crl_seconds_left\": 518400},"
    " \"queues\": [{\"kind\": \"issue\", \"paused\": false, \"waiting\": 90, \"ready\": 7,"
    "   \"scheduled\": 0, \"running\": 3, \"workers\": 1, \"oldest\": \"2026-03-31T23:59:15Z\"},"
    "  {\"kind\": \"revoke\", \"paused\": true, \"waiting\": 0, \"workers\": 1},"
    "  {\"kind\": \"crl\", \"waiting\": 1, \"oldest\": \"2026-04-04T00:00:00Z\"},"
    "  {\"kind\": \"renew\", \"paused\": false, \"waiting\": 0, \"workers\": 1}],"
    " \"workers\": [{\"name\": \"〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇〇\","
    "   \"host\": \"a-host-with-a-name-that-goes-on-and-on.example.jp\", \"pid\": 12345,"
    "   \"state\": \"draining\", \"groups\": 2, \"jobs\": 30,"
    "   \"since\": \"2026-03-31T21:00:00Z\"}]}";

static void a_frame_says_what_waits_and_fits(void **state)
{
    (void)state;
    static const char *const wanted[] = {"2026-04-01 09:00:00 JST", "brokers 2", "workers 1",
        "database up", "accepted 12.5/s", "done 12.0/s", "dead -", "ready 7", "oldest waits 6 min",
        "CRLs end in 6 d", "issue", "45 s", "in 3 d", "yes", "draining", "3 h"};
    AUTO_TYPE(json, json_t) *frame = parse(frame_text);
    AUTO_BUF text = {0};
    top_write(frame, 80, 0, &text);
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++)
        if (!strstr(buf_text(&text), wanted[i]))
            fail_msg("no \"%s\" in\n%s", wanted[i], buf_text(&text));
    assert_null(strstr(buf_text(&text), "renew")); /* idle */
    assert_null(strchr(buf_text(&text), 0x1b));
    const char *line = buf_text(&text);
    while (*line) {
        size_t n = strcspn(line, "\n");
        assert_true(utf8_columns((struct bytes){(const uint8_t *)line, n}) <= 80);
        line += n + 1;
    }
}

static void a_frame_keeps_to_its_rows(void **state)
{
    (void)state;
    AUTO_TYPE(json, json_t) *frame = parse(frame_text);
    for (size_t rows = 1; rows < 9; rows++) {
        size_t lines = 0;
        AUTO_BUF text = {0};
        top_write(frame, 80, rows, &text);
        for (const char *p = buf_text(&text); *p; p++)
            lines += *p == '\n';
        assert_int_equal(lines, rows);
    }
}

static void nothing_at_all_is_a_frame_too(void **state)
{
    (void)state;
    AUTO_TYPE(json, json_t) *frame = json_object();
    AUTO_BUF text = {0};
    top_write(frame, 80, 0, &text);
    assert_non_null(strstr(buf_text(&text), "nothing waits or runs"));
    assert_non_null(strstr(buf_text(&text), "no workers"));
    assert_non_null(strstr(buf_text(&text), "database AWAY"));
    assert_non_null(strstr(buf_text(&text), "CRLs OVER OR MISSING"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_of_one_broker_and_one_life),
        cmocka_unit_test(a_frame_says_what_waits_and_fits),
        cmocka_unit_test(a_frame_keeps_to_its_rows),
        cmocka_unit_test(nothing_at_all_is_a_frame_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

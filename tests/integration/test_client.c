/* links: client */
/* Requests and calls: each ends once, whatever brokers do. */
#include "straw.h"

/* ---- scripts ---- */

static void loses_two(struct straw *s, struct heard *h, size_t n)
{
    if (n >= 2)
        does_it(s, h, n);
}

static void loses_the_end(struct straw *s, struct heard *h, size_t n)
{
    accept_it(s, h);
    if (n >= 2)
        finish_it(s, h);
}

static void is_busy_thrice(struct straw *s, struct heard *h, size_t n)
{
    if (n < 3)
        reject_it(s, h, n == 1 ? "unavailable" : "busy");
    else
        does_it(s, h, n);
}

static void is_unavailable(struct straw *s, struct heard *h, size_t n)
{
    (void)n;
    reject_it(s, h, "unavailable");
}

static void rejects(struct straw *s, struct heard *h, size_t n)
{
    (void)n;
    reject_it(s, h, "bad-request");
}

static void rejects_without_id(struct straw *s, struct heard *h, size_t n)
{
    (void)n;
    reply(s, h, CLIENT_FINAL,
        "{\"state\":\"rejected\",\"error\":{\"code\":\"unknown-kind\",\"message\":\"no\"}}");
}

static void says_everything_twice(struct straw *s, struct heard *h, size_t n)
{
    does_it(s, h, n);
    accept_it(s, h);
    does_it(s, h, n);
}

static void talks_garbage_first(struct straw *s, struct heard *h, size_t n)
{
    struct bytes bad[][5] = {
        {bytes_of_text("x")},
        {bytes_of_text(""), bytes_of_text("MDPC01"), h->service, bytes_of_text("{}")},
        {bytes_of_text("MDPC02"), bytes_of_text("\007"), h->service, bytes_of_text("{}")},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service, bytes_of_text("{")},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service, bytes_of_text("\xff\xfe")},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service, bytes_of_text("[]")},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service,
            bytes_of_text("{\"id\":7,\"state\":[]}")},
        {bytes_of_text("MDPC02"), bytes_of_text("\003"), h->service,
            bytes_of_text("{\"id\":\"0190a0b0-0000-7000-8000-000000000001\",\"state\":\"done\"}")},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        size_t count = 0;
        while (count < 5 && bad[i][count].data)
            count++;
        reply_frames(s, h, bad[i], count);
    }
    SAY(s, h, CLIENT_FINAL, "{\"id\":\"%s\",\"state\":\"odd\"}", h->id);
    SAY(s, h, CLIENT_FINAL, "{\"id\":\"%s\"}", h->id);
    does_it(s, h, n);
}

/* ---- submitting ---- */

static void submissions_end_once_whatever_one_broker_does(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        script *does;
        bool wants_end;
        size_t accepted, ended, gave_up, seen_least;
        const char *state, *code;
    } rows[] = {
        {"does it", does_it, true, 1, 1, 0, 1, "done", ""},
        {"accepts", only_accepts, false, 1, 0, 0, 1, "accepted", ""},
        {"loses two", loses_two, true, 1, 1, 0, 3, "done", ""},
        {"loses the end", loses_the_end, true, 1, 1, 0, 3, "done", ""},
        {"busy", is_busy_thrice, true, 1, 1, 0, 4, "done", ""},
        {"unavailable", is_unavailable, true, 0, 0, 1, 2, "", "unavailable"},
        {"silent", is_silent, true, 0, 0, 1, 2, "", "unavailable"},
        {"rejects", rejects, true, 0, 1, 0, 1, "rejected", "bad-request"},
        {"no id", rejects_without_id, true, 0, 1, 0, 1, "rejected", "unknown-kind"},
        {"twice", says_everything_twice, true, 1, 1, 0, 1, "done", ""},
        {"garbage", talks_garbage_first, true, 1, 1, 0, 1, "done", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct straw s;
        straw_start(&s, rows[i].does, NULL);
        struct told told;
        struct certq *c = open_client(
            &(struct setting){
                .endpoints = {s.endpoint}, .silence = 100, .again = 150, .give_up = 1500},
            &told);
        submit(c, "noop", rows[i].wants_end);
        drain(c);
        straw_stop(&s);
        if (told.accepted != rows[i].accepted || told.ended != rows[i].ended ||
            told.gave_up != rows[i].gave_up || s.seen < rows[i].seen_least ||
            strcmp(told.state, rows[i].state) != 0 || strcmp(told.code, rows[i].code) != 0)
            fail_msg("%s: %zu accepted %zu ended %zu gave up, %zu seen, %s %s", rows[i].name,
                told.accepted, told.ended, told.gave_up, s.seen, told.state, told.code);
        assert_false(s.bodies_differ);
        assert_string_equal(s.last_id, told.id);
        assert_ptr_equal(told.context, c);
        certq_close(c);
    }
}

static void what_is_asked_arrives(void **state)
{
    (void)state;
    struct straw s;
    straw_start(&s, does_it, NULL);
    struct told told;
    struct certq *c = open_client(&(struct setting){.endpoints = {s.endpoint}}, &told);
    struct certq_job job = {.kind = "issue",
        .id = "0190A0B0000070008000000000000001",
        .args = "{\"a\":1}",
        .at_ms = 1775001600000,
        .priority = 9,
        .wants_end = true};
    struct certq_error error;
    char id[CERTQ_ID_TEXT];
    assert_int_equal(certq_submit(c, &job, id, &error), 0);
    assert_int_equal(certq_submit(c, &job, id, &error), -1); /* in flight */
    assert_string_equal(error.code, "conflict");
    assert_string_equal(id, "0190a0b0-0000-7000-8000-000000000001");
    drain(c);
    straw_stop(&s);
    assert_string_equal(s.first_body,
        "{\"id\":\"0190a0b0-0000-7000-8000-000000000001\",\"at\":\"2026-04-01T00:00:00Z\","
        "\"priority\":9,\"args\":{\"a\":1}}");
    assert_non_null(strstr(told.json, "\"result\":{\"n\":1}"));

    const struct certq_job bad[] = {
        {.kind = "", .priority = -1},
        {.kind = "noop", .priority = 10},
        {.kind = "noop", .priority = -1, .id = "7"},
        {.kind = "noop", .priority = -1, .args = "{\"a\":"},
        {.kind = "noop", .priority = -1, .args = "[]"},
        {.kind = "noop", .priority = -1, .args = "{\"password\":7}"},
        {.kind = "noop",
            .priority = -1,
            .secrets = &(struct certq_secret){"passwort", "x", 1},
            .secret_count = 1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (certq_submit(c, &bad[i], NULL, &error) == 0)
            fail_msg("row %zu", i);
        assert_int_equal(error.fault, CERTQ_FAULT_USAGE);
    }
    assert_int_equal(certq_in_flight(c), 0);
    certq_close(c);
}

static void another_broker_is_asked(void **state)
{
    (void)state;
    static const struct {
        script *first;
        bool dead;
        int silence;
    } rows[] = {{is_silent, false, 200}, {is_unavailable, false, 5000}, {NULL, true, 5000}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        /* Where it starts is drawn, so more than one try. */
        for (int round = 0; round < 4; round++) {
            struct straw bad = {0}, good;
            straw_start(&bad, rows[i].dead ? is_silent : rows[i].first, NULL);
            straw_start(&good, does_it, NULL);
            if (rows[i].dead)
                straw_stop(&bad);
            struct told told;
            struct certq *c =
                open_client(&(struct setting){.endpoints = {bad.endpoint, good.endpoint},
                                .silence = rows[i].silence},
                    &told);
            for (int n = 0; n < 20; n++)
                submit(c, "noop", true);
            drain(c);
            assert_int_equal(told.ended, 20);
            assert_int_equal(told.accepted, 20);
            certq_close(c);
            straw_stop(&bad);
            straw_stop(&good);
        }
    }
}

static void a_broken_connection_is_noticed_before_silence(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct straw dying, good;
        straw_start(&dying, only_accepts, NULL);
        straw_start(&good, does_it, NULL);
        struct told told;
        struct certq *c = open_client(
            &(struct setting){
                .endpoints = {dying.endpoint, good.endpoint}, .silence = 60000, .again = 60000},
            &told);
        submit(c, "noop", true);
        int64_t until = clock_monotonic_ms() + DEADLINE_MS;
        while (told.accepted == 0 && clock_monotonic_ms() < until)
            certq_poll(c, 100);
        straw_stop(&dying);
        drain(c);
        assert_int_equal(told.ended, 1);
        assert_int_equal(told.accepted, 1);
        certq_close(c);
        straw_stop(&good);
    }
}

static void many_are_pipelined_within_bounds(void **state)
{
    (void)state;
    struct straw s;
    straw_start(&s, only_accepts, NULL);
    struct told told;
    struct certq *c =
        open_client(&(struct setting){.endpoints = {s.endpoint}, .in_flight = 100}, &told);
    for (int i = 0; i < 5000; i++) {
        submit(c, "noop", false);
        assert_true(certq_in_flight(c) <= 100);
    }
    drain(c);
    straw_stop(&s);
    assert_int_equal(told.accepted, 5000);
    assert_int_equal(s.seen, 5000);
    assert_int_equal(certq_poll(c, -1), 0);
    certq_close(c);
}

/* ---- calls ---- */

static void answers_calls(struct straw *s, struct heard *h, size_t n)
{
    const char *op = json_text_at(h->json, "op");
    if (strcmp(op, "list") == 0) {
        SAY(s, h, CLIENT_FINAL, "{\"ok\":true,\"tag\":\"%s\",\"result\":{\"jobs\":[]}}",
            "0190a0b0-0000-7000-8000-000000000001"); /* a late one, of another call */
        SAY(s, h, CLIENT_FINAL, "{\"ok\":true,\"tag\":\"%s\",\"result\":{\"jobs\":[1]}}", h->id);
    } else if (strcmp(op, "lost") == 0) {
        if (n % 3 == 2)
            SAY(s, h, CLIENT_FINAL, "{\"ok\":true,\"tag\":\"%s\",\"result\":{}}", h->id);
    } else if (strcmp(op, "busy") == 0) {
        SAY(s, h, CLIENT_FINAL,
            "{\"tag\":\"%s\",\"error\":{\"code\":\"busy\",\"message\":\"much to do\"}}", h->id);
    } else if (strcmp(op, "untagged") == 0) {
        SAY(s, h, CLIENT_FINAL, "{\"error\":{\"code\":\"forbidden\",\"message\":\"not you\"}}");
    } else if (strcmp(op, "show") == 0) {
        SAY(s, h, CLIENT_FINAL,
            "{\"tag\":\"%s\",\"error\":{\"code\":\"not-found\",\"message\":\"no such job\"}}",
            h->id);
    } else if (strcmp(op, "empty") == 0) {
        SAY(s, h, CLIENT_FINAL, "{\"tag\":\"%s\",\"ok\":true}", h->id);
    } else if (strcmp(op, "wait") == 0) {
        SAY(s, h, CLIENT_PARTIAL,
            "{\"ok\":true,\"tag\":\"%s\",\"result\":{\"id\":\"%s\",\"state\":\"running\"}}", h->id,
            json_text_at(h->json, "id"));
        if (n > 0)
            SAY(s, h, CLIENT_FINAL,
                "{\"ok\":true,\"tag\":\"%s\",\"result\":{\"id\":\"%s\",\"state\":\"done\"}}", h->id,
                json_text_at(h->json, "id"));
    }
}

static void calls_bring_results_and_errors(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *result; /* or */
        enum certq_fault fault;
        const char *code;
    } rows[] = {
        {"{\"op\":\"list\"}", "{\"jobs\":[1]}", CERTQ_FAULT_NONE, ""},
        {"{\"op\":\"lost\"}", "{}", CERTQ_FAULT_NONE, ""},
        {"{\"op\":\"busy\"}", NULL, CERTQ_FAULT_UNREACHABLE, "busy"},
        {"{\"op\":\"untagged\"}", NULL, CERTQ_FAULT_REFUSED, "forbidden"},
        {"{\"op\":\"show\"}", NULL, CERTQ_FAULT_REFUSED, "not-found"},
        {"{\"op\":\"empty\"}", NULL, CERTQ_FAULT_UNREACHABLE, "unavailable"},
        {"{\"op\":\"silence\"}", NULL, CERTQ_FAULT_UNREACHABLE, "unavailable"},
        {"{\"op\"", NULL, CERTQ_FAULT_USAGE, "bad-request"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct straw s;
        straw_start(&s, answers_calls, NULL);
        struct told told;
        struct certq *c = open_client(
            &(struct setting){.endpoints = {s.endpoint}, .silence = 150, .give_up = 1200}, &told);
        char *result = NULL;
        struct certq_error error = {0};
        int failed = certq_call(c, "certq.job", rows[i].request, 0, &result, &error);
        if ((failed != 0) != (rows[i].result == NULL) || error.fault != rows[i].fault ||
            strcmp(error.code, rows[i].code) != 0)
            fail_msg("%s: %d %s: %s", rows[i].request, failed, error.code, error.text);
        if (!failed)
            assert_string_equal(result, rows[i].result);
        free(result);
        certq_close(c);
        straw_stop(&s);
    }
}

static void waiting_asks_again_until_the_end(void **state)
{
    (void)state;
    struct straw s;
    straw_start(&s, answers_calls, NULL);
    struct told told;
    struct certq *c = open_client(
        &(struct setting){.endpoints = {s.endpoint}, .silence = 100, .again = 100}, &told);
    char *result = NULL;
    struct certq_error error;
    const char *id = "0190a0b0-0000-7000-8000-000000000001";
    if (certq_wait(c, id, DEADLINE_MS, &result, &error))
        fail_msg("%s", error.text);
    assert_string_equal(
        result, "{\"id\":\"0190a0b0-0000-7000-8000-000000000001\",\"state\":\"done\"}");
    free(result);
    assert_true(s.seen >= 2);
    straw_stop(&s);
    certq_close(c);

    straw_start(&s, answers_calls, NULL);
    c = open_client(&(struct setting){.endpoints = {s.endpoint}}, &told);
    assert_int_equal(certq_wait(c, id, 500, &result, &error), -1);
    assert_int_equal(error.fault, CERTQ_FAULT_TIMED_OUT);
    straw_stop(&s);
    certq_close(c);

    c = open_client(&(struct setting){.endpoints = {s.endpoint}, .give_up = 300}, &told);
    assert_int_equal(certq_wait(c, id, -1, &result, &error), -1);
    assert_int_equal(error.fault, CERTQ_FAULT_UNREACHABLE);
    assert_int_equal(certq_wait(c, "x", -1, &result, &error), -1);
    assert_int_equal(error.fault, CERTQ_FAULT_USAGE);
    certq_close(c);
    certq_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submissions_end_once_whatever_one_broker_does),
        cmocka_unit_test(what_is_asked_arrives),
        cmocka_unit_test(another_broker_is_asked),
        cmocka_unit_test(a_broken_connection_is_noticed_before_silence),
        cmocka_unit_test(many_are_pipelined_within_bounds),
        cmocka_unit_test(calls_bring_results_and_errors),
        cmocka_unit_test(waiting_asks_again_until_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

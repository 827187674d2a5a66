/* links: wire */
#include "base/json.h"
#include "base/mem.h"
#include "wire/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID "0190a0b0-0000-7000-8000-000000000001"
#define ARGS_MOST 200

static struct bytes text(const char *t)
{
    return bytes_of_text(t);
}

/* ---- envelopes ---- */

static void envelopes_of_both_versions_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *frames[12];
        size_t count;
        const char *error; /* part of the text; NULL: taken */
        bool answerable;
    } rows[] = {
        {{"", "MDPC01", "issue", "{}"}, 4, NULL, true},
        {{"", "MDPC01", "mmi.service"}, 3, NULL, true},
        {{"MDPC02", "\001", "issue", "{}"}, 4, NULL, true},
        {{"", "MDPC02", "\001", "issue", "{}"}, 5, NULL, true},
        {{"MDPC02", "\001", "titanic.request", "issue", "{}"}, 5, NULL, true},
        {{""}, 1, "ends before frame 1 (MDPC01 or MDPC02)", false},
        {{0}, 0, "ends before frame 0", false},
        {{"", "MDPC01"}, 2, "ends before frame 2 (service)", false},
        {{"MDPC02"}, 1, "ends before frame 1 (command)", false},
        {{"MDPC02", "\001"}, 2, "ends before frame 2 (service)", false},
        {{"", "", "MDPC01", "issue"}, 4, "frame 1 is neither", false},
        {{"MDPC01", "issue", "{}"}, 3, "frame 0 must be empty", true},
        {{"MDPW01", "\001", "issue"}, 3, "neither MDPC01 nor MDPC02", false},
        {{"MDPC021", "\001", "issue"}, 3, "neither MDPC01 nor MDPC02", false},
        {{"MDPC02", "\003", "issue", "{}"}, 4, "frame 1 (command) is 0x03", true},
        {{"MDPC02", "", "issue", "{}"}, 4, "frame 1 (command) has 0 bytes", true},
        {{"MDPC02", "\001", "", "{}"}, 4, "frame 2 (service) is empty", false},
        {{"MDPC02", "\001", "is sue", "{}"}, 4, "frame 2 (service) has byte 0x20", false},
        {{"MDPC02", "\001", "\xe7\x99\xba", "{}"}, 4, "byte 0xe7", false},
        {{"MDPC02", "\001", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
             "{}"},
            4, "has 65 bytes, at most 64", false},
        {{"MDPC02", "\001", "x", "1", "2", "3", "4", "5", "6", "7", "8"}, 11, NULL, true},
        {{"MDPC02", "\001", "x", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, 12, "9 body frames",
            true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct bytes frames[12];
        for (size_t n = 0; n < rows[i].count; n++)
            frames[n] = text(rows[i].frames[n]);
        struct client_request r;
        struct err err = {0};
        int result = client_request_parse(frames, rows[i].count, &r, &err);
        if ((result != 0) != (rows[i].error != NULL))
            fail_msg("row %zu: %d %s", i, result, err.text);
        if (rows[i].error && !strstr(err.text, rows[i].error))
            fail_msg("row %zu: %s", i, err.text);
        if (rows[i].error)
            assert_int_equal(err.kind, ERR_INPUT);
        if ((r.service.data != NULL) != rows[i].answerable)
            fail_msg("row %zu: answerable", i);
    }
}

static void answers_mirror_what_was_asked(void **state)
{
    (void)state;
    struct bytes f[4];
    assert_int_equal(client_envelope(CLIENT_MDP01, true, CLIENT_PARTIAL, text("issue"), f), 3);
    assert_true(!f[0].length && bytes_equal(f[1], text("MDPC01")));
    assert_int_equal(client_envelope(CLIENT_MDP02, false, CLIENT_PARTIAL, text("issue"), f), 3);
    assert_true(bytes_equal(f[0], text("MDPC02")) && bytes_equal(f[1], text("\002")));
    assert_int_equal(client_envelope(CLIENT_MDP02, true, CLIENT_FINAL, text("issue"), f), 4);
    assert_true(!f[0].length && bytes_equal(f[2], text("\003")));
    assert_true(bytes_equal(f[3], text("issue")));

    struct client_reply reply;
    struct err err = {0};
    f[3] = text("issue");
    assert_int_equal(client_reply_parse(f, 4, &reply, &err), 0);
    assert_int_equal(reply.answer, CLIENT_FINAL);
    assert_int_equal(reply.body.length, 0);
    f[2] = text("\001");
    assert_int_equal(client_reply_parse(f, 4, &reply, &err), -1);
    assert_non_null(strstr(err.text, "neither PARTIAL nor FINAL"));
    for (size_t n = 0; n < 4; n++)
        assert_int_equal(client_reply_parse(f, n, &reply, &err), -1);
    f[1] = text("MDPC01");
    assert_int_equal(client_reply_parse(f, 4, &reply, &err), -1);

    assert_int_equal(client_request_envelope(text("issue"), f), 3);
    struct client_request request;
    assert_int_equal(client_request_parse(f, 3, &request, &err), 0);
    assert_false(request.empty_frame);
}

/* ---- job bodies ---- */

struct body_row {
    const char *body;
    const char *error; /* part of the text; NULL: taken */
    bool has_id;       /* read although refused */
};

static void job_bodies_are_read_member_by_member(void **state)
{
    (void)state;
    static const struct body_row rows[] = {
        {"{\"id\":\"" ID "\",\"args\":{\"a\":1}}", NULL, true},
        {"{\"id\":\"0190a0b0000070008000000000000001\"}", NULL, true},
        {"{}", NULL, false},
        {" {\"args\" : {} , \"priority\":0,\"at\":\"2026-04-01T09:00:00+09:00\"} \n", NULL, false},
        {"", "empty", false},
        {"[]", "object is wanted", false},
        {"{\"id\":\"" ID "\",\"args\":{\"a\":1}", "cut off", true},
        {"{\"id\":\"" ID "\",\"args\":{\"a\":\"\xff\"}}", "not UTF-8", true},
        {"{\"id\":\"" ID "\",\"args\":{\"a\":1,\"a\":2}}", "duplicate key", true},
        {"{\"id\":\"" ID "\",\"id\":\"" ID "\"}", "duplicate key", true},
        {"{\"id\":\"" ID "\",}", "not JSON", true},
        {"{\"id\":\"" ID "\",\"arg\":{}}", "arg: no such member", true},
        {"{\"arg\":{},\"id\":\"" ID "\"}", "arg: no such member", true},
        {"{\"id\":\"0190a0b0-0000-7000-8000-00000000000\"}", "id: a UUID", false},
        {"{\"id\":7}", "id: a UUID", false},
        {"{\"id\":null}", "id: a UUID", false},
        {"{\"id\":\"00000000-0000-0000-0000-000000000000\"}", "id: all zeros", false},
        {"{\"id\":\"" ID "\",\"at\":\"2026-04-01T09:00:00\"}", "at: an RFC 3339", true},
        {"{\"at\":1}", "at: an RFC 3339", false},
        {"{\"priority\":10}", "priority: an integer from 0 to 9", false},
        {"{\"priority\":-1}", "priority: an integer", false},
        {"{\"priority\":5.0}", "priority: an integer", false},
        {"{\"priority\":\"5\"}", "priority: an integer", false},
        {"{\"priority\":99999999999999999999}", "not JSON", false},
        {"{\"args\":[]}", "args: an object", false},
        {"{\"args\":null}", "args: an object", false},
        {"{\"args\":{\"a\":\"\\u0000\"}}", "not JSON", false},
        {"{\"id\":\"\\\"", "cut off", false},
        {"{\"\\", "not JSON", false},
        {"{]", "not JSON", false},
        {"{\"x\":]}", "not JSON", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        /* A heap copy of just these bytes, so that reading past them is seen. */
        size_t length = strlen(rows[i].body);
        AUTO_TEXT copy = mem_copy(rows[i].body, length);
        struct job_request r;
        struct err err = {0};
        int result =
            job_request_parse((struct bytes){(uint8_t *)copy, length}, ARGS_MOST, &r, &err);
        if ((result != 0) != (rows[i].error != NULL) || r.has_id != rows[i].has_id)
            fail_msg("%s: %d %s", rows[i].body, result, err.text);
        if (rows[i].error && (!strstr(err.text, rows[i].error) || err.kind != ERR_INPUT))
            fail_msg("%s: %s", rows[i].body, err.text);
        if (!result) {
            assert_true(json_is_object(r.args));
            job_request_clear(&r);
        } else {
            assert_null(r.args);
            assert_string_equal(err.code, "bad-request");
        }
    }
}

static void job_body_values_arrive(void **state)
{
    (void)state;
    struct job_request r;
    struct err err = {0};
    const char *body = "{\"priority\":9,\"args\": {\"a\":\"}\\\"{\",\"b\":[{\"args\":1}]} ,"
                       "\"at\":\"2026-04-01T09:00:00+09:00\",\"id\":\"" ID "\"}";
    assert_int_equal(job_request_parse(text(body), ARGS_MOST, &r, &err), 0);
    assert_true(r.has_id && r.has_at && r.has_priority);
    assert_string_equal(uuid_s(&r.id), ID);
    assert_int_equal(r.at_ms, 1775001600000);
    assert_int_equal(r.priority, 9);
    assert_true(bytes_equal(r.args_text, text("{\"a\":\"}\\\"{\",\"b\":[{\"args\":1}]}")));
    assert_string_equal(json_text_at(r.args, "a"), "}\"{");
    job_request_clear(&r);

    /* A key with escapes is the same key; its text cannot be borrowed. */
    assert_int_equal(job_request_parse(text("{\"\\u0061rgs\":{\"a\":1}}"), ARGS_MOST, &r, &err), 0);
    assert_int_equal(r.args_text.length, 0);
    assert_int_equal(json_object_size(r.args), 1);
    job_request_clear(&r);
}

static void large_args_have_their_own_code(void **state)
{
    (void)state;
    static const size_t sizes[] = {ARGS_MOST - 8, ARGS_MOST - 7, 1000, 2 << 20};
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        AUTO_BUF body = {0};
        buf_add_text(&body, "{\"id\":\"" ID "\",\"args\":{\"a\":\"");
        memset(buf_reserve(&body, sizes[i]), 'x', sizes[i]);
        body.length += sizes[i];
        buf_add_text(&body, "\"}}");
        struct job_request r;
        struct err err = {0};
        int result = job_request_parse(buf_bytes(&body), ARGS_MOST, &r, &err);
        assert_int_equal(result, i == 0 ? 0 : -1);
        assert_true(r.has_id);
        if (i == 0)
            job_request_clear(&r);
        else
            assert_string_equal(err.code, "too-large");
    }
}

/* ---- answers ---- */

static void answers_are_json(void **state)
{
    (void)state;
    struct uuid id;
    assert_true(uuid_parse(ID, strlen(ID), &id));
    static const struct {
        const char *state, *result, *want;
    } rows[] = {
        {"accepted", "", "{\"id\":\"" ID "\",\"state\":\"accepted\"}"},
        {"done", "{\"a\":1}", "{\"id\":\"" ID "\",\"state\":\"done\",\"result\":{\"a\":1}}"},
        {"refused", "{\"code\":\"x\"}",
            "{\"id\":\"" ID "\",\"state\":\"refused\",\"error\":{\"code\":\"x\"}}"},
        {"dead", "{\"code\":\"x\"}",
            "{\"id\":\"" ID "\",\"state\":\"dead\",\"error\":{\"code\":\"x\"}}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_BUF out = {0};
        answer_write(&id, rows[i].state, text(rows[i].result), &out);
        assert_string_equal(buf_text(&out), rows[i].want);
    }
    AUTO_BUF out = {0};
    answer_error_write(NULL, "rejected", "bad-request", "a \"b\"\\\n\x01 \xe3\x81 〇\xff", &out);
    assert_string_equal(buf_text(&out),
        "{\"state\":\"rejected\",\"error\":{\"code\":\"bad-request\",\"message\":"
        "\"a \\\"b\\\"\\\\\\u000a\\u0001 \xef\xbf\xbd\xef\xbf\xbd 〇\xef\xbf\xbd\"}}");
    AUTO_TYPE(json, json_t) *value = NULL;
    struct err err = {0};
    assert_int_equal(json_parse_object(buf_bytes(&out), &value, &err), 0);
}

/* ---- mutations ---- */

static uint64_t seed = 20260401;
static uint64_t draw(uint64_t bound)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % bound;
}

static void mutated_bodies_are_answered(void **state)
{
    (void)state;
    const char *body = "{\"id\":\"" ID "\",\"priority\":3,\"at\":\"2026-04-01T09:00:00+09:00\","
                       "\"args\":{\"product\":\"association\",\"subscriber\":{\"name\":{\"ja\":"
                       "\"〇〇 花子\",\"x\":[1,2.5e3,true,null,\"\\u20ac\\n\"]}}}}";
    size_t length = strlen(body);
    size_t taken = 0;
    for (int round = 0; round < 60000; round++) {
        uint8_t *copy = mem_copy(body, length);
        size_t kept = draw(4) ? length : draw(length + 1);
        for (uint64_t n = draw(4); n > 0 && kept; n--)
            copy[draw(kept)] = draw(2) ? (uint8_t)draw(256) : (uint8_t) "{}[]\",:\\0 "[draw(10)];
        uint8_t *exact = mem_copy(copy, kept);
        struct job_request r;
        struct err err = {0};
        if (job_request_parse((struct bytes){exact, kept}, 300, &r, &err) == 0) {
            taken++;
            assert_true(r.args_text.length <= 300);
            job_request_clear(&r);
        } else {
            assert_int_equal(err.kind, ERR_INPUT);
            assert_true(err.text[0] != '\0');
        }
        free(exact);
        free(copy);
    }
    assert_true(taken > 1000 && taken < 59000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelopes_of_both_versions_are_read),
        cmocka_unit_test(answers_mirror_what_was_asked),
        cmocka_unit_test(job_bodies_are_read_member_by_member),
        cmocka_unit_test(job_body_values_arrive),
        cmocka_unit_test(large_args_have_their_own_code),
        cmocka_unit_test(answers_are_json),
        cmocka_unit_test(mutated_bodies_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* links: lifecycle config */
/* Service D at the counter: devices, revocation, passwords, agents (D1 to D3, D6, D7, D10, D11). */
#include "resident_ask.h"

#include "lifecycle/decide_password.h"

/* --- issue and devices (D1, D8) --- */

static void three_years_with_the_first_day(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    assert_string_equal(result_text(w, "state"), "issued");
    assert_string_equal(result_text(w, "not_after"), "2017-03-15T14:59:59Z");
    assert_int_equal(w->plan.followup_count, 0); /* D11 */
    assert_string_equal(a->certificates[0]->device, "CARD-1");
    assert_null(a->subscriber.email);
}

static void devices(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    struct aggregate *same = a;
    assert_string_equal(issue_on(w, &same, "'CARD-1'", 'b', COUNTER), "has-certificate");
    assert_int_equal(a->certificate_count, 1);
    assert_string_equal(issue_on(w, &same, "'CARD-2'", 'b', COUNTER), "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
    assert_int_equal(a->certificates[0]->reason, REASON_SUPERSEDED);
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_VALID);
    assert_true(audited(w, "certificate.revoked"));
    /* What has expired stands in nobody's way. */
    stored(a);
    w->now_ms = at("2018-01-01T00:00:00Z");
    assert_string_equal(issue_on(w, &same, "'CARD-2'", 'c', COUNTER), "done");
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_VALID);
}

/* D8: without a name it is a device of its own. */
static void a_device_without_a_name(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    struct aggregate *same = a;
    assert_string_equal(issue_on(w, &same, "null", 'b', COUNTER), "done");
    assert_int_equal(a->certificates[0]->reason, REASON_SUPERSEDED);
    assert_string_equal(a->certificates[1]->device, uuid_s(&a->certificates[1]->id));
    stored(a);
    assert_string_equal(issue_on(w, &same, "null", 'c', COUNTER), "done");
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_REVOKED);
    assert_int_equal(a->certificates[2]->state, CERTIFICATE_VALID);
}

static void no_devices_elsewhere(void **state)
{
    struct world *w = *state;
    struct aggregate *a = NULL;
    AUTO_TYPE(json, json_t) *args = json_of("{'product': 'association', 'password': {'scrypt': "
                                            "'x'}, 'subscriber': {}, 'device': 'PC'}");
    assert_int_equal(issue_json(w, &a, args, HASH, NULL), 0);
    assert_string_equal(field_text(w, "device"), "association knows no devices");
}

/* --- agents (D10) --- */

static void agents_bring_their_evidence(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *day, *answer;
    } rows[] = {
        {"2013-12-16", "done"},
        {"2013-12-15", "bad-request"},
        {"2014-03-16", "done"},
        {"2014-03-17", "bad-request"},
        {"", "bad-request"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct aggregate *a = NULL;
        AUTO_TEXT by = mem_printf(AGENT, rows[i].day);
        if (strcmp(issue_on(w, &a, "'CARD-1'", 'a', by), rows[i].answer) != 0)
            fail_msg("%s: %s", rows[i].day, answer(w));
        if (w->plan.refused) {
            assert_int_equal(json_object_size(w->plan.fields), 1);
            assert_string_not_equal(
                field_text(w, "by.evidence.seal_certificate.obtained_on"), "(none)");
        }
        aggregate_free(a);
    }
    struct aggregate *none = NULL;
    assert_string_equal(issue_on(w, &none, "'CARD-1'", 'a',
                            "'by': {'role': 'agent', 'how': 'counter', 'name': 'x'}"),
        "bad-request");
    assert_int_equal(json_object_size(w->plan.fields), 4);
    /* The day alone will do, or as a date. */
    static const char *const forms[] = {"'2013-12-16'", "{'date': '2013-12-16'}"};
    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        AUTO(aggregate) a = NULL;
        AUTO_TEXT by = mem_printf("'by': {'role': 'agent', 'how': 'counter', 'name': 'x', "
                                  "'operator': 'y', 'evidence': {'mandate': {'signed': true, "
                                  "'sealed': true}, 'inquiry': {'reply': true}, "
                                  "'seal_certificate': %s}}",
            forms[i]);
        assert_string_equal(issue_on(w, &a, "'CARD-1'", 'a', by), "done");
    }
    static const char late[] = "'by': {'role': 'agent', 'how': 'counter', 'name': 'x', "
                               "'evidence': {'mandate': {'signed': true, 'sealed': true}, "
                               "'inquiry': {'reply': true}, 'seal_certificate': '2013-12-15'}}";
    assert_string_equal(issue_on(w, &none, "'CARD-1'", 'a', late), "bad-request");
    assert_string_equal(
        field_text(w, "by.evidence.seal_certificate.obtained_on"), "is too long ago");
}

/* --- revocation (D2, D3, D8) --- */

static void revocation_hands_a_document_over(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    AUTO_TEXT bare = mem_printf(EVIDENCE, "");
    AUTO_TEXT card = mem_printf(EVIDENCE, ", 'device': 'CARD-1'");
    AUTO_TEXT none = mem_printf(EVIDENCE, ", 'device': false");
    assert_string_equal(revoke(w, a, COUNTER, "lost", false), "bad-request");
    assert_string_equal(field_text(w, "by.evidence.form"), "is required");
    assert_string_equal(field_text(w, "by.evidence.photo_id"), "is required");
    assert_string_equal(field_text(w, "by.evidence.device"), "(none)");
    assert_string_equal(revoke(w, a, bare, "bored", false), "bad-request");
    assert_string_equal(revoke(w, a, none, "bored", false), "bad-request");
    assert_string_equal(field_text(w, "by.evidence.device"), "(none)"); /* there is no card */
    assert_string_equal(revoke(w, a, card, "not-needed", false), "done");
    assert_string_equal(result_text(w, "document.document"), "revocation-accepted");
    const char *text = result_text(w, "document.text");
    assert_non_null(strstr(text, "\"card\":\"yes\""));
    assert_non_null(strstr(text, "\"holder_id\":\"R-0001\""));
    assert_non_null(strstr(text, "山田 花子"));
    assert_false(newest(a)->was_revoked_online);
    assert_int_equal(newest(a)->reason, REASON_CESSATION_OF_OPERATION);
}

static void revocation_on_line(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    assert_string_equal(revoke(w, a, SIGNED, "not-needed", false), "bad-signature");
    assert_string_equal(revoke(w, a, SIGNED, "lost", true), "forbidden"); /* D3: at the counter */
    assert_string_equal(revoke(w, a, "'by': {'how': 'session'}", "not-needed", true), "forbidden");
    assert_string_equal(revoke(w, a, SIGNED, "not-needed", true), "done");
    assert_true(newest(a)->was_revoked_online);
    assert_null(strstr(result_text(w, "document.text"), "card"));
}

static void signed_by_another_certificate(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    struct decision d = decision(w);
    d.actor.how = CHANNEL_SIGNATURE;
    d.signed_by = d.job;
    assert_false(actor_signed(&d, newest(a), &w->plan));
    assert_string_equal(answer(w), "bad-signature");
    d.actor.how = CHANNEL_COUNTER;
    plan_clear(&w->plan);
    assert_true(actor_signed(&d, newest(a), &w->plan));
}

/* --- passwords (D6, D7) --- */

/* `old` fits when `fits`; NULL hash: as stored. */
static const char *password(struct world *w, struct aggregate *a, enum policy_procedure procedure,
    const char *by, bool fits)
{
    struct decision d = decision(w);
    struct password_request r;
    AUTO_TEXT text = mem_printf("{'subscriber': '%s', %s%s%s}", uuid_s(&a->subscriber.id), by,
        procedure == PROC_PASSWORD_CHANGE ? ", 'old': 1" : "",
        procedure == PROC_PASSWORD_RESET ? "" : ", 'new': 1");
    AUTO_TYPE(json, json_t) *args = json_of(text);
    const struct policy *policy = policy_set_find(w->set, a->subscriber.product);
    if (password_request_read(&d, w->set, procedure, args, &r, &w->plan)) {
        r.hash = OTHER_HASH;
        r.tried = a->subscriber.password;
        r.fits = fits;
        if (decide_password(&d, &r, policy, a, &w->plan, &w->err))
            fail_msg("password: %s", w->err.text);
    }
    password_request_clear(&r);
    return answer(w);
}

#define CHANGE(fits) password(w, a, PROC_PASSWORD_CHANGE, "'by': {'how': 'session'}", fits)

static void passwords_change(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    assert_string_equal(
        password(w, a, PROC_PASSWORD_CHANGE, "'by': {'role': 'agent'}", true), "forbidden");
    assert_string_equal(password(w, a, PROC_PASSWORD_CHANGE, "'by': {}", false), "credentials");
    a->subscriber.failures = 0;
    assert_string_equal(CHANGE(false), "credentials");
    assert_int_equal(a->subscriber.failures, 1);
    assert_string_equal(a->subscriber.password, HASH);
    assert_string_equal(CHANGE(true), "done");
    assert_string_equal(result_text(w, "state"), "changed");
    assert_int_equal(a->subscriber.failures, 0);
    assert_string_equal(a->subscriber.password, OTHER_HASH);
    a->subscriber.is_withdrawn = true;
    assert_string_equal(CHANGE(true), "withdrawn");
}

static void five_lock_and_a_reset_unlocks(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    for (int i = 0; i < 5; i++)
        assert_string_equal(CHANGE(false), "credentials");
    assert_true(audited(w, "subscriber.locked"));
    assert_string_equal(CHANGE(true), "locked");
    assert_string_equal(password(w, a, PROC_PASSWORD_SET, COUNTER, true), "not-reset");
    assert_string_equal(
        password(w, a, PROC_PASSWORD_RESET, "'by': {'how': 'session'}", true), "forbidden");
    assert_string_equal(password(w, a, PROC_PASSWORD_RESET, COUNTER, true), "done");
    assert_string_equal(result_text(w, "state"), "reset");
    assert_null(a->subscriber.password);
    assert_int_equal(a->subscriber.locked_ms, 0);
    assert_string_equal(CHANGE(true), "no-password");
    assert_string_equal(password(w, a, PROC_PASSWORD_SET, COUNTER, true), "done");
    assert_string_equal(result_text(w, "state"), "set");
    assert_string_equal(a->subscriber.password, OTHER_HASH);
    assert_true(audited(w, "password.set"));
}

static void operators_unlock_elsewhere(void **state)
{
    struct world *w = *state;
    static const char *const products[] = {"association", "class2-rules"};
    for (size_t i = 0; i < ARRAY_LENGTH(products); i++) {
        AUTO(aggregate) a = apply(w, products[i]);
#define OP "'by': {'role': 'operator', 'operator': 'op1'}"
        assert_string_equal(password(w, a, PROC_PASSWORD_RESET, OP, true), "not-locked");
        a->subscriber.failures = 5;
        a->subscriber.locked_ms = w->now_ms;
        assert_string_equal(password(w, a, PROC_PASSWORD_RESET, OP, true), "done");
        assert_string_equal(result_text(w, "state"), "unlocked");
        assert_int_equal(a->subscriber.locked_ms, 0);
        assert_string_equal(a->subscriber.password, HASH);
        assert_string_equal(password(w, a, PROC_PASSWORD_CHANGE, OP, true), "not-offered");
    }
}

static void a_password_changed_meanwhile_is_a_conflict(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    struct decision d = decision(w);
    struct password_request r;
    AUTO_TEXT text = mem_printf("{'subscriber': '%s', 'old': 1, 'new': 1, 'by': {'how': "
                                "'session'}}",
        uuid_s(&a->subscriber.id));
    AUTO_TYPE(json, json_t) *args = json_of(text);
    assert_true(password_request_read(&d, w->set, PROC_PASSWORD_CHANGE, args, &r, &w->plan));
    r.hash = r.tried = OTHER_HASH;
    r.fits = true;
    assert_int_equal(decide_password(&d, &r, resident(w), a, &w->plan, &w->err), -1);
    assert_int_equal(w->err.kind, ERR_CONFLICT);
    assert_string_equal(a->subscriber.password, HASH);
}

static void subscribers_are_named(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *args, *path, *message;
    } rows[] = {
        {"{}", "subscriber", "is missing: an id, or what tells subscribers apart"},
        {"{'subscriber': 'x'}", "subscriber", "must be an id (a UUID)"},
        {"{'subscriber': {}}", "product", "is missing: whose subscriber is it?"},
        {"{'product': 'x', 'subscriber': {}}", "product", "there is no product \"x\""},
        {"{'product': 'resident', 'subscriber': {}}", "subscriber.resident_id", "is required"},
        {"{'product': 'resident', 'subscriber': {'resident_id': 'R', 'name': {'ja': 'x'}}}",
            "subscriber", "holds what tells subscribers apart, and nothing else"},
        {"{'product': 'web-ev', 'subscriber': {'dns': 'x'}}", "subscriber",
            "subscribers of web-ev are named by their id"},
        {"{'product': 'resident', 'subscriber': '01900000-0000-7000-8000-000000000000'}", "product",
            "goes with a subscriber's names, not with an id"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct whom whom;
        (void)decision(w);
        AUTO_TYPE(json, json_t) *args = json_of(rows[i].args);
        assert_false(whom_read(w->set, args, &whom, &w->plan));
        if (strcmp(field_text(w, rows[i].path), rows[i].message) != 0)
            fail_msg("%s: %s", rows[i].args, field_text(w, rows[i].path));
        whom_clear(&whom);
    }
    struct whom whom;
    (void)decision(w);
    AUTO_TYPE(json, json_t) *two = json_of("{'product': 'online-banking', 'subscriber': "
                                           "{'user_id': 'u1', 'organisation': {'company_code': "
                                           "'C1'}}}");
    assert_true(whom_read(w->set, two, &whom, &w->plan));
    assert_string_equal(whom.unit_key, "C1\nu1");
    whom_clear(&whom);
    AUTO_TYPE(json, json_t) *mail =
        json_of("{'product': 'association', 'subscriber': {'email': 'Taro@Example.jp'}}");
    assert_true(whom_read(w->set, mail, &whom, &w->plan));
    assert_string_equal(whom.unit_key, "taro@example.jp");
    whom_clear(&whom);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_free)
    const struct CMUnitTest tests[] = {
        TEST(three_years_with_the_first_day),
        TEST(devices),
        TEST(a_device_without_a_name),
        TEST(no_devices_elsewhere),
        TEST(agents_bring_their_evidence),
        TEST(revocation_hands_a_document_over),
        TEST(revocation_on_line),
        TEST(signed_by_another_certificate),
        TEST(passwords_change),
        TEST(five_lock_and_a_reset_unlocks),
        TEST(operators_unlock_elsewhere),
        TEST(a_password_changed_meanwhile_is_a_conflict),
        TEST(subscribers_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

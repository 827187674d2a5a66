/* links: lifecycle config */
/* Records of service D: disclosed, confirmed not to exist, corrected, erased (D4, D5, D8). */
#include "resident_ask.h"

#include "lifecycle/decide_correct.h"
#include "lifecycle/decide_records.h"

/* --- disclosure (D4) and erasing (D8) --- */

static const char *ask_records(
    struct world *w, records_decide *decide, struct aggregate *a, const char *who, const char *by)
{
    struct decision d = decision(w);
    struct records_request r;
    AUTO_TEXT text = mem_printf("{%s, %s}", who, by);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    const struct record_file files[] = {
        {"resident-ca", 7, at("2014-03-20T00:00:00Z"), at("2014-03-27T00:00:00Z")},
        {"person-ca", 9, at("2014-03-20T00:00:00Z"), at("2014-03-27T00:00:00Z")},
    };
    if (records_read(&d, w->set, args, &r, &w->plan)) {
        r.files = files;
        r.file_count = ARRAY_LENGTH(files);
        if (decide(&d, &r, a ? resident(w) : r.whom.policy, a, &w->plan, &w->err))
            fail_msg("records: %s", w->err.text);
    }
    records_request_clear(&r);
    return answer(w);
}

#define RESIDENT "'product': 'resident', 'subscriber': {'resident_id': 'R-0001'}"

static void everything_held_is_disclosed(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    AUTO_TEXT by = mem_printf(EVIDENCE, "");
    assert_string_equal(ask_records(w, decide_disclose, a, RESIDENT, COUNTER), "done");
    assert_int_equal(json_array_size(json_at(w->plan.result, "records.issue")), 1);
    assert_int_equal(json_array_size(json_at(w->plan.result, "records.revocation")), 0);
    assert_int_equal(json_array_size(json_at(w->plan.result, "records.revocation_file")), 0);
    assert_string_equal(result_text(w, "records.registered.address.city"), "例示市");
    stored(a);
    assert_string_equal(revoke(w, a, by, "damaged", false), "done");
    stored(a);
    w->now_ms = at("2014-03-21T00:00:00Z");
    AUTO_TEXT agent = mem_printf(AGENT, "2014-01-01");
    assert_string_equal(ask_records(w, decide_disclose, a, RESIDENT, agent), "done");
    assert_string_equal(result_text(w, "state"), "disclosed");
    assert_int_equal(json_array_size(json_at(w->plan.result, "records.revocation")), 1);
    const json_t *files = json_at(w->plan.result, "records.revocation_file");
    assert_int_equal(json_array_size(files), 1);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(files, 0), "number")), 7);
    assert_true(json_is_true(json_object_get(w->plan.result, "chargeable")));
    assert_string_equal(result_text(w, "charge_reason"), "actual-cost");
    assert_string_equal(result_text(w, "payment_notice.document"), "payment-notice");
    const char *text = result_text(w, "document.text");
    assert_non_null(strstr(text, "代理 〇〇"));
    assert_non_null(strstr(text, "\"crl_number\":\"7\""));
    assert_non_null(strstr(text, "\"asked_file\":\"yes\""));
    assert_non_null(strstr(result_text(w, "payment_notice.text"), "\"disclosure\":\"D-"));
    assert_string_equal(a->applications[a->application_count - 1]->kind, "disclose");
    assert_true(audited(w, "records.disclosed"));
}

static void that_there_is_nothing_is_confirmed(void **state)
{
    struct world *w = *state;
    assert_string_equal(ask_records(w, decide_disclose, NULL, RESIDENT, COUNTER), "done");
    assert_string_equal(result_text(w, "state"), "none");
    assert_string_equal(result_text(w, "document.document"), "no-records");
    assert_string_equal(result_text(w, "charge_reason"), "actual-cost");
    assert_null(json_object_get(w->plan.result, "records"));
    assert_true(audited(w, "records.none"));
    assert_string_equal(
        ask_records(w, decide_disclose, NULL, RESIDENT, "'by': {'how': 'session'}"), "forbidden");
#define NOBODY "'subscriber': '01900000-0000-7000-8000-000000000000'"
    assert_string_equal(ask_records(w, decide_disclose, NULL, NOBODY, COUNTER), "not-found");
    resident(w)->records.confirms_none = false;
    assert_string_equal(ask_records(w, decide_disclose, NULL, RESIDENT, COUNTER), "not-found");
    assert_string_equal(ask_records(w, decide_erasable, NULL, RESIDENT, COUNTER), "not-found");
}

static size_t erasable(struct world *w, struct aggregate *a)
{
    assert_string_equal(ask_records(w, decide_erasable, a, RESIDENT, COUNTER), "done");
    return json_array_size(json_object_get(w->plan.result, "devices"));
}

static const char *why(const struct world *w, size_t device)
{
    const json_t *item = json_array_get(json_object_get(w->plan.result, "devices"), device);
    return json_string_value(
        json_object_get(json_array_get(json_object_get(item, "certificates"), 0), "why"));
}

static void what_may_be_erased(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    struct aggregate *same = a;
    AUTO_TEXT by = mem_printf(EVIDENCE, "");
    assert_int_equal(erasable(w, a), 0);
    assert_string_equal(revoke(w, a, by, "damaged", false), "done");
    assert_int_equal(erasable(w, a), 0); /* at the counter, and nothing followed */
    w->now_ms += 1000;
    assert_string_equal(issue_on(w, &same, "'CARD-1'", 'b', COUNTER), "done");
    assert_int_equal(erasable(w, a), 0); /* on the same card */
    assert_string_equal(revoke(w, a, SIGNED, "not-needed", true), "done");
    assert_int_equal(erasable(w, a), 1);
    assert_string_equal(why(w, 0), "revoked-online");
    w->now_ms += 1000;
    assert_string_equal(issue_on(w, &same, "'CARD-2'", 'c', COUNTER), "done");
    assert_int_equal(erasable(w, a), 1);
    assert_string_equal(why(w, 0), "superseded-on-other-device");
    const json_t *card = json_array_get(json_object_get(w->plan.result, "devices"), 0);
    assert_string_equal(json_text_at(card, "device"), "CARD-1");
    assert_int_equal(json_array_size(json_object_get(card, "certificates")), 2);
}

/* --- correction (D5) --- */

static const char *correct(struct world *w, struct aggregate *a, const char *changes)
{
    struct decision d = decision(w);
    struct correct_request r;
    AUTO_TEXT text = mem_printf("{" RESIDENT ", 'changes': %s, " COUNTER "}", changes);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    if (correct_read(&d, w->set, args, &r, &w->plan) &&
        decide_correct(&d, &r, resident(w), a, &w->plan, &w->err))
        fail_msg("correct: %s", w->err.text);
    correct_request_clear(&r);
    return answer(w);
}

static const char *rule(struct world *w, struct aggregate *a, const char *decided, const char *note)
{
    struct decision d = decision(w);
    struct approval_request r;
    AUTO_TEXT text = mem_printf("{'subject': '%s', 'decision': '%s', 'operator': 'op1'%s}",
        uuid_s(&a->applications[a->application_count - 1]->id), decided, note);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    if (approval_read(&d, args, &r, &w->plan) &&
        decide_approval(&d, &r, resident(w), a, &w->plan, &w->err))
        fail_msg("decide: %s", w->err.text);
    return answer(w);
}

#define FOUND ", 'note': '住民票と照合'"

static void corrections_follow_a_disclosure(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
#define THREE_KINDS "{'name.ja': '山田 華子', 'telephone': '0880000000', 'address.city': null}"
    assert_string_equal(correct(w, a, THREE_KINDS), "no-disclosure");
    assert_string_equal(ask_records(w, decide_disclose, a, RESIDENT, COUNTER), "done");
    assert_string_equal(correct(w, a, THREE_KINDS), "done");
    assert_string_equal(result_text(w, "state"), "awaiting-approval");
    assert_non_null(strstr(a->subscriber.profile, "花子"));
    assert_string_equal(rule(w, a, "approve", ""), "bad-request");
    assert_string_equal(field_text(w, "note"), "is missing: what did the inquiry find?");
    assert_string_equal(rule(w, a, "approve", FOUND), "done");
    assert_string_equal(result_text(w, "state"), "corrected");
    assert_non_null(strstr(a->subscriber.profile, "山田 華子"));
    assert_null(strstr(a->subscriber.profile, "例示市"));
    const char *text = result_text(w, "document.text");
    assert_non_null(strstr(text, "\"corrected\":\"yes\""));
    assert_non_null(strstr(text, "\"disclosure\":\"D-"));
    assert_non_null(strstr(text, "\"before\":\"山田 花子\""));
    assert_string_equal(w->plan.audits[0].event, "records.corrected");
    const json_t *name =
        json_object_get(json_object_get(w->plan.audits[0].detail, "changes"), "name.ja");
    assert_string_equal(json_text_at(name, "before"), "山田 花子");
    assert_string_equal(json_text_at(name, "after"), "山田 華子");
    assert_string_equal(rule(w, a, "approve", FOUND), "not-awaiting");
}

static void an_inquiry_may_refuse(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    assert_string_equal(ask_records(w, decide_disclose, a, RESIDENT, COUNTER), "done");
    assert_string_equal(correct(w, a, "{'name.ja': '別人'}"), "done");
    AUTO_TEXT before = mem_text(a->subscriber.profile);
    assert_string_equal(rule(w, a, "reject", FOUND), "done");
    assert_string_equal(result_text(w, "state"), "rejected");
    assert_string_equal(a->subscriber.profile, before);
    assert_non_null(strstr(result_text(w, "document.text"), "\"refused\":\"yes\""));
    assert_string_equal(w->plan.audits[0].event, "records.kept");
}

static void bad_corrections(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = applied(w);
    assert_string_equal(ask_records(w, decide_disclose, a, RESIDENT, COUNTER), "done");
    assert_string_equal(correct(w, a, "{}"), "bad-request");
    assert_string_equal(correct(w, a,
                            "{'resident_id': 'R-2', 'nonsense': 'x', "
                            "'address.postal_code': '12'}"),
        "bad-request");
    assert_int_equal(json_object_size(w->plan.fields), 3);
    assert_string_equal(
        correct(w, a, "{'name.ja': '山田 花子', 'telephone': null}"), "bad-request");
    assert_int_equal(json_object_size(w->plan.fields), 2);
    resident(w)->records.correct = POLICY_BIT(CORRECTION_CORRECT);
    assert_string_equal(correct(w, a, "{'telephone': '0880000000'}"), "bad-request");
    assert_string_equal(field_text(w, "changes.telephone"), "add is not done here");
    assert_string_equal(correct(w, a, "{'name.ja': null}"), "bad-request");
    assert_string_equal(field_text(w, "changes.name.ja"), "delete is not done here");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_free)
    const struct CMUnitTest tests[] = {
        TEST(everything_held_is_disclosed),
        TEST(that_there_is_nothing_is_confirmed),
        TEST(what_may_be_erased),
        TEST(corrections_follow_a_disclosure),
        TEST(an_inquiry_may_refuse),
        TEST(bad_corrections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* links: lifecycle config */
/* Changes of what is recorded of a subscriber: forms, approval, new certificates (A3 to A5, B6). */
#include "change_ask.h"

static const char *change(struct world *w, struct aggregate *a, const char *changes)
{
    return change_of(w, a, "subscriber", changes, PAPER);
}

/* Changed by form, and approved. */
static void changed(struct world *w, struct aggregate *a, const char *changes)
{
    if (strcmp(change(w, a, changes), "done") != 0)
        fail_msg("%s: %s", answer(w), w->plan.message);
    assert_string_equal(result_text(w, "state"), "awaiting-review");
    if (strcmp(decide_last(w, a, "approve"), "done") != 0)
        fail_msg("decide: %s: %s", answer(w), w->plan.message);
    assert_string_equal(result_text(w, "state"), "done");
}

static struct aggregate *holder(struct world *w, const char *product)
{
    struct aggregate *a = apply(w, product);
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    stored(a);
    return a;
}

static const char *profile_text(const struct aggregate *a, const char *path, char text[static 64])
{
    AUTO_TYPE(json, json_t) *profile = json_loads(a->subscriber.profile, 0, NULL);
    const char *value = json_text_at(profile, path);
    snprintf(text, 64, "%s", value ? value : "(none)");
    return text;
}
#define profile_s(a, path) profile_text((a), (path), (char[64]){0})

static bool is_chargeable(const struct world *w)
{
    return json_is_true(json_object_get(w->plan.result, "chargeable"));
}

/* --- A3: recorded, once an operator has looked at the form --- */

static void test_a3_record(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    assert_string_equal(
        change(w, a, "{'department': '経理部', 'name.latin': 'Yamada Tarou'}"), "done");
    assert_string_equal(result_text(w, "state"), "awaiting-review");
    assert_string_equal(result_text(w, "follow_up"), "none");
    assert_false(is_chargeable(w));
    assert_true(audited(w, "change.accepted"));
    assert_string_equal(profile_s(a, "department"), "(none)"); /* not yet */
    assert_int_equal(w->plan.followup_count, 0);
    assert_string_equal(decide_last(w, a, "approve"), "done");
    assert_string_equal(profile_s(a, "department"), "経理部");
    assert_int_equal(a->certificate_count, 1);
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    assert_true(audited(w, "change.completed"));
    assert_string_equal(result_text(w, "kind"), "change");
    /* B7: the certificate says what it said. */
    AUTO_PERSON person = {0};
    struct err err = {0};
    assert_int_equal(person_of_rows(a, a->applications[0], &person, &err), 0);
    assert_string_equal(person_value(&person, "name.latin"), "Yamada Taro");
    assert_string_equal(decide_last(w, a, "approve"), "not-awaiting");
}

static void test_rejected(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    assert_string_equal(change(w, a, "{'email': 'new@example.jp'}"), "done");
    AUTO_TEXT before = snapshot(a, true);
    assert_string_equal(decide_last(w, a, "reject"), "done");
    assert_string_equal(result_text(w, "state"), "rejected");
    assert_string_equal(a->subscriber.email, "taro@example.jp");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    assert_int_equal(newest(a)->code_generation, 1);
}

/* --- A4: another address, a new certificate --- */

static void test_a4_address(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    struct certificate *old = a->certificates[0];
    w->now_ms = at("2026-06-01T03:00:00Z");
    assert_string_equal(change(w, a, "{'email': 'New@Example.jp'}"), "done");
    assert_string_equal(result_text(w, "follow_up"), "reissue");
    assert_false(is_chargeable(w));
    assert_int_equal(old->state, CERTIFICATE_VALID);
    assert_string_equal(decide_last(w, a, "approve"), "done");
    assert_string_equal(result_text(w, "follow_up"), "reissue");
    assert_string_equal(result_text(w, "charge_reason"), "free");
    assert_int_equal(old->state, CERTIFICATE_REVOKED);
    assert_int_equal(old->reason, REASON_AFFILIATION_CHANGED);
    assert_string_equal(result_text(w, "revoked.0"), uuid_s(&old->id));
    struct certificate *next = newest(a);
    assert_int_equal(next->state, CERTIFICATE_AWAITING_RETRIEVAL);
    assert_int_equal(next->not_after_ms, old->not_after_ms);
    assert_true(uuid_equal(&next->predecessor, &old->id));
    assert_string_equal(result_text(w, "certificates.0.certificate"), uuid_s(&next->id));
    const json_t *code = mail_of(w, "certificate-code");
    assert_non_null(code);
    assert_string_equal(json_text_at(code, "recipient"), "New@Example.jp");
    assert_string_equal(a->subscriber.email, "new@example.jp");
    assert_string_equal(a->subscriber.unit_key, "new@example.jp");
    /* "新規取得と同様の方法で": address, password, new code */
    w->now_ms = at("2026-06-10T03:00:00Z");
    struct ask how = {.args = "{'email': 'new@example.jp', 'password': 1, 'code': 1, 'csr': 'x'}",
        .fits = true,
        .request = 'b'};
    assert_string_equal(retrieve(w, a, how), "done");
    assert_int_equal(next->not_after_ms, old->not_after_ms);
    assert_non_null(strstr(w->subject, "<New@Example.jp>"));
}

static void test_a4_never_retrieved(void **state) /* A11 */
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    stored(a);
    changed(w, a, "{'email': 'new@example.jp'}");
    assert_int_equal(a->certificate_count, 2);
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_CANCELLED);
    assert_int_equal(newest(a)->not_after_ms, 0);
    assert_int_equal(json_array_size(json_object_get(w->plan.result, "revoked")), 0);
}

static void test_a4_during_a_reissue(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    assert_string_equal(reissue(w, a, a->certificates[0], ""), "done");
    changed(w, a, "{'email': 'new@example.jp'}");
    assert_int_equal(a->certificate_count, 3); /* one successor, not two */
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_CANCELLED);
    assert_int_equal(newest(a)->not_after_ms, a->certificates[0]->not_after_ms);
}

static void test_a4_several(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    AUTO_TEXT text = mem_printf(TARO, "association");
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct aggregate *same = a;
    assert_int_equal(issue_json(w, &same, args, HASH, NULL), 0); /* A2: an old and a new one */
    changed(w, a, "{'email': 'new@example.jp'}");
    assert_int_equal(a->certificate_count, 4);
    assert_int_equal(json_array_size(json_object_get(w->plan.result, "certificates")), 2);
    assert_int_equal(a->certificates[2]->not_after_ms, a->certificates[0]->not_after_ms);
    assert_int_equal(a->certificates[3]->not_after_ms, 0);
}

static void test_nothing_to_replace(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    w->now_ms = at("2029-06-01T03:00:00Z"); /* expired */
    changed(w, a, "{'email': 'new@example.jp', 'organisation.ja': '別の会社'}");
    assert_string_equal(result_text(w, "follow_up"), "none");
    assert_false(is_chargeable(w));
    assert_int_equal(a->certificate_count, 1);
    assert_string_equal(a->subscriber.email, "new@example.jp");
}

/* --- A5: another trade name is a new application --- */

static void test_a5_trade_name(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    w->now_ms = at("2026-06-01T03:00:00Z");
    assert_string_equal(change(w, a,
                            "{'organisation.ja': '新例示株式会社', 'organisation.latin': "
                            "'New Example', 'email': 'new@example.jp'}"),
        "done");
    assert_string_equal(result_text(w, "follow_up"), "new-application");
    assert_true(is_chargeable(w));
    assert_string_equal(result_text(w, "charge_reason"), "new-application");
    assert_string_equal(decide_last(w, a, "approve"), "done");
    assert_true(is_chargeable(w));
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
    struct certificate *next = newest(a);
    assert_int_equal(a->certificate_count, 2);
    assert_int_equal(next->not_after_ms, 0); /* a term of its own */
    assert_true(uuid_equal(&next->root, &next->id));
    const struct application *made = aggregate_application(a, &next->application);
    assert_string_equal(made->kind, "issue");
    assert_int_equal(made->charged, CHARGED_NO); /* the change bears it, once */
    assert_string_equal(
        json_text_at(mail_of(w, "certificate-code"), "recipient"), "new@example.jp");
}

/* --- what is refused --- */

static void test_refusals(void **state)
{
    static const struct {
        const char *changes, *by, *answer, *field;
    } rows[] = {
        {"{'name.latin': 'X'}", "{'role': 'subscriber', 'how': 'credentials'}", "forbidden", NULL},
        {"{'name.latin': 'X'}", STAFF, "forbidden", NULL},
        {"{'name.latin': 'X'}", "{'role': 'organisation', 'how': 'paper'}", "bad-request",
            "by.evidence.form.seal"},
        {"{}", PAPER, "bad-request", "changes"},
        {"[]", PAPER, "bad-request", "changes"},
        {"{'name.latin': 'Yamada Taro', 'email': 'Taro@Example.jp'}", PAPER, "unchanged", NULL},
        {"{'name.latin': ''}", PAPER, "bad-request", "changes.name.latin"},
        {"{'email': 'no address'}", PAPER, "bad-request", "changes.email"},
        {"{'nothing': 'x'}", PAPER, "bad-request", "changes.nothing"},
        {"{'user_id': 'x'}", PAPER, "bad-request", "changes.user_id"},
        {"{'email': 'taken@example.jp'}", PAPER, "bad-request", "changes.email"},
        {"{'name.latin': 'no!'}", PAPER, "bad-request", "subscriber.name.latin"},
    };
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    AUTO_TEXT before = snapshot(a, true);
    w->taken = "taken@example.jp";
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        change_of(w, a, "subscriber", rows[i].changes, rows[i].by);
        if (strcmp(answer(w), rows[i].answer) != 0 ||
            (rows[i].field && strcmp(field_text(w, rows[i].field), "(none)") == 0))
            fail_msg("%s: %s %s", rows[i].changes, answer(w), w->plan.message);
        AUTO_TEXT after = snapshot(a, true);
        assert_string_equal(before, after);
    }
    a->subscriber.is_withdrawn = true;
    assert_string_equal(change(w, a, "{'name.latin': 'X'}"), "withdrawn");
}

static void test_b6_all_at_once(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    change(w, a, "{'email': 'x', 'name.ja': '', 'nothing': 1, 'telephone': 7}");
    assert_string_equal(answer(w), "bad-request");
    assert_int_equal(json_object_size(w->plan.fields), 4);
}

/* What was right when it was asked for may be wrong when it is decided. */
static void test_decided_later(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    assert_string_equal(change(w, a, "{'email': 'new@example.jp'}"), "done");
    AUTO_TEXT before = snapshot(a, true);
    w->taken = "new@example.jp";
    assert_string_equal(decide_last(w, a, "approve"), "bad-request");
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
    w->taken = NULL;
    w->fail_code_key = ERR_TEMPORARY;
    struct decision d = decision(w);
    struct approval_request r = {.application = a->applications[a->application_count - 1]->id,
        .is_approved = true,
        .who = "op1"};
    assert_int_equal(
        decide_approval(&d, &r, policy_set_find(w->set, "association"), a, &w->plan, &w->err), -1);
    AUTO_TEXT again = snapshot(a, true);
    assert_string_equal(before, again);
    w->fail_code_key = 0;
    a->subscriber.is_withdrawn = true;
    assert_string_equal(decide_last(w, a, "approve"), "withdrawn");
    assert_string_equal(decide_last(w, a, "reject"), "done");
}

/* --- at once, by an operator (service E) --- */

static void test_record_at_once(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = NULL;
    AUTO_TYPE(json, json_t) *args = json_of(HANAKO);
    assert_int_equal(issue_json(w, &a, args, HASH, NULL), 0);
    stored(a);
    assert_string_equal(
        change_of(w, a, "subscriber", "{'email': 'h2@example.jp', 'role': 'x'}", STAFF),
        "bad-request");
    assert_string_equal(change_of(w, a, "subscriber", "{'email': 'H2@example.jp'}", STAFF), "done");
    assert_string_equal(result_text(w, "state"), "done");
    assert_string_equal(a->subscriber.email, "h2@example.jp");
    assert_string_equal(a->subscriber.unit_key, "C1\nuser01");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_AWAITING_RETRIEVAL);
    assert_int_equal(w->plan.followup_count, 0);
}

/* What is mailed later goes to the address that is recorded then. */
static void test_mail_to_the_present_address(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = NULL;
    AUTO_TYPE(json, json_t) *args = json_of(HANAKO);
    struct ask how = {.args = "{'user_id': 'user01', 'password': 1, 'csr': 'x'}",
        .fits = true,
        .code = "",
        .request = 'a'};
    assert_int_equal(issue_json(w, &a, args, HASH, NULL), 0);
    assert_string_equal(retrieve(w, a, how), "done");
    assert_string_equal(change_of(w, a, "subscriber", "{'email': 'H2@example.jp'}", STAFF), "done");
    AUTO_TEXT text = mem_printf("{'certificate': '%s', 'reason': 'superseded', 'by': " STAFF "}",
        uuid_s(&a->certificates[0]->id));
    AUTO_TYPE(json, json_t) *request = json_of(text);
    struct decision d = decision(w);
    struct revoke_request r;
    assert_true(revoke_read(&d, request, &r, &w->plan));
    assert_int_equal(decide_revoke(&d, &r, policy_set_find(w->set, "online-banking"), a,
                         a->certificates[0], &w->plan, &w->err),
        0);
    AUTO_TEXT to = mails_to(&w->plan);
    assert_string_equal(to, "H2@example.jp");
}

/* A4: both addresses hear of it, the code goes to the new one. */
static void test_who_is_told(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    changed(w, a, "{'email': 'new@example.jp'}");
    const json_t *told = mail_of(w, "change-completed");
    assert_non_null(told);
    AUTO_TEXT to = mails_to(&w->plan);
    assert_non_null(strstr(to, "Taro@Example.jp new@example.jp"));
    assert_string_equal(json_text_at(told, "facts.changes.0.label"), "電子メールアドレス");
    assert_string_equal(json_text_at(told, "facts.reissue"), "yes");
    assert_string_equal(json_text_at(told, "facts.free"), "yes");
    assert_non_null(json_text_at(told, "facts.old_revoked_on"));
    assert_string_equal(
        json_text_at(mail_of(w, "certificate-code"), "recipient"), "new@example.jp");
    changed(w, a, "{'department': 'x'}");
    AUTO_TEXT once = mails_to(&w->plan);
    assert_string_equal(once, "new@example.jp");
}

/* Done at once, and looked at once afterwards. */
static void test_reviewed_later(void **state)
{
    struct world *w = *state;
    add_product(w->set, "later.yaml",
        "product: later\nextends: association\nchange: {record: {review: after}}\n");
    qsort(w->set->items, w->set->count, sizeof(struct policy *), by_name);
    AUTO(aggregate) a = holder(w, "later");
    assert_string_equal(change(w, a, "{'department': '経理部'}"), "done");
    assert_string_equal(result_text(w, "state"), "done");
    assert_string_equal(profile_s(a, "department"), "経理部");
    assert_string_equal(decide_last(w, a, "approve"), "done");
    assert_string_equal(result_text(w, "state"), "reviewed");
    assert_string_equal(decide_last(w, a, "approve"), "not-awaiting");
}

static void test_bad_args(void **state)
{
    static const char *const rows[] = {
        "{'changes': {'name.ja': 'x'}}",
        "{'subscriber': 'x', 'changes': {'name.ja': 'x'}}",
        "{'subscriber': '01900000-0000-0000-0000-000000000001', 'contract': "
        "'01900000-0000-0000-0000-000000000002', 'changes': {'name.ja': 'x'}}",
        "{'subscriber': '01900000-0000-0000-0000-000000000001'}",
        "{'subscriber': '01900000-0000-0000-0000-000000000001', 'changes': {'a': 1}, 'more': 1}",
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct decision d = decision(w);
        struct change_request r;
        AUTO_TYPE(json, json_t) *args = json_of(rows[i]);
        assert_false(change_read(&d, args, &r, &w->plan));
        assert_string_equal(answer(w), "bad-request");
    }
    struct decision d = decision(w);
    struct change_request r = {0};
    assert_int_equal(decide_change(&d, &r, NULL, NULL, &w->plan, &w->err), 0);
    assert_string_equal(answer(w), "not-found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_a3_record),
        IN_WORLD(test_rejected),
        IN_WORLD(test_a4_address),
        IN_WORLD(test_a4_never_retrieved),
        IN_WORLD(test_a4_during_a_reissue),
        IN_WORLD(test_a4_several),
        IN_WORLD(test_nothing_to_replace),
        IN_WORLD(test_a5_trade_name),
        IN_WORLD(test_refusals),
        IN_WORLD(test_b6_all_at_once),
        IN_WORLD(test_decided_later),
        IN_WORLD(test_record_at_once),
        IN_WORLD(test_mail_to_the_present_address),
        IN_WORLD(test_reviewed_later),
        IN_WORLD(test_who_is_told),
        IN_WORLD(test_bad_args),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

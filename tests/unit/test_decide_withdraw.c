/* links: lifecycle config */
#include "decide_ask.h"
#include "lifecycle/decide_withdraw.h"

static int set_up(void **state)
{
    struct world *w = MEM_NEW(struct world);
    world_init(w);
    add_product(w->set, "confirming.yaml",
        "product: confirming\nextends: association\nwithdraw: {confirm: telephone}\n");
    qsort(w->set->items, w->set->count, sizeof(struct policy *), by_name);
    *state = w;
    return 0;
}

#define PAPER                                                                                      \
    "{'role': 'organisation', 'how': 'paper', 'name': '〇〇', 'evidence': {'form': "             \
    "{'received_on': '2026-04-01', 'seal': true}}}"

static const char *withdraw_by(
    struct world *w, struct aggregate *a, const char *reason, const char *by)
{
    struct decision d = decision(w);
    struct withdraw_request r;
    AUTO_TEXT text = mem_printf(
        "{'subscriber': '%s', 'reason': %s, 'by': %s}", uuid_s(&a->subscriber.id), reason, by);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    const struct policy *policy = policy_set_find(w->set, a->subscriber.product);
    if (withdraw_read(&d, args, &r, &w->plan) &&
        decide_withdraw(&d, &r, policy, a, &w->plan, &w->err))
        fail_msg("withdraw: %s", w->err.text);
    return answer(w);
}

static const char *withdraw(struct world *w, struct aggregate *a, const char *reason)
{
    return withdraw_by(w, a, reason, PAPER);
}

static const char *decide_with(struct world *w, struct aggregate *a, const char *members)
{
    struct decision d = decision(w);
    struct approval_request r;
    const struct application *last = a->applications[a->application_count - 1];
    AUTO_TEXT text =
        mem_printf("{'subject': '%s', 'operator': 'op1', %s}", uuid_s(&last->id), members);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    const struct policy *policy = policy_set_find(w->set, a->subscriber.product);
    if (approval_read(&d, args, &r, &w->plan) &&
        decide_approval(&d, &r, policy, a, &w->plan, &w->err))
        fail_msg("decide: %s", w->err.text);
    return answer(w);
}

/* Of an organisation with an address; its certificate is retrieved. */
static struct aggregate *member(struct world *w, const char *product)
{
    struct aggregate *a = NULL;
    AUTO_TEXT text = mem_printf(TARO, product);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    json_put(args, "subscriber.organisation.email", json_string("office@example.jp"));
    if (issue_json(w, &a, args, HASH, NULL) || w->plan.refused)
        fail_msg("issue: %s %s", w->err.text, w->plan.message);
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    stored(a);
    return a;
}

static size_t mails_to_subscriber(const struct world *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->plan.followup_count; i++) {
        const char *to = json_text_at(w->plan.followups[i].args, "recipient");
        n += to && strcmp(to, "Taro@Example.jp") == 0;
    }
    return n;
}

static void test_a10_reasons(void **state)
{
    static const struct {
        const char *reason;
        enum reason crl;
        size_t mails; /* to the subscriber */
    } rows[] = {
        {"'stopped'", REASON_CESSATION_OF_OPERATION, 1},
        {"'left'", REASON_AFFILIATION_CHANGED, 1},
        {"'died'", REASON_CESSATION_OF_OPERATION, 0}, /* never to the deceased */
        {"'other'", REASON_UNSPECIFIED, 1},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = member(w, "association");
        assert_string_equal(withdraw(w, a, rows[i].reason), "done");
        assert_string_equal(result_text(w, "state"), "received");
        assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
        assert_int_equal(a->certificates[0]->reason, rows[i].crl);
        assert_string_equal(result_text(w, "certificates.0.state"), "revoked");
        assert_true(a->subscriber.is_withdrawn);
        assert_int_equal(a->subscriber.row, ROW_CHANGED);
        assert_int_equal(mails_to_subscriber(w), rows[i].mails);
        assert_true(audited(w, "withdrawal.received"));
        assert_true(audited(w, "subscriber.withdrawn"));
        assert_string_equal(withdraw(w, a, rows[i].reason), "withdrawn");
        assert_string_equal(retrieve(w, a, RIGHT), "credentials");
    }
}

/* Codes die, and applications that wait are withdrawn. */
static void test_codes_and_applications(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    stored(a);
    struct application *waiting = aggregate_add_application(a);
    waiting->id = fake_id(w);
    snprintf(waiting->kind, sizeof waiting->kind, "change");
    waiting->state = APPLICATION_AWAITING_APPROVAL;
    assert_string_equal(withdraw(w, a, "'left'"), "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_CANCELLED);
    assert_int_equal(waiting->state, APPLICATION_WITHDRAWN);
    assert_string_equal(result_text(w, "certificates.0.state"), "cancelled");
    assert_true(audited(w, "application.withdrawn"));
}

static void test_deferral_is_cancelled(void **state) /* X4 */
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "deferring");
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    assert_string_equal(
        reissue(w, a, a->certificates[0], ", 'reason': 'lost', 'revocation': 'deferred'"), "done");
    struct ask how = RIGHT;
    how.request = 'b';
    assert_string_equal(retrieve(w, a, how), "done");
    stored(a);
    assert_string_equal(withdraw(w, a, "'left'"), "done");
    assert_int_equal(w->plan.cancel_count, 1);
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_REVOKED);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *reason, *by, *answer, *field;
    } rows[] = {
        {"'left'", "{'role': 'subscriber', 'how': 'credentials'}", "forbidden", NULL},
        {"'left'", "{'role': 'organisation', 'how': 'session'}", "forbidden", NULL},
        {"'left'", "{'role': 'operator', 'operator': 'op1'}", "forbidden", NULL},
        {"'left'", "{'role': 'organisation', 'how': 'paper'}", "bad-request",
            "by.evidence.form.received_on"},
        {"'bored'", PAPER, "bad-request", "reason"},
        {"null", PAPER, "bad-request", "reason"},
    };
    struct world *w = *state;
    AUTO(aggregate) a = member(w, "association");
    AUTO_TEXT before = snapshot(a, true);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        withdraw_by(w, a, rows[i].reason, rows[i].by);
        if (strcmp(answer(w), rows[i].answer) != 0 ||
            (rows[i].field && strcmp(field_text(w, rows[i].field), "(none)") == 0))
            fail_msg("%s: %s %s", rows[i].by, answer(w), w->plan.message);
    }
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
    AUTO(aggregate) b = NULL;
    AUTO_TYPE(json, json_t) *args = json_of(HANAKO);
    assert_int_equal(issue_json(w, &b, args, HASH, NULL), 0);
    assert_string_equal(withdraw(w, b, "'left'"), "not-offered");
}

#define CONFIRMED                                                                                  \
    "'confirmation': {'by': 'telephone', 'with': 'registered', 'person': '例示 花子', 'at': "  \
    "'2026-04-02T01:00:00Z'}"

static void test_confirmed_first(void **state)
{
    static const struct {
        const char *members, *answer, *field;
    } rows[] = {
        {"'decision': 'approve'", "bad-request", "confirmation"},
        {"'decision': 'approve', 'confirmation': 'yes'", "bad-request", "confirmation"},
        {"'decision': 'approve', 'confirmation': {'by': 'smoke'}", "bad-request",
            "confirmation.by"},
        {"'decision': 'approve', 'confirmation': {'by': 'telephone', 'with': 'registered', "
         "'person': 'x', 'at': 'noon'}",
            "bad-request", "confirmation.at"},
        {"'decision': 'approve', 'confirmation': {'by': 'telephone', 'with': 'registered', "
         "'person': 'x', 'at': '2030-01-01T00:00:00Z'}",
            "bad-request", "confirmation.at"},
        {"'decision': 'approve', 'confirmation': {'by': 'telephone', 'with': 'registered', "
         "'person': 'x', 'at': '2026-03-01T00:00:00Z'}",
            "bad-request", "confirmation.at"}, /* before the request */
    };
    struct world *w = *state;
    AUTO(aggregate) a = member(w, "confirming");
    assert_string_equal(withdraw(w, a, "'left'"), "done");
    assert_string_equal(result_text(w, "state"), "received");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    assert_string_equal(withdraw(w, a, "'left'"), "already-waiting");
    w->now_ms = at("2026-04-03T00:00:00Z");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        decide_with(w, a, rows[i].members);
        if (strcmp(answer(w), rows[i].answer) != 0 ||
            strcmp(field_text(w, rows[i].field), "(none)") == 0)
            fail_msg("%s: %s %s", rows[i].members, answer(w), w->plan.message);
    }
    assert_string_equal(decide_with(w, a, "'decision': 'approve', " CONFIRMED), "done");
    assert_string_equal(result_text(w, "state"), "withdrawn");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
    assert_int_equal(a->certificates[0]->reason, REASON_AFFILIATION_CHANGED);
    assert_true(a->subscriber.is_withdrawn);
}

static void test_rejected(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = member(w, "confirming");
    assert_string_equal(withdraw(w, a, "'left'"), "done");
    assert_string_equal(decide_with(w, a, "'decision': 'reject', 'note': 'nobody asked'"), "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    assert_false(a->subscriber.is_withdrawn);
    assert_string_equal(withdraw(w, a, "'left'"), "done");
}

/* Nothing but the end of something is confirmed. */
static void test_confirmation_of_others(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "approved");
    w->now_ms = at("2026-04-03T00:00:00Z");
    assert_string_equal(decide_with(w, a, "'decision': 'approve', " CONFIRMED), "bad-request");
    assert_string_equal(
        decide_with(w, a, "'decision': 'approve', 'reason': 'superseded'"), "bad-request");
    assert_string_equal(decide_with(w, a, "'decision': 'approve'"), "done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a10_reasons, set_up, world_free),
        cmocka_unit_test_setup_teardown(test_codes_and_applications, set_up, world_free),
        cmocka_unit_test_setup_teardown(test_deferral_is_cancelled, set_up, world_free),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, world_free),
        cmocka_unit_test_setup_teardown(test_confirmed_first, set_up, world_free),
        cmocka_unit_test_setup_teardown(test_rejected, set_up, world_free),
        cmocka_unit_test_setup_teardown(test_confirmation_of_others, set_up, world_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

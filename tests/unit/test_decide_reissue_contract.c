/* links: lifecycle */
/* Reissue of server certificates: window and count (C4), timing (C5), force (C6), review (C7). */
#include "contract_fixture.h"
#include "lifecycle/decide_reissue_review.h"

#define BY_OPERATOR "'by': {'role': 'operator', 'operator': 'op'}"
#define DAY (INT64_C(86400000))

struct ask {
    const char *product, *reason, *revocation, *by;
    int after_days;     /* since the issue */
    uint32_t before;    /* reissues counted so far */
    const char *answer; /* "done" or the refusal */
    const char *what;   /* the state, or the bad field */
};

static const char *reissue_text(
    struct world *w, struct aggregate *a, const char *text, const struct request_key *key)
{
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct decision d = decision(w);
    struct reissue_request r;
    struct candidate candidate = {
        .aggregate = a, .policy = policy_set_find(w->set, a->subscriber.product)};
    const struct claimants facts = {.candidates = &candidate, .count = 1};
    if (actor_read(&d, args, &w->plan) && reissue_read(args, &r, &w->plan)) {
        r.key = key;
        if (decide_reissue(&d, &r, &facts, &w->plan, &w->err))
            fail_msg("reissue: %s", w->err.text);
    }
    return answer(w);
}

static const char *reissue(
    struct world *w, struct aggregate *a, const struct ask *row, const struct request_key *key)
{
    AUTO_TEXT revocation =
        mem_printf("'revocation': '%s', ", row->revocation ? row->revocation : "");
    AUTO_TEXT text = mem_printf("{'certificate': '%s', 'reason': '%s', %s'csr': 'x', %s}",
        uuid_s(&a->certificates[0]->id), row->reason, row->revocation ? revocation : "", row->by);
    return reissue_text(w, a, text, key);
}

static const struct ask rows[] = {
    /* C4: within 25 days, day 25 included, once. */
    {"web-ev", "server-failure", "deferred", BY_CONTACT, 0, 0, "done", "awaiting-approval"},
    {"web-ev", "server-failure", "deferred", BY_CONTACT, 25, 0, "done", "awaiting-approval"},
    {"web-ev", "server-failure", "deferred", BY_CONTACT, 26, 0, "new-application", NULL},
    {"web-ev", "server-failure", "deferred", BY_OPERATOR, 26, 0, "new-application", NULL},
    {"web-ev", "server-failure", "immediate", BY_CONTACT, 3, 1, "new-application", NULL},
    /* web-sr: from day 25 on, or from the second on, only through an operator. */
    {"web-sr", "server-failure", "deferred", BY_CONTACT, 24, 0, "done", "awaiting-approval"},
    {"web-sr", "server-failure", "deferred", BY_CONTACT, 25, 0, "contact-us", NULL},
    {"web-sr", "server-failure", "deferred", BY_OPERATOR, 25, 0, "done", "awaiting-approval"},
    {"web-sr", "server-failure", "deferred", BY_CONTACT, 3, 1, "contact-us", NULL},
    {"web-sr", "server-failure", "deferred", BY_OPERATOR, 3, 7, "done", "awaiting-approval"},
    /* C5: the requester must pick. */
    {"web-ev", "server-failure", NULL, BY_CONTACT, 3, 0, "bad-request", "revocation"},
    {"web-ev", "server-failure", "on-retrieval", BY_CONTACT, 3, 0, "bad-request", "revocation"},
    /* C6: key lost, unusable: only immediate. */
    {"web-ev", "key-lost", "deferred", BY_CONTACT, 3, 0, "bad-request", "revocation"},
    {"web-ev", "unusable", "deferred", BY_CONTACT, 3, 0, "bad-request", "revocation"},
    {"web-ev", "key-lost", "immediate", BY_CONTACT, 3, 0, "done", "awaiting-approval"},
    {"web-ev", "key-lost", NULL, BY_CONTACT, 3, 0, "done", "awaiting-approval"},
    /* C6: compromise is handled by operators, at once. */
    {"web-ev", "key-compromise", "immediate", BY_CONTACT, 3, 0, "contact-us", NULL},
    {"web-ev", "key-compromise", "deferred", BY_OPERATOR, 3, 0, "done", "issued"},
    {"web-ev", "no-such-reason", "immediate", BY_CONTACT, 3, 0, "bad-request", "reason"},
    {"web-ev", "server-failure", "deferred", "'by': {'role': 'agent', 'how': 'counter'}", 3, 0,
        "forbidden", NULL},
};

static void test_rules(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world w;
        world_init(&w);
        struct aggregate *a = issue_server(&w, rows[i].product, 'a');
        const struct request_key key = key_of('b');
        a->contract->reissues = rows[i].before;
        w.now_ms += rows[i].after_days * DAY;
        const char *got = reissue(&w, a, &rows[i], &key);
        if (strcmp(got, rows[i].answer) != 0)
            fail_msg("row %zu: %s: %s", i, got, w.plan.message ? w.plan.message : "");
        if (strcmp(got, "done") == 0)
            assert_string_equal(result_text(&w, "state"), rows[i].what);
        else if (rows[i].what && strcmp(field_text(&w, rows[i].what), "(none)") == 0)
            fail_msg("row %zu: %s is not named", i, rows[i].what);
        free_server(a);
        world_clear(&w);
    }
}

/* From the request to the day the old one goes, to the second (C5, X4). */
static void test_deferred(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    const struct request_key key = key_of('b');
    const int64_t end_ms = a->certificates[0]->not_after_ms;
    w->now_ms += 3 * DAY;
    assert_string_equal(reissue(w, a, &rows[0], &key), "done");
    assert_string_equal(result_text(w, "charge_reason"), "free");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    stored(a);

    /* One request at a time, and it counts already. */
    assert_string_equal(reissue(w, a, &rows[0], &key), "already-requested");

    w->now_ms += DAY;
    assert_string_equal(decide_last(w, a, "approve"), "done");
    assert_string_equal(result_text(w, "state"), "issued");
    AUTO_TEXT revoke_at = mem_text(clock_s(w->now_ms + 14 * DAY));
    assert_string_equal(result_text(w, "revoke_at"), revoke_at);
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_VALID);
    assert_int_equal(a->certificates[1]->not_after_ms, end_ms); /* A9 */
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    assert_int_equal(a->contract->reissues, 1);
    const struct plan_followup *revocation = NULL;
    for (size_t i = 0; i < w->plan.followup_count; i++)
        if (w->plan.followups[i].kind == KIND_REVOKE && !revocation) /* then its reminder */
            revocation = &w->plan.followups[i];
    assert_non_null(revocation);
    assert_int_equal(revocation->run_at_ms, w->now_ms + 14 * DAY);
    AUTO_TEXT to = mails_to(&w->plan);
    assert_string_equal(to, "r@example.jp t@example.jp");
    stored(a);

    /* C4: web-ev once only. */
    assert_string_equal(reissue(w, a, &rows[0], &key), "new-application");
}

static void test_immediate(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-sr", 'a');
    const struct request_key key = key_of('b');
    static const struct ask row = {
        "web-sr", "unusable", "immediate", BY_CONTACT, 0, 0, "done", "awaiting-approval"};
    assert_string_equal(reissue(w, a, &row, &key), "done");
    stored(a);
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    w->now_ms += 1000;
    assert_string_equal(decide_last(w, a, "approve"), "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
    assert_int_equal(a->certificates[0]->revoked_ms, w->now_ms);
    assert_int_equal(a->certificates[1]->issued_ms, w->now_ms); /* the same moment (C5) */
}

static void test_rejected(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    const struct request_key key = key_of('b');
    assert_string_equal(reissue(w, a, &rows[0], &key), "done");
    stored(a);
    assert_string_equal(decide_last(w, a, "reject"), "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_CANCELLED);
    assert_int_equal(a->contract->reissues, 0);
    stored(a);
    assert_string_equal(reissue(w, a, &rows[0], &key), "done"); /* it was not one */
}

/* The old one went while the request waited. */
static void test_gone_meanwhile(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    const struct request_key key = key_of('b');
    assert_string_equal(reissue(w, a, &rows[0], &key), "done");
    stored(a);
    certificate_revoke(a->certificates[0], REASON_KEY_COMPROMISE, w->now_ms, &w->job);
    assert_string_equal(decide_last(w, a, "approve"), "revoked");
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_AWAITING_APPROVAL);
    assert_string_equal(decide_last(w, a, "reject"), "done");
}

/* C6: at once by an operator, looked at afterwards, once. */
static void test_emergency(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    const struct request_key key = key_of('b');
    static const struct ask row = {
        "web-ev", "key-compromise", NULL, BY_OPERATOR, 0, 0, "done", "issued"};
    assert_string_equal(reissue(w, a, &row, &key), "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
    assert_int_equal(a->certificates[0]->reason, REASON_KEY_COMPROMISE);
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_VALID);
    assert_non_null(strstr(a->applications[1]->request, "\"review\""));
    stored(a);
    assert_string_equal(decide_last(w, a, "approve"), "done");
    assert_string_equal(result_text(w, "state"), "reviewed");
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_VALID);
    stored(a);
    assert_string_equal(decide_last(w, a, "approve"), "not-awaiting");
}

/* C6: what replaces a compromised key is another key. */
static void test_compromised_key_again(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    const struct request_key same = key_of('a'), key = key_of('b');
    static const struct ask row = {
        "web-ev", "key-compromise", NULL, BY_OPERATOR, 0, 0, "done", "issued"};
    assert_string_equal(reissue(w, a, &row, &same), "key-compromised");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    assert_string_equal(reissue(w, a, &row, &key), "done");
}

/* Without a request there is nothing to issue from; a key the product does not take is named. */
static void test_csr(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    struct request_key key = key_of('b');
    assert_string_equal(reissue(w, a, &rows[0], NULL), "bad-request");
    assert_string_not_equal(field_text(w, "csr"), "(none)");
    key.curve = CURVE_P384;
    assert_string_equal(reissue(w, a, &rows[0], &key), "bad-request");
    assert_string_not_equal(field_text(w, "csr"), "(none)");
    a->contract->has_ended = true;
    assert_string_equal(reissue(w, a, &rows[0], &key), "contract-ended");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        IN_WORLD(test_deferred),
        IN_WORLD(test_immediate),
        IN_WORLD(test_rejected),
        IN_WORLD(test_gone_meanwhile),
        IN_WORLD(test_emergency),
        IN_WORLD(test_compromised_key_again),
        IN_WORLD(test_csr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

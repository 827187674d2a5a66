/* links: lifecycle config */
#include "decide_ask.h"

#define BY "'by': {'role': 'operator', 'operator': 'op1'}"

/* `more` are members after certificate and by. */
static const char *revoke_one(
    struct world *w, struct aggregate *a, struct certificate *c, const char *by, const char *more)
{
    struct decision d = decision(w);
    struct revoke_request r;
    AUTO_TEXT text = mem_printf("{'certificate': '%s', %s%s}",
        c ? uuid_s(&c->id) : "01900000-0000-7000-8000-000000000000", by, more);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    const struct policy *policy = a ? policy_set_find(w->set, a->subscriber.product) : NULL;
    if (revoke_read(&d, args, &r, &w->plan) &&
        decide_revoke(&d, &r, policy, a, c, &w->plan, &w->err))
        fail_msg("revoke: %s", w->err.text);
    return answer(w);
}

/* The subscriber's newest. */
static const char *revoke(struct world *w, struct aggregate *a, const char *by, const char *more)
{
    return revoke_one(w, a, a ? newest(a) : NULL, by, more);
}

static struct aggregate *issued(struct world *w)
{
    struct aggregate *a = apply(w, "association");
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    stored(a);
    return a;
}

static void test_revoke(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = issued(w);
    assert_string_equal(revoke(w, a, BY, ", 'reason': 'keyCompromise', 'note': 'lost'"), "done");
    const struct certificate *c = a->certificates[0];
    assert_int_equal(c->state, CERTIFICATE_REVOKED);
    assert_int_equal(c->row, ROW_CHANGED);
    assert_int_equal(c->reason, REASON_KEY_COMPROMISE);
    assert_int_equal(c->revoked_ms, w->now_ms);
    assert_true(uuid_equal(&c->revoked_by, &w->job));
    assert_string_equal(result_text(w, "state"), "revoked");
    assert_string_equal(result_text(w, "revoke_at"), "2026-04-01T03:00:00Z");
    assert_string_equal(result_text(w, "reason"), "keyCompromise");
    assert_int_equal(w->plan.followup_count, 1);
    assert_string_equal(json_text_at(w->plan.followups[0].args, "template"), "certificate-revoked");
    assert_int_equal(w->plan.audit_count, 2);
    assert_string_equal(w->plan.audits[1].event, "key.compromised");
    assert_string_equal(w->plan.audits[0].event, "certificate.revoked");
    assert_string_equal(w->plan.role, "operator");
    assert_string_equal(w->plan.actor, "op1");
}

static void test_again(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = issued(w);
    assert_string_equal(revoke(w, a, BY, ", 'reason': 'superseded'"), "done");
    stored(a);
    AUTO_TEXT before = snapshot(a, true);
    w->now_ms += 1000;
    assert_string_equal(revoke(w, a, BY, ", 'reason': 'unspecified'"), "already-revoked");
    assert_non_null(strstr(w->plan.message, "2026-04-01T03:00:00Z"));
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
}

/* A compromise told too late to revoke anything: the key is refused all the same, once. */
static void test_late_compromise(void **state)
{
    static const struct {
        const char *now, *state;
        bool is_revoked;
    } rows[] = {{"2026-05-01T00:00:00Z", "revoked", true},
        {"2030-01-01T00:00:00Z", "revoked", true}, {"2030-01-01T00:00:00Z", "expired", false}};
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        w->now_ms = at("2026-04-01T03:00:00Z");
        w->compromised = 0;
        AUTO(aggregate) a = issued(w);
        struct certificate *c = a->certificates[0];
        if (rows[i].is_revoked)
            assert_string_equal(revoke(w, a, BY, ", 'reason': 'superseded'"), "done");
        stored(a);
        AUTO_TEXT before = snapshot(a, true);
        w->now_ms = at(rows[i].now);
        assert_string_equal(revoke(w, a, BY, ", 'reason': 'keyCompromise'"), "done");
        assert_string_equal(result_text(w, "state"), rows[i].state);
        assert_true(json_is_true(json_object_get(w->plan.result, "key_refused")));
        assert_string_equal(result_text(w, "reason"), rows[i].is_revoked ? "superseded" : "(none)");
        assert_true(uuid_equal(&c->reported_by, &w->job));
        assert_int_equal(c->reported_ms, w->now_ms);
        assert_true(uuid_is_zero(&c->revoked_by)); /* B4: what was done stays */
        assert_int_equal(w->plan.audit_count, 1);
        assert_string_equal(w->plan.audits[0].event, "key.compromised");
        AUTO_TEXT after = snapshot(a, true);
        assert_string_equal(before, after);
        stored(a);
        w->compromised = 'a';
        assert_string_equal(revoke(w, a, BY, ", 'reason': 'keyCompromise'"),
            rows[i].is_revoked ? "already-revoked" : "expired");
        assert_true(uuid_is_zero(&c->reported_by));
    }
}

/* The certificate's successor falls with it, unless the key was to blame. */
static void test_code_of_a_successor(void **state)
{
    static const struct {
        const char *reason;
        enum certificate_state state;
    } rows[] = {
        {"cessationOfOperation", CERTIFICATE_CANCELLED},
        {"affiliationChanged", CERTIFICATE_CANCELLED},
        {"privilegeWithdrawn", CERTIFICATE_CANCELLED},
        {"unspecified", CERTIFICATE_CANCELLED},
        {"keyCompromise", CERTIFICATE_AWAITING_RETRIEVAL},
        {"superseded", CERTIFICATE_AWAITING_RETRIEVAL},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = issued(w);
        AUTO_TEXT more = mem_printf(", 'reason': '%s'", rows[i].reason);
        assert_string_equal(reissue(w, a, NULL, ""), "done");
        stored(a);
        assert_int_equal(newest(a)->state, CERTIFICATE_AWAITING_RETRIEVAL);
        assert_string_equal(revoke_one(w, a, a->certificates[0], BY, more), "done");
        if (newest(a)->state != rows[i].state)
            fail_msg("%s: the successor is %s", rows[i].reason,
                certificate_state_word(newest(a)->state));
        assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
        struct ask other = RIGHT;
        other.request = 'b';
        assert_string_equal(
            retrieve(w, a, other), rows[i].state == CERTIFICATE_CANCELLED ? "cancelled" : "done");
    }
}

static void test_never_retrieved(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    assert_string_equal(revoke(w, a, BY, ", 'reason': 'superseded'"), "done");
    assert_string_equal(result_text(w, "state"), "cancelled");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_CANCELLED);
    assert_true(uuid_is_zero(&a->certificates[0]->revoked_by)); /* on no CRL */
    assert_int_equal(w->plan.followup_count, 0);
    assert_string_equal(retrieve(w, a, RIGHT), "cancelled");
    assert_string_equal(revoke(w, a, BY, ", 'reason': 'superseded'"), "cancelled");
}

/* I11: whichever comes first, no certificate is valid after a revocation that succeeded. */
static void test_race_with_retrieval(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    assert_string_equal(revoke(w, a, BY, ", 'reason': 'superseded'"), "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
    assert_string_equal(retrieve(w, a, RIGHT), "revoked");
    AUTO(aggregate) b = apply(w, "association");
    assert_string_equal(revoke(w, b, BY, ", 'reason': 'superseded'"), "done");
    assert_string_equal(retrieve(w, b, RIGHT), "cancelled");
    assert_int_equal(w->signings, 1);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *by, *more, *answer, *field;
    } rows[] = {
        {BY, "", "bad-request", "reason"},
        {BY, ", 'reason': 'because'", "bad-request", "reason"},
        {BY, ", 'reason': 'KeyCompromise'", "bad-request", "reason"},
        {BY, ", 'reason': 'certificateHold'", "bad-request", "reason"},
        {BY, ", 'reason': 'removeFromCRL'", "bad-request", "reason"},
        {BY, ", 'reason': 1", "bad-request", "reason"},
        {BY, ", 'reason': 'superseded', 'when': 'now'", "bad-request", "when"},
        {BY, ", 'reason': 'superseded', 'serial': '01'", "bad-request", "serial"},
        {"'by': null", ", 'reason': 'superseded'", "forbidden", NULL},
        {"'by': {'role': 'subscriber'}", ", 'reason': 'superseded'", "forbidden", NULL},
        {"'by': {'role': 'operator', 'how': 'credentials', 'operator': 'x'}",
            ", 'reason': 'superseded'", "forbidden", NULL},
    };
    struct world *w = *state;
    AUTO(aggregate) a = issued(w);
    AUTO_TEXT before = snapshot(a, true);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        revoke(w, a, rows[i].by, rows[i].more);
        if (strcmp(answer(w), rows[i].answer) != 0 ||
            (rows[i].field && strcmp(field_text(w, rows[i].field), "(none)") == 0))
            fail_msg("%s%s: %s %s", rows[i].by, rows[i].more, answer(w), w->plan.message);
    }
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
    assert_string_equal(revoke(w, NULL, BY, ", 'reason': 'superseded'"), "not-found");
    w->now_ms = at("2030-01-01T00:00:00Z");
    assert_string_equal(revoke(w, a, BY, ", 'reason': 'superseded'"), "expired");
}

/* It is kept with every line of the audit, for good. */
static void test_much_evidence(void **state)
{
    static const struct {
        size_t bytes;
        const char *answer;
    } rows[] = {{8000, "done"}, {8200, "bad-request"}, {60000, "bad-request"}};
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = issued(w);
        AUTO_TEXT much = mem_zero(rows[i].bytes + 1, 1);
        memset(much, 'x', rows[i].bytes);
        AUTO_TEXT by = mem_printf(
            "'by': {'role': 'operator', 'operator': 'op1', 'evidence': {'x': ['%s']}}", much);
        assert_string_equal(revoke(w, a, by, ", 'reason': 'superseded'"), rows[i].answer);
        if (strcmp(rows[i].answer, "done") != 0)
            assert_string_not_equal(field_text(w, "by.evidence"), "(none)");
    }
}

static void test_which(void **state)
{
    static const struct {
        const char *args;
        bool good;
        size_t length;
    } rows[] = {
        {"{'certificate': '01900000-0000-7000-8000-000000000000'}", true, 0},
        {"{'certificate': '0190'}", false, 0},
        {"{'certificate': 7}", false, 0},
        {"{}", false, 0},
        {"{'serial': '0a1B'}", true, 2},
        {"{'serial': '0a:1B:ff'}", true, 3},
        {"{'serial': '0:a1'}", false, 0},
        {"{'serial': '0a1'}", false, 0},
        {"{'serial': 'xy'}", false, 0},
        {"{'serial': ''}", false, 0},
        {"{'serial': '0102030405060708090a0b0c0d0e0f1011121314'}", true, 20},
        {"{'serial': '0102030405060708090a0b0c0d0e0f101112131415'}", false, 0},
        {"{'serial': '0a1b', 'issuer': 'person-ca'}", true, 2},
        {"{'serial': '0a1b', 'issuer': 3}", false, 0},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct decision d = decision(w);
        struct revoke_request r;
        AUTO_TYPE(json, json_t) *args = json_of(rows[i].args);
        if (revoke_read(&d, args, &r, &w->plan) != rows[i].good)
            fail_msg("%s: %s", rows[i].args, answer(w));
        if (rows[i].good)
            assert_int_equal(r.serial_length, rows[i].length);
    }
}

/* --- approvals --- */

static const char *decide(struct world *w, struct aggregate *a, const char *members)
{
    struct decision d = decision(w);
    struct approval_request r;
    AUTO_TEXT text =
        mem_printf("{'subject': '%s'%s}", a ? uuid_s(&a->applications[0]->id) : "0190", members);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    const struct policy *policy = a ? policy_set_find(w->set, a->subscriber.product) : NULL;
    if (approval_read(&d, args, &r, &w->plan) &&
        decide_approval(&d, &r, policy, a, &w->plan, &w->err))
        fail_msg("decide: %s", w->err.text);
    return answer(w);
}
#define APPROVE ", 'decision': 'approve', 'operator': 'op1', " BY
#define REJECT ", 'decision': 'reject', 'operator': 'op1', 'note': 'no seal', " BY

static void test_approve(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "approved");
    assert_string_equal(result_text(w, "state"), "awaiting-approval");
    assert_int_equal(w->plan.followup_count, 0);
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_AWAITING_APPROVAL);
    assert_string_equal(retrieve(w, a, RIGHT), "credentials"); /* there is no code yet */
    a->subscriber.failures = 0;
    assert_string_equal(revoke(w, a, BY, ", 'reason': 'superseded'"), "awaiting-approval");
    stored(a);
    assert_string_equal(decide(w, a, APPROVE), "done");
    assert_string_equal(result_text(w, "state"), "code-queued");
    assert_string_equal(result_text(w, "certificate"), uuid_s(&a->certificates[0]->id));
    assert_int_equal(a->applications[0]->state, APPLICATION_APPROVED);
    assert_int_equal(a->applications[0]->row, ROW_CHANGED);
    assert_string_equal(a->applications[0]->decided_by, "op1");
    assert_int_equal(a->certificates[0]->code_generation, 1);
    assert_int_equal(w->plan.followup_count, 1);
    assert_string_equal(json_text_at(w->plan.followups[0].args, "template"), "certificate-code");
    assert_string_equal(w->plan.audits[0].event, "application.approved");
    assert_string_equal(decide(w, a, APPROVE), "not-awaiting");
    assert_non_null(strstr(w->plan.message, "approved"));
    assert_string_equal(retrieve(w, a, RIGHT), "done");
}

static void test_reject(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "approved");
    assert_string_equal(decide(w, a, REJECT), "done");
    assert_string_equal(result_text(w, "state"), "rejected");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_CANCELLED);
    assert_string_equal(a->applications[0]->note, "no seal");
    assert_int_equal(w->plan.followup_count, 1);
    const json_t *mail = w->plan.followups[0].args;
    assert_string_equal(json_text_at(mail, "template"), "application-rejected");
    assert_string_equal(json_text_at(mail, "facts.note"), "no seal");
    assert_string_equal(json_text_at(mail, "facts.first"), "yes");
    assert_string_equal(decide(w, a, APPROVE), "not-awaiting");
    assert_non_null(strstr(w->plan.message, "rejected"));
    assert_non_null(strstr(w->plan.message, "op1"));
}

static void test_bad_decisions(void **state)
{
    static const struct {
        const char *members, *answer, *field;
    } rows[] = {
        {", 'operator': 'op1', " BY, "bad-request", "decision"},
        {", 'decision': 'maybe', 'operator': 'op1', " BY, "bad-request", "decision"},
        {", 'decision': 'approve', 'operator': 'op2', " BY, "bad-request", "operator"},
        {", 'decision': 'approve', 'operator': '', " BY, "bad-request", "operator"},
        {", 'decision': 'approve', 'note': 'a\\nb', " BY, "bad-request", "note"},
        {", 'decision': 'approve', 'colour': 1, " BY, "bad-request", "colour"},
        {", 'decision': 'approve'", "bad-request", "operator"},
        {", 'decision': 'approve', 'by': {'role': 'subscriber'}", "forbidden", NULL},
    };
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "approved");
    AUTO_TEXT before = snapshot(a, true);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        decide(w, a, rows[i].members);
        if (strcmp(answer(w), rows[i].answer) != 0 ||
            (rows[i].field && strcmp(field_text(w, rows[i].field), "(none)") == 0))
            fail_msg("%s: %s %s", rows[i].members, answer(w), w->plan.message);
    }
    assert_string_equal(decide(w, NULL, APPROVE), "bad-request"); /* no UUID */
    AUTO(aggregate) other = apply(w, "association");
    assert_string_equal(decide(w, other, APPROVE), "not-awaiting");
    w->fail_code_key = ERR_TEMPORARY;
    struct decision d = decision(w);
    struct approval_request r = {
        .application = a->applications[0]->id, .is_approved = true, .who = "op1"};
    assert_int_equal(
        decide_approval(&d, &r, policy_set_find(w->set, "approved"), a, &w->plan, &w->err), -1);
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
}

/* --- issuing at once --- */

#define DIRECT                                                                                     \
    "product: direct\nextends: online-banking\nissue: {path: direct, approval: %s}\n"              \
    "password: none\nrenew: {after_expiry: new-application}\nwho: {retrieve: null, lookup: "       \
    "null, password-reset: null}\ncredentials: "                                                   \
    "{retrieve: null, password: null}\n"

static const char *apply_direct(
    struct world *w, struct aggregate **a, const char *approval, const char *csr)
{
    AUTO_TEXT product = mem_printf(DIRECT, approval);
    AUTO_TYPE(json, json_t) *args = json_of(HANAKO);
    struct request_key key = key_of('a');
    add_product(w->set, "direct.yaml", product);
    qsort(w->set->items, w->set->count, sizeof(struct policy *), by_name);
    json_object_set_new(args, "product", json_string("direct"));
    json_object_del(args, "password");
    if (csr)
        json_object_set_new(args, "csr", json_string(csr));
    if (issue_json(w, a, args, NULL, &key))
        fail_msg("issue: %s", w->err.text);
    return answer(w);
}

static void test_direct(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = NULL;
    assert_string_equal(apply_direct(w, &a, "none", "x"), "done");
    assert_string_equal(result_text(w, "state"), "issued");
    assert_string_equal(result_text(w, "pem"), "PEM of DER 1");
    assert_string_equal(result_text(w, "not_after"), "2027-04-01T14:59:59Z");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    assert_int_equal(a->certificates[0]->row, ROW_NEW);
    assert_string_equal(json_text_at(w->plan.followups[0].args, "template"), "certificate-issued");
}

static void test_direct_refused(void **state)
{
    struct world *w = *state;
    struct aggregate *a = NULL;
    w->fail_sign = ERR_INPUT;
    assert_string_equal(apply_direct(w, &a, "none", "x"), "bad-request");
    assert_null(a);
}

static void test_direct_without_csr(void **state)
{
    struct world *w = *state;
    struct aggregate *a = NULL;
    assert_string_equal(apply_direct(w, &a, "none", NULL), "bad-request");
    assert_string_not_equal(field_text(w, "csr"), "(none)");
    assert_null(a);
}

static void test_direct_approved(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = NULL;
    assert_string_equal(apply_direct(w, &a, "operator", "x"), "done");
    assert_string_equal(result_text(w, "state"), "awaiting-approval");
    assert_int_equal(w->signings, 0);
    stored(a);
    w->now_ms = at("2026-04-05T00:00:00Z");
    assert_string_equal(decide(w, a, APPROVE), "done");
    assert_string_equal(result_text(w, "state"), "issued");
    assert_string_equal(result_text(w, "not_after"), "2027-04-05T14:59:59Z");
    assert_int_equal(a->certificates[0]->request_sha256[0], 'a');
    assert_int_equal(w->signed_last.spki.length, 4);
    assert_int_equal(w->signings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_revoke),
        IN_WORLD(test_again),
        IN_WORLD(test_late_compromise),
        IN_WORLD(test_code_of_a_successor),
        IN_WORLD(test_never_retrieved),
        IN_WORLD(test_race_with_retrieval),
        IN_WORLD(test_refusals),
        IN_WORLD(test_much_evidence),
        IN_WORLD(test_which),
        IN_WORLD(test_approve),
        IN_WORLD(test_reject),
        IN_WORLD(test_bad_decisions),
        IN_WORLD(test_direct),
        IN_WORLD(test_direct_refused),
        IN_WORLD(test_direct_without_csr),
        IN_WORLD(test_direct_approved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* links: lifecycle config */
/* What becomes of a predecessor (C5, C6, X4), of a compromised key, and how often (C4). */
#include "decide_ask.h"
#include "lifecycle/decide_succession.h"

static const char *retrieve_with(struct world *w, struct aggregate *a, char letter)
{
    struct ask how = RIGHT;
    how.request = letter;
    return retrieve(w, a, how);
}

static struct aggregate *holder(struct world *w, const char *product)
{
    struct aggregate *a = apply(w, product);
    assert_string_equal(retrieve_with(w, a, 'a'), "done");
    stored(a);
    return a;
}

struct deferral {
    struct uuid job;
    int64_t at_ms;
    json_t *args;
};

/* A reissue, retrieved with the next key: the deferral its retrieval planned. */
static struct deferral defer(struct world *w, struct aggregate *a, char letter)
{
    assert_string_equal(reissue(w, a, NULL, ", 'revocation': 'deferred'"), "done");
    assert_string_equal(retrieve_with(w, a, letter), "done");
    for (size_t i = 0; i < w->plan.followup_count; i++) {
        const struct plan_followup *f = &w->plan.followups[i];
        if (f->kind == KIND_REVOKE) {
            stored(a);
            return (struct deferral){f->id, f->run_at_ms, json_incref(f->args)};
        }
    }
    fail_msg("nothing is deferred");
    return (struct deferral){0};
}

/* The job wakes (or somebody else pretends to be it). */
static const char *wake(
    struct world *w, struct aggregate *a, const struct deferral *f, const struct uuid *job)
{
    struct decision d = decision(w);
    struct revoke_request r;
    d.job = *job;
    struct certificate *c = NULL;
    if (revoke_read(&d, f->args, &r, &w->plan))
        c = aggregate_certificate(a, &r.certificate);
    if (!w->plan.refused && decide_revoke(&d, &r, policy_set_find(w->set, a->subscriber.product), a,
                                c, &w->plan, &w->err))
        fail_msg("%s", w->err.text);
    return answer(w);
}

static const char *revoke(
    struct world *w, struct aggregate *a, struct certificate *c, const char *reason)
{
    struct decision d = decision(w);
    struct revoke_request r;
    AUTO_TEXT text = mem_printf("{'certificate': '%s', 'reason': '%s', 'by': {'role': 'operator', "
                                "'operator': 'op1'}}",
        uuid_s(&c->id), reason);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    if (revoke_read(&d, args, &r, &w->plan) &&
        decide_revoke(
            &d, &r, policy_set_find(w->set, a->subscriber.product), a, c, &w->plan, &w->err))
        fail_msg("%s", w->err.text);
    return answer(w);
}

/* --- when --- */

static void test_c5_c6_timing(void **state)
{
    static const struct {
        const char *label, *product, *more, *answer, *timing;
    } rows[] = {
        {"C5 must pick", "deferring", "", "bad-request", NULL},
        {"C5 deferred", "deferring", ", 'revocation': 'deferred'", "done", "deferred"},
        {"C5 immediate", "deferring", ", 'revocation': 'immediate'", "done", "immediate"},
        {"not offered", "deferring", ", 'revocation': 'on-retrieval'", "bad-request", NULL},
        {"no word", "deferring", ", 'revocation': 'tomorrow'", "bad-request", NULL},
        {"C6 forced", "deferring", ", 'reason': 'key-lost'", "done", "immediate"},
        {"C6 agreed", "deferring", ", 'reason': 'key-lost', 'revocation': 'immediate'", "done",
            "immediate"},
        {"C6 refused", "deferring", ", 'reason': 'key-lost', 'revocation': 'deferred'",
            "bad-request", NULL},
        {"C6 never deferred", "deferring", ", 'reason': 'key-compromise', 'revocation': 'deferred'",
            "done", "at-request"},
        {"C6 operator's", "deferring", ", 'reason': 'emergency'", "contact-us", NULL},
        {"A6 other", "association", ", 'reason': 'other'", "done", "on-retrieval"},
        {"A6 no such reason", "association", ", 'reason': 'bored'", "bad-request", NULL},
        {"C7", "reviewed", "", "done", "on-retrieval"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world *w = *state;
        AUTO(aggregate) a = holder(w, rows[i].product);
        if (strcmp(reissue(w, a, NULL, rows[i].more), rows[i].answer) != 0)
            fail_msg("%s: %s", rows[i].label, answer(w));
        if (rows[i].timing && strcmp(result_text(w, "revocation"), rows[i].timing) != 0)
            fail_msg("%s: %s", rows[i].label, result_text(w, "revocation"));
        bool now = rows[i].timing && strcmp(rows[i].timing, "at-request") == 0;
        assert_int_equal(a->certificates[0]->state == CERTIFICATE_REVOKED, now);
    }
}

static void test_c6_operator_in_emergency(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "deferring");
    assert_string_equal(
        reissue_by_operator(w, a, a->certificates[0], ", 'reason': 'emergency'"), "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
}

static void test_immediate_and_keep(void **state)
{
    static const struct {
        const char *timing;
        enum certificate_state after;
    } rows[] = {{"immediate", CERTIFICATE_REVOKED}, {"keep", CERTIFICATE_VALID}};
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = holder(w, "deferring");
        AUTO_TEXT more = mem_printf(", 'revocation': '%s'", rows[i].timing);
        assert_string_equal(reissue(w, a, NULL, more), "done");
        assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
        assert_string_equal(retrieve_with(w, a, 'b'), "done");
        assert_int_equal(a->certificates[0]->state, rows[i].after);
    }
}

/* --- X4 --- */

static void test_c5_x4_to_the_second(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "deferring");
    w->now_ms = at("2026-06-01T23:59:59Z");
    struct deferral f = defer(w, a, 'b');
    assert_int_equal(f.at_ms, at("2026-06-15T23:59:59Z"));
    assert_string_equal(result_text(w, "revoke_at"), "2026-06-15T23:59:59Z");
    assert_string_equal(json_text_at(mail_of(w, "certificate-reissued"), "facts.old_revoke_at"),
        "2026-06-16T08:59:59+09:00 ja");
    assert_true(audited(w, "revocation.scheduled"));
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    w->now_ms = f.at_ms;
    assert_string_equal(wake(w, a, &f, &f.job), "done");
    assert_string_equal(result_text(w, "state"), "revoked");
    assert_int_equal(a->certificates[0]->revoked_ms, f.at_ms);
    assert_int_equal(a->certificates[0]->reason, REASON_SUPERSEDED);
    assert_int_equal(w->plan.cancel_count, 0); /* it does not cancel itself */
    assert_non_null(mail_of(w, "certificate-revoked"));
    assert_string_equal(w->plan.role, "certq");
    stored(a);
    assert_string_equal(wake(w, a, &f, &f.job), "done"); /* once more changes nothing */
    assert_string_equal(result_text(w, "kept"), "it is no longer valid");
    assert_int_equal(w->plan.followup_count, 0);
    json_decref(f.args);
}

static void test_x4_nobody_else(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "deferring");
    struct deferral f = defer(w, a, 'b');
    struct uuid other = {{0x55}};
    AUTO_TEXT before = snapshot(a, true);
    assert_string_equal(wake(w, a, &f, &other), "forbidden");
    json_object_set_new(f.args, "certificate", json_string(uuid_s(&newest(a)->id)));
    assert_string_equal(wake(w, a, &f, &f.job), "forbidden"); /* not the one it was set for */
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
    json_decref(f.args);
}

static void test_x4_not_superseded_any_more(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "deferring");
    struct deferral f = defer(w, a, 'b');
    assert_string_equal(revoke(w, a, newest(a), "cessationOfOperation"), "done");
    assert_int_equal(w->plan.cancel_count, 0);
    w->now_ms = f.at_ms;
    assert_string_equal(wake(w, a, &f, &f.job), "done");
    assert_string_equal(result_text(w, "state"), "valid");
    assert_string_equal(result_text(w, "kept"), "no valid certificate supersedes it any more");
    assert_true(audited(w, "revocation.dropped"));
    json_decref(f.args);
}

static void test_x4_superseded_by_a_later_one(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "deferring");
    struct deferral f = defer(w, a, 'b');
    assert_string_equal(reissue(w, a, NULL, ", 'reason': 'key-lost'"), "done");
    assert_string_equal(retrieve_with(w, a, 'c'), "done");
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_REVOKED);
    w->now_ms = f.at_ms;
    assert_string_equal(wake(w, a, &f, &f.job), "done");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_REVOKED);
    assert_int_equal(a->certificates[2]->state, CERTIFICATE_VALID);
    json_decref(f.args);
}

static void test_x4_by_hand_before(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "deferring");
    struct deferral f = defer(w, a, 'b');
    assert_string_equal(revoke(w, a, a->certificates[0], "superseded"), "done");
    assert_int_equal(w->plan.cancel_count, 1);
    assert_true(uuid_equal(&w->plan.cancels[0], &f.job));
    assert_true(audited(w, "revocation.unscheduled"));
    json_decref(f.args);
}

/* --- compromise --- */

static void test_c6_compromise_collapses_the_chain(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "deferring");
    struct deferral first = defer(w, a, 'b'), second = defer(w, a, 'c');
    assert_string_equal(reissue(w, a, NULL, ", 'reason': 'key-compromise'"), "done");
    static const enum reason reasons[] = {
        REASON_SUPERSEDED, REASON_SUPERSEDED, REASON_KEY_COMPROMISE};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(a->certificates[i]->state, CERTIFICATE_REVOKED);
        assert_int_equal(a->certificates[i]->reason, reasons[i]);
    }
    assert_int_equal(w->plan.cancel_count, 2);
    assert_true(audited(w, "key.compromised"));
    for (size_t i = 0; i < w->plan.followup_count; i++)
        assert_int_equal(w->plan.followups[i].priority, 9);
    assert_non_null(mail_of(w, "certificate-code"));
    assert_null(json_text_at(mail_of(w, "certificate-code"), "facts.revokes"));
    assert_non_null(mail_of(w, "certificate-revoked"));
    json_decref(first.args);
    json_decref(second.args);
}

static void test_compromised_key_of_two(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "association");
    AUTO_TEXT text = mem_printf(TARO, "association");
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct aggregate *same = a;
    assert_int_equal(issue_json(w, &same, args, HASH, NULL), 0);
    assert_string_equal(retrieve_with(w, a, 'a'), "done"); /* the same key again */
    stored(a);
    assert_string_equal(revoke(w, a, a->certificates[0], "keyCompromise"), "done");
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_REVOKED);
    assert_int_equal(a->certificates[1]->reason, REASON_KEY_COMPROMISE);
}

static void test_compromised_key_is_refused(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    AUTO_TEXT before = snapshot(a, true);
    w->compromised = 'a';
    assert_string_equal(retrieve_with(w, a, 'a'), "key-compromised");
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
    assert_string_equal(retrieve_with(w, a, 'b'), "done");
}

/* --- C4 --- */

/* C5: what only lives until its time comes has its successor, and gets no second one. */
static void test_c5_one_successor(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "announcing");
    struct certificate *first = a->certificates[0];
    struct deferral f = defer(w, a, 'b');
    struct certificate *second = newest(a);
    assert_string_equal(reissue(w, a, first, ""), "already-reissued");
    assert_non_null(strstr(w->plan.message, uuid_s(&second->id)));
    assert_string_equal(reissue_by_operator(w, a, first, ""), "already-reissued");
    assert_int_equal(a->certificate_count, 2);
    /* The successor can be; and the old one, once the successor is gone. */
    assert_string_equal(revoke(w, a, second, "superseded"), "done");
    assert_string_equal(reissue(w, a, first, ""), "done");
    json_decref(f.args);
}

/* C5: nor when the successor has been replaced itself, and its heir lives. */
static void test_c5_one_heir(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "deferring");
    struct certificate *first = a->certificates[0];
    struct deferral f = defer(w, a, 'b');
    assert_string_equal(reissue(w, a, NULL, ", 'revocation': 'immediate'"), "done");
    assert_string_equal(retrieve_with(w, a, 'c'), "done");
    stored(a);
    assert_int_equal(a->certificates[1]->state, CERTIFICATE_REVOKED);
    assert_string_equal(reissue(w, a, first, ", 'revocation': 'deferred'"), "already-reissued");
    assert_non_null(strstr(w->plan.message, uuid_s(&newest(a)->id)));
    json_decref(f.args);
}

/* X4: of two deferrals the newest counts, the first having come to nothing; both are cancelled. */
static void test_x4_deferred_again(void **state)
{
    struct world *w = *state;
    struct succession s;
    AUTO(aggregate) a = holder(w, "deferring");
    struct certificate *first = a->certificates[0];
    struct deferral f = defer(w, a, 'b');
    assert_string_equal(revoke(w, a, newest(a), "superseded"), "done");
    w->now_ms += DAY_MS;
    assert_string_equal(reissue(w, a, first, ", 'revocation': 'deferred'"), "done");
    assert_string_equal(retrieve_with(w, a, 'c'), "done");
    stored(a);
    const struct application *row = succession_pending(a, first, &s);
    assert_true(row && uuid_equal(&row->certificate, &newest(a)->id));
    assert_int_equal(s.revoke_ms, w->now_ms + 14 * DAY_MS);
    assert_string_equal(revoke(w, a, first, "superseded"), "done");
    assert_int_equal(w->plan.cancel_count, 2);
    assert_true(uuid_equal(&w->plan.cancels[0], &f.job));
    assert_true(uuid_equal(&w->plan.cancels[1], &s.job));
    json_decref(f.args);
}

static void test_c4_limits(void **state)
{
    static const struct {
        const char *label, *product, *now;
        int before;
        const char *answer, *operators;
    } rows[] = {
        {"C4 day 25", "limited", "2026-04-26T14:59:59Z", 0, "done", NULL},
        {"C4 day 26", "limited", "2026-04-26T15:00:00Z", 0, "new-application", "new-application"},
        {"C4 second", "limited", "2026-04-02T00:00:00Z", 1, "done", NULL},
        {"C4 third", "limited", "2026-04-02T00:00:00Z", 2, "new-application", "new-application"},
        {"C4 day 24", "limited-sr", "2026-04-25T14:59:59Z", 0, "done", NULL},
        {"C4 day 25 on", "limited-sr", "2026-04-25T15:00:00Z", 0, "contact-us", "done"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world *w = *state;
        w->now_ms = at("2026-04-01T03:00:00Z");
        AUTO(aggregate) a = holder(w, rows[i].product);
        for (int k = 0; k < rows[i].before; k++)
            assert_string_equal(reissue(w, a, a->certificates[0], ""), "done");
        w->now_ms = at(rows[i].now);
        if (strcmp(reissue(w, a, a->certificates[0], ""), rows[i].answer) != 0)
            fail_msg("%s: %s", rows[i].label, answer(w));
        if (rows[i].operators)
            assert_string_equal(
                reissue_by_operator(w, a, a->certificates[0], ""), rows[i].operators);
    }
}

/* C5: a mail three days before, by a job that looks again. */
static void test_c5_announced(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = holder(w, "announcing");
    w->now_ms = at("2026-06-01T00:00:00Z");
    struct deferral f = defer(w, a, 'b');
    assert_int_equal(f.at_ms, at("2026-06-15T00:00:00Z"));
    const struct plan_followup *reminder = NULL;
    for (size_t i = 0; i < w->plan.followup_count; i++)
        if (w->plan.followups[i].kind == KIND_REVOKE)
            reminder = &w->plan.followups[i];
    assert_non_null(reminder);
    assert_int_equal(reminder->run_at_ms, at("2026-06-12T00:00:00Z"));
    const struct uuid job = reminder->id;
    assert_false(uuid_equal(&job, &f.job));
    w->now_ms = at("2026-06-12T00:00:00Z");
    assert_string_equal(wake(w, a, &f, &job), "done");
    assert_string_equal(result_text(w, "state"), "valid");
    assert_string_equal(result_text(w, "revoke_at"), "2026-06-15T00:00:00Z");
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    const json_t *mail = mail_of(w, "deferred-due");
    assert_non_null(mail);
    assert_string_equal(json_text_at(mail, "facts.revoke_at"), "2026-06-15T09:00:00+09:00 ja");
    assert_non_null(json_text_at(mail, "facts.new_serial"));
    assert_string_not_equal(
        json_text_at(mail, "facts.new_serial"), json_text_at(mail, "facts.serial"));
    assert_string_equal(revoke(w, a, a->certificates[0], "keyCompromise"), "done");
    assert_int_equal(w->plan.cancel_count, 2); /* the deferral and its reminder */
    stored(a);
    assert_string_equal(wake(w, a, &f, &job), "done");
    assert_string_equal(result_text(w, "kept"), "it is no longer valid");
    assert_null(mail_of(w, "deferred-due"));
    json_decref(f.args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_c5_c6_timing),
        IN_WORLD(test_c6_operator_in_emergency),
        IN_WORLD(test_immediate_and_keep),
        IN_WORLD(test_c5_x4_to_the_second),
        IN_WORLD(test_c5_one_successor),
        IN_WORLD(test_c5_one_heir),
        IN_WORLD(test_x4_deferred_again),
        IN_WORLD(test_c5_announced),
        IN_WORLD(test_x4_nobody_else),
        IN_WORLD(test_x4_not_superseded_any_more),
        IN_WORLD(test_x4_superseded_by_a_later_one),
        IN_WORLD(test_x4_by_hand_before),
        IN_WORLD(test_c6_compromise_collapses_the_chain),
        IN_WORLD(test_compromised_key_of_two),
        IN_WORLD(test_compromised_key_is_refused),
        IN_WORLD(test_c4_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

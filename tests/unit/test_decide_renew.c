/* links: lifecycle config */
#include "contract_fixture.h"
#include "decide_ask.h"
#include "lifecycle/decide_renew.h"

#define HOLDER "'by': {'role': 'holder', 'how': 'session'}"
#define SIGNED "'by': {'role': 'holder', 'how': 'signature'}"

/* Names the certificate; request 0: no CSR. */
static const char *renew_signed(struct world *w, struct aggregate *a, const struct certificate *c,
    const char *more, char request, const struct uuid *signed_by)
{
    struct decision d = decision(w);
    struct renew_request r;
    const struct request_key key = key_of(request);
    AUTO_TEXT text = mem_printf(
        "{'certificate': '%s', %s%s}", uuid_s(&c->id), more, request ? ", 'csr': 'x'" : "");
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct candidate of = {
        .aggregate = a, .policy = policy_set_find(w->set, a->subscriber.product)};
    struct claimants facts = {NULL, &of, 1};
    if (actor_read(&d, args, &w->plan) && renew_read(args, &r, &w->plan)) {
        if (signed_by)
            d.signed_by = *signed_by;
        r.key = request ? &key : NULL;
        if (decide_renew(&d, &r, &facts, &w->plan, &w->err))
            fail_msg("renew: %s", w->err.text);
    }
    return answer(w);
}

static const char *renew(struct world *w, struct aggregate *a, const char *more, char request)
{
    return renew_signed(w, a, a->certificates[0], more, request, NULL);
}

/* Hanako of service E, who has retrieved hers on 2026-04-01: it ends on 2027-04-01 in Japan. */
static struct aggregate *hanako(struct world *w)
{
    struct aggregate *a = NULL;
    AUTO_TYPE(json, json_t) *args = json_of(HANAKO);
    struct ask how = {.args = "{'user_id': 'user01', 'password': 1, 'csr': 'x'}",
        .fits = true,
        .code = "",
        .request = 'a'};
    if (issue_json(w, &a, args, HASH, NULL))
        fail_msg("issue: %s", w->err.text);
    assert_string_equal(retrieve(w, a, how), "done");
    assert_int_equal(a->certificates[0]->not_after_ms, at("2027-04-01T14:59:59Z"));
    stored(a);
    return a;
}

/* --- service E: in place, on line --- */

static void test_e4_in_the_window(void **state)
{
    static const struct {
        const char *now, *answer;
    } rows[] = {
        {"2027-03-01T14:59:59Z", "too-early"}, /* 31 days left in Japan */
        {"2027-03-01T15:00:00Z", "done"},      /* 30 */
        {"2027-04-01T14:59:59Z", "done"},      /* the last second */
        {"2027-04-01T15:00:00Z", "expired"},   /* E5 */
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        w->now_ms = at("2026-04-01T03:00:00Z");
        AUTO(aggregate) a = hanako(w);
        w->now_ms = at(rows[i].now);
        if (strcmp(renew(w, a, HOLDER, 'b'), rows[i].answer) != 0)
            fail_msg("%s: %s %s", rows[i].now, answer(w), w->plan.message);
    }
}

static void test_e4_whole_way(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = hanako(w);
    w->now_ms = at("2027-03-10T03:00:00Z");
    assert_string_equal(renew(w, a, HOLDER, 'b'), "done");
    struct certificate *next = newest(a), *old = a->certificates[0];
    assert_string_equal(result_text(w, "state"), "issued");
    assert_string_equal(result_text(w, "certificate"), uuid_s(&next->id));
    assert_string_equal(result_text(w, "predecessor"), uuid_s(&old->id));
    assert_string_equal(result_text(w, "revocation"), "keep");
    assert_string_equal(result_text(w, "charge_reason"), "upstream");
    assert_true(json_is_null(json_object_get(w->plan.result, "chargeable")));
    assert_non_null(json_object_get(w->plan.result, "pem"));
    assert_int_equal(next->state, CERTIFICATE_VALID);
    assert_int_equal(old->state, CERTIFICATE_VALID);
    assert_int_equal(next->not_after_ms, at("2028-03-10T14:59:59Z")); /* a year of its own (E1) */
    assert_true(uuid_equal(&next->root, &next->id));
    assert_true(uuid_equal(&next->predecessor, &old->id));
    assert_true(audited(w, "renewal.accepted"));
    assert_string_equal(renew(w, a, HOLDER, 'c'), "already-renewed");
    /* X6: the same request gets the same certificate, and nothing is signed. */
    const unsigned signings = w->signings;
    stored(a);
    assert_string_equal(renew(w, a, HOLDER, 'b'), "done");
    assert_string_equal(result_text(w, "certificate"), uuid_s(&next->id));
    assert_string_equal(result_text(w, "pem"), "PEM of DER stored");
    assert_int_equal(w->signings, signings);
    assert_int_equal(a->certificate_count, 2);
    assert_int_equal(w->plan.followup_count, 0);
    /* One that was revoked does not count. */
    next->state = CERTIFICATE_REVOKED;
    assert_string_equal(renew(w, a, HOLDER, 'c'), "done");
}

/* What was recorded since is what the new one says. */
static void test_present_names(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = hanako(w);
    profile_keep(a);
    AUTO_TYPE(json, json_t) *profile = json_loads(a->subscriber.profile, 0, NULL);
    json_put(profile, "email", json_string("later@example.jp"));
    free(a->subscriber.profile);
    a->subscriber.profile = json_dumps(profile, JSON_COMPACT);
    w->now_ms = at("2027-03-10T03:00:00Z");
    assert_string_equal(renew(w, a, HOLDER, 'b'), "done");
    assert_non_null(strstr(w->subject, "<later@example.jp>"));
}

static void test_who(void **state)
{
    static const struct {
        const char *more;
        char request;
        const char *answer, *field;
    } rows[] = {
        {"'by': {'role': 'subscriber', 'how': 'session'}", 'b', "forbidden", NULL},
        {"'by': {'role': 'operator', 'operator': 'op1'}", 'b', "forbidden", NULL},
        {"'by': {'role': 'holder', 'how': 'credentials'}", 'b', "forbidden", NULL},
        {SIGNED, 'b', "bad-signature", NULL},
        {HOLDER, 0, "bad-request", "csr"},
        {HOLDER ", 'term': '2 years'", 'b', "bad-request", "term"},
        {HOLDER ", 'changes': {'email': 'x@example.jp'}", 'b', "bad-request", "changes"},
        {HOLDER ", 'device': 'card-1'", 'b', "bad-request", "device"},
        {HOLDER ", 'nothing': 1", 'b', "bad-request", "nothing"},
    };
    struct world *w = *state;
    AUTO(aggregate) a = hanako(w);
    w->now_ms = at("2027-03-10T03:00:00Z");
    AUTO_TEXT before = snapshot(a, true);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        renew(w, a, rows[i].more, rows[i].request);
        if (strcmp(answer(w), rows[i].answer) != 0 ||
            (rows[i].field && strcmp(field_text(w, rows[i].field), "(none)") == 0))
            fail_msg("%s: %s %s", rows[i].more, answer(w), w->plan.message);
    }
    AUTO_TEXT after = snapshot(a, true);
    assert_string_equal(before, after);
}

static void test_signed_by_its_own_key(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = hanako(w);
    const struct certificate *c = a->certificates[0];
    const struct uuid other = fake_id(w);
    w->now_ms = at("2027-03-10T03:00:00Z");
    assert_string_equal(renew_signed(w, a, c, SIGNED, 'b', &other), "bad-signature");
    a->subscriber.locked_ms = 1; /* the password's lock, which the key has nothing to do with */
    assert_string_equal(renew_signed(w, a, c, HOLDER, 'b', NULL), "locked");
    assert_string_equal(renew_signed(w, a, c, SIGNED, 'b', &c->id), "done");
}

static void test_states(void **state)
{
    static const struct {
        enum certificate_state state;
        const char *answer;
    } rows[] = {
        {CERTIFICATE_REVOKED, "revoked"},
        {CERTIFICATE_CANCELLED, "cancelled"},
        {CERTIFICATE_AWAITING_RETRIEVAL, "not-retrieved"},
        {CERTIFICATE_AWAITING_APPROVAL, "awaiting-approval"},
    };
    struct world *w = *state;
    AUTO(aggregate) a = hanako(w);
    w->now_ms = at("2027-03-10T03:00:00Z");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        a->certificates[0]->state = rows[i].state;
        assert_string_equal(renew(w, a, HOLDER, 'b'), rows[i].answer);
    }
    a->certificates[0]->state = CERTIFICATE_VALID;
    w->compromised = 'b';
    assert_string_equal(renew(w, a, HOLDER, 'b'), "key-compromised");
    a->subscriber.is_withdrawn = true;
    assert_string_equal(renew(w, a, HOLDER, 'c'), "withdrawn");
}

/* A2: a fresh application, and what to say in it. */
static void test_a2_apply_again(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    assert_string_equal(retrieve(w, a, RIGHT), "done");
    assert_string_equal(renew(w, a, "'by': {'role': 'subscriber'}", 0), "new-application");
    assert_non_null(strstr(w->plan.message, "renews"));
    assert_non_null(strstr(w->plan.message, uuid_s(&a->certificates[0]->id)));
}

static void test_reviewed_later(void **state)
{
    struct world *w = *state;
    add_product(
        w->set, "later.yaml", "product: later\nextends: online-banking\nrenew: {review: after}\n");
    qsort(w->set->items, w->set->count, sizeof(struct policy *), by_name);
    AUTO(aggregate) a = hanako(w);
    snprintf(a->subscriber.product, sizeof a->subscriber.product, "later");
    w->now_ms = at("2027-03-10T03:00:00Z");
    assert_string_equal(renew(w, a, HOLDER, 'b'), "done");
    assert_string_equal(result_text(w, "state"), "issued");
    assert_string_equal(decide_last(w, a, "reject"), "done"); /* written down */
    assert_string_equal(result_text(w, "certificate_state"), "valid");
    assert_string_equal(decide_last(w, a, "approve"), "not-awaiting");
}

/* By credentials, where a product takes them. */
static void test_by_credentials(void **state)
{
    struct world *w = *state;
    add_product(w->set, "by-password.yaml",
        "product: by-password\nextends: online-banking\nwho: {renew: {subscriber: credentials}}\n"
        "credentials: {renew: [user_id, password]}\nrenew: {open_days: ~}\n");
    qsort(w->set->items, w->set->count, sizeof(struct policy *), by_name);
    AUTO(aggregate) a = hanako(w);
    snprintf(a->subscriber.product, sizeof a->subscriber.product, "by-password");
    const struct request_key key = key_of('b');
    struct renew_request r;
    struct credentials c = {0};
    AUTO_TYPE(json, json_t) *args =
        json_of("{'user_id': 'user01', 'password': 1, 'product': 'by-password', 'csr': 'x'}");
    for (int fits = 0; fits < 2; fits++) {
        struct decision d = decision(w);
        struct candidate of = {
            a, policy_set_find(w->set, "by-password"), a->subscriber.password, fits == 1};
        struct claimants facts = {&c, &of, 1};
        assert_true(renew_read(args, &r, &w->plan));
        assert_true(credentials_read(&d, w->set, PROC_RENEW, args, &c, &w->plan));
        r.key = &key;
        assert_int_equal(decide_renew(&d, &r, &facts, &w->plan, &w->err), 0);
        assert_string_equal(answer(w), fits ? "done" : "credentials");
        credentials_clear(&c);
    }
    /* The certificate's id alone is no proof. */
    assert_string_equal(renew(w, a, "'by': {'role': 'subscriber'}", 'c'), "bad-request");
}

/* --- service C: an application that is reviewed --- */

#define CONTACT_ASKS "'by': {'role': 'contact', 'how': 'session', 'name': '〇〇'}"

static void test_c_application(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    const int64_t end_ms = a->certificates[0]->not_after_ms;
    assert_int_equal(end_ms, at("2027-04-01T14:59:59Z"));
    a->contract->reissues = 1;
    w->now_ms = at("2026-12-01T00:00:00Z");
    assert_string_equal(renew(w, a, CONTACT_ASKS, 'b'), "too-early");
    w->now_ms = at("2027-03-01T00:00:00Z");
    assert_string_equal(
        renew(w, a, CONTACT_ASKS ", 'changes': {'contacts.technical.email': 't2@example.jp'}", 'b'),
        "done");
    assert_string_equal(result_text(w, "state"), "awaiting-approval");
    assert_true(json_is_true(json_object_get(w->plan.result, "chargeable")));
    assert_int_equal(w->plan.followup_count, 0);
    assert_string_equal(a->contract->contacts[ROLE_TECHNICAL].email, "t@example.jp");
    assert_string_equal(renew(w, a, CONTACT_ASKS, 'c'), "already-renewed");
    w->now_ms = at("2027-03-05T00:00:00Z");
    assert_string_equal(decide_last(w, a, "approve"), "done");
    assert_string_equal(result_text(w, "state"), "issued");
    struct certificate *next = newest(a);
    assert_int_equal(next->not_before_ms, w->now_ms);
    assert_int_equal(next->not_after_ms, at("2028-04-01T14:59:59Z")); /* carried over */
    assert_int_equal(a->certificates[0]->state, CERTIFICATE_VALID);
    assert_string_equal(a->contract->contacts[ROLE_TECHNICAL].email, "t2@example.jp"); /* C2 */
    assert_int_equal(a->contract->reissues, 0);                                        /* C4 */
}

static void test_c_rejected(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    w->now_ms = at("2027-03-01T00:00:00Z");
    assert_string_equal(
        renew(w, a, CONTACT_ASKS ", 'changes': {'contacts.technical.email': 't2@example.jp'}", 'b'),
        "done");
    assert_string_equal(decide_last(w, a, "reject"), "done");
    assert_int_equal(newest(a)->state, CERTIFICATE_CANCELLED);
    assert_string_equal(a->contract->contacts[ROLE_TECHNICAL].email, "t@example.jp");
    assert_string_equal(renew(w, a, CONTACT_ASKS, 'c'), "done"); /* again, without */
    contract_end(a->contract, w->now_ms);
    assert_string_equal(decide_last(w, a, "approve"), "contract-ended");
}

/* What waits for its review is not made for who lost the certificate itself meanwhile (C8). */
static void test_c_revoked_meanwhile(void **state)
{
    static const struct {
        enum reason reason;
        const char *answer;
    } rows[] = {{REASON_CESSATION_OF_OPERATION, "revoked"}, {REASON_UNSPECIFIED, "revoked"},
        {REASON_SUPERSEDED, "done"}, {REASON_KEY_COMPROMISE, "done"}};
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        w->now_ms = at("2026-04-01T03:00:00Z");
        struct aggregate *a = issue_server(w, "web-ev", 'a');
        w->now_ms = at("2027-03-01T00:00:00Z");
        assert_string_equal(renew(w, a, CONTACT_ASKS, 'b'), "done");
        certificate_revoke(a->certificates[0], rows[i].reason, w->now_ms, &w->job);
        assert_string_equal(decide_last(w, a, "approve"), rows[i].answer);
        if (strcmp(rows[i].answer, "revoked") == 0)
            assert_string_equal(decide_last(w, a, "reject"), "done");
        free_server(a);
    }
}

static void test_c_bad_changes(void **state)
{
    static const struct {
        const char *changes, *field;
    } rows[] = {
        {"{'contacts.technical.email': 'x'}", "changes.contacts.technical.email"},
        {"{'account.otp_email': 'o@example.jp'}", "changes.account.otp_email"},
        {"{'nothing': 'x'}", "changes.nothing"},
    };
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    w->now_ms = at("2027-03-01T00:00:00Z");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TEXT more = mem_printf(CONTACT_ASKS ", 'changes': %s", rows[i].changes);
        assert_string_equal(renew(w, a, more, 'b'), "bad-request");
        assert_string_not_equal(field_text(w, rows[i].field), "(none)");
    }
    w->now_ms = at("2027-04-01T15:00:00Z");
    assert_string_equal(renew(w, a, CONTACT_ASKS, 'b'), "new-application"); /* after expiry */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_e4_in_the_window),
        IN_WORLD(test_e4_whole_way),
        IN_WORLD(test_present_names),
        IN_WORLD(test_who),
        IN_WORLD(test_signed_by_its_own_key),
        IN_WORLD(test_states),
        IN_WORLD(test_a2_apply_again),
        IN_WORLD(test_reviewed_later),
        IN_WORLD(test_by_credentials),
        IN_WORLD(test_c_application),
        IN_WORLD(test_c_rejected),
        IN_WORLD(test_c_revoked_meanwhile),
        IN_WORLD(test_c_bad_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

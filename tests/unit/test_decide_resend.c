/* links: lifecycle config */
/* A code sent once more (A11, I5): by whom, when, and when not. */
#include "decide_ask.h"
#include "lifecycle/decide_resend.h"

#define ASK "{'mail': '01900000-0000-7000-8000-000000000001'%s}"

/* About the newest certificate; `generation` of the mail that was sent. */
static const char *resend(
    struct world *w, struct aggregate *a, const char *more, uint32_t generation, bool has_code)
{
    struct decision d = decision(w);
    struct resend_request r;
    AUTO_TEXT text = mem_printf(ASK, more);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    if (!resend_read(&d, args, &r, &w->plan))
        return answer(w);
    const struct certificate *c = a ? a->certificates[a->certificate_count - 1] : NULL;
    r.is_found = a != NULL;
    r.has_code = has_code;
    if (c)
        r.certificate = c->id;
    r.generation = generation;
    const struct policy *policy = a ? policy_set_find(w->set, a->subscriber.product) : NULL;
    if (decide_resend(&d, &r, policy, a, &w->plan, &w->err))
        fail_msg("%s", w->err.text);
    return answer(w);
}

static void the_same_code_goes_to_the_present_address(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = apply(w, "association");
    stored(a);
    text_set(&a->subscriber.profile,
        "{\"email\": \"new@example.jp\", \"name\": {\"ja\": \"山田 太郎\"}}");
    assert_string_equal(resend(w, a, ", 'operator': 'op1'", 1, true), "done");
    assert_int_equal(w->plan.followup_count, 1);
    const json_t *mail = w->plan.followups[0].args;
    assert_string_equal(json_text_at(mail, "template"), "certificate-code");
    assert_string_equal(json_text_at(mail, "recipient"), "new@example.jp");
    assert_int_equal(json_integer_value(json_object_get(mail, "generation")), 1);
    assert_string_equal(json_text_at(mail, "facts.resent"), "yes");
    assert_string_equal(result_text(w, "recipient"), "new@example.jp");
    assert_string_equal(result_text(w, "mail"), uuid_s(&w->plan.followups[0].id));
    assert_int_equal(a->certificates[0]->code_generation, 1);
    assert_int_equal(a->certificates[0]->row, ROW_STORED);
    assert_string_equal(w->plan.audits[0].event, "mail.resent");
    assert_string_equal(w->plan.actor, "op1");
    assert_string_equal(w->plan.role, "operator");
}

static void what_is_not_sent_again(void **state UNUSED)
{
    static const struct {
        const char *label, *product, *more, *answer;
        uint32_t generation;
        bool has_code;
        enum certificate_state certificate;
    } rows[] = {
        {"an older code", "association", "", "superseded", 0, true, 0},
        {"no code in it", "association", "", "not-offered", 1, false, 0},
        {"the policy", "unsent", "", "not-offered", 1, true, 0},
        {"revoked", "association", "", "revoked", 1, true, CERTIFICATE_REVOKED},
        {"cancelled", "association", "", "cancelled", 1, true, CERTIFICATE_CANCELLED},
        {"valid: a reissue asks for it", "association", "", "done", 1, true, CERTIFICATE_VALID},
        {"not by who lost it", "association", ", 'by': {'role': 'subscriber'}", "forbidden", 1,
            true, 0},
        {"by an operator", "association", ", 'by': {'role': 'operator', 'operator': 'op1'}", "done",
            1, true, 0},
        {"unknown member", "association", ", 'colour': 1", "bad-request", 1, true, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world w;
        world_init(&w);
        add_product(
            w.set, "made.yaml", "product: unsent\nextends: association\ncode: {resend: none}\n");
        qsort(w.set->items, w.set->count, sizeof(struct policy *), by_name);
        AUTO(aggregate) a = apply(&w, rows[i].product);
        if (rows[i].certificate) {
            a->certificates[0]->state = rows[i].certificate;
            a->certificates[0]->not_after_ms = w.now_ms + DAY_MS;
        }
        if (strcmp(resend(&w, a, rows[i].more, rows[i].generation, rows[i].has_code),
                rows[i].answer) != 0)
            fail_msg("%s: %s %s", rows[i].label, answer(&w), w.plan.message);
        assert_int_equal(w.plan.followup_count, strcmp(rows[i].answer, "done") == 0);
        world_clear(&w);
    }
}

static void dead_codes_stay_dead(void **state)
{
    struct world *w = *state;
    assert_string_equal(resend(w, NULL, "", 1, true), "not-found");
    AUTO(aggregate) a = apply(w, "short-code");
    w->now_ms = at("2026-05-01T14:59:59Z");
    assert_string_equal(resend(w, a, "", 1, true), "done");
    w->now_ms = at("2026-05-01T15:00:00Z");
    assert_string_equal(resend(w, a, "", 1, true), "code-expired");
    a->certificates[0]->state = CERTIFICATE_VALID;
    a->certificates[0]->not_after_ms = w->now_ms - DAY_MS;
    a->certificates[0]->issued_ms = 1;
    assert_string_equal(resend(w, a, "", 1, true), "expired");
    a->subscriber.is_withdrawn = true;
    assert_string_equal(resend(w, a, "", 1, true), "withdrawn");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(the_same_code_goes_to_the_present_address),
        cmocka_unit_test(what_is_not_sent_again),
        IN_WORLD(dead_codes_stay_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

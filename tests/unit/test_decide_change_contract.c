/* links: lifecycle config */
/* Changes of a contract: contacts and account (C1 to C3). */
#include "change_ask.h"

static const char *change_contract(struct world *w, struct aggregate *a, const char *changes)
{
    return change_of(w, a->contract->own, "contract", changes, CONTACT_ONLINE);
}

static void test_c2_contact(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    struct contract *c = a->contract;
    assert_string_equal(change_contract(w, a,
                            "{'contacts.technical.email': 't2@example.jp', "
                            "'contacts.technical.renewal_notice': 'unwanted'}"),
        "done");
    assert_string_equal(result_text(w, "state"), "awaiting-review");
    assert_string_equal(c->contacts[ROLE_TECHNICAL].email, "t@example.jp");
    assert_string_equal(decide_last(w, c->own, "approve"), "done");
    AUTO_TEXT to = mails_to(&w->plan);
    assert_string_equal(to, "t@example.jp t2@example.jp r@example.jp"); /* old and new */
    assert_string_equal(c->contacts[ROLE_TECHNICAL].email, "t2@example.jp");
    assert_false(c->contacts[ROLE_TECHNICAL].wants_notice);
    assert_int_not_equal(c->contacts[ROLE_TECHNICAL].row, ROW_STORED);
    assert_int_equal(c->contacts[ROLE_REGISTERED].row, ROW_NEW); /* as the fixture left it */
    assert_non_null(strstr(c->contacts[ROLE_TECHNICAL].profile, "0312345678"));
}

static void test_c2_rejected(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    assert_string_equal(
        change_contract(w, a, "{'contacts.technical.email': 't2@example.jp'}"), "done");
    assert_string_equal(decide_last(w, a->contract->own, "reject"), "done");
    assert_non_null(mail_of(w, "change-rejected"));
    bool is_new_told = false;
    for (size_t i = 0; i < w->plan.followup_count; i++)
        is_new_told |=
            strcmp("t2@example.jp",
                json_string_value(json_object_get(w->plan.followups[i].args, "recipient"))) == 0;
    assert_true(is_new_told); /* old and new */
    assert_string_equal(a->contract->contacts[ROLE_TECHNICAL].email, "t@example.jp");
}

static void test_c3_account(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    assert_string_equal(change_contract(w, a, "{'account.otp_email': 'o2@example.jp'}"), "done");
    assert_string_equal(result_text(w, "state"), "done");
    assert_true(json_is_true(json_object_get(w->plan.result, "confirm_on_screen")));
    assert_non_null(strstr(a->contract->account, "o2@example.jp"));
    AUTO_TEXT to = mails_to(&w->plan);
    assert_string_equal(to, "otp@example.jp o2@example.jp");
    assert_string_equal(a->contract->contacts[ROLE_TECHNICAL].email, "t@example.jp");
}

static void test_contract_refusals(void **state)
{
    static const struct {
        const char *changes, *answer, *field;
    } rows[] = {
        {"{'contacts.registered.company': '別の会社'}", "contact-us", NULL}, /* C1 */
        {"{'organisation.latin': 'Other'}", "contact-us", NULL},
        {"{'dns': ['other.example.jp']}", "new-application", NULL},
        {"{'account.otp_email': 'o2@example.jp', 'contacts.technical.name': 'x'}", "bad-request",
            "changes.account.otp_email"},
        {"{'contacts.technical.email': ''}", "bad-request", "changes.contacts.technical.email"},
        {"{'contacts.other.email': 'x@example.jp'}", "bad-request", "changes.contacts.other.email"},
        {"{'contacts.technical.email': 't@example.jp'}", "unchanged", NULL},
    };
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        change_contract(w, a, rows[i].changes);
        if (strcmp(answer(w), rows[i].answer) != 0 ||
            (rows[i].field && strcmp(field_text(w, rows[i].field), "(none)") == 0))
            fail_msg("%s: %s %s", rows[i].changes, answer(w), w->plan.message);
        assert_int_equal(a->contract->own->application_count, 0);
    }
    assert_string_equal(
        change_of(w, a, "subscriber", "{'contacts.technical.name': 'x'}", CONTACT_ONLINE),
        "bad-request");
    contract_end(a->contract, w->now_ms);
    assert_string_equal(
        change_contract(w, a, "{'contacts.technical.name': 'x'}"), "contract-ended");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_c2_contact),
        IN_WORLD(test_c2_rejected),
        IN_WORLD(test_c3_account),
        IN_WORLD(test_contract_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

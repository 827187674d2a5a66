/* links: lifecycle */
/* Services C: contracts and their contacts (C1), from the first application on. */
#include "contract_fixture.h"

static void test_first_application(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = NULL;
    const struct request_key key = key_of('a');
    AUTO_TEXT text = mem_printf(SERVER_ARGS, "web-ev", NEW_CONTRACT, "WWW.example.jp");
    assert_int_equal(ask_server(w, text, NULL, &key, &a), 0);
    assert_string_equal(answer(w), "done");
    assert_string_equal(result_text(w, "state"), "awaiting-approval");
    assert_string_equal(result_text(w, "charge_reason"), "contract");
    assert_non_null(a->contract);
    assert_string_equal(result_text(w, "contract"), uuid_s(&a->contract->id));
    AUTO_TEXT unit = mem_printf("%s\nwww.example.jp", uuid_s(&a->contract->id));
    assert_string_equal(a->subscriber.unit_key, unit);
    assert_string_equal(a->contract->contacts[ROLE_TECHNICAL].email, "t@example.jp");
    assert_true(a->contract->contacts[ROLE_REGISTERED].wants_notice);
    assert_string_equal(a->contract->account, "{\"otp_email\":\"otp@example.jp\"}");
    assert_int_equal(w->signings, 0);

    assert_string_equal(decide_last(w, a, "approve"), "done");
    assert_string_equal(result_text(w, "state"), "issued");
    assert_string_equal(
        w->subject, "C=JP,ST=Tokyo,L=Chiyoda,O=Example Corporation,CN=WWW.example.jp");
    AUTO_TEXT to = mails_to(&w->plan);
    assert_string_equal(to, "r@example.jp t@example.jp");
    assert_string_equal(json_text_at(w->plan.followups[1].args, "facts.name"),
        "t 〇〇"); /* each by their own name */
}

/* Who has two roles gets one mail. */
static void test_one_person_two_roles(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = NULL;
    const struct request_key key = key_of('a');
    AUTO_TEXT text = mem_printf(SERVER_ARGS, "web-ev",
        "{'contacts': {'registered': " CONTACT("r") ", 'technical': " CONTACT(
            "r") ", 'administrative': " CONTACT("a") "}}",
        "www.example.jp");
    assert_int_equal(ask_server(w, text, NULL, &key, &a), 0);
    assert_string_equal(decide_last(w, a, "approve"), "done");
    AUTO_TEXT to = mails_to(&w->plan);
    assert_string_equal(to, "r@example.jp");
}

static void test_second_server(void **state)
{
    struct world *w = *state;
    const struct request_key key = key_of('b');
    AUTO_SERVER first = issue_server(w, "web-ev", 'a');
    AUTO(aggregate) second = NULL;
    AUTO_TEXT named = mem_printf("{'id': '%s'}", uuid_s(&first->contract->id));
    AUTO_TEXT text = mem_printf(SERVER_ARGS, "web-ev", named, "shop.example.jp");
    assert_int_equal(ask_server(w, text, first->contract, &key, &second), 0);
    assert_string_equal(answer(w), "done");
    assert_ptr_equal(second->contract, first->contract);
    assert_int_equal(first->contract->member_count, 2);
    assert_true(uuid_equal(&second->subscriber.contract, &first->contract->id));
}

/* contract, answer, the field named; %s is the first one's contract. */
static void test_refusals(void **state UNUSED)
{
    static const struct {
        const char *contract, *product;
        bool is_there, has_ended;
        const char *answer, *field;
    } rows[] = {
        {"{'id': '%s'}", "web-ev", false, false, "bad-request", "contract.id"},
        {"{'id': '%s'}", "web-sr", true, false, "bad-request", "contract.id"},
        {"{'id': '%s'}", "web-ev", true, true, "contract-ended", NULL},
        {"{'id': 'nonsense'}", "web-ev", false, false, "bad-request", "contract.id"},
        {"{'id': '%s', 'contacts': {'technical': " CONTACT("other") "}}", "web-ev", true, false,
            "bad-request", "contract.contacts.technical"},
        {"{'id': '%s', 'contacts': {'technical': " CONTACT("t") "}}", "web-ev", true, false, "done",
            NULL},
        {"{}", "web-ev", false, false, "bad-request", "contract.contacts.registered.email"},
        {"{'contacts': {'registered': " CONTACT("r") ", 'technical': " CONTACT("t") "}}", "web-ev",
            false, false, "bad-request", "contract.contacts.administrative.email"},
        {"'text'", "web-ev", false, false, "bad-request", "contract"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world w;
        world_init(&w);
        const struct request_key key = key_of('b');
        struct aggregate *first = issue_server(&w, "web-ev", 'a'), *second = NULL;
        first->contract->has_ended = rows[i].has_ended;
        AUTO_TEXT id = mem_text(uuid_s(&first->contract->id));
        AUTO_BUF contract = {0};
        const char *mark = strstr(rows[i].contract, "%s");
        buf_printf(&contract, "%.*s%s%s",
            mark ? (int)(mark - rows[i].contract) : (int)strlen(rows[i].contract), rows[i].contract,
            mark ? id : "", mark ? mark + 2 : "");
        AUTO_TEXT text =
            mem_printf(SERVER_ARGS, rows[i].product, buf_text(&contract), "shop.example.jp");
        if (ask_server(&w, text, rows[i].is_there ? first->contract : NULL, &key, &second))
            fail_msg("row %zu: %s", i, w.err.text);
        if (strcmp(answer(&w), rows[i].answer) != 0)
            fail_msg("row %zu: %s: %s", i, answer(&w), w.plan.message);
        if (rows[i].field && strcmp(field_text(&w, rows[i].field), "(none)") == 0)
            fail_msg("row %zu: %s is not named", i, rows[i].field);
        aggregate_free(second);
        free_server(first);
        world_clear(&w);
    }
}

/* A contract's state, taken out, changed and put back, writes only what differs. */
static void test_state(void **state)
{
    struct world *w = *state;
    AUTO_SERVER a = issue_server(w, "web-ev", 'a');
    struct contract *c = a->contract;
    c->row = ROW_STORED;
    for (int role = 0; role < ROLES; role++)
        c->contacts[role].row = ROW_STORED;
    AUTO_TYPE(json, json_t) *now = contract_state(c);
    contract_set_state(c, now);
    assert_int_equal(c->contacts[ROLE_TECHNICAL].row, ROW_STORED);
    assert_int_equal(c->row, ROW_STORED);
    json_t *technical = json_at(now, "contacts.technical");
    json_object_set_new(technical, "renewal_notice", json_string("unwanted"));
    json_object_set_new(technical, "email", json_string("new@example.jp"));
    contract_set_state(c, now);
    assert_int_equal(c->contacts[ROLE_TECHNICAL].row, ROW_CHANGED);
    assert_int_equal(c->contacts[ROLE_REGISTERED].row, ROW_STORED);
    assert_string_equal(c->contacts[ROLE_TECHNICAL].email, "new@example.jp");
    assert_false(c->contacts[ROLE_TECHNICAL].wants_notice);
    json_object_set_new(json_at(now, "account"), "otp_email", json_string("x@example.jp"));
    contract_set_state(c, now);
    assert_int_equal(c->row, ROW_CHANGED);
    assert_string_equal(c->account, "{\"otp_email\":\"x@example.jp\"}");
    assert_true(contract_is_used(c, w->now_ms));
    assert_false(contract_is_used(c, w->now_ms + INT64_C(400) * 86400000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_first_application),
        IN_WORLD(test_one_person_two_roles),
        IN_WORLD(test_second_server),
        cmocka_unit_test(test_refusals),
        IN_WORLD(test_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

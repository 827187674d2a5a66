/* links: workers support */
/* Contracts in the unit of work, on a real MariaDB: one lock for all that hangs on one. */
#include "unit_lab.h"

#include "store/application_store.h"

static struct aggregate *new_member(struct contract *c, const char *key)
{
    struct aggregate *a = aggregate_new();
    struct subscriber *s = &a->subscriber;
    s->row = ROW_NEW;
    s->id = uuid_new();
    snprintf(s->product, sizeof s->product, "%s", c->product);
    snprintf(s->language, sizeof s->language, "ja");
    s->unit_key = mem_printf("%s\n%s", uuid_s(&c->id), key);
    s->profile = mem_text("{}");
    contract_join(c, a);
    return a;
}

static struct contract *new_contract(void)
{
    const struct uuid id = uuid_new();
    struct contract *c = contract_new(&id, "web-ev");
    c->account = mem_text("{\"otp_email\":\"otp@example.jp\"}");
    c->created_ms = 77;
    contact_set(c, ROLE_REGISTERED, "R@example.jp", true, "{\"name\":\"登録 〇〇\"}");
    contact_set(c, ROLE_TECHNICAL, "t@example.jp", false, "{}");
    struct application *a = aggregate_add_application(c->own);
    a->id = uuid_new();
    a->job = uuid_new();
    snprintf(a->kind, sizeof a->kind, "change");
    a->request = mem_text("{\"changes\":{}}");
    return c;
}

/* A contract with two subscribers, committed. */
static struct uuid add_contract(struct db *db, struct uuid ret_members[2])
{
    struct err err = {0};
    AUTO(unit) u = unit_new(db);
    struct contract *c = new_contract();
    struct aggregate *a = new_member(c, "www.example.jp"), *b = new_member(c, "shop.example.jp");
    unit_add(u, a);
    unit_add(u, b);
    ret_members[0] = a->subscriber.id;
    ret_members[1] = b->subscriber.id;
    must(db_begin(db, &err), &err);
    must(unit_store(u, NULL, 0, &err), &err);
    must(db_commit(db, &err), &err);
    return c->id;
}

static void test_one_brings_all(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) db = connect_worker(3);
    struct uuid members[2], id = add_contract(db, members);
    AUTO(unit) u = unit_new(db);
    const struct unit_wanted wanted = {.subscribers = &members[1], .subscriber_count = 1};
    must(db_begin(db, &err), &err);
    must(unit_lock_and_load(u, &wanted, &err), &err);
    db_rollback(db);
    const struct contract *c = unit_find_contract(u, &id);
    assert_non_null(c);
    assert_int_equal(c->member_count, 2);
    assert_ptr_equal(unit_find(u, &members[0])->contract, c);
    assert_ptr_equal(unit_find(u, &members[1])->contract, c);
    assert_string_equal(c->product, "web-ev");
    assert_string_equal(c->account, "{\"otp_email\":\"otp@example.jp\"}");
    assert_int_equal(c->created_ms, 77);
    assert_false(c->has_ended);
    assert_string_equal(c->contacts[ROLE_REGISTERED].email, "R@example.jp");
    assert_string_equal(c->contacts[ROLE_REGISTERED].profile, "{\"name\":\"登録 〇〇\"}");
    assert_true(c->contacts[ROLE_REGISTERED].wants_notice);
    assert_false(c->contacts[ROLE_TECHNICAL].wants_notice);
    assert_null(c->contacts[ROLE_ADMINISTRATIVE].email);
    assert_int_equal(c->own->application_count, 1);
    assert_true(uuid_equal(&c->own->applications[0]->contract, &id));
    assert_true(uuid_is_zero(&c->own->applications[0]->subscriber));
    assert_string_equal(c->own->subscriber.product, "web-ev");
}

static void test_changes_come_back(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) db = connect_worker(3);
    struct uuid members[2], id = add_contract(db, members);
    const struct unit_wanted wanted = {.contracts = &id, .contract_count = 1};
    for (int turn = 0; turn < 2; turn++) {
        AUTO(unit) u = unit_new(db);
        must(db_begin(db, &err), &err);
        must(unit_lock_and_load(u, &wanted, &err), &err);
        struct contract *c = unit_find_contract(u, &id);
        if (turn == 0) {
            contact_set(c, ROLE_TECHNICAL, "new@example.jp", true, "{\"a\":1}");
            contact_set(c, ROLE_ADMINISTRATIVE, "a@example.jp", true, "{}");
            c->reissues = 1;
            contract_end(c, 99);
            c->own->applications[0]->state = APPLICATION_APPROVED;
            row_touch(&c->own->applications[0]->row);
            must(unit_store(u, NULL, 0, &err), &err);
            must(db_commit(db, &err), &err);
            continue;
        }
        db_rollback(db);
        assert_int_equal(c->member_count, 2);
        assert_string_equal(c->contacts[ROLE_TECHNICAL].email, "new@example.jp");
        assert_string_equal(c->contacts[ROLE_TECHNICAL].profile, "{\"a\":1}");
        assert_true(c->contacts[ROLE_TECHNICAL].wants_notice);
        assert_string_equal(c->contacts[ROLE_ADMINISTRATIVE].email, "a@example.jp");
        assert_string_equal(c->contacts[ROLE_REGISTERED].email, "R@example.jp");
        assert_int_equal(c->reissues, 1);
        assert_true(c->has_ended);
        assert_int_equal(c->ended_ms, 99);
        assert_int_equal(c->own->applications[0]->state, APPLICATION_APPROVED);
    }
}

/* Two decisions on one contract, from two subscribers of it: the second waits for the first (I11).
 */
static void test_one_decision_at_a_time(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) one = connect_worker(3);
    AUTO(db) two = connect_worker(1);
    struct uuid members[2];
    (void)add_contract(one, members);
    const struct unit_wanted left = {.subscribers = &members[0], .subscriber_count = 1};
    const struct unit_wanted right = {.subscribers = &members[1], .subscriber_count = 1};
    AUTO(unit) first = unit_new(one);
    AUTO(unit) second = unit_new(two);
    must(db_begin(one, &err), &err);
    must(unit_lock_and_load(first, &left, &err), &err);
    must(db_begin(two, &err), &err);
    assert_int_equal(unit_lock_and_load(second, &right, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    db_rollback(two);
    db_rollback(one);
}

/* The owner of a request about a contract is the contract. */
static void test_owner(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) db = connect_worker(3);
    struct uuid members[2], id = add_contract(db, members);
    const struct unit_wanted wanted = {.contracts = &id, .contract_count = 1};
    AUTO(unit) u = unit_new(db);
    must(db_begin(db, &err), &err);
    must(unit_lock_and_load(u, &wanted, &err), &err);
    db_rollback(db);
    struct application_owner owner;
    const struct uuid asked = unit_find_contract(u, &id)->own->applications[0]->id;
    must(application_find(db, &asked, 1, &owner, &err), &err);
    assert_true(uuid_equal(&owner.contract, &id));
    assert_true(uuid_is_zero(&owner.subscriber));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_brings_all),
        cmocka_unit_test(test_changes_come_back),
        cmocka_unit_test(test_one_decision_at_a_time),
        cmocka_unit_test(test_owner),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* links: workers support */
/* The unit of work on a real MariaDB: what goes in comes out. */
#include "unit_lab.h"

#include "kind_ops.h"
#include "store/application_store.h"
#include "store/certificate_store.h"
#include "store/subscriber_store.h"

static void check_loaded_new(const struct aggregate *a, const struct uuid *id, const char *key)
{
    assert_non_null(a);
    const struct subscriber *s = &a->subscriber;
    assert_true(uuid_equal(&s->id, id));
    assert_int_equal(s->row, ROW_STORED);
    assert_string_equal(s->product, "association");
    assert_string_equal(s->unit_key, key);
    assert_null(s->user_id);
    assert_null(s->password);
    assert_string_equal(s->language, "ja");
    assert_string_equal(s->profile, "{\"name\":{\"ja\":\"山田 太郎 𠮷\"}}");
    assert_int_equal(s->created_ms, 1234);
    assert_int_equal(a->application_count, 1);
    assert_int_equal(a->applications[0]->state, APPLICATION_AWAITING_APPROVAL);
    assert_int_equal(a->applications[0]->charged, CHARGED_UPSTREAM);
    assert_null(a->applications[0]->request);
    assert_int_equal(a->certificate_count, 1);
    const struct certificate *c = a->certificates[0];
    assert_int_equal(c->state, CERTIFICATE_AWAITING_APPROVAL);
    assert_true(uuid_equal(&c->root, &c->id));
    assert_true(uuid_is_zero(&c->predecessor));
    assert_int_equal(c->serial_length, SERIAL_BYTES);
    assert_memory_equal(c->serial, c->id.b, SERIAL_BYTES);
    assert_string_equal(c->code_key, "");
    assert_false(c->has_request);
    assert_int_equal(c->row, ROW_STORED);
}

static void change(struct aggregate *a)
{
    struct subscriber *s = &a->subscriber;
    text_set(&s->password, "$scrypt$x");
    text_set(&s->user_id, "user01");
    s->failures = 5;
    s->locked_ms = 77;
    row_touch(&s->row);
    struct application *p = a->applications[0];
    p->state = APPLICATION_APPROVED;
    p->decided_ms = 88;
    text_set(&p->decided_by, "op1");
    text_set(&p->note, "印あり");
    text_set(&p->request, "{\"term\":\"1 year\"}");
    row_touch(&p->row);
    struct certificate *c = a->certificates[0];
    certificate_move(c, CERTIFICATE_VALID);
    snprintf(c->code_key, sizeof c->code_key, "0a1b2c3d");
    c->code_generation = 3;
    memset(c->code_nonce, 0xee, sizeof c->code_nonce);
    c->code_issued_ms = 99;
    c->not_before_ms = 1000;
    c->not_after_ms = 2000;
    c->issued_ms = 1500;
    c->has_request = true;
    memset(c->request_sha256, 0xaa, sizeof c->request_sha256);
    memset(c->spki_sha256, 0xbb, sizeof c->spki_sha256);
    text_set(&c->subject, "CN=山田");
    buf_add(&c->der, "\0DER", 4);
}

static void check_changed(struct unit *u, struct aggregate *a)
{
    struct err err = {0};
    const struct subscriber *s = &a->subscriber;
    assert_string_equal(s->password, "$scrypt$x");
    assert_string_equal(s->user_id, "user01");
    assert_int_equal(s->failures, 5);
    assert_int_equal(s->locked_ms, 77);
    const struct application *p = a->applications[0];
    assert_int_equal(p->state, APPLICATION_APPROVED);
    assert_int_equal(p->decided_ms, 88);
    assert_string_equal(p->decided_by, "op1");
    assert_string_equal(p->note, "印あり");
    assert_string_equal(p->request, "{\"term\":\"1 year\"}");
    struct certificate *c = a->certificates[0];
    assert_int_equal(c->state, CERTIFICATE_VALID);
    assert_string_equal(c->code_key, "0a1b2c3d");
    assert_int_equal(c->code_generation, 3);
    assert_int_equal(c->code_nonce[15], 0xee);
    assert_int_equal(c->not_after_ms, 2000);
    assert_int_equal(c->issued_ms, 1500);
    assert_true(c->has_request);
    assert_int_equal(c->request_sha256[31], 0xaa);
    assert_int_equal(c->spki_sha256[0], 0xbb);
    assert_string_equal(c->subject, "CN=山田");
    assert_int_equal(c->der.length, 0);
    must(unit_load_der(u, c, &err), &err);
    assert_int_equal(c->der.length, 4);
    assert_memory_equal(c->der.data, "\0DER", 4);
}

static void test_round_trip(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) db = connect_worker(3);
    struct aggregate *a = new_aggregate("round");
    struct uuid id = a->subscriber.id, nobody = uuid_new();
    struct uuid ids[] = {id, nobody, id};
    add(db, &a, 1);
    for (int pass = 0; pass < 3; pass++) {
        AUTO(unit) u = unit_new(db);
        must(db_begin(db, &err), &err);
        must(lock_and_load(u, ids, ARRAY_LENGTH(ids), &err), &err);
        assert_null(unit_find(u, &nobody));
        struct aggregate *loaded = unit_find(u, &id);
        assert_ptr_equal(unit_find_key(u, "association", "round"), loaded);
        assert_null(unit_find_key(u, "class2", "round"));
        if (pass == 0) {
            check_loaded_new(loaded, &id, "round");
            change(loaded);
        } else {
            check_changed(u, loaded);
            /* Touched without a new DER: the stored one stays. */
            buf_free(&loaded->certificates[0]->der);
            row_touch(&loaded->certificates[0]->row);
        }
        must(unit_store(u, NULL, 0, &err), &err);
        must(db_commit(db, &err), &err);
    }
    assert_int_equal(
        mariadb_number(server, DATABASE, "SELECT version FROM subscriber WHERE unit_key = 'round'"),
        4);
}

static void test_revocation(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) db = connect_worker(3);
    struct aggregate *a = new_aggregate("revoked");
    struct uuid job = uuid_new();
    a->certificates[0]->state = CERTIFICATE_VALID;
    a->certificates[0]->not_after_ms = 5000;
    certificate_revoke(a->certificates[0], REASON_KEY_COMPROMISE, 4000, &job);
    a->certificates[0]->row = ROW_NEW;
    add(db, &a, 1);
    assert_int_equal(mariadb_number(server, DATABASE,
                         "SELECT reason + revoked_ms + r.not_after_ms FROM revocation r JOIN "
                         "certificate c USING (issuer, serial, reason, revoked_ms) WHERE c.state = "
                         "'revoked' AND r.certificate = c.id"),
        9001);
    (void)err;
}

static void test_audit(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) db = connect_worker(3);
    AUTO(unit) u = unit_new(db);
    struct job job = {.id = uuid_new(), .client = (char *)(uintptr_t) "web"};
    struct task tasks[2] = {{.job = &job}, {.job = &job}};
    struct task *list[] = {&tasks[0], &tasks[1]};
    plan_by(&tasks[0].plan, "operator", "recorded", "職員");
    plan_audit(&tasks[0].plan, "test.first", &job.id, json_pack("{s:i}", "n", 1));
    plan_audit(&tasks[0].plan, "test.second", &job.id, NULL);
    plan_audit(&tasks[1].plan, "test.third", &job.id, NULL);
    must(db_begin(db, &err), &err);
    must(unit_store(u, list, 2, &err), &err);
    must(db_commit(db, &err), &err);
    assert_int_equal(mariadb_number(server, DATABASE,
                         "SELECT COUNT(*) FROM audit WHERE client = 'web' AND event LIKE "
                         "'test.%' AND (actor = '職員' AND role = 'operator' OR event = "
                         "'test.third' AND actor = '')"),
        3);
    plan_clear(&tasks[0].plan);
    plan_clear(&tasks[1].plan);
}

/* --- finding --- */

static void test_find_units(void **state UNUSED)
{
    enum { N = 450 };
    struct err err = {0};
    AUTO(db) db = connect_worker(3);
    struct aggregate *all[N];
    const char *keys[2 * N];
    struct uuid ids[N];
    struct subscriber_hit found[2 * N];
    for (size_t i = 0; i < N; i++) {
        char key[UNIT_KEY_MOST + 1] = "";
        for (size_t k = 0; k < i % (UNIT_KEY_MOST - 8); k++)
            key[k] = 'k';
        AUTO_TEXT text = mem_printf("%s/%04zu%s", key, i, i == 7 ? "\n会" : "");
        all[i] = new_aggregate("x");
        text_set(&all[i]->subscriber.unit_key, text);
        ids[i] = all[i]->subscriber.id;
        if (i == 9)
            text_set(&all[i]->subscriber.password, "$scrypt$x");
        keys[2 * i] = mem_text(text);
        /* Nobody's: one more, or longer than any unit's, as what is asked for may be. */
        keys[2 * i + 1] =
            i % 50 == 7 ? mem_printf("%s%*s", text, 700 + (int)i, "?") : mem_printf("%s?", text);
    }
    add(db, all, N);
    must(subscriber_find_units(db, "association", keys, (size_t)2 * N, found, &err), &err);
    for (size_t i = 0; i < N; i++) {
        if (!uuid_equal(&found[2 * i].id, &ids[i]))
            fail_msg("key %zu is not found", i);
        assert_true(uuid_is_zero(&found[2 * i + 1].id));
        assert_int_equal(found[2 * i].password != NULL, i == 9);
        free(found[2 * i].password);
    }
    must(subscriber_find_units(db, "class2", keys, 1, found, &err), &err);
    assert_true(uuid_is_zero(&found[0].id));
    for (size_t i = 0; i < (size_t)2 * N; i++)
        free((char *)(uintptr_t)keys[i]);
}

static void test_find_by_address(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) db = connect_worker(3);
    struct aggregate *all[5];
    struct subscriber_hit hits[3];
    size_t n;
    for (size_t i = 0; i < 5; i++) {
        AUTO_TEXT key = mem_printf("shared%zu", i);
        all[i] = new_aggregate(key);
        text_set(&all[i]->subscriber.email, "shared@example.jp");
        text_set(&all[i]->subscriber.user_id, "shared");
        text_set(&all[i]->subscriber.password, i ? "hash" : NULL);
    }
    struct uuid first = all[0]->subscriber.id;
    add(db, all, 5);
    must(subscriber_find_email(db, "association", "shared@example.jp", hits, 3, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_true(uuid_equal(&hits[0].id, &first));
    assert_null(hits[0].password);
    assert_string_equal(hits[1].password, "hash");
    for (size_t i = 0; i < n; i++)
        free(hits[i].password);
    must(subscriber_find_email(db, "class2", "shared@example.jp", hits, 3, &n, &err), &err);
    assert_int_equal(n, 0);
    must(subscriber_find_email(db, "association", "SHARED@example.jp", hits, 3, &n, &err), &err);
    assert_int_equal(n, 0);
    must(subscriber_find_user(db, "association", "shared", hits, 1, &n, &err), &err);
    assert_int_equal(n, 1);
    free(hits[0].password);
    must(subscriber_find_unit(db, "association", "shared2", hits, &n, &err), &err);
    assert_int_equal(n, 1);
    free(hits[0].password);
    must(subscriber_find_unit(db, "association", "shared9", hits, &n, &err), &err);
    assert_int_equal(n, 0);
}

static void test_find_certificates(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) db = connect_worker(3);
    struct aggregate *a = new_aggregate("findable");
    struct uuid subscriber = a->subscriber.id, id = a->certificates[0]->id;
    struct uuid application = a->applications[0]->id, job = a->applications[0]->job, found[3];
    struct uuid which;
    add(db, &a, 1);
    struct uuid ids[] = {uuid_new(), id, {{0}}};
    must(certificate_find(db, ids, 3, found, &err), &err);
    assert_true(uuid_is_zero(&found[0]));
    assert_true(uuid_equal(&found[1], &subscriber));
    assert_true(uuid_is_zero(&found[2]));
    ids[2] = application;
    struct application_owner owners[3];
    must(application_find(db, ids, 3, owners, &err), &err);
    assert_true(uuid_is_zero(&owners[0].application));
    assert_true(uuid_equal(&owners[1].application, &application)); /* it waits for it */
    assert_true(uuid_equal(&owners[2].subscriber, &subscriber));
    assert_true(uuid_is_zero(&owners[2].contract));
    ids[0] = job; /* what asked, beside the application itself */
    must(application_find(db, ids, 3, owners, &err), &err);
    assert_true(uuid_equal(&owners[0].application, &application));
    assert_true(uuid_equal(&owners[2].application, &application));
    struct bytes serial = {id.b, SERIAL_BYTES};
    must(certificate_find_serial(db, "person-ca", serial, &which, &found[0], &err), &err);
    assert_true(uuid_equal(&which, &id));
    must(certificate_find_serial(db, "server-ca", serial, &which, &found[0], &err), &err);
    assert_true(uuid_is_zero(&found[0]));
}

static void test_failure_stays(void **state UNUSED)
{
    struct err err = {0}, first = {0}, second = {0};
    AUTO(db) db = connect_worker(3);
    AUTO(unit) u = unit_new(db);
    assert_int_equal(unit_conflict(u, &err), 0);
    (void)err_set(&first, ERR_CONFLICT, NULL, "first");
    (void)err_set(&second, ERR_TEMPORARY, NULL, "second");
    unit_fail(u, &first);
    unit_fail(u, &second);
    assert_int_equal(unit_conflict(u, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_string_equal(err.text, "first");
}

/* --- keys --- */

static bool is_compromised(struct unit *u, uint8_t byte)
{
    struct err err = {0};
    struct key_hash key;
    bool is = false;
    memset(key.b, byte, sizeof key.b);
    must(unit_key_compromised(u, key.b, &is, &err), &err);
    return is;
}

/* Those asked for with the lock, repeats among them, and others. */
static void test_compromised_keys(void **state UNUSED)
{
    struct err err = {0};
    AUTO(db) db = connect_worker(3);
    struct aggregate *a = new_aggregate("compromised");
    struct certificate *c = a->certificates[0];
    memset(c->spki_sha256, 2, sizeof c->spki_sha256);
    c->reported_by = uuid_new();
    c->reported_ms = 5;
    add(db, &a, 1);
    static const uint8_t asked[] = {9, 2, 1, 2, 9, 7};
    struct key_hash keys[ARRAY_LENGTH(asked)];
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++)
        memset(keys[i].b, asked[i], sizeof keys[i].b);
    const struct unit_wanted wanted = {.keys = keys, .key_count = ARRAY_LENGTH(keys)};
    for (size_t with = 0; with < 2; with++) {
        AUTO(unit) u = unit_new(db);
        must(db_begin(db, &err), &err);
        must(unit_lock_and_load(u, with ? &wanted : &(struct unit_wanted){0}, &err), &err);
        for (uint8_t byte = 0; byte < 10; byte++)
            assert_int_equal(is_compromised(u, byte), byte == 2);
        db_rollback(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_revocation),
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_find_units),
        cmocka_unit_test(test_find_by_address),
        cmocka_unit_test(test_find_certificates),
        cmocka_unit_test(test_failure_stays),
        cmocka_unit_test(test_compromised_keys),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

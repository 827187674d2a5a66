/* links: workers support */
/* The expiry scan of services C (C9): to the contacts the product names who want to hear of it. */
#include "kinds_lab.h"

static struct worker *worker;
static struct db *admin;

static int start(void **state)
{
    struct err err = {0};
    AUTO_BUF text = {0};
    if (lab_start(state))
        return -1;
    must(file_read(CERTQ_SOURCE_DIR "/config/products/web-ev.yaml", 1 << 20, &text, &err), &err);
    lab_write("web-ev.yaml", buf_text(&text));
    worker = lab_worker();
    admin = mariadb_open(lab.server, "certq_admin", LAB_DATABASE, 10);
    return 0;
}

static int stop(void **state)
{
    worker_free(worker);
    db_free(admin);
    return lab_stop(state);
}

/* Contract `n` with a server whose certificate ends on 2027-04-01 (Japan time). */
static void server(int n, bool registered_wants, bool technical_wants, const char *technical)
{
    static const char *const wish[] = {"unwanted", "wanted"};
    AUTO_TEXT contract =
        mem_printf("INSERT INTO contract (id, product, state, version, created_ms) VALUES "
                   "(UNHEX(LPAD('c%d', 32, '0')), 'web-ev', 'active', 1, 1)",
            n);
    AUTO_TEXT contacts = mem_printf(
        "INSERT INTO contact (contract, role, email, wants_notice, profile) VALUES "
        "(UNHEX(LPAD('c%d', 32, '0')), 'registered', 'r%d@example.jp', %d, "
        "'{\"name\":\"登録 〇〇\",\"email\":\"r%d@example.jp\",\"renewal_notice\":\"%s\"}'), "
        "(UNHEX(LPAD('c%d', 32, '0')), 'technical', '%s', %d, "
        "'{\"name\":\"技術 〇〇\",\"email\":\"%s\",\"renewal_notice\":\"%s\"}'), "
        "(UNHEX(LPAD('c%d', 32, '0')), 'administrative', 'a%d@example.jp', 1, "
        "'{\"name\":\"x\",\"email\":\"a%d@example.jp\"}')",
        n, n, registered_wants, n, wish[registered_wants], n, technical, technical_wants, technical,
        wish[technical_wants], n, n, n);
    AUTO_TEXT subscriber = mem_printf(
        "INSERT INTO subscriber (id, product, unit_key, language, version, state, profile, "
        "contract, created_ms) VALUES (UNHEX(LPAD('%d', 32, '0')), 'web-ev', 'unit %d', 'ja', 1, "
        "'active', '{\"organisation\":{\"latin\":\"Example\"}}', UNHEX(LPAD('c%d', 32, '0')), 1)",
        n, n, n);
    AUTO_TEXT certificate = mem_printf(
        "INSERT INTO certificate (id, subscriber, application, product, issuer, state, serial, "
        "root, not_after_ms, issued_ms, created_ms) VALUES (UNHEX(LPAD('ce%d', 32, '0')), "
        "UNHEX(LPAD('%d', 32, '0')), '0123456789abcdef', 'web-ev', 'server-ca', 'valid', "
        "UNHEX(LPAD('%d', 32, '4')), '0123456789abcdef', 1806591599000, 1, 1)",
        n, n, n);
    mariadb_do(admin, contract);
    mariadb_do(admin, contacts);
    mariadb_do(admin, subscriber);
    mariadb_do(admin, certificate);
}

static char *scan(const char *as_of)
{
    struct ask a = ask_of(json_of("{'as_of': '%s', 'product': 'web-ev', 'by': {'role': 'operator', "
                                  "'operator': 'op1'}}",
        as_of));
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_EXPIRY_SCAN, &a, 1);
    AUTO_TYPE(json, json_t) *answer =
        g->tasks[0].plan.answer ? json_loads(g->tasks[0].plan.answer, 0, NULL) : NULL;
    const json_t *product = json_at(answer, "products.web-ev");
    return product ? json_dumps(product, JSON_COMPACT | JSON_SORT_KEYS) : mem_text(answer_of(g, 0));
}

static void test_contacts_who_want(void **state UNUSED)
{
    server(1, true, true, "t1@example.jp");
    server(2, true, false, "t2@example.jp");
    server(3, false, false, "t3@example.jp");
    server(4, false, true, "r4@example.jp"); /* one address, and one of its two roles wants it */
    AUTO_TEXT first = scan("2027-03-02");    /* 30 days before */
    assert_string_equal(first,
        "{\"due\":{\"10\":0,\"30\":4,\"60\":0,\"90\":0},\"scanned\":4,\"sent\":4,\"skipped\":{"
        "\"nearer\":14,\"opted-out\":3}}");
    assert_int_equal(mariadb_number(lab.server, LAB_DATABASE,
                         "SELECT COUNT(*) FROM notice WHERE state = 'queued' AND recipient IN "
                         "('r1@example.jp', 't1@example.jp', 'r2@example.jp', 'r4@example.jp')"),
        4);
    assert_int_equal(mariadb_number(lab.server, LAB_DATABASE,
                         "SELECT COUNT(*) FROM job WHERE kind = 'mail' AND JSON_VALUE(args, "
                         "'$.facts.name') = '技術 〇〇' AND JSON_VALUE(args, '$.recipient') IN "
                         "('t1@example.jp', 'r4@example.jp')"),
        2);
    AUTO_TEXT again = scan("2027-03-02");
    assert_string_equal(again,
        "{\"due\":{\"10\":0,\"30\":0,\"60\":0,\"90\":0},\"scanned\":0,\"sent\":0,\"skipped\":{}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contacts_who_want),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* links: workers support */
/* What a CRL holds, how it is kept, and what bounds it. */
#include "kinds_lab.h"

#include "db/registry_store.h"
#include "pki/crl.h"
#include "store/crl_store.h"

static struct worker *worker;
static const int64_t day_ms = 86400000;

static int start(void **state)
{
    if (lab_start(state))
        return -1;
    lab.issuer.crl_validity_ms = 7 * day_ms;
    lab.config.crl_folder = lab_path("crl");
    worker = lab_worker();
    return 0;
}

static int stop(void **state)
{
    worker_free(worker);
    free(lab.config.crl_folder);
    return lab_stop(state);
}

static void administer(const char *sql)
{
    AUTO(db) admin = mariadb_open(lab.server, "certq_admin", LAB_DATABASE, 30);
    mariadb_do(admin, sql);
}

static char *make(void)
{
    return run_one(worker, KIND_CRL, ask_of(json_of("{'issuer': 'person-ca'}")), NULL, NULL);
}

static uint64_t make_done(void)
{
    AUTO_TEXT answer = make();
    assert_string_equal(answer, "done");
    return (uint64_t)number("SELECT MAX(number) FROM crl");
}

/* --- what brokers read --- */

static struct crl_facts read_newest(struct buf *ret)
{
    struct err err = {0};
    uint64_t newest;
    struct crl_facts facts;
    must(registry_read_crl(lab.broker, "person-ca", &newest, ret, &err), &err);
    must(crl_read(worker->issuers[0], buf_bytes(ret), &facts, &err), &err);
    assert_true(facts.number == newest);
    return facts;
}

static int count_last_octets(void *context, const struct crl_entry *entry, struct err *err UNUSED)
{
    ((size_t *)context)[entry->serial.data[entry->serial.length - 1]]++;
    return 0;
}

/* Is the certificate with this last octet of its serial on the newest CRL? */
static bool is_listed(uint8_t octet)
{
    struct err err = {0};
    size_t seen[256] = {0};
    AUTO_BUF der = {0};
    read_newest(&der);
    must(crl_each(buf_bytes(&der), count_last_octets, seen, &err), &err);
    return seen[octet] > 0;
}

static void add_revocation(uint8_t octet, int64_t not_after_ms)
{
    AUTO_TEXT sql = mem_printf("INSERT INTO revocation (issuer, serial, certificate, revoked_ms, "
                               "reason, not_after_ms, job) VALUES ('person-ca', "
                               "UNHEX('0100000000000000000000000000000000000%03x'), REPEAT('c', "
                               "16), %lld, 1, %lld, REPEAT('j', 16))",
        octet, (long long)clock_now_ms(), (long long)not_after_ms);
    administer(sql);
}

/* RFC 5280 3.3: an entry stays until it was on one CRL made after the certificate's end. */
static void test_entries_stay_until_one_crl_after_expiry(void **state UNUSED)
{
    const int64_t now_ms = clock_now_ms();
    add_revocation(1, now_ms + 10 * day_ms);
    add_revocation(2, now_ms + 20 * day_ms);
    const struct {
        int days; /* from now on */
        bool first, second;
    } rows[] = {
        {0, true, true},
        {9, true, true},
        {11, true, true}, /* the first has expired, and this CRL is the one that still says so */
        {12, false, true},
        {25, false, true},
        {25, false, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        clock_set_shift_ms(rows[i].days * day_ms + (int64_t)i * 1000);
        make_done();
        if (is_listed(1) != rows[i].first || is_listed(2) != rows[i].second)
            fail_msg("row %zu: %d %d", i, is_listed(1), is_listed(2));
    }
    clock_set_shift_ms(0);
}

/* Near the end of the issuer a CRL ends with it. */
static void test_next_update_is_not_after_the_issuer(void **state UNUSED)
{
    struct issuer *issuer = worker->issuers[0];
    const int64_t left_ms = issuer_not_after_ms(issuer) - clock_now_ms();
    clock_set_shift_ms(left_ms - 2 * day_ms);
    make_done();
    AUTO_BUF der = {0};
    const struct crl_facts facts = read_newest(&der);
    assert_true(facts.next_update_ms == issuer_not_after_ms(issuer) / 1000 * 1000);
    clock_set_shift_ms(left_ms + day_ms);
    AUTO_TEXT answer = make();
    clock_set_shift_ms(0);
    assert_string_not_equal(answer, "done");
}

static void add_many(int count)
{
    AUTO_TEXT sql = mem_printf(
        "INSERT INTO revocation (issuer, serial, certificate, revoked_ms, reason, not_after_ms, "
        "job) SELECT 'person-ca', UNHEX(CONCAT('02', LPAD(HEX(seq), 38, '0'))), REPEAT('c', 16), "
        "1780000000000, 1, 9000000000000, REPEAT('j', 16) FROM seq_1_to_%d",
        count);
    administer(sql);
}

/* A CRL longer than one message to the server: its bytes come back as they were signed. */
static void test_a_long_one_is_kept_in_pieces(void **state UNUSED)
{
    enum { MANY = 100000, PACKET = 2 << 20 };
    const int64_t packet = number("SELECT @@global.max_allowed_packet");
    add_many(MANY);
    AUTO_TEXT small = mem_printf("SET GLOBAL max_allowed_packet = %d", PACKET);
    administer(small);
    db_close(worker->db);
    const uint64_t made = make_done();
    AUTO_BUF der = {0};
    AUTO_BUF file = {0};
    AUTO_TEXT path = lab_path("crl/person-ca.crl");
    struct err err = {0};
    assert_true(read_newest(&der).number == made);
    assert_true(der.length > 2 * PACKET);
    must(file_read(path, 1 << 30, &file, &err), &err);
    assert_true(bytes_equal(buf_bytes(&file), buf_bytes(&der)));
    assert_true(
        number("SELECT COUNT(*) FROM crl_piece WHERE number = %llu", (unsigned long long)made) > 2);
    administer("SET GLOBAL max_allowed_packet = 1048576"); /* less than a piece with its key */
    db_close(worker->db);
    struct ask a = ask_of(json_of("{'issuer': 'person-ca'}"));
    AUTO(group) g = run_jobs(worker, lab.broker, KIND_CRL, &a, 1);
    assert_int_equal(g->tasks[0].outcome, OUTCOME_FAILED);
    assert_string_equal(g->tasks[0].plan.code, "too-large");
    assert_non_null(strstr(g->tasks[0].plan.message, "max_allowed_packet"));
    assert_non_null(strstr(g->tasks[0].plan.message, "CRL of person-ca"));
    AUTO_TEXT back = mem_printf("SET GLOBAL max_allowed_packet = %lld", (long long)packet);
    administer(back);
    db_close(worker->db);
    administer("DELETE FROM revocation WHERE serial LIKE CONCAT(UNHEX('02'), '%')");
}

static void test_the_bytes_of_old_ones_go(void **state UNUSED)
{
    uint64_t last = 0;
    for (int i = 0; i < CRL_STORE_KEPT + 2; i++)
        last = make_done();
    assert_int_equal(number("SELECT COUNT(DISTINCT number) FROM crl_piece"), CRL_STORE_KEPT);
    assert_int_equal(number("SELECT MIN(number) FROM crl_piece"), last - CRL_STORE_KEPT + 1);
    assert_int_equal(
        number("SELECT COUNT(*) FROM crl"), last); /* what was made is known for ever */
}

/* A schema 2 database has the newest CRL in crl.der. */
static void test_one_made_before_pieces_is_read(void **state UNUSED)
{
    AUTO_BUF before = {0};
    AUTO_BUF after = {0};
    read_newest(&before);
    administer("UPDATE crl SET der = (SELECT GROUP_CONCAT(p.der SEPARATOR '') FROM crl_piece p "
               "WHERE p.number = crl.number) ORDER BY number DESC LIMIT 1");
    administer("DELETE FROM crl_piece");
    read_newest(&after);
    assert_true(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_stay_until_one_crl_after_expiry),
        cmocka_unit_test(test_next_update_is_not_after_the_issuer),
        cmocka_unit_test(test_a_long_one_is_kept_in_pieces),
        cmocka_unit_test(test_the_bytes_of_old_ones_go),
        cmocka_unit_test(test_one_made_before_pieces_is_read),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

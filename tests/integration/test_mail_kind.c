/* links: workers support */
/*
 * Mails through a real MariaDB and a real SMTP conversation, with faults at every step: none is
 * lost, none holds up others, none goes out again that need not (X1, I5).
 */
#include "mail_lab.h"

#include <pthread.h>

static struct worker *worker;

static int start(void **state)
{
    if (lab_start(state))
        return -1;
    worker = lab_worker();
    return 0;
}

static int stop(void **state)
{
    worker_free(worker);
    return lab_stop(state);
}

static void mails_go_out_once(void **state UNUSED)
{
    struct mails m = {0};
    mails_add(&m, "a@example.com", NULL);
    mails_add(&m, "b@example.com", NULL);
    mails_add(&m, "c@example.com", NULL);
    mails_accept(&m);
    check_run(worker, &m, "done done done");
    for (size_t i = 0; i < m.n; i++)
        check_state(&m, i, "sent");
    check_run(worker, &m, "finished finished finished");
    assert_int_equal(caught_count(), 3);
    assert_true(is_alive(&worker->life));
}

/* --- one bad one --- */

static void a_missing_code_key_harms_no_other(void **state UNUSED)
{
    struct mails m = {0};
    struct uuid strange = add_certificate("feedbeef", "awaiting-retrieval");
    struct uuid own = add_certificate(key_id(keyring_current(worker->codes)), "awaiting-retrieval");
    struct uuid cancelled = add_certificate("feedbeef", "cancelled");
    mails_add(&m, "a@example.com", NULL);
    mails_add(&m, "b@example.com", &strange);
    mails_add(&m, "c@example.com", &own);
    mails_add(&m, "d@example.com", &cancelled);
    mails_accept(&m);
    check_run(worker, &m, "done failed done done");
    check_state(&m, 1, "none");
    check_state(&m, 2, "sent");
    check_state(&m, 3, "superseded");
    assert_int_equal(caught_count(), 2);
}

static void what_the_database_refuses_harms_no_other(void **state UNUSED)
{
    struct mails m = {0};
    sql("CREATE TRIGGER refuse BEFORE INSERT ON mail FOR EACH ROW IF NEW.recipient = "
        "'e@example.com' THEN SIGNAL SQLSTATE '45000'; END IF");
    for (char c = 'a'; c < 'a' + LAB_MOST; c++) {
        AUTO_TEXT to = mem_printf("%c@example.com", c);
        mails_add(&m, to, NULL);
    }
    mails_accept(&m);
    check_run(worker, &m,
        "done done done done failed done done done done done done done done done done done");
    sql("DROP TRIGGER refuse");
    assert_int_equal(caught_count(), LAB_MOST - 1);
    check_state(&m, 15, "sent");
    check_state(&m, 4, "none");
}

/* A mail that makes the server hang up is not in front of the same ones for ever. */
static void the_oldest_failure_does_not_starve_others(void **state UNUSED)
{
    struct mails m = {0};
    mails_add(&m, "poison@example.com", NULL);
    mails_add(&m, "b@example.com", NULL);
    mails_accept(&m);
    catcher_behave(&lab.catcher, "{\"RCPT\": {\"poison@example.com\": \"drop\"}}");
    int runs = 0;
    for (; caught_count() < 1 && runs < 40; runs++) {
        AUTO(group) g = mails_group(&m);
        runner_run(worker, g);
    }
    check_state(&m, 0, "deferred");
    check_state(&m, 1, "sent");
    assert_int_equal(number("SELECT tries FROM mail WHERE recipient = 'poison@example.com'"), runs);
}

static void a_server_that_is_away_costs_an_attempt(void **state UNUSED)
{
    struct mails m = {0};
    mails_add(&m, "a@example.com", NULL);
    mails_add(&m, "b@example.com", NULL);
    mails_accept(&m);
    catcher_behave(&lab.catcher, "{\"CONNECT\": \"421 busy\"}");
    check_run(worker, &m, "failed failed");
    check_state(&m, 0, "deferred");
    catcher_behave(&lab.catcher, "{}");
    check_run(worker, &m, "done done");
    assert_int_equal(caught_count(), 2);
}

/* What the server said of each, though rows that are alike are written together. */
static void each_mail_keeps_its_own_reply(void **state UNUSED)
{
    static const struct {
        const char *to, *state, *reply, *outcome;
    } rows[] = {
        {"r0@example.com", "sent", "250 kept", "done"},
        {"r1@example.com", "rejected", "550 5.1.1 no such user", "done"},
        {"r2@example.com", "deferred", "451 4.2.1 later", "failed"},
        {"r3@example.com", "rejected", "550 5.7.1 a rather longer reason to say no to it", "done"},
        {"r4@example.com", "sent", "250 kept", "done"},
        {"r5@example.com", "rejected", "551 x", "done"},
    };
    struct mails m = {0};
    AUTO_BUF expected = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        mails_add(&m, rows[i].to, NULL);
        buf_printf(&expected, "%s%s", i ? " " : "", rows[i].outcome);
    }
    mails_accept(&m);
    catcher_behave(&lab.catcher,
        "{\"RCPT\": {\"r1@example.com\": \"550 5.1.1 no such user\", \"r2@example.com\": \"451 "
        "4.2.1 later\", \"r3@example.com\": \"550 5.7.1 a rather longer reason to say no to it\", "
        "\"r5@example.com\": \"551 x\"}}");
    check_run(worker, &m, buf_text(&expected));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        check_state(&m, i, rows[i].state);
        if (number(
                "SELECT COUNT(*) FROM mail WHERE recipient = '%s' AND reply = '%s' AND holder IS "
                "NULL AND (sent_ms > 0) <=> IF(state = 'sent', TRUE, NULL)",
                rows[i].to, rows[i].reply) != 1)
            fail_msg("%s: another reply than %s", rows[i].to, rows[i].reply);
    }
}

/* --- the connection breaks --- */

struct cut {
    unsigned at;
    enum proxy_act act;
};

static enum proxy_act cut_once(void *context, unsigned commit)
{
    const struct cut *cut = context;
    return commit == cut->at ? cut->act : PROXY_PASS;
}

/* Until the server has seen that a connection is gone, its locks say that somebody is at it. */
static char *run_when_free(const struct mails *m)
{
    const int64_t until_ms = clock_monotonic_ms() + 20000;
    for (;;) {
        AUTO(group) g = mails_group(m);
        runner_run(worker, g);
        AUTO_TEXT got = outcomes(g);
        if (strcmp(got, "busy") != 0 || clock_monotonic_ms() >= until_ms)
            return TAKE(got);
    }
}

static void a_lost_commit_sends_nothing_twice(void **state UNUSED)
{
    static const struct {
        struct cut cut;
        const char *outcome;
    } rows[] = {
        {{1, PROXY_CUT}, "done"},
        {{1, PROXY_CUT_ANSWER}, "done"},
        {{2, PROXY_CUT}, "done"},
        {{2, PROXY_CUT_ANSWER}, "finished"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct mails m = {0};
        lab_calm(state);
        mails_add(&m, "a@example.com", NULL);
        mails_accept(&m);
        proxy_set(lab.proxy, cut_once, (void *)(uintptr_t)&rows[i].cut);
        AUTO_TEXT got = run_when_free(&m);
        assert_string_equal(got, rows[i].outcome);
        check_state(&m, 0, "sent");
        assert_int_equal(caught_count(), 1);
        if (!is_alive(&worker->life))
            fail_msg("row %zu: the connection that was made again holds no lock", i);
        assert_int_equal(number("SELECT tries FROM mail ORDER BY id DESC LIMIT 1"), 1);
    }
}

/* The server dies when the fates are to be stored, and comes back. */
static enum proxy_act kill_server(void *context UNUSED, unsigned commit)
{
    if (commit != 2)
        return PROXY_PASS;
    mariadb_kill(lab.server);
    return PROXY_CUT;
}

static void *start_again(void *context UNUSED)
{
    const int64_t until_ms = clock_monotonic_ms() + 20000;
    while (caught_count() < 1 && clock_monotonic_ms() < until_ms)
        usleep(1000);
    mariadb_again(lab.server);
    return NULL;
}

static void fates_wait_for_the_database(void **state UNUSED)
{
    struct mails m = {0};
    pthread_t thread;
    mails_add(&m, "a@example.com", NULL);
    mails_accept(&m);
    proxy_set(lab.proxy, kill_server, NULL);
    AUTO(group) g = mails_group(&m);
    assert_int_equal(pthread_create(&thread, NULL, start_again, NULL), 0);
    runner_run(worker, g);
    pthread_join(thread, NULL);
    AUTO_TEXT got = outcomes(g);
    assert_string_equal(got, "done");
    assert_int_equal(caught_count(), 1);
    db_close(lab.broker);
    db_close(lab.admin);
    struct err err = {0};
    must(db_open(lab.broker, &err) || db_open(lab.admin, &err), &err);
    check_state(&m, 0, "sent");
}

/* --- others meddle while the mail is out --- */

struct meddling {
    const struct mails *mails;
    pthread_t thread;
    struct db *db;
    const char *statement, *locking; /* around the id; NULL: nothing behind */
    bool started, holds;
};

/* Gets the row as soon as the marking has let it go. */
static void *meddle(void *context)
{
    struct meddling *x = context;
    char hex[33];
    AUTO_TEXT text = mem_printf("%s WHERE id = x'%s' %s", x->statement,
        uuid_format_hex(&x->mails->jobs[0].id, hex), x->locking ? x->locking : "");
    if (x->holds)
        mariadb_do(x->db, "BEGIN");
    mariadb_do(x->db, text);
    return NULL;
}

/* From the first commit on, the row is meddled with; at the second (whatever it was for) let go. */
static enum proxy_act at_commit(void *context, unsigned commit)
{
    struct meddling *x = context;
    if (commit == 1)
        x->started = pthread_create(&x->thread, NULL, meddle, x) == 0;
    if (commit == 2 && x->holds)
        mariadb_do(x->db, "ROLLBACK");
    return PROXY_PASS;
}

static void run_with(struct meddling *x, const char *expected)
{
    AUTO(db) db = mariadb_open(lab.server, "certq_admin", LAB_DATABASE, 10);
    x->db = db;
    catcher_behave(&lab.catcher, "{\"slow_ms\": 100}");
    proxy_set(lab.proxy, at_commit, x);
    check_run(worker, x->mails, expected);
    if (x->started)
        pthread_join(x->thread, NULL);
    proxy_set(lab.proxy, NULL, NULL);
    catcher_behave(&lab.catcher, "{}");
}

/* The group was given up, a crash counted and the job dispatched again: it is not sent again. */
static void a_new_attempt_finds_the_mail_sent(void **state UNUSED)
{
    struct mails m = {0};
    mails_add(&m, "a@example.com", NULL);
    mails_accept(&m);
    struct meddling x = {.mails = &m, .statement = "UPDATE job SET attempt = attempt + 1"};
    run_with(&x, "stale");
    check_state(&m, 0, "sent");
    m.jobs[0].attempt = 1;
    check_run(worker, &m, "done");
    check_state(&m, 0, "sent");
    assert_int_equal(caught_count(), 1);
    char hex[33];
    assert_int_equal(number("SELECT COUNT(*) FROM job_history WHERE id = x'%s' AND result LIKE "
                            "'%%\"sent\"%%kept%%'",
                         uuid_format_hex(&m.jobs[0].id, hex)),
        1);
}

/* Cancelled by an operator too late: what happened is told all the same. */
static void a_mail_cancelled_too_late_is_sent(void **state UNUSED)
{
    struct mails m = {0};
    mails_add(&m, "a@example.com", NULL);
    mails_accept(&m);
    struct meddling x = {.mails = &m, .statement = "DELETE FROM job"};
    run_with(&x, "unseen");
    check_state(&m, 0, "sent");
}

static void a_row_that_is_locked_is_waited_for(void **state UNUSED)
{
    struct mails m = {0};
    mails_add(&m, "a@example.com", NULL);
    mails_add(&m, "b@example.com", NULL);
    mails_accept(&m);
    struct meddling x = {
        .mails = &m, .statement = "SELECT id FROM job", .locking = "FOR UPDATE", .holds = true};
    run_with(&x, "done done");
    check_state(&m, 0, "sent");
    assert_int_equal(caught_count(), 2);
}

static void another_life_is_left_alone(void **state UNUSED)
{
    struct mails m = {0};
    struct uuid other = uuid_new();
    struct err err = {0};
    char hex[33], name[64];
    mails_add(&m, "a@example.com", NULL);
    mails_accept(&m);
    /* A row as another worker would have marked it. */
    catcher_behave(&lab.catcher, "{\"CONNECT\": \"421 busy\"}");
    check_run(worker, &m, "failed");
    catcher_behave(&lab.catcher, "{}");
    AUTO(db) its = mariadb_open(lab.server, "certq_mail", LAB_DATABASE, 1);
    mail_life_lock(&other, name);
    must(db_hold(its, name, &err), &err);
    sql("UPDATE mail SET state = 'sending', until_ms = %lld, holder = x'%s' ORDER BY id DESC LIMIT "
        "1",
        (long long)clock_now_ms() + 100000, uuid_format_hex(&other, hex));
    check_run(worker, &m, "busy");
    clock_set_shift_ms(INT64_C(90) * 86400000); /* the domain's clock is no lease's */
    check_run(worker, &m, "busy");
    clock_set_shift_ms(0);
    assert_int_equal(caught_count(), 0);
    sql("UPDATE mail SET until_ms = %lld ORDER BY id DESC LIMIT 1", (long long)clock_now_ms() - 1);
    check_run(worker, &m, "done");
    assert_int_equal(caught_count(), 1);
    check_state(&m, 0, "sent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(mails_go_out_once, lab_calm),
        cmocka_unit_test_setup(a_missing_code_key_harms_no_other, lab_calm),
        cmocka_unit_test_setup(what_the_database_refuses_harms_no_other, lab_calm),
        cmocka_unit_test_setup(the_oldest_failure_does_not_starve_others, lab_calm),
        cmocka_unit_test_setup(a_server_that_is_away_costs_an_attempt, lab_calm),
        cmocka_unit_test_setup(each_mail_keeps_its_own_reply, lab_calm),
        cmocka_unit_test_setup(a_lost_commit_sends_nothing_twice, lab_calm),
        cmocka_unit_test_setup(a_new_attempt_finds_the_mail_sent, lab_calm),
        cmocka_unit_test_setup(a_mail_cancelled_too_late_is_sent, lab_calm),
        cmocka_unit_test_setup(a_row_that_is_locked_is_waited_for, lab_calm),
        cmocka_unit_test_setup(another_life_is_left_alone, lab_calm),
        cmocka_unit_test_setup(fates_wait_for_the_database, lab_calm),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

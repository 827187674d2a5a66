/* links: workers support */
/* Decided kinds at once on two workers: whoever comes second sees what the first one did (I11). */
#include "kinds_lab.h"

#include <pthread.h>

static struct worker *worker, *second;
static struct db *second_broker;

static int start(void **state)
{
    if (lab_start(state))
        return -1;
    worker = lab_worker();
    second = lab_worker();
    second_broker = mariadb_open(lab.server, "certq_broker", LAB_DATABASE, 1);
    return 0;
}

static int stop(void **state)
{
    worker_free(worker);
    worker_free(second);
    db_free(second_broker);
    return lab_stop(state);
}

struct racer {
    struct worker *worker;
    struct db *broker;
    struct ask ask;
    enum kind_id kind;
    char *answer, *text;
    const char *path;
    size_t late; /* groups of nothing run first, so that either may win */
};

static void *race(void *arg)
{
    struct racer *r = arg;
    for (size_t i = 0; i < r->late; i++) {
        struct ask nothing = ask_of(json_object());
        group_free(run_jobs(r->worker, r->broker, KIND_NOOP, &nothing, 1));
    }
    AUTO(group) g = run_jobs(r->worker, r->broker, r->kind, &r->ask, 1);
    r->answer = mem_text(answer_of(g, 0));
    r->text = result_of(g, 0, r->path);
    return NULL;
}

/* Runs both at once. */
static void race_both(struct racer racers[static 2])
{
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void test_first_applications_at_once(void **state UNUSED)
{
    enum { ROUNDS = 30 };
    for (size_t i = 0; i < ROUNDS; i++) {
        AUTO_TEXT email = mem_printf("first%zu@example.jp", i);
        struct racer racers[2] = {{worker, lab.broker, ask_of(application("association", email)),
                                      KIND_ISSUE, 0, 0, "x", 0},
            {second, second_broker, ask_of(application("association", email)), KIND_ISSUE, 0, 0,
                "x", 0}};
        race_both(racers);
        for (size_t k = 0; k < 2; k++) {
            assert_string_equal(racers[k].answer, "done");
            free(racers[k].answer);
            free(racers[k].text);
        }
    }
    assert_int_equal(number("SELECT COUNT(*) FROM subscriber WHERE email LIKE 'first%%'"), ROUNDS);
    assert_int_equal(number("SELECT COUNT(*) FROM certificate c JOIN subscriber s ON s.id = "
                            "c.subscriber WHERE s.email LIKE 'first%%'"),
        2 * ROUNDS);
}

/* I11: one order or the other, and never a valid certificate after a revocation that succeeded. */
static void test_retrieve_against_revoke(void **state UNUSED)
{
    enum { ROUNDS = 25 };
    size_t retrieved_first = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        AUTO_TEXT email = mem_printf("race%zu@example.jp", i);
        AUTO_TEXT certificate = apply(worker, "association", email);
        AUTO_TEXT code = code_of(worker, certificate);
        AUTO_TEXT csr = new_csr();
        struct racer racers[2] = {{worker, lab.broker, retrieval(email, PASSWORD, code, csr),
                                      KIND_RETRIEVE, 0, 0, "pem", 0},
            {second, second_broker, revocation(certificate), KIND_REVOKE, 0, 0, "state", i % 6}};
        race_both(racers);
        assert_string_equal(racers[1].answer, "done");
        bool first = strcmp(racers[0].answer, "done") == 0;
        assert_string_equal(racers[0].answer, first ? "done" : "cancelled");
        assert_string_equal(racers[1].text, first ? "revoked" : "cancelled");
        assert_int_equal(number("SELECT COUNT(*) FROM certificate c LEFT JOIN revocation r ON "
                                "r.certificate = c.id WHERE c.id = UNHEX(REPLACE('%s', '-', '')) "
                                "AND c.state = '%s' AND (r.serial IS NOT NULL) = %d",
                             certificate, first ? "revoked" : "cancelled", first),
            1);
        retrieved_first += first;
        for (size_t k = 0; k < 2; k++) {
            free(racers[k].answer);
            free(racers[k].text);
        }
    }
    print_message("retrieved first in %zu of %d rounds\n", retrieved_first, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_applications_at_once),
        cmocka_unit_test(test_retrieve_against_revoke),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* links: workers support */
/* Several job threads of one mail worker, as certq-worker has them (mail.smtp.parallel). */
#include "mail_lab.h"

#include <pthread.h>

/* As worker_lane_new makes it. */
static struct worker *lane_of(const struct worker *w)
{
    struct err err = {0};
    struct worker *lane = MEM_NEW(struct worker);
    *lane = *w;
    lane->life = uuid_new();
    lane->db = mariadb_open(lab.server, "certq_mail", LAB_DATABASE, 1); /* the wire takes one */
    must(smtp_new(&lab.config.mail, &lane->smtp, &err), &err);
    return lane;
}

struct lane {
    struct worker *worker;
    struct mails mails[8];
    pthread_t thread;
    size_t done; /* groups */
};

static void *run_lane(void *context)
{
    struct lane *lane = context;
    for (size_t i = 0; i < ARRAY_LENGTH(lane->mails); i++) {
        AUTO(group) g = mails_group(&lane->mails[i]);
        runner_run(lane->worker, g);
        AUTO_TEXT got = outcomes(g);
        lane->done += strcmp(got, "done done done done") == 0;
    }
    return NULL;
}

/* Each mail once, whoever is at work beside; and each thread's life is its own (I5). */
static void lanes_of_a_worker_do_not_meet(void **state UNUSED)
{
    static struct lane lanes[3];
    struct worker *worker = lab_worker();
    struct uuid certificate =
        add_certificate(key_id(keyring_current(worker->codes)), "awaiting-retrieval");
    for (size_t i = 0; i < ARRAY_LENGTH(lanes); i++) {
        lanes[i] = (struct lane){.worker = i ? lane_of(worker) : worker};
        for (size_t k = 0; k < ARRAY_LENGTH(lanes[i].mails); k++) {
            for (size_t j = 0; j < 4; j++) {
                AUTO_TEXT to = mem_printf("l%zu.%zu.%zu@example.com", i, k, j);
                mails_add(&lanes[i].mails[k], to, j % 2 ? &certificate : NULL);
            }
            mails_accept(&lanes[i].mails[k]);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(lanes); i++)
        assert_int_equal(pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(lanes); i++) {
        pthread_join(lanes[i].thread, NULL);
        assert_int_equal(lanes[i].done, ARRAY_LENGTH(lanes[i].mails));
    }
    assert_int_equal(caught_count(), ARRAY_LENGTH(lanes) * 4 * ARRAY_LENGTH(lanes[0].mails));
    for (size_t i = 0; i < ARRAY_LENGTH(lanes); i++)
        assert_true(is_alive(&lanes[i].worker->life)); /* each by its own connection */
    db_close(lanes[1].worker->db);
    const int64_t until_ms = clock_monotonic_ms() + 20000; /* the server has to see it */
    while (is_alive(&lanes[1].worker->life) && clock_monotonic_ms() < until_ms)
        ;
    assert_false(is_alive(&lanes[1].worker->life));
    assert_true(is_alive(&worker->life) && is_alive(&lanes[2].worker->life));
    for (size_t i = 1; i < ARRAY_LENGTH(lanes); i++)
        worker_lane_free(lanes[i].worker);
    worker_free(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lanes_of_a_worker_do_not_meet, lab_calm),
    };
    return cmocka_run_group_tests(tests, lab_start, lab_stop);
}

/* links: pki */
/* CRLs as files: what is replaced, what stays, and writers at the same time. */
#include "pki_support.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pki/crl_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct issuer *issuer, *other;
static char *folder;

static int setup(void **state)
{
    if (pki_folder(state))
        return -1;
    issuer = pki_issuer("ca");
    other = pki_issuer("other");
    folder = mem_text("crl");
    return 0;
}

static int teardown(void **state)
{
    issuer_free(issuer);
    issuer_free(other);
    free(folder);
    return pki_folder_gone(state);
}

static struct buf make(struct issuer *by, uint64_t number)
{
    AUTO(crl) c = NULL;
    struct buf der = {0};
    const int64_t now_ms = clock_now_ms();
    const struct crl_facts facts = {number, now_ms, now_ms + 86400000};
    ok(crl_new(by, &facts, 0, &c, &pki_err));
    for (uint8_t i = 1; i <= number % 200; i++) {
        const struct crl_entry entry = {{&i, 1}, now_ms, REASON_SUPERSEDED};
        ok(crl_add(c, &entry, &pki_err));
    }
    ok(crl_finish(c, &der, &pki_err));
    return der;
}

static uint64_t number_there(void)
{
    AUTO_TEXT path = crl_file_path(folder, "person-ca");
    struct crl_facts facts;
    ok(crl_file_facts(path, &facts, &pki_err));
    return facts.number;
}

static int put(struct bytes der)
{
    err_clear(&pki_err);
    return crl_file_write(folder, "person-ca", der, &pki_err);
}

static void only_a_newer_one_replaces(void **state)
{
    (void)state;
    AUTO_BUF seven = make(issuer, 7);
    AUTO_BUF seven_again = make(issuer, 7); /* ECDSA: another signature */
    AUTO_BUF eight = make(issuer, 8);
    AUTO_BUF foreign = make(other, 3);
    const struct {
        const struct buf *der;
        const char *code; /* NULL: written, or there already */
        uint64_t then;
    } rows[] = {
        {&seven, NULL, 7},
        {&seven, NULL, 7},
        {&seven_again, "newer", 7}, /* the same number twice: somebody counts wrong */
        {&eight, NULL, 8},
        {&seven, "newer", 8},
        {&foreign, NULL, 3}, /* of a new key: its numbers begin again */
        {&seven, NULL, 7},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const int result = put(buf_bytes(rows[i].der));
        if (result != (rows[i].code ? -1 : 0))
            fail_msg("row %zu: %s", i, pki_err.text);
        if (rows[i].code) {
            assert_string_equal(pki_err.code, rows[i].code);
            assert_int_equal(pki_err.kind, ERR_CONFLICT);
        }
        assert_int_equal(number_there(), rows[i].then);
    }
    struct stat st;
    AUTO_TEXT path = crl_file_path(folder, "person-ca");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
}

static void what_is_no_crl_is_replaced_and_never_written(void **state)
{
    (void)state;
    AUTO_BUF nine = make(issuer, 9);
    AUTO_TEXT path = crl_file_path(folder, "person-ca");
    const struct bytes before[] = {
        {0}, bytes_of_text("half a CR"), {nine.data, nine.length - 1}, {nine.data, 20}};
    for (size_t i = 0; i < ARRAY_LENGTH(before); i++) {
        ok(file_write(path, before[i], 0600, &pki_err));
        struct crl_facts facts;
        assert_int_equal(crl_file_facts(path, &facts, &pki_err), -1);
        assert_int_equal(pki_err.kind, ERR_INPUT);
        ok(put(buf_bytes(&nine)));
        assert_int_equal(number_there(), 9);
        if (before[i].length) {
            assert_int_equal(put(before[i]), -1);
            assert_int_equal(pki_err.kind, ERR_INPUT);
            assert_int_equal(number_there(), 9);
        }
    }
}

static void a_folder_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    AUTO_BUF der = make(issuer, 1);
    AUTO_TEXT deep = mem_text("no/such");
    assert_int_equal(crl_file_write(deep, "person-ca", buf_bytes(&der), &pki_err), -1);
    assert_non_null(strstr(pki_err.text, deep));
    struct crl_facts facts;
    err_clear(&pki_err);
    assert_int_equal(crl_file_facts(deep, &facts, &pki_err), -1);
    assert_int_equal(pki_err.kind, ERR_NOT_FOUND);
}

/* Whoever holds the folder's lock may have been stopped: a broker's desk must not stop with it. */
static void a_stuck_writer_stops_nobody(void **state)
{
    (void)state;
    AUTO_BUF der = make(issuer, 50);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(put(buf_bytes(&der)), -1);
    assert_int_equal(pki_err.kind, ERR_TEMPORARY);
    assert_non_null(strstr(pki_err.text, "lock"));
    close(fd);
    ok(put(buf_bytes(&der)));
}

enum { WRITERS = 4, EACH = 12 };

/* Numbers 100 and up, each writer its share in an order of its own. */
static int write_share(int who)
{
    for (int i = 0; i < EACH; i++) {
        AUTO_BUF der = make(issuer, (uint64_t)(100 + (who % 2 ? i : EACH - 1 - i) * WRITERS + who));
        if (put(buf_bytes(&der)) && pki_err.kind != ERR_CONFLICT)
            return 1;
    }
    return 0;
}

static void writers_never_go_back(void **state)
{
    (void)state;
    pid_t pids[WRITERS];
    AUTO_BUF first = make(issuer, 99);
    ok(put(buf_bytes(&first)));
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            _exit(write_share(i));
    }
    uint64_t last = 99;
    for (int ended = 0, status; ended < WRITERS;) {
        const uint64_t now = number_there(); /* whole at any moment */
        assert_true(now >= last);
        last = now;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0) {
            assert_int_equal(status, 0);
            ended++;
        }
    }
    assert_int_equal(number_there(), 100 + WRITERS * EACH - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_newer_one_replaces),
        cmocka_unit_test(what_is_no_crl_is_replaced_and_never_written),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_named),
        cmocka_unit_test(a_stuck_writer_stops_nobody),
        cmocka_unit_test(writers_never_go_back),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

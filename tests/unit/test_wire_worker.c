/* links: wire */
#include "base/kind.h"
#include "base/mem.h"
#include "wire/curve.h"
#include "wire/pack.h"
#include "wire/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct bytes text(const char *t)
{
    return bytes_of_text(t);
}

/* ---- one valid message of each sort ---- */

static struct job job_of(int n)
{
    static char client[] = "upstream";
    static uint8_t args[] = "{\"a\":1}";
    struct job job = {
        .slot = (uint16_t)n,
        .priority = (uint8_t)(n % 10),
        .rank = -5 - n,
        .run_at_ms = INT64_C(1775001600000) + n,
        .attempt = 7,
        .failures = 8,
        .crashes = 9,
        .client = client,
        .args = args,
        .args_length = sizeof args - 1,
        .kind = kind_name(KIND_MAIL),
        .created_ms = 11,
    };
    memset(job.id.b, n + 1, sizeof job.id.b);
    memset(job.parent.b, 0xee, sizeof job.parent.b);
    memset(job.fingerprint, 0xfa, sizeof job.fingerprint);
    return job;
}

static void write_ready(struct buf *ret)
{
    struct worker_ready m = {.name = text("w1"),
        .host = text("host.example.jp"),
        .pid = 77,
        .credit = 2,
        .urgent = 1,
        .group = 200,
        .kind_count = 2,
        .kinds = {text("issue"), text("noop")}};
    memset(m.life.b, 5, sizeof m.life.b);
    worker_ready_write(&m, ret);
}

static void write_welcome(struct buf *ret)
{
    struct worker_welcome m = {.name = text("b1"), .shift_ms = -1, .clock_epoch = 3};
    worker_welcome_write(&m, ret);
}

static void write_jobs(struct buf *ret)
{
    struct job jobs[3] = {job_of(1), job_of(2), job_of(3)};
    struct job *pointers[3] = {&jobs[0], &jobs[1], &jobs[2]};
    struct worker_jobs head = {
        .kind = text("issue"), .urgent = true, .durable = true, .deadline_ms = 60000, .count = 3};
    worker_jobs_write(&head, pointers, ret);
}

static void write_report(struct buf *ret)
{
    struct job followups[1] = {job_of(4)};
    struct worker_result results[2] = {
        {.outcome = OUTCOME_DONE, .result = text("{\"x\":2}")}, {.outcome = OUTCOME_STALE}};
    struct worker_report m = {
        .count = 2, .results = results, .followup_count = 1, .followups = followups};
    worker_report_write(&m, ret);
}

static void write_heartbeat(struct buf *ret)
{
    struct uuid groups[2] = {{{1}}, {{2}}};
    struct worker_heartbeat m = {.shift_ms = 5, .clock_epoch = 6, .count = 2, .groups = groups};
    worker_heartbeat_write(&m, ret);
}

static void write_error(struct buf *ret)
{
    struct worker_error m = {.code = text("bad-request"), .text = text("no")};
    worker_error_write(&m, ret);
}

/* Parses whatever it claims to be; 0 when taken. Touches what was parsed, so that ASan may object.
 */
static int parse(struct bytes body, struct err *err)
{
    enum worker_command command;
    if (worker_command_of(body, &command, err))
        return -1;
    switch (command) {
    case WORKER_READY: {
        struct worker_ready m;
        if (worker_ready_parse(body, &m, err))
            return -1;
        assert_in_range(m.kind_count, 1, WORKER_KINDS_MAX);
        return 0;
    }
    case WORKER_WELCOME: {
        struct worker_welcome m;
        return worker_welcome_parse(body, &m, err);
    }
    case WORKER_JOBS: {
        struct worker_jobs m;
        if (worker_jobs_parse(body, &m, err))
            return -1;
        for (uint32_t i = 0; i < m.count; i++)
            assert_true(strlen(m.jobs[i].client) <= JOB_CLIENT_MAX);
        worker_jobs_free(&m);
        return 0;
    }
    case WORKER_REPORT: {
        struct worker_report m;
        if (worker_report_parse(body, &m, err))
            return -1;
        for (uint32_t i = 0; i < m.count; i++)
            assert_true(outcome_name(m.results[i].outcome) != NULL);
        worker_report_free(&m);
        return 0;
    }
    case WORKER_HEARTBEAT: {
        struct worker_heartbeat m;
        if (worker_heartbeat_parse(body, &m, err))
            return -1;
        worker_heartbeat_free(&m);
        return 0;
    }
    case WORKER_ERROR: {
        struct worker_error m;
        return worker_error_parse(body, &m, err);
    }
    case WORKER_DRAIN:
    case WORKER_BYE:
        return 0;
    }
    fail_msg("no such command: %d", command);
    return -1;
}

typedef void write_message(struct buf *ret);
static write_message *const messages[] = {
    write_ready, write_welcome, write_jobs, write_report, write_heartbeat, write_error};

/* ---- round trips ---- */

static void assert_same_job(const struct job *a, const struct job *b)
{
    assert_true(uuid_equal(&a->id, &b->id) && uuid_equal(&a->parent, &b->parent));
    assert_true(a->slot == b->slot && a->priority == b->priority && a->rank == b->rank);
    assert_true(a->run_at_ms == b->run_at_ms && a->created_ms == b->created_ms);
    assert_true(a->attempt == b->attempt && a->failures == b->failures && a->crashes == b->crashes);
    assert_string_equal(a->client, b->client);
    assert_memory_equal(a->fingerprint, b->fingerprint, sizeof a->fingerprint);
    assert_int_equal(a->args_length, b->args_length);
    assert_memory_equal(a->args, b->args, a->args_length);
}

static void every_field_survives(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_BUF b = {0};
    struct worker_ready ready;
    write_ready(&b);
    assert_int_equal(worker_ready_parse(buf_bytes(&b), &ready, &err), 0);
    assert_true(ready.life.b[15] == 5 && bytes_equal(ready.host, text("host.example.jp")));
    assert_true(ready.pid == 77 && ready.credit == 2 && ready.urgent == 1 && ready.group == 200);
    assert_true(ready.kind_count == 2 && bytes_equal(ready.kinds[1], text("noop")));

    buf_clear(&b);
    struct worker_welcome welcome;
    write_welcome(&b);
    assert_int_equal(worker_welcome_parse(buf_bytes(&b), &welcome, &err), 0);
    assert_true(welcome.shift_ms == -1 && welcome.clock_epoch == 3);

    buf_clear(&b);
    struct worker_jobs jobs;
    write_jobs(&b);
    assert_int_equal(worker_jobs_parse(buf_bytes(&b), &jobs, &err), 0);
    assert_true(jobs.urgent && jobs.durable && jobs.deadline_ms == 60000 && jobs.count == 3);
    struct job want = job_of(2);
    assert_same_job(&want, &jobs.jobs[1]);
    worker_jobs_free(&jobs);

    buf_clear(&b);
    struct worker_report report;
    write_report(&b);
    assert_int_equal(worker_report_parse(buf_bytes(&b), &report, &err), 0);
    assert_true(report.count == 2 && report.followup_count == 1);
    assert_true(bytes_equal(report.results[0].result, text("{\"x\":2}")));
    assert_int_equal(report.results[1].outcome, OUTCOME_STALE);
    want = job_of(4);
    assert_same_job(&want, &report.followups[0]);
    assert_string_equal(report.followups[0].kind, "mail");
    assert_true(bytes_equal(report.followup_kinds[0], text("mail")));
    worker_report_free(&report);

    buf_clear(&b);
    struct worker_heartbeat beat;
    write_heartbeat(&b);
    assert_int_equal(worker_heartbeat_parse(buf_bytes(&b), &beat, &err), 0);
    assert_true(beat.count == 2 && beat.groups[1].b[0] == 2 && beat.shift_ms == 5);
    worker_heartbeat_free(&beat);
}

static void every_prefix_and_every_extra_byte_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(messages); i++) {
        AUTO_BUF b = {0};
        messages[i](&b);
        struct err err = {0};
        assert_int_equal(parse(buf_bytes(&b), &err), 0);
        for (size_t n = 0; n < b.length; n++) {
            uint8_t *exact = mem_copy(b.data, n);
            if (parse((struct bytes){exact, n}, &err) == 0)
                fail_msg("message %zu: %zu of %zu bytes", i, n, b.length);
            assert_int_equal(err.kind, ERR_INPUT);
            free(exact);
        }
        buf_add_char(&b, 'x');
        assert_int_equal(parse(buf_bytes(&b), &err), -1);
        assert_non_null(strstr(err.text, "left over"));
    }
}

/* Offset of a byte, what to put there, and what the error must name. */
static void bad_fields_are_named(void **state)
{
    (void)state;
    static const struct {
        write_message *write;
        size_t at;
        uint8_t value;
        const char *error;
    } rows[] = {
        {write_ready, 0, 0, "unknown command 0"},
        {write_ready, 0, 9, "unknown command 9"},
        {write_ready, 20, 0, "READY: name"},
        {write_ready, 17, 1, "READY: name"},
        {write_ready, 50, 0xff, "READY: group"},
        {write_ready, 52, 0xff, "READY: count of kinds"},
        {write_jobs, 26, 4, "JOBS: flags"},
        {write_jobs, 27, 0x80, "JOBS: deadline"},
        {write_jobs, 34, 200, "JOBS: count of jobs"},
        {write_jobs, 34, 4, "JOBS: count of jobs"},
        {write_jobs, 33, 4, "JOBS: count of jobs"},
        {write_jobs, 53, 10, "JOBS: item 1: priority"},
        {write_jobs, 150, 'x', "JOBS: item 1: client"},
        {write_jobs, 146, 0, "JOBS: item 1: client"},
        {write_report, 37, OUTCOMES, "REPORT: item 1: outcome"},
        {write_heartbeat, 20, 3, "HEARTBEAT: count of groups"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_BUF b = {0};
        rows[i].write(&b);
        b.data[rows[i].at] = rows[i].value;
        struct err err = {0};
        int result = parse(buf_bytes(&b), &err);
        if (!result || !strstr(err.text, rows[i].error))
            fail_msg("row %zu: %d %s", i, result, err.text);
    }
}

static void random_mutations_do_no_harm(void **state)
{
    (void)state;
    uint64_t seed = 20261122;
    size_t taken = 0;
    for (int round = 0; round < 100000; round++) {
        AUTO_BUF b = {0};
        messages[(size_t)round % ARRAY_LENGTH(messages)](&b);
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        size_t length = (seed >> 60) ? b.length : (seed >> 33) % (b.length + 1);
        for (uint64_t n = (seed >> 56) % 4; n > 0 && length; n--) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            b.data[(seed >> 33) % length] = (uint8_t)(seed >> 24);
        }
        uint8_t *exact = mem_copy(b.data, length);
        struct err err = {0};
        taken += parse((struct bytes){exact, length}, &err) == 0;
        free(exact);
    }
    assert_true(taken > 10000 && taken < 95000);
}

static void numbers_are_big_endian(void **state)
{
    (void)state;
    AUTO_BUF b = {0};
    pack_u16(&b, 0x0102);
    pack_u32(&b, 0x03040506);
    pack_i64(&b, -2);
    pack_text(&b, "ab");
    assert_memory_equal(
        b.data, "\x01\x02\x03\x04\x05\x06\xff\xff\xff\xff\xff\xff\xff\xfe\0\0\0\2ab", b.length);
    struct unpack u = unpack_of(buf_bytes(&b));
    assert_int_equal(unpack_u16(&u), 0x0102);
    assert_int_equal(unpack_u32(&u), 0x03040506);
    assert_int_equal(unpack_i64(&u), -2);
    assert_int_equal(unpack_bytes(&u, 1).length, 0);
    assert_false(unpack_ok(&u));
    assert_int_equal(unpack_u8(&u), 0);
    u = unpack_of((struct bytes){0});
    assert_true(unpack_ok(&u));
}

/* ---- CURVE key files ---- */

static void put(const char *path, const char *content, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(content, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

#define PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define SECRET "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

static void curve_files_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        mode_t mode;
        const char *error;
    } rows[] = {
        {"# note\npublic: " PUBLIC "\nsecret: " SECRET "\n", 0600, NULL},
        {"secret: " SECRET "\n\npublic: " PUBLIC, 0400, NULL},
        {"public: " PUBLIC "\nsecret: " SECRET "\n", 0640, "chmod 600"},
        {"public: " PUBLIC "\n", 0600, "the secret key is missing"},
        {"secret: " SECRET "\n", 0600, "the public key is missing"},
        {"", 0600, "is missing"},
        {"secret: " SECRET "\nsecret: " SECRET "\n", 0600, ":2: a second secret key"},
        {"public: " SECRET "\nsecret: " SECRET "\n", 0600, "not the secret key's"},
        {"public: \"ne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\n", 0600, ":1: public: no key"},
        {"public: abc\n", 0600, ":1: public: no key"},
        {"pubic: " PUBLIC "\n", 0600, ":1: \"public: KEY\""},
    };
    char folder[] = "/tmp/certq-wire-XXXXXX";
    assert_non_null(mkdtemp(folder));
    AUTO_TEXT path = mem_printf("%s/key", folder);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        put(path, rows[i].content, rows[i].mode);
        AUTO(curve_pair) p = NULL;
        struct err err = {0};
        int result = curve_load(path, &p, &err);
        if ((result != 0) != (rows[i].error != NULL) ||
            (rows[i].error && !strstr(err.text, rows[i].error)))
            fail_msg("row %zu: %d %s", i, result, err.text);
        assert_null(strstr(err.text, "D:)Q"));
        unlink(path);
    }
    struct err err = {0};
    AUTO(curve_pair) p = NULL;
    assert_int_equal(curve_load(path, &p, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(curve_generate(path, &err), 0);
    assert_int_equal(curve_generate(path, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_int_equal(curve_load(path, &p, &err), 0);
    assert_true(curve_key_is_valid(curve_public(p)));
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_survives),
        cmocka_unit_test(every_prefix_and_every_extra_byte_is_refused),
        cmocka_unit_test(bad_fields_are_named),
        cmocka_unit_test(random_mutations_do_no_harm),
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(curve_files_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

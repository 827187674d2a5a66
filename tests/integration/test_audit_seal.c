/* links: workers support audit */
#include "kinds_lab.h"

#include "audit/check.h"
#include "audit/line_store.h"
#include "audit/seal_file.h"
#include "audit/seal_store.h"
#include "audit/sealing.h"

/* Seals on a real server: what they cover, who may touch them, and what the check finds when
 * somebody did. */

static char seals[96], key_file[96], public_file[96];

static int audit_start(void **state)
{
    struct err err = {0};
    if (lab_start(state))
        return -1;
    snprintf(seals, sizeof seals, "%s/audit.seals", lab.folder);
    snprintf(key_file, sizeof key_file, "%s/audit.key", lab.folder);
    snprintf(public_file, sizeof public_file, "%s/audit.pem", lab.folder);
    must(audit_key_generate(key_file, public_file, &err), &err);
    lab.config.audit =
        (struct config_audit){.key = key_file, .public = public_file, .seals = seals};
    return 0;
}

static struct worker *sealer(void)
{
    struct err err = {0};
    struct worker *w = lab_worker();
    must(audit_signer_load(key_file, public_file, &w->audit, &err), &err);
    return w;
}

/* An audit line of the test's own, committed alone. */
static struct uuid write_line(struct db *db, const struct uuid *id, const char *actor)
{
    struct err err = {0};
    const struct audit_line line = {.id = id ? *id : uuid_new(),
        .at_ms = clock_now_ms(),
        .job = uuid_new(),
        .client = bytes_of_text("web"),
        .role = bytes_of_text("operator"),
        .channel = bytes_of_text("counter"),
        .actor = bytes_of_text(actor),
        .event = bytes_of_text("test.event"),
        .subject = uuid_new(),
        .detail = bytes_of_text("{\"a\":\"例\"}")};
    must(db_begin(db, &err), &err);
    must(audit_append(db, &line, 1, &err), &err);
    must(db_commit(db, &err), &err);
    return line.id;
}

static int64_t seal_now(struct worker *w)
{
    struct ask a = ask_of(json_object());
    AUTO(group) g = run_jobs(w, lab.broker, KIND_AUDIT_SEAL, &a, 1);
    AUTO_TYPE(json, json_t) *answer = json_loads(g->tasks[0].plan.answer, 0, NULL);
    if (strcmp(answer_of(g, 0), "done") != 0)
        fail_msg("sealing: %s", g->tasks[0].plan.answer);
    return json_integer_value(json_object_get(answer, "lines"));
}

static void administer(const char *format, ...) PRINTF_LIKE(1, 2);
static void administer(const char *format, ...)
{
    char sql[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    AUTO(db) db = mariadb_open(lab.server, "certq_admin", LAB_DATABASE, 3);
    mariadb_do(db, sql);
}

struct found {
    struct audit_report report;
    char text[4096]; /* "changed ID 0", a line each */
};

static void keep(void *context, const struct audit_finding *f)
{
    struct found *found = context;
    size_t n = strlen(found->text);
    snprintf(found->text + n, sizeof found->text - n, "%s %s %llu\n", audit_fault_name(f->fault),
        uuid_is_zero(&f->line) ? "-" : uuid_s(&f->line), (unsigned long long)f->seal);
}

static struct found check(void)
{
    struct err err = {0};
    struct found found = {.text = ""};
    AUTO(audit_checker) keys = NULL;
    AUTO(db) db = mariadb_open(lab.server, "certq_reader", LAB_DATABASE, 3);
    must(audit_checker_load(public_file, &keys, &err), &err);
    must(audit_check(db, keys, seals, keep, &found, &found.report, &err), &err);
    return found;
}

static void expect(const char *wanted)
{
    struct found f = check();
    if (strcmp(f.text, wanted) != 0)
        fail_msg("found:\n%sand not:\n%s", f.text, wanted);
}

/* A copy of what is there, and back. */
static void save(void)
{
    administer("CREATE OR REPLACE TABLE kept_audit AS SELECT * FROM audit");
    administer("CREATE OR REPLACE TABLE kept_seal AS SELECT * FROM audit_seal");
    administer("CREATE OR REPLACE TABLE kept_unsealed AS SELECT * FROM audit_unsealed");
}

static void restore(void)
{
    administer("DELETE FROM audit");
    administer("INSERT INTO audit SELECT * FROM kept_audit");
    administer("DELETE FROM audit_seal");
    administer("INSERT INTO audit_seal SELECT * FROM kept_seal");
    administer("DELETE FROM audit_unsealed");
    administer("INSERT INTO audit_unsealed SELECT * FROM kept_unsealed");
}

/* --- what is sealed --- */

static void jobs_are_sealed(void **state UNUSED)
{
    AUTO(worker) w = sealer();
    AUTO_TEXT certificate = apply(w, "association", "seal@example.jp");
    assert_true(number("SELECT COUNT(*) FROM audit") > 0);
    assert_int_equal(check().report.waiting, number("SELECT COUNT(*) FROM audit"));
    assert_int_equal(seal_now(w), number("SELECT COUNT(*) FROM audit"));
    assert_int_equal(number("SELECT COUNT(*) FROM audit_unsealed"), 0);
    assert_int_equal(seal_now(w), 0); /* no empty seals */
    struct found f = check();
    assert_string_equal(f.text, "");
    assert_int_equal(f.report.seals, 1);
    assert_int_equal(f.report.file_last, 1);
    assert_int_equal(f.report.lines, number("SELECT COUNT(*) FROM audit"));
}

/* Ids are made before commits and say nothing of their order. */
static void a_late_commit_is_in_the_next_seal(void **state UNUSED)
{
    struct err err = {0};
    AUTO(worker) w = sealer();
    AUTO(db) slow = mariadb_open(lab.server, "certq_worker", LAB_DATABASE, 3);
    const struct audit_line early = {.id = uuid_new(),
        .client = bytes_of_text("slow"),
        .role = bytes_of_text(""),
        .channel = bytes_of_text(""),
        .actor = bytes_of_text(""),
        .event = bytes_of_text("test.late")};
    must(db_begin(slow, &err), &err);
    must(audit_append(slow, &early, 1, &err), &err);
    write_line(w->db, NULL, "quick");
    assert_int_equal(seal_now(w), 1);
    must(db_commit(slow, &err), &err);
    assert_int_equal(seal_now(w), 1);
    expect("");
}

static void a_rolled_back_line_is_not_sealed(void **state UNUSED)
{
    struct err err = {0};
    AUTO(worker) w = sealer();
    const struct audit_line line = {.id = uuid_new(),
        .client = bytes_of_text("x"),
        .role = bytes_of_text(""),
        .channel = bytes_of_text(""),
        .actor = bytes_of_text(""),
        .event = bytes_of_text("test.never")};
    must(db_begin(w->db, &err), &err);
    must(audit_append(w->db, &line, 1, &err), &err);
    db_rollback(w->db);
    assert_int_equal(seal_now(w), 0);
}

static void many_lines_are_several_seals(void **state UNUSED)
{
    struct err err = {0};
    AUTO(worker) w = sealer();
    enum { N = AUDIT_SEAL_LINES + 1700, STEP = 950 };
    const int64_t before = number("SELECT COUNT(*) FROM audit_seal");
    struct audit_line *lines = mem_zero(STEP, sizeof *lines);
    for (size_t done = 0; done < N; done += STEP) {
        for (size_t i = 0; i < STEP; i++)
            lines[i] = (struct audit_line){.id = uuid_new(),
                .client = bytes_of_text("bulk"),
                .role = bytes_of_text(""),
                .channel = bytes_of_text(""),
                .actor = bytes_of_text(""),
                .event = bytes_of_text("test.bulk")};
        must(db_begin(w->db, &err), &err);
        must(audit_append(w->db, lines, STEP, &err), &err);
        must(db_commit(w->db, &err), &err);
    }
    free(lines);
    assert_int_equal(seal_now(w), 8 * STEP + 1);
    assert_int_equal(number("SELECT COUNT(*) FROM audit_seal") - before, 2);
    expect("");
}

static void begin_sealing(struct worker *w)
{
    struct err err = {0};
    AUTO_SEAL made = {0};
    const struct uuid job = uuid_new();
    must(db_begin(w->db, &err), &err);
    must(audit_seal_next(w->db, w->audit, clock_now_ms(), &job, &made, &err), &err);
}

/* The second waits for the first's number and then begins again. */
static void of_two_sealers_one_begins_again(void **state UNUSED)
{
    struct err err = {0};
    AUTO(worker) one = sealer();
    AUTO(worker) two = sealer();
    AUTO_SEAL made = {0};
    const struct uuid job = uuid_new();
    write_line(one->db, NULL, "both");
    begin_sealing(one);
    must(db_begin(two->db, &err), &err);
    assert_int_equal(/* lock wait: 3 s at most */
        audit_seal_next(two->db, two->audit, clock_now_ms(), &job, &made, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    db_rollback(two->db);
    must(db_commit(one->db, &err), &err);
    assert_int_equal(seal_now(two), 0);
    expect("");
}

/* --- what the check finds --- */

static void tampering_is_found(void **state UNUSED)
{
    AUTO(worker) w = sealer();
    const struct uuid a = write_line(w->db, NULL, "ann"), b = write_line(w->db, NULL, "ben");
    seal_now(w);
    const struct uuid waits = write_line(w->db, NULL, "later");
    const long long last = number("SELECT MAX(number) FROM audit_seal");
    struct uuid added = uuid_new();
#define HEX(id) uuid_format_hex(&(id), (char[33]){0})
    const struct {
        const char *what;
        char *sql, *more, *wanted;
    } rows[] = {
        {"actor", mem_printf("UPDATE audit SET actor = 'bob' WHERE id = x'%s'", HEX(a)), NULL,
            mem_printf("changed %s %lld\n", uuid_s(&a), last)},
        {"detail", mem_printf("UPDATE audit SET detail = NULL WHERE id = x'%s'", HEX(a)), NULL,
            mem_printf("changed %s %lld\n", uuid_s(&a), last)},
        {"removed", mem_printf("DELETE FROM audit WHERE id = x'%s'", HEX(b)), NULL,
            mem_printf("removed %s %lld\n", uuid_s(&b), last)},
        {"removed while it waits", mem_printf("DELETE FROM audit WHERE id = x'%s'", HEX(waits)),
            NULL, mem_printf("removed %s 0\n", uuid_s(&waits))},
        {"waits no more", mem_printf("DELETE FROM audit_unsealed WHERE id = x'%s'", HEX(waits)),
            NULL, mem_printf("added %s 0\n", uuid_s(&waits))},
        {"added",
            mem_printf("INSERT INTO audit SELECT x'%s', at_ms, job, client, role, channel, actor, "
                       "event, subject, detail FROM audit WHERE id = x'%s'",
                HEX(added), HEX(a)),
            NULL, mem_printf("added %s 0\n", uuid_s(&added))},
        {"reordered",
            mem_printf("UPDATE audit t JOIN kept_audit k ON k.id = IF(t.id = x'%s', x'%s', x'%s') "
                       "SET t.at_ms = k.at_ms, t.job = k.job, t.actor = k.actor, t.subject = "
                       "k.subject WHERE t.id IN (x'%s', x'%s')",
                HEX(a), HEX(b), HEX(a), HEX(a), HEX(b)),
            NULL, mem_printf("moved %s %lld\nmoved %s %lld\n", uuid_s(&a), last, uuid_s(&b), last)},
        {"a seal's list",
            mem_printf("UPDATE audit_seal SET members = CONCAT(members, REPEAT('x', 48)) WHERE "
                       "number = 1"),
            NULL, NULL},
        {"a seal's time", mem_printf("UPDATE audit_seal SET at_ms = at_ms + 1 WHERE number = 2"),
            NULL, mem_printf("seal-changed - 2\n")},
        {"a seal's signature",
            mem_printf("UPDATE audit_seal SET signature = REVERSE(signature) WHERE number = 2"),
            NULL, mem_printf("seal-changed - 2\n")},
        {"a seal's count",
            mem_printf("UPDATE audit_seal SET entries = entries + 1 WHERE number = 2"), NULL,
            mem_printf("seal-changed - 2\n")},
        {"what people see of it",
            mem_printf("UPDATE audit_seal SET last_id = REPEAT('x', 16) WHERE number = 2"), NULL,
            mem_printf("seal-changed - 2\n")},
        {"half a line behind a seal's list",
            mem_printf("UPDATE audit_seal SET members = CONCAT(members, 'x') WHERE number = 2"),
            NULL, mem_printf("seal-changed - 2\n")},
        {"half a line of a seal's list",
            mem_printf(
                "UPDATE audit_seal SET members = LEFT(members, 40) WHERE number = %lld", last),
            NULL, NULL},
        {"a cut tail", mem_printf("DELETE FROM audit_seal WHERE number = %lld", last),
            mem_printf("DELETE FROM audit WHERE id IN (x'%s', x'%s')", HEX(a), HEX(b)),
            mem_printf("seal-cut %s %lld\n", uuid_s(&a), last)},
    };
    save();
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        administer("%s", rows[i].sql);
        if (rows[i].more)
            administer("%s", rows[i].more);
        struct found f = check();
        if (!f.report.faults)
            fail_msg("%s: nothing was found", rows[i].what);
        if (rows[i].wanted && strcmp(f.text, rows[i].wanted) != 0)
            fail_msg("%s: found\n%s, not\n%s", rows[i].what, f.text, rows[i].wanted);
        restore();
        free(rows[i].sql);
        free(rows[i].more);
        free(rows[i].wanted);
    }
    expect("");
}

/* No seal has such a number; whoever put it there does not make the check run for ever. */
static void a_number_out_of_range_is_told(void **state UNUSED)
{
    struct err err = {0};
    struct found found = {.text = ""};
    AUTO(audit_checker) keys = NULL;
    AUTO(db) db = mariadb_open(lab.server, "certq_reader", LAB_DATABASE, 3);
    must(audit_checker_load(public_file, &keys, &err), &err);
    save();
    administer("INSERT INTO audit_seal SELECT 18446744073709551615, after_number, at_ms, entries, "
               "first_id, last_id, previous, members_hash, hash, key_id, signature, members, job "
               "FROM kept_seal WHERE number = 1");
    assert_int_equal(audit_check(db, keys, seals, keep, &found, &found.report, &err), -1);
    assert_non_null(strstr(err.text, "18446744073709551615"));
    restore();
    expect("");
}

static void a_seal_taken_from_the_middle_is_found(void **state UNUSED)
{
    save();
    administer("DELETE FROM audit_seal WHERE number = 2");
    struct found f = check();
    assert_non_null(strstr(f.text, "seal-removed - 3\n"));
    assert_non_null(strstr(f.text, "added ")); /* its lines are nobody's now */
    restore();
    expect("");
}

/* Whoever can write the file, or has a key of their own, is found too. */
static void the_file_is_compared(void **state UNUSED)
{
    struct err err = {0};
    AUTO_BUF all = {0};
    must(file_read(seals, 1 << 20, &all, &err), &err);
    const char *second = strchr(buf_text(&all), '\n') + 1;
    const char *third = strchr(second, '\n') + 1;
    AUTO_TEXT lacking = mem_printf("%.*s%s", (int)(second - buf_text(&all)), buf_text(&all), third);
    must(file_write(seals, bytes_of_text(lacking), 0644, &err), &err);
    expect("file-lacks - 2\n");
    AUTO_TEXT torn = mem_printf("%s{\"seal\": 9", buf_text(&all));
    must(file_write(seals, bytes_of_text(torn), 0644, &err), &err);
    expect("file-line - 0\n");
    assert_int_equal(check().report.faults, 0);
    must(file_write(seals, buf_bytes(&all), 0644, &err), &err);
    expect("");
}

/* A database that lost what the file knows is not sealed on as if nothing had been. */
static void a_database_behind_the_file_is_not_sealed(void **state UNUSED)
{
    AUTO(worker) w = sealer();
    save();
    write_line(w->db, NULL, "lost");
    seal_now(w);
    restore();
    write_line(w->db, NULL, "after");
    struct ask a = ask_of(json_object());
    AUTO(group) g = run_jobs(w, lab.broker, KIND_AUDIT_SEAL, &a, 1);
    assert_int_equal(g->tasks[0].outcome, OUTCOME_FAILED);
    assert_non_null(
        strstr(g->tasks[0].plan.answer ? g->tasks[0].plan.answer : g->tasks[0].plan.message,
            "certq db restored"));
    /* A restore that is written down is followed by a number past what was lost. */
    struct err err = {0};
    const long long behind = number("SELECT MAX(number) FROM audit_seal");
    AUTO_TEXT detail =
        mem_printf("{\"seals\":{\"database\":%lld,\"file\":%lld}}", behind, behind + 1);
    const struct audit_line line = {.id = uuid_new(),
        .client = bytes_of_text("certq"),
        .role = bytes_of_text("operator"),
        .channel = bytes_of_text(""),
        .actor = bytes_of_text("root"),
        .event = bytes_of_text(AUDIT_RESTORED),
        .detail = bytes_of_text(detail)};
    must(db_begin(w->db, &err), &err);
    must(audit_append(w->db, &line, 1, &err), &err);
    must(db_commit(w->db, &err), &err);
    assert_int_equal(seal_now(w), 2);
    assert_int_equal(number("SELECT MAX(number) FROM audit_seal"), behind + 2);
    AUTO_TEXT wanted = mem_printf("restore - %lld\n", behind + 1);
    expect(wanted);
    assert_int_equal(check().report.faults, 0);
    write_line(w->db, NULL, "on");
    assert_int_equal(seal_now(w), 1);
    expect(wanted);
}

/* --- who may --- */

static void only_the_administrator_changes_it(void **state UNUSED)
{
    static const char *const users[] = {
        "certq_broker", "certq_worker", "certq_mail", "certq_reader"};
    static const char *const statements[] = {"UPDATE audit SET actor = ''", "DELETE FROM audit",
        "UPDATE audit_seal SET at_ms = 0", "DELETE FROM audit_seal", "TRUNCATE audit",
        "REPLACE INTO audit_seal SELECT * FROM audit_seal", "DROP TABLE audit",
        "ALTER TABLE audit DROP COLUMN detail", "UPDATE audit_unsealed SET ids = ''"};
    for (size_t u = 0; u < ARRAY_LENGTH(users); u++) {
        AUTO(db) db = mariadb_open(lab.server, users[u], LAB_DATABASE, 3);
        for (size_t i = 0; i < ARRAY_LENGTH(statements); i++) {
            struct err err = {0};
            if (db_execute(db, bytes_of_text(statements[i]), &err) == 0)
                fail_msg("%s may: %s", users[u], statements[i]);
            if (!strstr(err.text, "denied"))
                fail_msg("%s: %s: %s", users[u], statements[i], err.text);
        }
    }
}

/* D10: who it was, for whom, and what they showed. */
static void the_requester_stands_in_each_line(void **state UNUSED)
{
    AUTO(worker) w = sealer();
    AUTO_TEXT certificate = apply(w, "association", "by@example.jp");
    struct ask a = ask_of(json_of("{'certificate': '%s', 'reason': 'keyCompromise', 'by': {'role': "
                                  "'operator', 'operator': 'desk-7', 'name': '例 花子', "
                                  "'evidence': {'form': 'F-1'}}}",
        certificate));
    AUTO_TEXT answer = run_one(w, KIND_REVOKE, a, NULL, NULL);
    assert_string_equal(answer, "done");
    assert_int_equal(
        number("SELECT COUNT(*) FROM audit WHERE event LIKE 'certificate.%%' AND actor = 'desk-7' "
               "AND role = 'operator' AND client = 'web' AND JSON_VALUE(detail, '$.by.name') = "
               "'例 花子' AND JSON_VALUE(detail, '$.by.evidence.form') = 'F-1'"),
        1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_sealed),
        cmocka_unit_test(a_late_commit_is_in_the_next_seal),
        cmocka_unit_test(a_rolled_back_line_is_not_sealed),
        cmocka_unit_test(of_two_sealers_one_begins_again),
        cmocka_unit_test(tampering_is_found),
        cmocka_unit_test(a_number_out_of_range_is_told),
        cmocka_unit_test(a_seal_taken_from_the_middle_is_found),
        cmocka_unit_test(the_file_is_compared),
        cmocka_unit_test(many_lines_are_several_seals),
        cmocka_unit_test(a_database_behind_the_file_is_not_sealed),
        cmocka_unit_test(only_the_administrator_changes_it),
        cmocka_unit_test(the_requester_stands_in_each_line),
    };
    return cmocka_run_group_tests(tests, audit_start, lab_stop);
}

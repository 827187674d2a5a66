/* links: cli */
#include "cli/audit_text.h"
#include "cli/people.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_fits(const char *text)
{
    for (const char *line = text; *line;) {
        const size_t n = strcspn(line, "\n");
        const struct bytes one = {(const uint8_t *)line, n};
        if (utf8_columns(one) > 80)
            fail_msg("%zu columns: %.*s", utf8_columns(one), (int)n, line);
        for (size_t i = 0; i < n; i++)
            assert_true((uint8_t)line[i] >= 0x20);
        line += n + (line[n] == '\n');
    }
}

static struct audit_line sample(const char *actor, const char *detail)
{
    return (struct audit_line){.id = {{1}},
        .at_ms = INT64_C(1775001600000),
        .job = {{2}},
        .client = bytes_of_text("web"),
        .role = bytes_of_text("operator"),
        .channel = bytes_of_text("counter"),
        .actor = bytes_of_text(actor),
        .event = bytes_of_text("certificate.revoked"),
        .subject = {{3}},
        .detail = detail ? bytes_of_text(detail) : (struct bytes){0}};
}

static void a_line_reads_well(void **state)
{
    (void)state;
    AUTO_BUF text = {0};
    const struct audit_line line = sample("desk-1", "{\"reason\":\"superseded\"}");
    audit_line_write(&line, PEOPLE_ZONE, &text);
    assert_string_equal(buf_text(&text),
        "2026-04-01 09:00:00 JST  certificate.revoked  operator desk-1, counter, web\n"
        "  line     01000000-0000-0000-0000-000000000000\n"
        "  subject  03000000-0000-0000-0000-000000000000\n"
        "  job      02000000-0000-0000-0000-000000000000\n"
        "  {\"reason\":\"superseded\"}\n");
}

/* Whatever stands in a line: long, wide, hostile to a terminal. */
static void every_line_fits_the_screen(void **state)
{
    (void)state;
    AUTO_BUF wide = {0}, narrow = {0};
    buf_add_text(&wide, "{\"name\":\"");
    for (int i = 0; i < 300; i++) {
        buf_add_text(&wide, i % 7 ? "例" : "x");
        buf_add_text(&narrow, "abc ");
    }
    const struct audit_line rows[] = {sample("desk-1", NULL), sample(buf_text(&wide), "{}"),
        sample("\x1b[31mred\n", "\x1b]0;title\x07"), sample("", buf_text(&wide)),
        sample("\xff\xfe", buf_text(&narrow))};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_BUF text = {0};
        audit_line_write(&rows[i], PEOPLE_ZONE, &text);
        assert_fits(buf_text(&text));
        AUTO_TYPE(json, json_t) *object = audit_line_json(&rows[i]);
        assert_non_null(json_text_at(object, "event"));
    }
}

/* Nothing of a long detail is left out. */
static void a_long_detail_is_whole(void **state)
{
    (void)state;
    for (size_t n = 60; n < 260; n++) {
        AUTO_BUF detail = {0}, text = {0}, joined = {0};
        for (size_t i = 0; i < n; i++)
            buf_add_text(&detail, i % 3 ? "a" : "例");
        const struct audit_line line = sample("x", buf_text(&detail));
        audit_line_write(&line, PEOPLE_ZONE, &text);
        const char *p = strstr(buf_text(&text), "  job");
        for (p = strchr(p, '\n') + 1; *p; p += strcspn(p, "\n") + 1)
            buf_add(&joined, p + 2, strcspn(p, "\n") - 2);
        assert_string_equal(buf_text(&joined), buf_text(&detail));
    }
}

static void findings_and_reports_are_told(void **state)
{
    (void)state;
    AUTO_BUF text = {0};
    for (int i = 0; i < AUDIT_FAULTS; i++) {
        const struct audit_finding f = {.fault = (enum audit_fault)i,
            .seal = UINT32_MAX,
            .line = {{1}},
            .other = {{2}},
            .text =
                "a sentence that is as long as the longest of them, which is a little more than "
                "a screen is wide, and says 2026-04-01T00:00:00Z"};
        assert_non_null(audit_fault_name(f.fault));
        audit_finding_write(&f, &text);
        AUTO_TYPE(json, json_t) *object = audit_finding_json(&f);
        assert_int_equal(
            json_is_true(json_object_get(object, "fault")), !audit_fault_is_note(f.fault));
    }
    const struct audit_report bad = {.seals = 1, .lines = UINT64_MAX, .last_seal = 3, .faults = 2};
    audit_report_write(&bad, NULL, PEOPLE_ZONE, &text);
    assert_non_null(strstr(buf_text(&text), "NOT AS IT WAS SEALED: 2 findings\n"));
    assert_fits(buf_text(&text));
    buf_clear(&text);
    const struct audit_report good = {.notes = 1};
    audit_report_write(&good, "seals", PEOPLE_ZONE, &text);
    assert_non_null(strstr(buf_text(&text), "the audit verifies\n"));
    AUTO_TYPE(json, json_t) *object = audit_report_json(&bad, "seals");
    assert_true(json_is_false(json_object_get(object, "verified")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_reads_well),
        cmocka_unit_test(every_line_fits_the_screen),
        cmocka_unit_test(a_long_detail_is_whole),
        cmocka_unit_test(findings_and_reports_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* links: mail */
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mail/template.h"
#include "mail/template_kinds.h"
#include "mail/template_parse.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct template_kind kind = {"t", "name extra code", "name code"};

static void a_wrong_template_is_refused_by_file_line_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why; /* NULL: fine */
    } rows[] = {
        {"Subject: a\n\n{{name}}\n{{code}}\n", NULL},
        {"Subject: {{name}}\n\n{{code}}", NULL},
        {"Subject: a\n\n{{#if extra}}\n{{extra}}\n{{/if}}\n{{name}}\n{{code}}\n", NULL},
        {"", "t.txt:0: no Subject, blank line and body"},
        {"Subject: a\n", "t.txt:1: no Subject, blank line and body"},
        {"Subject: a\n\n", "no Subject, blank line and body"},
        {"\n{{name}}\n{{code}}\n", "t.txt:1: no Subject"},
        {"Subject:\n\n{{name}}\n{{code}}\n", "t.txt:1: not a header"},
        {"Subject: \n\n{{name}}\n{{code}}\n", "t.txt:1: an empty Subject"},
        {"From: a\n\n{{name}}\n{{code}}\n", "t.txt:1: not a header"},
        {"Subject: a\nBcc: x@example.jp\n\n{{name}}\n{{code}}\n", "t.txt:2: not a header"},
        {"Subject: a\nSubject: b\n\n{{name}}\n{{code}}\n", "t.txt:2: a second Subject"},
        {"Subject: a\r\n\r\n{{name}}\n{{code}}\n", "t.txt:1: a control character"},
        {"Subject: a\n\n{{name}}\xff\n{{code}}\n", "t.txt:3: a control character"},
        {"Subject: a\n\n{{name}}\xe3\x81\n{{code}}\n", "t.txt:3: a control character"},
        {"Subject: a\n\n{{nmae}}\n{{code}}\n", "t.txt:3: unknown fact: nmae"},
        {"Subject: {{nmae}}\n\n{{name}}\n{{code}}\n", "t.txt:1: unknown fact: nmae"},
        {"Subject: a\n\n{{ name }}\n{{code}}\n", "t.txt:3: unknown fact"},
        {"Subject: a\n\n{{}}\n{{code}}\n", "t.txt:3: unknown fact"},
        {"Subject: a\n\n{{name\n{{code}}\n", "t.txt:3: {{ without }}"},
        {"Subject: a\n\nname}}\n{{code}}\n", "t.txt:3: }} without {{"},
        {"Subject: a\n\n{{name}}\n{{code}}\n{{#if nmae}}\n{{/if}}\n", "t.txt:5: unknown fact"},
        {"Subject: a\n\n{{name}}\n{{code}}\n{{#if extra}}\n",
            "t.txt:5: a block without its end: {{/if}}"},
        {"Subject: a\n\n{{name}}\n{{/if}}\n{{code}}\n", "t.txt:4: closes no block that is open"},
        {"Subject: a\n\n{{#if name}}\n{{#if extra}}\n{{/if}}\n{{code}}\n",
            "t.txt:4: a block inside a block"},
        {"Subject: a\n\n{{name}}\n{{code}}\n{{#each extra}}\n{{#unless name}}\n{{/unless}}\n"
         "{{/each}}\n",
            NULL},
        {"Subject: a\n\n{{#each extra}}\n{{#each extra}}\n", "t.txt:4: a block inside a block"},
        {"Subject: a\n\n{{#if extra}}\n{{#each extra}}\n", "t.txt:4: a block inside a block"},
        {"Subject: a\n\n{{#each extra}}\n{{#if extra}}\n{{/each}}\n",
            "t.txt:5: closes no block that is open: {{/each}}"},
        {"Subject: a\n\n{{#unless extra}}\n{{/if}}\n", "t.txt:4: closes no block that is open"},
        {"Subject: a\n\n{{#each extar}}\n", "t.txt:3: unknown fact: extar"},
        {"Subject: a\n\n{{#each extra}}\n{{name}}\n{{code}}\n{{/each}}\n",
            "t.txt:5: {{code}} inside a block"},
        {"Subject: a\n\n{{name}}\n{{code}}\n{{#each extra}}\n",
            "t.txt:5: a block without its end: {{/each}}"},
        {"Subject: a\n\n{{#if extra}}x{{/if}}\n{{name}}\n{{code}}\n",
            "t.txt:3: must stand alone on its line: a {{#block}}"},
        {"Subject: a\n\nx{{#if extra}}\n{{name}}\n{{code}}\n", "t.txt:3: unknown fact"},
        {"Subject: a\n\n{{#if code}}\n{{/if}}\n{{name}}\n{{code}}\n",
            "t.txt:3: the code is no condition"},
        {"Subject: a\n\n{{name}}\n{{#if extra}}\n{{code}}\n{{/if}}\n",
            "t.txt:5: {{code}} inside a block"},
        {"Subject: a\n\n{{name}}\n{{code}}\n{{code}}\n", "t.txt:5: a second {{code}}"},
        {"Subject: a\n\n{{name}}\ncode: {{code}}\n", "t.txt:4: {{code}} must stand alone"},
        {"Subject: a\n\n{{name}}\nhttps://x.example/?c={{code}}\n", "must stand alone"},
        {"Subject: {{code}}\n\n{{name}}\n{{code}}\n", "t.txt:1: {{code}} must stand alone"},
        {"Subject: a\n\n{{code}}\n", "must use the fact: name"},
        {"Subject: a\n\n{{name}}\n", "must use the fact: code"},
        {"Subject: a\n\n{{name}}\n{{code}}\n"
         "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよ\n",
            NULL},
        {"Subject: a\n\n{{name}}\n{{code}}\n"
         "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよわ\n",
            "t.txt:5: wider than 76 columns"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct parts subject = {0}, body = {0};
        struct err err = {0};
        int result =
            template_parse(&kind, "t.txt", bytes_of_text(rows[i].text), &subject, &body, &err);
        parts_free(&subject);
        parts_free(&body);
        if (result != (rows[i].why ? -1 : 0) || (rows[i].why && !strstr(err.text, rows[i].why)))
            fail_msg("row %zu: %d %s (not: %s)", i, result, err.text,
                rows[i].why ? rows[i].why : "fine");
        assert_int_equal(err.kind, rows[i].why ? ERR_INPUT : ERR_NONE);
    }
}

/* --- the folder --- */

static struct template_set *shipped(void)
{
    struct template_set *t = NULL;
    struct err err = {0};
    if (template_set_load(CERTQ_SOURCE_DIR "/config/templates", &t, &err))
        fail_msg("%s", err.text);
    return t;
}

static void copy_file(const char *to, const char *language, const char *name)
{
    AUTO_BUF text = {0};
    struct err err = {0};
    AUTO_TEXT from = mem_printf("%s/config/templates/%s/%s", CERTQ_SOURCE_DIR, language, name);
    AUTO_TEXT path = mem_printf("%s/%s/%s", to, language, name);
    if (file_read(from, 65536, &text, &err) || file_write(path, buf_bytes(&text), 0644, &err))
        fail_msg("%s", err.text);
}

static void expect_load(const char *folder, enum err_kind expected, const char *why)
{
    AUTO(template_set) t = NULL;
    struct err err = {0};
    int result = template_set_load(folder, &t, &err);
    if (result != (expected == ERR_NONE ? 0 : -1) || err.kind != expected || !strstr(err.text, why))
        fail_msg("%d %s (not: %s)", result, err.text, why);
}

static void a_folder_must_be_complete_and_without_strangers(void **state)
{
    (void)state;
    char folder[] = "/tmp/certq-templates-XXXXXX";
    static const char *const languages[] = {"ja", "en"};
    struct err err = {0};
    assert_non_null(mkdtemp(folder));
    expect_load("/nowhere/templates", ERR_NOT_FOUND, "/nowhere/templates/ja");
    for (size_t l = 0; l < 2; l++) {
        AUTO_TEXT path = mem_printf("%s/%s", folder, languages[l]);
        assert_int_equal(mkdir(path, 0755), 0);
        for (size_t n = 0; n < TEMPLATE_KINDS; n++) {
            AUTO_TEXT name = mem_printf("%s.txt", template_kind(n)->name);
            copy_file(folder, languages[l], name);
        }
    }
    expect_load(folder, ERR_NONE, "");
    AUTO_TEXT lost = mem_printf("%s/en/certificate-issued.txt", folder);
    AUTO_TEXT stranger = mem_printf("%s/ja/certificate-isued.txt", folder);
    AUTO_TEXT wrong = mem_printf("%s/ja/certificate-code.txt", folder);
    assert_int_equal(unlink(lost), 0);
    expect_load(folder, ERR_INPUT, "en/certificate-issued.txt:1: missing");
    copy_file(folder, "en", "certificate-issued.txt");
    assert_int_equal(file_write(stranger, bytes_of_text("x"), 0644, &err), 0);
    expect_load(folder, ERR_INPUT, "certificate-isued.txt:1: not the name of a template");
    assert_int_equal(unlink(stranger), 0);
    assert_int_equal(file_write(wrong, bytes_of_text("Subject: x\n\n{{nam}}\n"), 0644, &err), 0);
    expect_load(folder, ERR_INPUT, "ja/certificate-code.txt:3: unknown fact: nam");
    AUTO_TEXT command = mem_printf("rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* --- rendering what is shipped --- */

static json_t *facts_for(const char *language, const char *kind_of_request)
{
    bool ja = !strcmp(language, "ja");
    json_t *facts = json_object();
    const char *const rows[][3] = {
        {"service", "会員向け電子認証サービス", "Example Certificate Service"},
        {"organisation", "〇〇協同組合連合会", "Example Federation"},
        {"name", "証明 太郎", "Taro Shomei"},
        {"applied_on", "2026年4月1日 09:30:00（日本時間）", "1 April 2026, 09:30:00 (Japan time)"},
        {"validity", "760日間", "760 days"},
        {"url", "https://ca.example.jp/retrieve", "https://ca.example.jp/retrieve"},
        {"common_name", "Taro Shomei", "Taro Shomei"},
        {"serial", "1f2e3d4c5b6a79880123456789abcdef01234567",
            "1f2e3d4c5b6a79880123456789abcdef01234567"},
        {"not_before", "2026年4月1日 09:00:00（日本時間）", "1 April 2026, 09:00:00 (Japan time)"},
        {"not_after", "2028年4月30日 08:59:59（日本時間）", "30 April 2028, 08:59:59 (Japan time)"},
        {"help", "〇〇ヘルプデスク 電話 00-0000-0000（平日 9時〜17時）",
            "Example help desk, +81-00-0000-0000"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        json_object_set_new(facts, rows[i][0], json_string(rows[i][ja ? 1 : 2]));
    json_object_set_new(facts, kind_of_request, json_string("yes"));
    if (!strcmp(kind_of_request, "first"))
        json_object_del(facts, "not_after");
    else
        json_object_del(facts, "validity");
    return facts;
}

static void check_layout(const char *file, const struct secret *body)
{
    const char *text = (const char *)body->data;
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        struct bytes b = {(const uint8_t *)line, n};
        if (utf8_columns(b) > TEMPLATE_COLUMNS || !utf8_is_line(b))
            fail_msg("%s: a line too wide: %.*s", file, (int)n, line);
        line += n + (line[n] != 0);
    }
    assert_null(strstr(text, "{{"));
    assert_null(strstr(text, "\n\n\n\n"));
}

static void the_shipped_mails_say_what_they_must(void **state)
{
    (void)state;
    AUTO(template_set) t = shipped();
    AUTO(secret) code = secret_new("K7QF-2M9X-TTRW-40HD", 19);
    static const struct {
        const char *language, *request, *say[8], *not_say[4];
    } rows[] = {
        {"ja", "first",
            {"証明 太郎 様\n", "会員向け電子認証サービス", "\nK7QF-2M9X-TTRW-40HD\n", "760日間",
                "再発行をお申し込みになる際にも", "発行のお申し込みについて", "ヘルプデスク",
                "日本時間"},
            {"以前の証明書コード", "失効"}},
        {"ja", "reissue",
            {"再発行のお申し込みについて、新しい証明書コード", "以前の証明書コード",
                "2028年4月30日 08:59:59（日本時間）", "再発行前の電子証明書と同じ"},
            {"日数に含みません"}},
        {"en", "first",
            {"Dear Taro Shomei,", "Example Certificate Service", "\nK7QF-2M9X-TTRW-40HD\n",
                "760 days", "if you ever ask", "you applied for", "help desk", "Japan time"},
            {"revoked", "earlier"}},
        {"en", "reissue",
            {"a reissue of your certificate", "Here is your certificate code", "earlier",
                "30 April 2028, 08:59:59 (Japan time)"},
            {"is not counted"}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *facts = facts_for(rows[i].language, rows[i].request);
        AUTO_TEXT subject = NULL;
        AUTO(secret) body = NULL;
        struct err err = {0};
        const struct template *one = template_set_find(t, rows[i].language, "certificate-code");
        json_object_set_new(facts, "not_after",
            json_string(json_object_get(facts, "not_after")
                            ? json_string_value(json_object_get(facts, "not_after"))
                            : ""));
        if (template_render(one, facts, code, &subject, &body, &err))
            fail_msg("%s", err.text);
        const char *text = (const char *)body->data;
        assert_int_equal(strlen(text), body->length);
        for (size_t k = 0; k < 8 && rows[i].say[k]; k++)
            if (!strstr(text, rows[i].say[k]))
                fail_msg("row %zu lacks %s in\n%s", i, rows[i].say[k], text);
        for (size_t k = 0; k < 4 && rows[i].not_say[k]; k++)
            if (strstr(text, rows[i].not_say[k]))
                fail_msg("row %zu has %s in\n%s", i, rows[i].not_say[k], text);
        check_layout(rows[i].language, body);
        assert_null(strstr(subject, "K7QF"));
    }
}

static void an_expiry_notice_says_how_to_go_on(void **state)
{
    (void)state;
    AUTO(template_set) t = shipped();
    static const struct {
        const char *language, *way, *say, *not_say;
    } rows[] = {
        {"ja", "apply_again", "改めて発行を", "更新の"},
        {"ja", "renew", "更新のお手続きを", "窓口"},
        {"ja", "counter", "窓口で更新", "改めて"},
        {"ja", "ends", "下記まで\n　お問い合わせ", "改めて"},
        {"en", "apply_again", "apply for a new certificate", "renew"},
        {"en", "renew", "please renew", "counter"},
        {"en", "counter", "at\n  the counter", "apply for"},
        {"en", "ends", "please contact us at the\n  address", "apply for"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        bool ja = !strcmp(rows[i].language, "ja");
        AUTO_TYPE(json, json_t) *facts = facts_for(rows[i].language, rows[i].way);
        AUTO_TEXT subject = NULL;
        AUTO(secret) body = NULL;
        struct err err = {0};
        json_object_set_new(facts, "days_left", json_string(ja ? "あと30日" : "30 days"));
        json_object_set_new(facts, "not_after", json_string("2028-04-30"));
        if (template_render(template_set_find(t, rows[i].language, "expiry-notice"), facts, NULL,
                &subject, &body, &err))
            fail_msg("%s", err.text);
        const char *text = (const char *)body->data;
        check_layout("expiry-notice", body);
        if (!strstr(text, rows[i].say) || strstr(text, rows[i].not_say))
            fail_msg("row %zu: %s", i, text);
        assert_non_null(strstr(text, "1f2e3d4c5b6a79880123456789abcdef01234567"));
        assert_non_null(strstr(text, "2028-04-30"));
        assert_non_null(strstr(text, ja ? "あと30日" : "30 days"));
        assert_non_null(strstr(text, ja ? "ヘルプデスク" : "help desk"));
        assert_null(strstr(text, ja ? "料金" : "charge"));
    }
}

static void every_shipped_mail_keeps_its_layout(void **state)
{
    (void)state;
    AUTO(template_set) t = shipped();
    AUTO(secret) code = secret_new("K7QF-2M9X-TTRW-40HD", 19);
    static const char *const languages[] = {"ja", "en"};
    static const char *const names[] = {
        "certificate-code", "certificate-issued", "certificate-revoked", "expiry-notice"};
    static const char *const flags[] = {"first", "reissue", "renewal"};
    for (size_t i = 0; i < 24; i++) {
        const char *language = languages[i % 2];
        AUTO_TYPE(json, json_t) *facts = facts_for(language, flags[i / 8]);
        const struct template *one = template_set_find(t, language, names[i / 2 % 4]);
        json_object_set_new(facts, "revoked_on", json_string("2026年4月15日 10:00:00（日本時間）"));
        json_object_set_new(facts, "not_after", json_string("2028-04-30"));
        json_object_set_new(facts, "revokes", json_string("yes"));
        json_object_set_new(facts, "keep_code", json_string("yes"));
        json_object_set_new(facts, "revoked_serial", json_string("0123456789abcdef"));
        json_object_set_new(facts, "revoke_at", json_string("2026-04-15"));
        json_object_set_new(facts, "days_left", json_string("あと30日"));
        json_object_set_new(facts, "apply_again", json_string("yes"));
        json_object_set_new(facts, "charged", json_string("yes"));
        AUTO_TEXT subject = NULL;
        AUTO(secret) body = NULL;
        struct err err = {0};
        if (template_render(
                one, facts, template_has_code(one) ? code : NULL, &subject, &body, &err))
            fail_msg("%s", err.text);
        check_layout(names[i / 2 % 4], body);
        assert_true(utf8_is_line(bytes_of_text(subject)));
    }
    assert_null(template_set_find(t, "fr", "certificate-code"));
    assert_null(template_set_find(t, "ja", "certificate"));
}

static void a_bad_fact_is_named(void **state)
{
    (void)state;
    AUTO(template_set) t = shipped();
    AUTO(secret) code = secret_new("ABCD", 4);
    AUTO(secret) bad_code = secret_new("AB\nCD", 5);
    const struct template *with = template_set_find(t, "en", "certificate-code");
    const struct template *without = template_set_find(t, "en", "certificate-issued");
    const struct {
        const struct template *template;
        const struct secret *code;
        const char *fact;
        json_t *value; /* NULL: deleted */
        const char *why;
    } rows[] = {
        {with, NULL, "name", json_string("x"), "certificate-code.txt: needs a code"},
        {without, code, "name", json_string("x"), "has no place for a code"},
        {with, bad_code, "name", json_string("x"), "the code is not one line"},
        {with, code, "help", NULL, "the fact help is missing"},
        {with, code, "help", json_string(""), "the fact help is missing"},
        {with, code, "help", json_integer(3), "the fact help is missing"},
        {with, code, "help", json_string("a\nBcc: b"), "the fact help is not one line"},
        {with, code, "service", json_string("a\x01"), "the fact service is not one line"},
        {with, code, "help", json_stringn("a\0b", 3), "the fact help is not one line"},
        {without, NULL, "serial", NULL, "the fact serial is missing"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *facts = facts_for("en", "reissue");
        AUTO_TEXT subject = NULL;
        AUTO(secret) body = NULL;
        struct err err = {0};
        if (rows[i].value)
            json_object_set_new(facts, rows[i].fact, rows[i].value);
        else
            json_object_del(facts, rows[i].fact);
        int result = template_render(rows[i].template, facts, rows[i].code, &subject, &body, &err);
        if (!result || err.kind != ERR_INPUT || !strstr(err.text, rows[i].why))
            fail_msg("row %zu: %d %s", i, result, err.text);
        assert_null(subject);
        assert_null(body);
    }
}

/* A value that looks like a place is text; the code appears nowhere but in its place. */
static void values_are_not_templates(void **state)
{
    (void)state;
    AUTO(template_set) t = shipped();
    AUTO(secret) code = secret_new("ABCD-EFGH", 9);
    AUTO_TYPE(json, json_t) *facts = facts_for("en", "first");
    AUTO_TEXT subject = NULL;
    AUTO(secret) body = NULL;
    struct err err = {0};
    json_object_set_new(facts, "name", json_string("{{code}} {{service}}"));
    json_object_set_new(facts, "code", json_string("never shown"));
    assert_int_equal(template_render(template_set_find(t, "en", "certificate-code"), facts, code,
                         &subject, &body, &err),
        0);
    const char *text = (const char *)body->data;
    assert_non_null(strstr(text, "Dear {{code}} {{service}},"));
    assert_null(strstr(text, "never shown"));
    const char *at = strstr(text, "ABCD-EFGH");
    assert_non_null(at);
    assert_null(strstr(at + 1, "ABCD-EFGH"));
}

static void dates_are_for_people(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        int offset;
        const char *language, *text;
    } rows[] = {
        {1156377599999, 540, "ja", "2006年8月24日 08:59:59（日本時間）"},
        {1156377599999, 540, "en", "24 August 2006, 08:59:59 (Japan time)"},
        {1156377599999, 0, "ja", "2006年8月23日 23:59:59（協定世界時）"},
        {1156377599999, 0, "en", "23 August 2006, 23:59:59 (UTC)"},
        {1775055599000, 540, "ja", "2026年4月1日 23:59:59（日本時間）"},
        {1775055600000, 540, "ja", "2026年4月2日 00:00:00（日本時間）"},
        {0, -210, "en", "31 December 1969, 20:30:00 (UTC-03:30)"},
        {253402300799000, 540, "en", "1 January 10000, 08:59:59 (Japan time)"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[TEMPLATE_DATE_TEXT];
        template_date(rows[i].ms, rows[i].offset, rows[i].language, text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_template_is_refused_by_file_line_and_reason),
        cmocka_unit_test(a_folder_must_be_complete_and_without_strangers),
        cmocka_unit_test(the_shipped_mails_say_what_they_must),
        cmocka_unit_test(an_expiry_notice_says_how_to_go_on),
        cmocka_unit_test(every_shipped_mail_keeps_its_layout),
        cmocka_unit_test(a_bad_fact_is_named),
        cmocka_unit_test(values_are_not_templates),
        cmocka_unit_test(dates_are_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

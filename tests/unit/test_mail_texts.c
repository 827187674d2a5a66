/* links: mail lifecycle config */
/* Every text that is sent or handed over says what it must, with all facts and the fewest (X9). */
#include "mail_letter.h"

/* --- words of the lists --- */

static char *word_at(const char **list)
{
    *list += strspn(*list, " ");
    size_t n = strcspn(*list, " ");
    char *word = n ? mem_text_n(*list, n) : NULL;
    *list += n;
    return word;
}

static bool has_word(const char *list, const char *wanted)
{
    for (;;) {
        AUTO_TEXT word = word_at(&list);
        if (!word)
            return false;
        if (strcmp(word, wanted) == 0)
            return true;
    }
}

static bool is_list(const char *fact)
{
    static const char *const lists = "certificates changes records issues revocations files";
    return has_word(lists, fact);
}

static bool is_date(const char *fact)
{
    static const char *const dates = "applied_on not_before not_after completed_on revoked_on "
                                     "revoke_at old_revoked_on old_revoke_at old_not_after date "
                                     "new_not_after reset_on locked_on issued_on this_update "
                                     "next_update due_on";
    return has_word(dates, fact);
}

/* --- facts made up --- */

static json_t *value_of(const char *fact, bool ja)
{
    if (is_date(fact))
        return json_string(
            ja ? "2028年4月30日 08:59:59（日本時間）" : "30 April 2028, 08:59:59 (Japan time)");
    if (strstr(fact, "serial"))
        return json_string("1f2e3d4c5b6a79880123456789abcdef01234567");
    AUTO_TEXT text = mem_printf("<%s>", fact);
    return json_string(text);
}

/* Those of `names`, all or, with `must`, these alone; each list gets two items of everything. */
static json_t *facts_of(const struct template_kind *kind, const char *language, const char *names)
{
    const bool ja = strcmp(language, "ja") == 0;
    json_t *facts = json_object();
    for (const char *list = names;;) {
        AUTO_TEXT name = word_at(&list);
        if (!name)
            break;
        if (!is_list(name) && strcmp(name, "code") != 0)
            json_object_set_new(facts, name, value_of(name, ja));
    }
    for (const char *list = kind->facts;;) {
        AUTO_TEXT name = word_at(&list);
        if (!name)
            break;
        if (is_list(name) && has_word(names, name))
            json_object_set_new(
                facts, name, json_pack("[o, o]", json_deep_copy(facts), json_deep_copy(facts)));
    }
    return facts;
}

/* --- what each says --- */

static bool is_document(const char *name)
{
    return strncmp(name, "document-", 9) == 0;
}

/* Whatever else it says: service, whom to ask, no password, and that nobody asks for one. */
static void check_text(const char *name, const char *language, const char *text, const char *where)
{
    const bool ja = strcmp(language, "ja") == 0;
    check_lines(text, TEMPLATE_COLUMNS, where);
    must_say(text, "<service>", where);
    must_say(text, "<help>", where);
    if (is_document(name)) {
        must_say(text, "<number>", where);
        return;
    }
    must_say(text, ja ? "お尋ねすることはございません" : "We never ask for your", where);
    must_say(text, ja ? "様\n" : "Dear ", where);
    const char *at = strstr(text, "K7QF-2M9X-TTRW-40HD");
    if (strcmp(name, "certificate-code") != 0)
        assert_null(at);
    else if (!at || at[-1] != '\n' || at[19] != '\n' || strstr(at + 1, "K7QF"))
        fail_msg("%s: the code must stand alone, once:\n%s", where, text);
}

static bool has_list(const struct template_kind *kind)
{
    for (const char *list = kind->facts;;) {
        AUTO_TEXT name = word_at(&list);
        if (!name || is_list(name))
            return name != NULL;
    }
}

static void check_kind(const struct template_kind *kind, const char *language, const char *names)
{
    struct err err = {0};
    AUTO_TEXT where = mem_printf("%s/%s with %s", language, kind->name, names);
    AUTO_TYPE(json, json_t) *facts = facts_of(kind, language, names);
    AUTO_TEXT text = render(language, kind->name, facts, &err);
    if (!text)
        fail_msg("%s: %s", where, err.text);
    check_text(kind->name, language, text, where);
    const bool ja = strcmp(language, "ja") == 0;
    bool has_date = false;
    for (const char *list = names;;) {
        AUTO_TEXT name = word_at(&list);
        if (!name)
            break;
        has_date |= is_date(name);
        if (strcmp(name, "serial") == 0 && (!has_list(kind) || names == kind->facts))
            must_say(text, "1f2e3d4c5b6a79880123456789abcdef01234567", where);
        if (has_word(" common_name reference note about name reason ", name)) {
            AUTO_TEXT value = mem_printf("<%s>", name);
            must_say(text, value, where);
        }
    }
    if (has_date)
        must_say(text, ja ? "日本時間" : "Japan time", where);
}

/* What a template must have a place for need not be there each time, but for these. */
static char *fewest(const struct template_kind *kind)
{
    static const char *const kept = "service help number date applied_on reference serial "
                                    "not_after revoked_on revoke_at completed_on reset_on "
                                    "locked_on days_left reason disclosure code";
    AUTO_BUF names = {0};
    for (const char *list = kind->must;;) {
        AUTO_TEXT name = word_at(&list);
        if (!name)
            break;
        if (has_word(kept, name))
            buf_printf(&names, "%s ", name);
    }
    if (strcmp(kind->name, "certificate-code") == 0)
        buf_add_text(&names, "first applied_on serial");
    return buf_take_text(&names);
}

static void every_text_with_all_facts_and_with_the_fewest(void **state UNUSED)
{
    for (size_t k = 0; k < TEMPLATE_KINDS; k++)
        for (size_t l = 0; l < ARRAY_LENGTH(languages); l++) {
            const struct template_kind *kind = template_kind(k);
            AUTO_TEXT few = fewest(kind);
            check_kind(kind, languages[l], kind->facts);
            check_kind(kind, languages[l], few);
        }
}

/* Each fact a text may use has a place in it: a list that outgrows its texts helps nobody. */
static void every_fact_has_its_place(void **state UNUSED)
{
    for (size_t k = 0; k < TEMPLATE_KINDS; k++)
        for (size_t l = 0; l < ARRAY_LENGTH(languages); l++) {
            const struct template_kind *kind = template_kind(k);
            AUTO_TEXT path = mem_printf(
                "%s/config/templates/%s/%s.txt", CERTQ_SOURCE_DIR, languages[l], kind->name);
            AUTO_BUF text = {0};
            struct err err = {0};
            assert_int_equal(file_read(path, 65536, &text, &err), 0);
            for (const char *list = kind->facts;;) {
                AUTO_TEXT name = word_at(&list);
                if (!name)
                    break;
                AUTO_TEXT plain = mem_printf("{{%s}}", name);
                AUTO_TEXT tail = mem_printf(" %s}}", name);
                if (!strstr(buf_text(&text), plain) && !strstr(buf_text(&text), tail))
                    fail_msg("%s has no place for %s", path, name);
            }
        }
}

/* --- the documentation --- */

static void the_document_names_every_text_and_fact(void **state UNUSED)
{
    AUTO_BUF text = {0};
    struct err err = {0};
    assert_int_equal(file_read(CERTQ_SOURCE_DIR "/docs/templates.md", 1 << 20, &text, &err), 0);
    AUTO_BUF all = {0};
    for (size_t k = 0; k < TEMPLATE_KINDS; k++) {
        AUTO_TEXT row = mem_printf("\n| `%s` |", template_kind(k)->name);
        must_say(buf_text(&text), row, "docs/templates.md");
        buf_printf(&all, "%s ", template_kind(k)->facts);
    }
    const char *facts = strstr(buf_text(&text), "\n## Facts\n");
    assert_non_null(facts);
    for (const char *list = buf_text(&all);;) {
        AUTO_TEXT name = word_at(&list);
        if (!name)
            break;
        AUTO_TEXT quoted = mem_printf("`%s`", name);
        must_say(facts, quoted, "docs/templates.md, Facts");
    }
    for (const char *p = strstr(facts, "\n| `"); p; p = strstr(p + 1, "\n| `")) {
        AUTO_TEXT cell = mem_text_n(p + 3, (size_t)(strstr(p + 3, " |") - p - 3));
        for (char *rest = cell, *word; (word = strtok_r(rest, "`, ", &rest));)
            if (!has_word(buf_text(&all), word))
                fail_msg("docs/templates.md tells of a fact nobody uses: %s", word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_with_all_facts_and_with_the_fewest),
        cmocka_unit_test(every_fact_has_its_place),
        cmocka_unit_test(the_document_names_every_text_and_fact),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* links: mail lifecycle config */
/*
 * Every text that is sent or handed over: that there is one for each occasion and language, that it
 * says what it must with all facts and with the fewest, and that the facts decisions give are
 * enough for it (A3, A10, C2, C5, C8, D2, D7, X9).
 */
#include "decide_fixture.h"

#include "base/utf8.h"
#include "lifecycle/decide_document.h"
#include "lifecycle/decide_succession.h"
#include "lifecycle/mail_facts.h"
#include "mail/template.h"
#include "mail/template_kinds.h"

static const char *const languages[] = {"ja", "en"};
static struct template_set *texts;
static struct secret *code;

static int start(void **state UNUSED)
{
    struct err err = {0};
    code = secret_new("K7QF-2M9X-TTRW-40HD", 19);
    return template_set_load(CERTQ_SOURCE_DIR "/config/templates", &texts, &err);
}

static int stop(void **state UNUSED)
{
    secret_free(code);
    template_set_free(texts);
    return 0;
}

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

/* --- rendering --- */

static char *render(const char *language, const char *name, const json_t *facts, struct err *err)
{
    const struct template *t = template_set_find(texts, language, name);
    AUTO_TEXT subject = NULL;
    AUTO(secret) body = NULL;
    if (!t)
        fail_msg("no template %s/%s", language, name);
    if (template_render(t, facts, template_has_code(t) ? code : NULL, &subject, &body, err))
        return NULL;
    return mem_printf("%s\n\n%s", subject, (const char *)body->data);
}

static void must_say(const char *text, const char *what, const char *where)
{
    if (!strstr(text, what))
        fail_msg("%s lacks \"%s\":\n%s", where, what, text);
}

static void must_not_say(const char *text, const char *what, const char *where)
{
    if (strstr(text, what))
        fail_msg("%s says \"%s\":\n%s", where, what, text);
}

static void check_lines(const char *text, int columns, const char *where)
{
    for (const char *line = text; *line;) {
        const size_t n = strcspn(line, "\n");
        const struct bytes b = {(const uint8_t *)line, n};
        if ((int)utf8_columns(b) > columns || !utf8_is_line(b))
            fail_msg("%s: too wide, or no line: %.*s", where, (int)n, line);
        if (strstr(line, "http") == line && memmem(line, n, "K7QF", 4))
            fail_msg("%s: a code in a link", where);
        line += n + (line[n] != 0);
    }
    must_not_say(text, "{{", where);
    must_not_say(text, "\n\n\n", where);
    must_not_say(text, "null", where);
}

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

/* --- what decisions give --- */

static void every_occasion_has_a_text(void **state UNUSED)
{
    for (int i = 0; i < POLICY_MAIL_EVENTS; i++)
        for (size_t l = 0; l < ARRAY_LENGTH(languages); l++) {
            const struct mail_order o = {.event = (enum policy_mail)i};
            const char *name = mail_template(&o);
            if (!name || !template_set_find(texts, languages[l], name))
                fail_msg("%s has no text in %s", policy_word(mail, i), languages[l]);
        }
}

static const char *const kinds_of_application[] = {
    "issue", "reissue", "renew", "change", "withdraw", "revoke"};

/* One mail rendered from what a decision knows. */
static char *letter(struct world *w, const struct mail_order *o, enum policy_party party,
    enum policy_when when, enum policy_language language)
{
    const struct decision d = {.job = w->job, .now_ms = w->now_ms, .ports = &w->ports};
    const struct policy_recipient to = {party, when};
    struct err err = {0};
    AUTO_TYPE(json, json_t) *facts = mail_facts(&d, o, &to, language);
    json_object_set_new(facts, "help", json_string("<help>"));
    char *text = render(policy_word(language, language), mail_template(o), facts, &err);
    if (!text)
        fail_msg("%s to %s about %s: %s", policy_word(mail, o->event), policy_word(party, party),
            o->application ? o->application->kind : "nothing", err.text);
    AUTO_BUF json = {0};
    json_write(facts, &json);
    assert_null(strstr(buf_text(&json), "scrypt"));
    return text;
}

/* Taro's certificate, valid, and a second one that replaces it, in state `next`. */
static struct aggregate *two(struct world *w, enum certificate_state next)
{
    struct aggregate *a = apply(w, "association");
    struct certificate *old = a->certificates[0];
    old->state = CERTIFICATE_VALID;
    old->not_before_ms = old->issued_ms = w->now_ms;
    old->not_after_ms = at("2028-04-30T23:59:59Z");
    struct certificate *c = aggregate_add_certificate(a);
    const struct uuid id = w->ports.draw_id(w), application = w->ports.draw_id(w);
    *c = *old;
    c->id = id;
    c->der = (struct buf){0};
    c->subject = NULL;
    c->application = application;
    c->state = next;
    c->predecessor = old->id;
    c->serial[0]++;
    struct application *row = aggregate_add_application(a);
    *row = (struct application){
        .id = application, .certificate = id, .state = APPLICATION_APPROVED, .created_ms = 1};
    snprintf(row->kind, sizeof row->kind, "reissue");
    return a;
}

static void what_decisions_know_is_enough_for_every_text(void **state)
{
    struct world *w = *state;
    AUTO(aggregate) a = two(w, CERTIFICATE_VALID);
    AUTO_TYPE(json, json_t) *changed =
        json_of("{'email': 'x', 'contacts.technical.email': 'y', 'attributes.floor': '3'}");
    struct person person = {0};
    assert_int_equal(person_of_rows(a, a->applications[0], &person, &w->err), 0);
    for (int event = 0; event < POLICY_MAIL_EVENTS; event++)
        for (size_t kind = 0; event != MAIL_EXPIRY && kind < ARRAY_LENGTH(kinds_of_application);
             kind++)
            for (int which = 0; which < 12; which++) {
                struct certificate *c = a->certificates[which % 2];
                struct mail_order o = {.event = (enum policy_mail)event,
                    .policy = policy_set_find(w->set, "association"),
                    .aggregate = a,
                    .application = a->applications[1],
                    .certificate = c,
                    .person = &person,
                    .changed = changed,
                    .effect = which % 3 == 0 ? EFFECT_REISSUE : EFFECT_NEW_APPLICATION,
                    .note = which % 4 < 2 ? "書類に不備がございます。" : NULL};
                snprintf(a->applications[1]->kind, MODEL_WORD, "%s", kinds_of_application[kind]);
                a->subscriber.locked_ms = w->now_ms;
                c->revoked_ms = event == MAIL_REVOKED ? w->now_ms : 0;
                if (event == MAIL_DEFERRED_DUE) {
                    text_set(&a->applications[1]->request,
                        "{\"reissue\": {\"timing\": \"deferred\", \"crl\": 4, \"revoke_ms\": "
                        "1780000000000}}");
                    snprintf(a->applications[1]->kind, MODEL_WORD, "reissue");
                }
                AUTO_TEXT text = letter(w, &o,
                    which / 2 % 2 ? PARTY_SUBSCRIBER : PARTY_ORGANISATION,
                    which / 4 % 2 ? WHEN_OLD : WHEN_CURRENT, which / 6 ? LANGUAGE_JA : LANGUAGE_EN);
                check_lines(text, 200, policy_word(mail, event)); /* real values are longer */
            }
    person_clear(&person);
}

/* "Apply again" only where nothing takes its place. */
static void a_revocation_tells_how_to_go_on(void **state UNUSED)
{
    static const struct {
        enum certificate_state next;
        bool is_withdrawn;
        const char *say, *not_say;
    } rows[] = {
        {CERTIFICATE_VALID, false, "引き続き、こちらの電子証明書を", "改めて"},
        {CERTIFICATE_AWAITING_RETRIEVAL, false, "別途お送りする証明書コードで", "改めて"},
        {CERTIFICATE_AWAITING_APPROVAL, false, "審査を進めております", "改めて"},
        {CERTIFICATE_CANCELLED, false, "改めてお申し込み", "こちらの電子証明書"},
        {CERTIFICATE_REVOKED, false, "改めてお申し込み", "こちらの電子証明書"},
        {CERTIFICATE_CANCELLED, true, "取り消すことはできません", "改めて"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world w;
        world_init(&w);
        AUTO(aggregate) a = two(&w, rows[i].next);
        struct person person = {0};
        assert_int_equal(person_of_rows(a, a->applications[0], &person, &w.err), 0);
        a->subscriber.is_withdrawn = rows[i].is_withdrawn;
        certificate_revoke(a->certificates[0], REASON_KEY_COMPROMISE, w.now_ms, &w.job);
        const struct mail_order o = {.event = MAIL_REVOKED,
            .policy = policy_set_find(w.set, "association"),
            .aggregate = a,
            .application = a->applications[0],
            .certificate = a->certificates[0],
            .person = &person};
        AUTO_TEXT text = letter(&w, &o, PARTY_SUBSCRIBER, WHEN_CURRENT, LANGUAGE_JA);
        must_say(text, rows[i].say, "certificate-revoked");
        must_not_say(text, rows[i].not_say, "certificate-revoked");
        must_say(text, "秘密鍵の漏えい", "certificate-revoked");
        must_say(text, "40404040404040404040404040404001", "certificate-revoked");
        person_clear(&person);
        world_clear(&w);
    }
}

/* B4, C5: at once, on a date, or not at all. */
static void a_reissue_tells_what_becomes_of_the_old_one(void **state UNUSED)
{
    static const struct {
        const char *terms;
        bool is_revoked;
        const char *say, *not_say;
    } rows[] = {
        {"{'timing': 'immediate', 'crl': 4, 'revokes': '%s'}", true, "すでに失効しており",
            "満了まで、引き続き"},
        {"{'timing': 'deferred', 'crl': 4, 'revoke_ms': 1776298800000, 'revokes': '%s'}", false,
            "2026-04-16T09:20:00+09:00", "すでに失効"},
        {"{'timing': 'keep', 'crl': 4, 'revokes': '%s'}", false, "満了まで、引き続き",
            "すでに失効"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world w;
        world_init(&w);
        AUTO(aggregate) a = two(&w, CERTIFICATE_VALID);
        struct person person = {0};
        assert_int_equal(person_of_rows(a, a->applications[0], &person, &w.err), 0);
        AUTO_TEXT terms = mem_text(rows[i].terms);
        char filled[512];
        snprintf(filled, sizeof filled, "{'reissue': %s}", terms);
        AUTO_BUF text_of_terms = {0};
        for (const char *p = filled; *p; p++)
            if (strncmp(p, "%s", 2) == 0) {
                buf_add_text(&text_of_terms, uuid_s(&a->certificates[0]->id));
                p++;
            } else {
                buf_add_char(&text_of_terms, *p == '\'' ? '"' : *p);
            }
        text_set(&a->applications[1]->request, buf_text(&text_of_terms));
        if (rows[i].is_revoked)
            certificate_revoke(a->certificates[0], REASON_SUPERSEDED, w.now_ms, &w.job);
        const struct mail_order o = {.event = MAIL_ISSUED,
            .policy = policy_set_find(w.set, "association"),
            .aggregate = a,
            .application = a->applications[1],
            .certificate = a->certificates[1],
            .person = &person};
        AUTO_TEXT text = letter(&w, &o, PARTY_SUBSCRIBER, WHEN_CURRENT, LANGUAGE_JA);
        must_say(text, "再発行完了", "certificate-reissued");
        must_say(text, rows[i].say, "certificate-reissued");
        must_not_say(text, rows[i].not_say, "certificate-reissued");
        must_say(text, "40404040404040404040404040404001", "certificate-reissued");
        person_clear(&person);
        world_clear(&w);
    }
}

/* A10: to the organisation; nothing to who has died. */
static void nothing_goes_to_the_deceased(void **state)
{
    struct world *w = *state;
    add_product(w->set, "made.yaml",
        "product: grieving\nextends: association\nmails: {withdrawn: [subscriber, organisation], "
        "request-received: [subscriber, organisation]}\n");
    AUTO(aggregate) a = apply(w, "association");
    AUTO_TYPE(json, json_t) *profile = json_loads(a->subscriber.profile, 0, NULL);
    json_put(profile, "organisation.email", json_string("office@example.jp"));
    struct person person = person_of_args(&a->subscriber.id, profile, NULL);
    for (int spares = 0; spares < 2; spares++) {
        const struct decision d = decision(w);
        const struct mail_order o = {.event = MAIL_WITHDRAWN,
            .policy = w->set->items[w->set->count - 1],
            .aggregate = a,
            .application = a->applications[0],
            .person = &person,
            .spares_subscriber = spares};
        mail_plan(&d, &o, &w->plan);
        assert_int_equal(w->plan.followup_count, 2 - spares);
        const json_t *last = w->plan.followups[1 - spares].args;
        assert_string_equal(json_text_at(last, "recipient"), "office@example.jp");
        assert_string_equal(json_text_at(last, "facts.about"), "山田 太郎");
        assert_string_equal(json_text_at(last, "facts.organisation"), "例示株式会社");
        assert_null(json_text_at(last, "facts.name"));
    }
    person_clear(&person);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_with_all_facts_and_with_the_fewest),
        cmocka_unit_test(every_fact_has_its_place),
        cmocka_unit_test(the_document_names_every_text_and_fact),
        cmocka_unit_test(every_occasion_has_a_text),
        IN_WORLD(what_decisions_know_is_enough_for_every_text),
        cmocka_unit_test(a_revocation_tells_how_to_go_on),
        cmocka_unit_test(a_reissue_tells_what_becomes_of_the_old_one),
        IN_WORLD(nothing_goes_to_the_deceased),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

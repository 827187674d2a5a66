/* links: mail lifecycle config */
/* What decisions know is enough for the text of each occasion (A3, A10, B4, C2, C5, C8, D2, D7). */
#include "mail_letter.h"

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
        cmocka_unit_test(every_occasion_has_a_text),
        IN_WORLD(what_decisions_know_is_enough_for_every_text),
        cmocka_unit_test(a_revocation_tells_how_to_go_on),
        cmocka_unit_test(a_reissue_tells_what_becomes_of_the_old_one),
        IN_WORLD(nothing_goes_to_the_deceased),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

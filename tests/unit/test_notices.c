/* links: lifecycle config */
/* Expiry notices: which threshold, to whom, and what is on the screen (A2, C9, E2, E3, X3, X8). */
#include "decide_fixture.h"

#include "lifecycle/notice.h"

static struct policy *web_ev;

static int set_up(void **state)
{
    struct world *w = MEM_NEW(struct world);
    struct err err = {0};
    world_init(w);
    if (policy_load_file(CERTQ_SOURCE_DIR "/config/products/web-ev.yaml", &web_ev, &err))
        fail_msg("%s", err.text);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    world_clear(*state);
    policy_free(web_ev);
    free(*state);
    return 0;
}

static const struct policy *product(struct world *w, const char *name)
{
    return strcmp(name, "web-ev") == 0 ? web_ev : policy_set_find(w->set, name);
}

/* --- which threshold --- */

/* The threshold of the one band an end is in; 0: none. */
static int threshold_of(const struct policy *policy, const char *now, const char *end)
{
    struct notice_band bands[POLICY_LIST_MOST];
    size_t n = notice_bands(policy, at(now), bands);
    int found = 0;
    for (size_t i = 0; i < n; i++)
        if (at(end) >= bands[i].from_ms && at(end) < bands[i].until_ms) {
            assert_int_equal(found, 0); /* bands do not overlap */
            found = bands[i].days;
        }
    return found;
}

static void the_nearest_threshold_is_due(void **state)
{
    static const struct {
        const char *product, *now, *end;
        int threshold;
    } rows[] = {
        /* A2: 30 days before; the end is 08:59:59 in Japan. */
        {"association", "2028-07-23T14:59:59Z", "2028-08-22T23:59:59Z", 0},  /* 31 days, 23:59:59 */
        {"association", "2028-07-23T15:00:00Z", "2028-08-22T23:59:59Z", 30}, /* midnight in Japan */
        {"association", "2028-08-22T23:59:59Z", "2028-08-22T23:59:59Z", 30}, /* its last second */
        {"association", "2028-08-22T23:59:59.999Z", "2028-08-22T23:59:59Z", 30},
        {"association", "2028-08-23T00:00:00Z", "2028-08-22T23:59:59Z", 0}, /* expired */
        /* E2: 30 and 10; the end is 23:59:59 in Japan, 14:59:59Z (X8). */
        {"online-banking", "2027-03-01T14:59:59Z", "2027-04-01T14:59:59Z", 0},
        {"online-banking", "2027-03-01T15:00:00Z", "2027-04-01T14:59:59Z", 30},
        {"online-banking", "2027-03-21T14:59:59Z", "2027-04-01T14:59:59Z", 30}, /* 11 left */
        {"online-banking", "2027-03-21T15:00:00Z", "2027-04-01T14:59:59Z", 10},
        {"online-banking", "2027-03-31T15:00:00Z", "2027-04-01T14:59:59Z", 10}, /* its last day */
        {"online-banking", "2027-04-01T14:59:59Z", "2027-04-01T14:59:59Z", 10},
        {"online-banking", "2027-04-01T15:00:00Z", "2027-04-01T14:59:59Z", 0},
        /* The end at 00:00:00 in Japan is a day later than one second before. */
        {"online-banking", "2027-03-01T15:00:00Z", "2027-04-01T15:00:00Z", 0},
        {"online-banking", "2027-03-02T15:00:00Z", "2027-04-01T15:00:00Z", 30},
        /* C9: 90, 60, 30, 10. */
        {"web-ev", "2026-12-31T15:00:00Z", "2027-04-01T14:59:59Z", 90},
        {"web-ev", "2026-12-31T14:59:59Z", "2027-04-01T14:59:59Z", 0},
        {"web-ev", "2027-01-29T15:00:00Z", "2027-04-01T14:59:59Z", 90}, /* 61 */
        {"web-ev", "2027-01-30T15:00:00Z", "2027-04-01T14:59:59Z", 60},
        {"web-ev", "2027-03-10T00:00:00Z", "2027-04-01T14:59:59Z", 30},
        {"web-ev", "2027-03-30T00:00:00Z", "2027-04-01T14:59:59Z", 10},
        /* A leap day in between. */
        {"online-banking", "2028-02-01T15:00:00Z", "2028-03-03T14:59:59Z", 30},
        {"online-banking", "2028-02-01T14:59:59Z", "2028-03-03T14:59:59Z", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int got = threshold_of(product(*state, rows[i].product), rows[i].now, rows[i].end);
        if (got != rows[i].threshold)
            fail_msg("row %zu: %d, not %d", i, got, rows[i].threshold);
    }
}

static void a_product_without_recipients_has_no_bands(void **state)
{
    struct world *w = *state;
    struct notice_band bands[POLICY_LIST_MOST];
    struct policy copy = *product(w, "association");
    copy.mails[MAIL_EXPIRY].count = 0;
    assert_int_equal(notice_bands(&copy, w->now_ms, bands), 0);
}

/* --- to whom, and why not --- */

/* "30 taro@example.jp; 10 x skipped renewed" */
static char *decided(const struct notice_facts *f, int days)
{
    struct notice list[NOTICES_MOST];
    AUTO_BUF text = {0};
    size_t n = notice_decide(f, days, list);
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s%d %s%s%s", i ? "; " : "", list[i].days, list[i].recipient,
            list[i].reason == NOTICE_WANTED ? "" : " ", notice_reason_word(list[i].reason));
    return buf_take_text(&text);
}

#define PROFILE "{'email': 'Taro@example.jp', 'organisation': {'email': 'office@example.jp'}}"
#define CONTACTS "{'registered': {'email': 'r@example.jp'}, 'technical': {'email': 't@example.jp'}}"

static void each_recipient_is_told_once(void **state)
{
    static const struct {
        const char *product, *profile, *contacts;
        int days, noticed;
        bool is_revoked, is_renewed, is_withdrawn;
        const char *expected;
    } rows[] = {
        {"association", PROFILE, NULL, 30, NOTICE_NONE_YET, 0, 0, 0, "30 Taro@example.jp"},
        /* X3: at most one a threshold. */
        {"association", PROFILE, NULL, 30, 30, 0, 0, 0, ""},
        {"online-banking", PROFILE, NULL, 10, 10, 0, 0, 0, ""},
        {"online-banking", PROFILE, NULL, 30, 10, 0, 0, 0, ""}, /* scanned as of an earlier day */
        {"online-banking", PROFILE, NULL, 10, 30, 0, 0, 0, "10 Taro@example.jp"},
        /* X3: 30 and 10 both due: the nearer goes out, the other is written down. */
        {"online-banking", PROFILE, NULL, 10, NOTICE_NONE_YET, 0, 0, 0,
            "30 Taro@example.jp nearer; 10 Taro@example.jp"},
        {"association", PROFILE, NULL, 30, NOTICE_NONE_YET, 1, 0, 0, "30 Taro@example.jp revoked"},
        {"association", PROFILE, NULL, 30, NOTICE_NONE_YET, 0, 1, 0, "30 Taro@example.jp renewed"},
        {"association", PROFILE, NULL, 30, NOTICE_NONE_YET, 1, 1, 1, "30 Taro@example.jp revoked"},
        {"association", PROFILE, NULL, 30, NOTICE_NONE_YET, 0, 0, 1,
            "30 Taro@example.jp withdrawn"},
        {"association", "{'user_id': 'x'}", NULL, 30, NOTICE_NONE_YET, 0, 0, 0,
            "30 subscriber no-address"},
        {"association", "{'email': ''}", NULL, 30, NOTICE_NONE_YET, 0, 0, 0,
            "30 subscriber no-address"},
        /* C9: registered and technical, by their own wish. */
        {"web-ev", PROFILE, CONTACTS, 90, NOTICE_NONE_YET, 0, 0, 0,
            "90 r@example.jp; 90 t@example.jp"},
        {"web-ev", PROFILE,
            "{'registered': {'email': 'r@example.jp', 'renewal_notice': 'unwanted'}, "
            "'technical': {'email': 't@example.jp', 'renewal_notice': 'wanted'}, "
            "'administrative': {'email': 'a@example.jp'}}",
            60, 90, 0, 0, 0, "60 r@example.jp opted-out; 60 t@example.jp"},
        {"web-ev", PROFILE,
            "{'registered': {'email': 'same@example.jp', 'renewal_notice': 'unwanted'}, "
            "'technical': {'email': 'same@example.jp'}}",
            10, 30, 0, 0, 0, "10 same@example.jp"},
        {"web-ev", PROFILE,
            "{'registered': {'email': 'same@example.jp'}, 'technical': {'email': "
            "'same@example.jp', 'renewal_notice': 'unwanted'}}",
            10, 30, 0, 0, 0, "10 same@example.jp"},
        {"web-ev", PROFILE, NULL, 10, 30, 0, 0, 0,
            "10 registered no-address; 10 technical no-address"},
        {"web-ev", PROFILE, CONTACTS, 30, NOTICE_NONE_YET, 0, 0, 0,
            "90 r@example.jp nearer; 90 t@example.jp nearer; 60 r@example.jp nearer; "
            "60 t@example.jp nearer; 30 r@example.jp; 30 t@example.jp"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *profile = json_of(rows[i].profile);
        AUTO_TYPE(json, json_t) *contacts = rows[i].contacts ? json_of(rows[i].contacts) : NULL;
        const struct notice_facts facts = {.policy = product(*state, rows[i].product),
            .noticed_days = rows[i].noticed,
            .is_valid = !rows[i].is_revoked,
            .is_renewed = rows[i].is_renewed,
            .is_withdrawn = rows[i].is_withdrawn,
            .profile = profile,
            .contacts = contacts};
        AUTO_TEXT got = decided(&facts, rows[i].days);
        if (strcmp(got, rows[i].expected) != 0)
            fail_msg("row %zu: \"%s\", not \"%s\"", i, got, rows[i].expected);
    }
}

/* Opting out counts only where the product says so. */
static void a_product_without_opt_out_asks_nobody(void **state)
{
    struct world *w = *state;
    struct policy copy = *product(w, "web-ev");
    AUTO_TYPE(json, json_t) *contacts =
        json_of("{'registered': {'email': 'r@example.jp', 'renewal_notice': 'unwanted'}}");
    AUTO_TYPE(json, json_t) *profile = json_of(PROFILE);
    struct notice_facts facts = {.policy = &copy,
        .noticed_days = 30,
        .is_valid = true,
        .profile = profile,
        .contacts = contacts};
    copy.notices.has_opt_out = false;
    AUTO_TEXT got = decided(&facts, 10);
    assert_string_equal(got, "10 r@example.jp; 10 technical no-address");
}

/* --- the mail --- */

static void the_mail_says_what_is_known(void **state)
{
    static const struct {
        const char *product, *language, *now, *days_left, *way, *charged;
    } rows[] = {
        {"association", "ja", "2027-03-02T15:00:00Z", "あと29日", "apply_again", "yes"},
        {"association", "en", "2027-03-30T15:00:00Z", "1 day", "apply_again", "yes"},
        {"association", "en", "2027-03-31T15:00:00Z", "ends today", "apply_again", "yes"},
        {"association", "ja", "2027-03-31T15:00:00Z", "本日限り", "apply_again", "yes"},
        {"online-banking", "en", "2027-03-02T15:00:00Z", "あと29日", "renew", NULL}, /* ja only */
        {"web-ev", "en", "2027-03-02T15:00:00Z", "29 days", "renew", NULL},
    };
    struct world *w = *state;
    AUTO_TYPE(json, json_t) *profile =
        json_of("{'email': 'taro@example.jp', 'name': {'ja': '山田 太郎', 'latin': 'Yamada Taro'}, "
                "'organisation': {'ja': '例示株式会社', 'latin': 'Example Corporation'}}");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct notice_facts facts = {.policy = product(w, rows[i].product),
            .certificate = {{1}},
            .subscriber = {{2}},
            .serial = {(const uint8_t *)"\x0a\xff", 2},
            .not_after_ms = at("2027-04-01T14:59:59Z"),
            .is_valid = true,
            .language = rows[i].language,
            .profile = profile};
        const struct notice notice = {30, PARTY_SUBSCRIBER, "taro@example.jp", NOTICE_WANTED};
        struct decision d = decision(w);
        d.now_ms = at(rows[i].now);
        AUTO_TYPE(json, json_t) *args = notice_mail(&d, &facts, &notice);
        bool ja = strcmp(rows[i].days_left, "本日限り") == 0 || strstr(rows[i].days_left, "日");
        assert_string_equal(json_text_at(args, "template"), "expiry-notice");
        assert_string_equal(json_text_at(args, "recipient"), "taro@example.jp");
        assert_string_equal(json_text_at(args, "language"), ja ? "ja" : "en");
        assert_string_equal(json_text_at(args, "facts.serial"), "0aff");
        assert_string_equal(json_text_at(args, "facts.name"), ja ? "山田 太郎" : "Yamada Taro");
        assert_string_equal(
            json_text_at(args, "facts.organisation"), ja ? "例示株式会社" : "Example Corporation");
        assert_string_equal(json_text_at(args, "facts.not_after"),
            ja ? "2027-04-01T23:59:59+09:00 ja" : "2027-04-01T23:59:59+09:00 en");
        assert_string_equal(json_text_at(args, "facts.days_left"), rows[i].days_left);
        AUTO_TEXT way = mem_printf("facts.%s", rows[i].way);
        assert_string_equal(json_text_at(args, way), "yes");
        const char *charged = json_text_at(args, "facts.charged");
        assert_int_equal(charged != NULL, rows[i].charged != NULL);
    }
}

/* --- the screen (E3) --- */

static struct certificate *add(
    struct aggregate *a, uint8_t id, enum certificate_state state, const char *end)
{
    struct certificate *c = aggregate_add_certificate(a);
    c->id = (struct uuid){{id}};
    c->state = state;
    c->serial[0] = id;
    c->serial_length = 1;
    c->not_after_ms = at(end);
    c->issued_ms = 1;
    return c;
}

static char *shown(struct world *w, const char *now, const struct aggregate *a)
{
    AUTO_BUF text = {0};
    struct decision d = decision(w);
    d.now_ms = at(now);
    notice_screen(&d, product(w, "online-banking"), a, &w->plan);
    const json_t *list = json_object_get(w->plan.result, "notices");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        buf_printf(&text, "%s%s in %d", i ? "; " : "", json_text_at(item, "serial"),
            (int)json_integer_value(json_object_get(item, "days_left")));
        assert_string_equal(
            json_text_at(item, "link"), "https://banking.example.jp/certificate/renew");
        assert_true(strlen(json_text_at(item, "not_after")) == 20);
    }
    return buf_take_text(&text);
}

static void the_screen_shows_what_is_open(void **state)
{
    static const struct {
        const char *now, *expected;
    } rows[] = {
        {"2027-03-01T14:59:59Z", ""}, {"2027-03-01T15:00:00Z", "01 in 30"},
        {"2027-04-01T14:59:59Z", "01 in 0"}, {"2027-04-01T14:59:59.999Z", "01 in 0"},
        {"2027-04-01T15:00:00Z", ""}, /* expired */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = aggregate_new();
        add(a, 1, CERTIFICATE_VALID, "2027-04-01T14:59:59Z");
        AUTO_TEXT got = shown(*state, rows[i].now, a);
        if (strcmp(got, rows[i].expected) != 0)
            fail_msg("row %zu: %s", i, got);
    }
}

static void what_is_renewed_or_revoked_goes_from_the_screen(void **state)
{
    static const struct {
        enum certificate_state first, second;
        const char *second_end;
        bool replaces;
        const char *expected;
    } rows[] = {
        {CERTIFICATE_REVOKED, CERTIFICATE_VALID, "2027-03-20T14:59:59Z", false, "02 in 10"},
        {CERTIFICATE_VALID, CERTIFICATE_VALID, "2028-04-01T14:59:59Z", false, ""},
        {CERTIFICATE_VALID, CERTIFICATE_AWAITING_RETRIEVAL, "2028-04-01T14:59:59Z", true,
            "01 in 22"},
        {CERTIFICATE_VALID, CERTIFICATE_REVOKED, "2028-04-01T14:59:59Z", true, "01 in 22"},
        {CERTIFICATE_VALID, CERTIFICATE_VALID, "2027-04-01T14:59:59Z", true, "02 in 22"},
        {CERTIFICATE_VALID, CERTIFICATE_VALID, "2027-03-20T14:59:59Z", false, "01 in 22"},
        {CERTIFICATE_CANCELLED, CERTIFICATE_CANCELLED, "2027-03-20T14:59:59Z", false, ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = aggregate_new();
        struct certificate *first = add(a, 1, rows[i].first, "2027-04-01T14:59:59Z");
        struct certificate *second = add(a, 2, rows[i].second, rows[i].second_end);
        if (rows[i].replaces)
            second->predecessor = first->id;
        AUTO_TEXT got = shown(*state, "2027-03-10T00:00:00Z", a);
        if (strcmp(got, rows[i].expected) != 0)
            fail_msg("row %zu: %s", i, got);
    }
    AUTO_TEXT nobody = shown(*state, "2027-03-10T00:00:00Z", NULL);
    assert_string_equal(nobody, "");
}

/* X3: certificates with coupons stand side by side (B1); what is linked to one counts everywhere.
 */
static void another_one_is_no_renewal(void **state)
{
    static const struct {
        const char *product;
        unsigned predecessor, root, issued; /* of the other one: ids, 0: none; its root: itself */
        const char *end;
        bool renews;
    } rows[] = {
        {"class2", 0, 2, 5, "2028-04-01T14:59:59Z", false},
        {"association", 0, 2, 5, "2028-04-01T14:59:59Z", true},
        {"association", 0, 2, 5, "2027-04-01T14:59:59Z", false},
        {"class2", 1, 2, 5, "2028-04-01T14:59:59Z", true},  /* a fresh application that renews it */
        {"class2", 1, 1, 5, "2027-04-01T14:59:59Z", true},  /* its reissue */
        {"class2", 3, 1, 5, "2027-04-01T14:59:59Z", true},  /* that of its reissue */
        {"class2", 3, 3, 5, "2028-04-01T14:59:59Z", true},  /* that of its renewal */
        {"class2", 9, 1, 0, "2027-04-01T14:59:59Z", false}, /* the one before it */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(aggregate) a = aggregate_new();
        struct certificate *c = add(a, 1, CERTIFICATE_VALID, "2027-04-01T14:59:59Z");
        struct certificate *other = add(a, 2, CERTIFICATE_VALID, rows[i].end);
        struct certificate *gone = add(a, 3, CERTIFICATE_REVOKED, "2028-04-01T14:59:59Z");
        c->root = c->id;
        gone->root = gone->id;
        gone->predecessor = c->id;
        other->predecessor.b[0] = (uint8_t)rows[i].predecessor;
        other->root.b[0] = (uint8_t)rows[i].root;
        other->issued_ms = rows[i].issued;
        if (notice_is_renewed(product(*state, rows[i].product), a, c) != rows[i].renews)
            fail_msg("row %zu", i);
    }
}

static void the_nearest_end_comes_first(void **state)
{
    AUTO(aggregate) a = aggregate_new();
    add(a, 1, CERTIFICATE_VALID, "2027-04-01T14:59:59Z");
    add(a, 2, CERTIFICATE_VALID, "2027-04-01T14:59:59Z");
    AUTO_TEXT got = shown(*state, "2027-03-10T00:00:00Z", a);
    assert_string_equal(got, "01 in 22; 02 in 22");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_nearest_threshold_is_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_product_without_recipients_has_no_bands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_recipient_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_product_without_opt_out_asks_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_mail_says_what_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_screen_shows_what_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_is_renewed_or_revoked_goes_from_the_screen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_one_is_no_renewal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_nearest_end_comes_first, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

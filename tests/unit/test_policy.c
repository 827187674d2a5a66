/* links: lifecycle config */
#include "policy_files.h"

#include "base/clock.h"
#include "base/reason.h"
#include "config/config.h"

static const struct policy_reason *reason_of(const struct policy_reasons *reasons, const char *word)
{
    const struct policy_reason *r = policy_reason(reasons, word);
    if (!r)
        fail_msg("no reason %s", word);
    return r;
}

/* --- the six products --- */

static void association_says_a1_to_a11(void **state)
{
    (void)state;
    AUTO(policy) p = loaded(SHIPPED "association.yaml");
    /* A1 */
    assert_int_equal(p->validity.term_count, 1);
    assert_int_equal(p->validity.terms[0].unit, LENGTH_DAYS);
    assert_int_equal(p->validity.terms[0].count, 760);
    assert_int_equal(p->validity.from, FROM_RETRIEVAL);
    assert_int_equal(p->validity.first_day, FIRST_DAY_EXCLUDED);
    assert_int_equal(p->validity.start, START_DAY);
    assert_string_equal(zone_name(p->validity.zone), "UTC");
    assert_string_equal(zone_name(p->zone), "Asia/Tokyo");
    /* A2 */
    assert_int_equal(p->notices.mail_day_count, 1);
    assert_int_equal(p->notices.mail_days[0], 30);
    assert_int_equal(p->renew.mode, RENEW_NEW_APPLICATION);
    assert_int_equal(p->renew.charge, CHARGE_NEW_APPLICATION);
    /* A3 */
    assert_true(policy_allows(p, PROC_CHANGE, ACTOR_ORGANISATION, CHANNEL_PAPER));
    assert_false(policy_allows(p, PROC_CHANGE, ACTOR_SUBSCRIBER, CHANNEL_CREDENTIALS));
    assert_int_equal(p->change.effects[EFFECT_RECORD].review, REVIEW_ALWAYS);
    assert_int_equal(p->mails[MAIL_CHANGE_COMPLETED].count, 2);
    assert_int_equal(p->mails[MAIL_CHANGE_COMPLETED].items[0].when, WHEN_OLD);
    assert_int_equal(policy_field(p, "telephone")->change, EFFECT_RECORD);
    /* A4 */
    assert_int_equal(policy_field(p, "email")->change, EFFECT_REISSUE);
    assert_true(p->change.effects[EFFECT_REISSUE].revokes);
    assert_int_equal(p->change.effects[EFFECT_REISSUE].charge, CHARGE_FREE);
    /* A5 */
    assert_int_equal(policy_field(p, "organisation.ja")->change, EFFECT_NEW_APPLICATION);
    assert_true(p->change.effects[EFFECT_NEW_APPLICATION].revokes);
    assert_int_equal(p->change.effects[EFFECT_NEW_APPLICATION].charge, CHARGE_NEW_APPLICATION);
    /* A6 to A9, A11 */
    assert_int_equal(p->reissue.reasons.count, 5);
    assert_int_equal(reason_of(&p->reissue.reasons, "key-compromise")->crl, REASON_KEY_COMPROMISE);
    assert_int_equal(reason_of(&p->reissue.reasons, "key-compromise")->force, TIMING_AT_REQUEST);
    assert_int_equal(reason_of(&p->reissue.reasons, "lost")->force, -1);
    assert_string_equal(p->reissue.reasons.fallback, "other");
    assert_int_equal(p->credentials.needed[PROC_REISSUE], POLICY_BIT(CREDENTIAL_EMAIL) |
                                                              POLICY_BIT(CREDENTIAL_PASSWORD) |
                                                              POLICY_BIT(CREDENTIAL_CODE));
    assert_int_equal(p->reissue.review, REVIEW_NEVER);
    assert_int_equal(p->reissue.expiry, EXPIRY_ROOT);
    assert_true(p->reissue.takes_unretrieved);
    assert_int_equal(p->reissue.choices, POLICY_BIT(TIMING_ON_RETRIEVAL));
    assert_int_equal(p->reissue.fallback, TIMING_ON_RETRIEVAL);
    assert_int_equal(p->mails[MAIL_CODE].items[0].party, PARTY_SUBSCRIBER);
    assert_true(p->code.is_used && p->code.has_resend && !p->code.days);
    assert_true(policy_allows(p, PROC_REISSUE, ACTOR_OPERATOR, CHANNEL_RECORDED));
    /* A10 */
    assert_int_equal(p->withdraw.reasons.count, 4);
    assert_true(reason_of(&p->withdraw.reasons, "died")->is_silent);
    assert_false(reason_of(&p->withdraw.reasons, "left")->is_silent);
    assert_int_equal(p->withdraw.acknowledge, ACKNOWLEDGE_MAIL);
    assert_int_equal(p->mails[MAIL_REQUEST_RECEIVED].items[0].party, PARTY_ORGANISATION);
    assert_true(policy_allows(p, PROC_WITHDRAW, ACTOR_ORGANISATION, CHANNEL_PAPER));
    /* the rest */
    assert_string_equal(p->certificate.subject[1].field, "organisation.latin");
    assert_string_equal(p->certificate.subject[0].text, "JP");
    assert_int_equal(p->certificate.subject_count, 3);
    assert_int_equal(p->certificate.rsa_least, 2048);
    assert_false(policy_offers(p, PROC_RENEW));
    assert_int_equal(policy_language_of(p, "en"), LANGUAGE_EN);
    assert_int_equal(policy_language_of(p, "fr"), LANGUAGE_JA);
    assert_int_equal(policy_language_of(p, NULL), LANGUAGE_JA);
    assert_null(policy_field(p, "role"));
    assert_null(policy_field(p, "user_id"));
    assert_null(policy_field(p, "dns"));
}

static void online_banking_says_e1_to_e5(void **state)
{
    (void)state;
    AUTO(policy) p = loaded(SHIPPED "online-banking.yaml");
    /* E1 */
    struct validity_rule rule = policy_validity_rule(p, policy_term(p, NULL));
    struct validity v;
    struct err err = {0};
    int64_t from, wanted;
    assert_true(clock_parse("2026-04-01T10:20:30+09:00", 25, &from));
    assert_true(clock_parse("2027-04-01T23:59:59+09:00", 25, &wanted));
    assert_int_equal(validity_compute(&rule, from, INT64_MAX, &v, &err), 0);
    assert_true(v.not_after_ms == wanted && v.not_before_ms == from);
    assert_int_equal(p->unit.subscriber_count, 2);
    assert_int_equal(p->unit.role_count, 2);
    assert_string_equal(policy_field(p, "role")->words[0], "administrator");
    /* E2 */
    assert_int_equal(p->notices.mail_day_count, 2);
    assert_int_equal(p->notices.mail_days[0], 30);
    assert_int_equal(p->notices.mail_days[1], 10);
    assert_int_equal(p->mails[MAIL_EXPIRY].items[0].party, PARTY_SUBSCRIBER);
    /* E3 */
    assert_int_equal(p->notices.screen_days, 30);
    assert_non_null(strstr(p->notices.screen_link, "https://"));
    assert_true(policy_allows(p, PROC_NOTICES, ACTOR_SUBSCRIBER, CHANNEL_SESSION));
    /* E4 */
    assert_int_equal(p->renew.mode, RENEW_IN_PLACE);
    assert_int_equal(p->renew.open_days, 30);
    assert_int_equal(p->renew.csr, CSR_AT_REQUEST);
    assert_true(policy_allows(p, PROC_RENEW, ACTOR_HOLDER, CHANNEL_SESSION));
    assert_true(policy_allows(p, PROC_RENEW, ACTOR_HOLDER, CHANNEL_SIGNATURE));
    assert_false(policy_allows(p, PROC_RENEW, ACTOR_SUBSCRIBER, CHANNEL_CREDENTIALS));
    /* E5 */
    assert_int_equal(p->renew.after_expiry, AFTER_FIRST_RETRIEVAL);
    assert_false(p->code.is_used);
    assert_int_equal(p->credentials.needed[PROC_RETRIEVE],
        POLICY_BIT(CREDENTIAL_USER_ID) | POLICY_BIT(CREDENTIAL_PASSWORD));
    assert_int_equal(p->mails[MAIL_CODE].count, 0);
    assert_false(policy_offers(p, PROC_REISSUE));
    assert_int_equal(p->issue.charge, CHARGE_UPSTREAM);
}

static void the_other_four_fit_the_model(void **state)
{
    (void)state;
    AUTO(policy) class2 = loaded(SHIPPED "class2.yaml");
    AUTO(policy) ev = loaded(SHIPPED "web-ev.yaml");
    AUTO(policy) sr = loaded(SHIPPED "web-sr.yaml");
    AUTO(policy) resident = loaded(SHIPPED "resident.yaml");
    /* B */
    assert_int_equal(class2->reissue.min_days_left, 31);
    assert_int_equal(class2->credentials.email, AGE_OF_CERTIFICATE);
    assert_int_equal(class2->credentials.password, AGE_FIRST_APPLICATION);
    assert_int_equal(policy_field(class2, "address.postal_code")->digits, 7);
    assert_true(class2->unit.has_coupon);
    assert_false(class2->change.is_offered);
    assert_int_equal(class2->mails[MAIL_EMAIL_CHANGED].items[0].when, WHEN_OLD);
    /* C */
    assert_int_equal(policy_field(ev, "contacts.registered.company")->change, EFFECT_CONTRACT);
    assert_int_equal(policy_field(ev, "contacts.technical.company")->change, EFFECT_REVIEW);
    assert_int_equal(policy_field(ev, "contacts.technical.company")->role, ROLE_TECHNICAL);
    assert_string_equal(policy_field(ev, "contacts.technical.company")->args_path,
        "contract.contacts.technical.company");
    assert_string_equal(
        policy_field(ev, "account.otp_email")->args_path, "contract.account.otp_email");
    assert_true(policy_field(ev, "dns")->is_list);
    assert_true(ev->change.effects[EFFECT_IMMEDIATE].confirms_on_screen);
    assert_int_equal(ev->change.effects[EFFECT_CONTRACT].refusal, REFUSAL_CONTACT_US);
    assert_true(ev->reissue.window.takes_last_day);
    assert_int_equal(ev->reissue.fallback, -1);
    assert_int_equal(ev->reissue.defer_days, 14);
    assert_true(reason_of(&ev->reissue.reasons, "key-compromise")->is_emergency);
    assert_int_equal(ev->reissue.outside, OUTSIDE_NEW_APPLICATION);
    assert_true(ev->revoke.reasons.is_free_text && ev->revoke.ends_contract);
    assert_int_equal(ev->revoke.confirm_with, ROLE_REGISTERED);
    assert_true(ev->validity.carries_over && ev->notices.has_opt_out);
    assert_string_equal(zone_name(ev->validity.zone), "Asia/Tokyo");
    /* extends */
    assert_string_equal(sr->name, "web-sr");
    assert_int_equal(sr->validity.term_count, 2);
    assert_int_equal(policy_term(sr, NULL)->count, 6);
    assert_int_equal(policy_term(sr, "12 months")->count, 12);
    assert_int_equal(policy_term(sr, "1 year")->count, 12);
    assert_null(policy_term(sr, "6"));
    assert_null(policy_term(ev, "6 months"));
    assert_false(sr->reissue.window.takes_last_day);
    assert_int_equal(sr->reissue.window.days, 25);
    assert_int_equal(sr->reissue.outside, OUTSIDE_OPERATOR_REQUEST);
    assert_int_equal(sr->reissue.reasons.count, 5);
    /* D */
    assert_int_equal(resident->validity.first_day, FIRST_DAY_COUNTED);
    assert_int_equal(resident->validity.from, FROM_PROCEDURE);
    assert_int_equal(resident->unit.device, DEVICE_CARD);
    assert_true(resident->issue.supersedes_other_device);
    assert_true(resident->password.reset_then_set);
    assert_int_equal(resident->password.unlock, UNLOCK_COUNTER);
    assert_int_equal(
        reason_of(&resident->revoke.reasons, "lost")->channels, POLICY_BIT(CHANNEL_COUNTER));
    assert_int_equal(resident->revoke.acknowledge, ACKNOWLEDGE_DOCUMENT);
    assert_int_equal(resident->records.disclose_charge, CHARGE_ACTUAL_COST);
    assert_int_equal(resident->records.erasable, 3);
    assert_int_equal(policy_field(resident, "name.ja")->change, EFFECT_CORRECTION);
    assert_int_equal(resident->certificate.eku, 0);
}

/* --- sets --- */

static void sets_hold_every_file(void **state)
{
    (void)state;
    AUTO(policy_set) set = NULL;
    AUTO(config) config = MEM_NEW(struct config);
    struct err err = {0};
    if (policy_set_load(CERTQ_SOURCE_DIR "/config/products", &set, &err))
        fail_msg("%s", err.text);
    assert_int_equal(set->count, 6);
    assert_string_equal(set->items[0]->name, "association");
    assert_non_null(policy_set_find(set, "web-sr"));
    assert_null(policy_set_find(set, "web"));
    config->path = mem_text("certq.yaml");
    assert_int_equal(policy_set_check(set, config, &err), -1);
    assert_non_null(strstr(err.text, "certificate.issuer: person-ca is none of"));
    AUTO(policy_set) none = NULL;
    assert_int_equal(policy_set_load("/nonexistent", &none, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(policy_set_load(CERTQ_SOURCE_DIR "/config/systemd", &none, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* --- words --- */

static void policies_explain_themselves(void **state)
{
    (void)state;
    static const struct {
        const char *path, *says[10];
    } rows[] = {
        {SHIPPED "association.yaml",
            {"760 days from the day of the retrieval, that day not counted.", "Validity (A1 A9)",
                "reissue asks for email, password and code.", "Not offered: renew,",
                "nothing is mailed to the subscriber", "5 wrong passwords in a row",
                "A mail goes out 30 days before expiry", "expires exactly when its predecessor"}},
        {SHIPPED "online-banking.yaml",
            {"1 calendar year from the day of the issue", "There is no certificate code.",
                "30 and 10 days before expiry", "possible from 30 days before expiry",
                "After expiry a certificate is retrieved as for the first time.",
                "https://banking.example.jp/"}},
        {SHIPPED "web-sr.yaml",
            {"6 calendar months or 12 calendar months", "before day 25 from issue",
                "only an operator may ask", "Deferred means 14 days",
                "An operator confirms it by "
                "telephone"}},
        {SHIPPED "resident.yaml",
            {"that day counted", "at most 3 months ago", "acknowledged by document",
                "No mail is sent.", "form for revoke when asked for at the counter.",
                "ahead of everything else; only at the counter.", "An operator looks into it",
                "revoked on line or followed by one on another device",
                "at actual cost, by a payment notice"}},
        {SHIPPED "class2.yaml", {"fewer than 31 days left", "the one in the certificate"}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(policy) p = loaded(rows[i].path);
        AUTO_BUF text = {0};
        policy_explain(p, &text);
        for (size_t j = 0; rows[i].says[j]; j++)
            if (!strstr(buf_text(&text), rows[i].says[j]))
                fail_msg("%s does not say: %s\n%s", rows[i].path, rows[i].says[j], buf_text(&text));
        assert_true(buf_text(&text)[text.length - 1] == '\n');
    }
}

/* Every word of every vocabulary, in `backquotes`; the configuration's lists are the same. */
static void the_document_names_every_word(void **state)
{
    (void)state;
    AUTO_TEXT document = text_of(CERTQ_SOURCE_DIR "/docs/products.md");
#define LIST(name) policy_##name##_words
    const char *const *lists[] = {LIST(procedure), LIST(actor), LIST(channel), LIST(credential),
        LIST(credential_age), LIST(effect), LIST(format), LIST(language), LIST(role), LIST(party),
        LIST(mail), LIST(path), LIST(approval), LIST(device), LIST(from), LIST(charge),
        LIST(unlock), LIST(renewal), LIST(after_expiry), LIST(timing), LIST(outside), LIST(counted),
        LIST(csr), LIST(expiry), LIST(review), LIST(refusal), LIST(confirm), LIST(acknowledgement),
        LIST(rdn), LIST(san), LIST(eku), LIST(curve), LIST(record), LIST(correction),
        LIST(erasable), LIST(topic)};
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
        for (size_t j = 0; lists[i][j]; j++) {
            AUTO_TEXT quoted = mem_printf("`%s`", lists[i][j]);
            if (!strstr(document, quoted))
                fail_msg("docs/products.md does not explain %s", quoted);
        }
    for (size_t i = 0; config_roles[i]; i++)
        assert_string_equal(config_roles[i], policy_actor_words[i]);
    for (size_t i = 0; config_channels[i]; i++)
        assert_string_equal(config_channels[i], policy_channel_words[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(association_says_a1_to_a11),
        cmocka_unit_test(online_banking_says_e1_to_e5),
        cmocka_unit_test(the_other_four_fit_the_model),
        cmocka_unit_test(sets_hold_every_file),
        cmocka_unit_test(policies_explain_themselves),
        cmocka_unit_test(the_document_names_every_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* links: lifecycle config */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/reason.h"
#include "config/config.h"
#include "lifecycle/policy_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SHIPPED CERTQ_SOURCE_DIR "/config/products/"
#define TESTED CERTQ_SOURCE_DIR "/tests/data/products/"

static struct policy *loaded(const char *path)
{
    struct policy *p = NULL;
    struct err err = {0};
    if (policy_load_file(path, &p, &err))
        fail_msg("%s", err.text);
    return p;
}

static char *text_of(const char *path)
{
    struct buf text = {0};
    struct err err = {0};
    if (file_read(path, 1 << 20, &text, &err))
        fail_msg("%s", err.text);
    return buf_take_text(&text);
}

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
    AUTO(policy) class2 = loaded(TESTED "class2.yaml");
    AUTO(policy) ev = loaded(TESTED "web-ev.yaml");
    AUTO(policy) sr = loaded(TESTED "web-sr.yaml");
    AUTO(policy) resident = loaded(TESTED "resident.yaml");
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
    assert_null(policy_term(sr, "1 year"));
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

/* --- contradictions --- */

/* One change to a product that is right, and what must be said about it. */
struct flaw {
    const char *old, *new, *wanted;
};

static const struct flaw association_flaws[] = {
    {"product: association", "product: Association", ":3: product: a product's name is"},
    {"product: association\n", "", "the key product is missing"},
    {"zone: Asia/Tokyo ", "zone: Mars ", ":8: zone: unknown zone Mars; known: UTC, Asia/Tokyo"},
    {"[ja, en]  ", "[ja, fr]  ", "unknown word fr"},
    {"[ja, en]  ", "[]  ", "at least one language"},
    {"  en: Example Association Certificate Service\n", "", "the service has no name in en"},
    {"term: 760 days", "term: 760", "validity.term: a term is a number of"},
    {"term: 760 days", "term: 0 days", "a term is a number of"},
    {"term: 760 days", "term: 101 years", "up to 100 years"},
    {"term: 760 days", "term: [1 year, 1 years]", "the same term twice"},
    {"term: 760 days", "term: 30 days", "but the validity may be shorter"},
    {"from: retrieval", "from: retreival", "unknown word retreival; did you mean retrieval?"},
    {"  first_day: excluded\n", "", "the key first_day is missing"},
    {"subscriber: [email]", "subscriber: [emial]", "unit.subscriber: emial is none"},
    {"subscriber: [email]", "subscriber: [title]", "title names a subscriber, so it must be req"},
    {"  contacts: none", "  contacts: [technical]", "contacts belong to a contract"},
    {"email:              {required: true, ", "email:              {", "must be required"},
    {"name.latin:  ", "name.latni:  ",
        "fields.name.latni: no field a product can have; did you "
        "mean name.latin?"},
    {"name.latin:  ", "attributes.X-y:  ", "no field a product can have"},
    {"\"*\":                {change: record}", "\"*\": {change: record, required: true}",
        "* says what a change does"},
    {"{required: true, most: 64, change: record}", "{required: true, most: 64}",
        "fields.name.ja: the key change is missing"},
    {"format: ascii, most: 64, change: record}", "format: ascii, most: 65, change: record}",
        "CN holds at most 64 characters, name.latin up to 65"},
    {"{required: true, format: ascii, most: 64, change: record}",
        "{format: ascii, most: 64, change: record}", "name.latin may be empty"},
    {"format: email, change: reissue", "format: ascii, change: reissue",
        "this field always has the format email"},
    {"format: email, change: reissue", "format: \"digits{0}\", change: reissue", "1 to 128"},
    {"format: email, change: reissue", "words: [a], change: reissue", "words are given, but"},
    {"name.ja:            {required: true,", "name.ja:            {format: words, required: true,",
        "no words are given"},
    {"format: email, change: reissue", "format: email, change: correction",
        "fields.email: changed by a correction, but records.correct is none"},
    {"format: email, change: reissue", "format: email, change: immediate",
        "change does not say what this effect is"},
    {"  contacts: none", "  contacts: none\n  frobs: 1", "unit.frobs: unknown key frobs"},
    {"{rdn: CN, field: name.latin}", "{rdn: CN, field: name.latn}", "none of the product's fields"},
    {"{rdn: CN, field: name.latin}", "{rdn: CN, field: title}", "title may be empty"},
    {"{rdn: CN, field: name.latin}", "{rdn: CN}", "CN: give either field or text"},
    {"{rdn: CN, field: name.latin}", "{rdn: CN, field: name.latin, text: x}", "either field or"},
    {"{rdn: CN, field: name.latin}", "{rdn: XY, field: name.latin}", "unknown word XY"},
    {"{rdn: C, text: JP}", "{rdn: C, text: Japan}", "C is a country's two capital letters"},
    {"{rdn: C, text: JP}", "{rdn: C, field: name.latin}", "C holds at most 2 characters"},
    {"san: [email]", "san: [email, dns]", "dns, but there is no required field dns"},
    {"san: [email]", "san: none", "emailProtection without email in san"},
    {"eku: [clientAuth, emailProtection]", "eku: [serverAuth]", "serverAuth without dns"},
    {"ec: [P-256, P-384]", "ec: [P-521]", "unknown word P-521"},
    {"ec: [P-256, P-384]\n    rsa: {least: 2048, most: 4096}", "ec: none\n    rsa: none",
        "no key is allowed at all"},
    {"rsa: {least: 2048, most: 4096}", "rsa: {least: 1024, most: 4096}", "must be 2048 to 8192"},
    {"rsa: {least: 2048, most: 4096}", "rsa: {least: 4096, most: 2048}", "least is more than most"},
    {"retrieve: {subscriber: credentials}", "retrieve: {subscriber: [credentials, letter]}",
        "unknown word letter"},
    {"retrieve: {subscriber: credentials}", "retrieve: {subscirber: credentials}",
        "unknown actor subscirber; did you mean subscriber?"},
    {"retrieve: {subscriber: credentials}", "retreive: {subscriber: credentials}",
        "unknown procedure retreive"},
    {"retrieve: {subscriber: credentials}  ", "retrieve: none  ",
        "credentials are named, but nobody may ask for retrieve"},
    {"retrieve: {subscriber: credentials}  ", "retrieve: {organisation: credentials}  ",
        "credentials are the subscriber's or the holder's"},
    {"retrieve: {subscriber: credentials}  ", "retrieve: {subscriber: signature}  ",
        "only renew and revoke take a signature"},
    {"change:   {organisation: paper}", "change:   {contact: session}", "the unit has no contacts"},
    {"change:   {organisation: paper}", "change:   {organisation: recorded}",
        "recorded is how an operator asks"},
    {"change:   {organisation: paper}", "change:   none", "change: nobody may ask for it"},
    {"withdraw: {organisation: paper}", "withdraw: none", "withdraw: nobody may ask for it"},
    {"revoke:   {operator: recorded}", "revoke:   none", "nobody may ask for revoke"},
    {"issue:    {subscriber: credentials, operator: recorded}", "issue: none",
        "nobody may ask for issue"},
    {"    channel: paper\n", "    channel: counter\n", "of somebody who may not ask that way"},
    {"[form.received_on, form.seal]", "[Form]", "evidence is named by lower case words"},
    {"lookup:   [email, password, code]", "lookup:   [email]", "nothing secret is asked for"},
    {"lookup:   [email, password, code]", "lookup:   [password, code]", "nobody is named"},
    {"lookup:   [email, password, code]", "lookup:   none", "credentials.lookup names none"},
    {"  email: current", "  issue: [email, password]\n  email: current", "no credentials yet"},
    {"  lock_after: 5                 # (ours)\n  unlock: operator", "  lock_after: 5",
        "password.lock_after: nobody can unlock what locks"},
    {"  lock_after: 5  ", "  lock_after: none  ", "password.unlock: nothing locks"},
    {"  unlock: operator", "  unlock: counter", "nobody may ask for password-reset there"},
    {"  unlock: operator", "  unlock: operator\n  reset_then_set: true", "may set a password"},
    {"password:                       # the application password; it cannot be changed (ours)\n"
     "  lock_after: 5                 # (ours)\n  unlock: operator\n",
        "password: none\n", "the password is asked for, but the product has none"},
    {"code:\n  days: none                    # a code stays good until it is used or replaced "
     "(ours)\n  resend: operator              # A11\n",
        "code: none\n", "mails.code: the product has no code"},
    {"retrieve: [email, password, code]  ", "retrieve: [email, password]  ",
        "credentials.retrieve does not ask for it"},
    {"  code: subscriber    ", "  # none", "nobody gets the code: mails.code is missing"},
    {"  code: subscriber    ", "  code: organisation    ", "a code goes to the subscriber alone"},
    {"  path: retrieve", "  path: direct", "a code is for retrieving, but issue.path is direct"},
    {"  mode: new-application", "  mode: in-place", "nobody may ask for renew"},
    {"  mode: new-application", "  mode: new-application\n  open_days: 30", "no window where"},
    {"  mode: new-application", "  mode: new-application\n  open_days: 760", "as long as the val"},
    {"  mode: new-application", "  mode: new-application\n  contact_changes: true", "no contacts"},
    {"  mode: new-application", "  mode: new-application\n  predecessor: deferred",
        "keep or immediate"},
    {"  zone: UTC  ", "  carry_over: true\n  zone: UTC  ", "nothing is carried over"},
    {"    lost: superseded\n", "    lost: certificateHold\n", "certificateHold is no reason"},
    {"    lost: superseded\n", "    lost: removeFromCRL\n", "removeFromCRL is no reason"},
    {"    lost: superseded\n", "    lost: cACompromise\n", "cACompromise is no reason"},
    {"    lost: superseded\n", "    lost: {force: immediate}\n", "the key crl is missing"},
    {"    lost: superseded\n", "    Lost: superseded\n", "a reason is a word of lower case"},
    {"    lost: superseded\n", "    lost: {crl: superseded, silent: true}\n", "unknown key silent"},
    {"force: at-request, urgent", "force: deferred, urgent", "never left alive"},
    {"force: at-request, urgent", "force: keep, urgent", "never left alive"},
    {"  default_reason: other\n", "", "there must be a default_reason"},
    {"  default_reason: other\n", "  default_reason: others\n", "others is none of the reasons"},
    {"  reason_required: false\n", "  reason_required: true\n", "so there is no default"},
    {"  window: none\n", "  window: {days: 25, first_day: excluded, last_day: included}\n",
        "outside does not say"},
    {"  window: none\n", "  outside: refuse\n", "no window and no most to be outside of"},
    {"  window: none\n",
        "  outside: refuse\n  window: {days: 900, first_day: excluded, last_day: included}\n",
        "reissue.window.days: the window is as long"},
    {"  most: none\n", "  outside: refuse\n  most: {count: 1, of: contract}\n",
        "reissue.most.of: the unit has no contract"},
    {"  min_days_left: none\n", "  min_days_left: 760\n", "nothing could ever be reissued"},
    {"    choices: [on-retrieval] ", "    choices: [on-retrieval, deferred] ",
        "deferred by how much?"},
    {"    choices: [on-retrieval] ", "    defer_days: 14\n    choices: [on-retrieval] ",
        "defer_days: nothing is deferred"},
    {"    choices: [on-retrieval] ", "    choices: [at-request] ", "none of the choices"},
    {"    choices: [on-retrieval] ", "    choices: none ", "at least one of"},
    {"  csr: at-retrieval\n", "  csr: at-request\n", "the successor is not retrieved"},
    {"record: {review: always}  ", "recrod: {review: always}  ", "unknown effect recrod"},
    {"record: {review: always}  ", "never: {review: always}  ", "nothing to say here"},
    {"record: {review: always}  ", "record: {refuse: contact-us, charge: contract}  ",
        "neither revokes nor costs"},
    {"record: {review: always}  ", "record: {revokes: true}  ", "change.record: only reissue and"},
    {"  acknowledge: mail\n", "  acknowledge: document\n", "nothing is acknowledged by mail"},
    {"  request-received: organisation  ", "  # ", "request-received goes to nobody"},
    {"  acknowledge: mail\n", "  acknowledge: mail\n  ends_contract: true\n",
        "withdraw.ends_contract: the unit has no contract"},
    {"  reasons: rfc5280\n",
        "  reasons: rfc5280\n  free_text: true\n  default_reason: superseded\n",
        "so there is no default"},
    {"  reasons: rfc5280\n", "  reasons: rfc5280\n  confirm: {by: telephone, with: registered}\n",
        "revoke.confirm.with: the unit has no registered contact"},
    {"  reasons: rfc5280\n", "  reasons: {lost: {crl: superseded, channels: counter}}\n",
        "lost: nobody may ask for revoke by counter"},
    {"  mail: [30]", "  mail: [10, 30]", "notices.mail[1]: days before expiry go down"},
    {"  mail: [30]", "  mail: none", "mails.expiry: no notice is mailed"},
    {"  mail: [30]", "  mail: [30]\n  opt_out: true", "a contact opts out by"},
    {"  expiry: subscriber", "  #", "nobody gets the notice: mails.expiry is missing"},
    {"  screen: none", "  screen: {days: 30, link: \"https://x\"}",
        "nobody may ask for the notices"},
    {"  revoked: subscriber", "  revoked: registered", "the unit has no registered contact"},
    {"  revoked: subscriber", "  revoked: account", "there is no field account.otp_email"},
    {"  revoked: subscriber", "  revoked: contact", "to a contact, but the unit has none"},
    {"  revoked: subscriber", "  revoked: subscriber.old", "only where something changes"},
    {"  revoked: subscriber", "  revoked: subscriber.older", "a recipient ends in .old, .new"},
    {"  revoked: subscriber", "  revoked: subscribers", "did you mean subscriber?"},
    {"  revoked: subscriber", "  revoced: subscriber",
        "unknown mail revoced; did you mean revoked?"},
    {"  revoked: subscriber", "  renewed: subscriber", "mails.renewed: nothing is renewed"},
    {"  revoked: subscriber", "  deferred-due: subscriber", "mails.deferred-due: nothing is def"},
    {"  fields: A3 A4 A5\n", "  feilds: A3\n", "unknown topic feilds; did you mean fields?"},
    {"code: A8 A11\n", "code: [A8]\n", "a value is wanted, not a list"},
    {"product: association", "product: association\nextends: class2", "no other product can be"},
};

static const struct flaw banking_flaws[] = {
    {"code: none ", "code: {days: 30} ", "nobody gets the code"},
    {"mails:\n", "mails:\n  code: subscriber\n", "mails.code: the product has no code"},
    {"mails:\n", "mails:\n  reissued: subscriber\n", "mails.reissued: reissue is none"},
    {"  renew:    {holder", "  reissue: {operator: recorded}\n  renew:    {holder",
        "who.reissue: reissue is none"},
    {"  change:   {operator", "  withdraw: {operator: recorded}\n  change:   {operator",
        "who.withdraw: withdraw is none"},
    {"  change:   {operator", "  disclose: {operator: recorded}\n  change:   {operator",
        "who.disclose: records.disclose is none"},
    {"  notices:  {subscriber: session, holder: session}", "  notices: none",
        "nobody may ask for the notices"},
    {"  screen:                       # E3\n    days: 30\n    link: "
     "https://banking.example.jp/certificate/renew\n",
        "", "who.notices: no notice is shown"},
    {"    days: 30\n", "    days: 366\n", "shown for the whole validity"},
    {"  open_days: 30  ", "  open_days: 365  ", "renew.open_days: the window is as long"},
    {"  from: issue", "  from: retrieval", NULL},
    {"  path: retrieve", "  path: direct", "nothing is retrieved where issue.path is direct"},
    {"  retrieve: {subscriber: [credentials, session], holder: session}     # E5\n", "",
        "credentials.retrieve: credentials are named, but nobody"},
    {"  mode: in-place  ", "  mode: counter  ", "renewed at the counter, but nobody"},
    {"  mode: in-place  ", "  mode: none  ", "who.renew: renew is never done"},
    {"  retrieve: [user_id, password]  ", "  retrieve: [email, user_id]  ", "nothing secret"},
    {"  password: current", "  password: first-application", NULL},
    {"  email:                     {required: true,", "  email:                     {",
        "no required field email"},
    {"  role:                      {change: never}\n", "", "roles need the field role"},
    {"change:\n  record: {review: never}", "change: none", "a change has an effect, but change is"},
    {"reissue: none", "reissue: none\nrecords: {correct: [add]}",
        "a correction follows a disclosure"},
    {"reissue: none", "reissue: none\nrecords: {erasable: [revoked-online]}", "no device to erase"},
    {"  approval: none", "  approval: none\n  supersedes: other-device", "the unit has no device"},
    {"withdraw: none", "withdraw:", "withdraw: no value is given"},
    {"[user_id, password]  ", "[user_id, password, code]  ",
        "credentials.retrieve: the code is asked for, but the product has none"},
    {"[user_id, password]  ", "[company_code, password]  ", "nobody is named"},
};

/* Says what is wrong with one flaw's outcome; true when it is as wanted. */
static bool flaw_is_found(const char *text, const struct flaw *f)
{
    const char *at = strstr(text, f->old);
    if (!at) {
        print_error("not in the file: %s\n", f->old);
        return false;
    }
    AUTO_TEXT flawed = mem_printf("%.*s%s%s", (int)(at - text), text, f->new, at + strlen(f->old));
    AUTO(policy) p = NULL;
    struct err err = {0};
    int failed = policy_load_text("p.yaml", bytes_of_text(flawed), NULL, &p, &err);
    bool has_place = !failed || (err.kind == ERR_INPUT && strncmp(err.text, "p.yaml:", 7) == 0);
    if (has_place && (f->wanted ? failed && strstr(err.text, f->wanted) : !failed))
        return true;
    print_error(
        "wanted %s\n   got %s\n   for %s\n", f->wanted ? f->wanted : "(taken)", err.text, f->new);
    return false;
}

static void try_flaws(const char *path, const struct flaw *flaws, size_t n)
{
    AUTO_TEXT text = text_of(path);
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++)
        wrong += !flaw_is_found(text, &flaws[i]);
    if (wrong)
        fail_msg("%s: %zu of %zu", path, wrong, n);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    try_flaws(SHIPPED "association.yaml", association_flaws, ARRAY_LENGTH(association_flaws));
    try_flaws(SHIPPED "online-banking.yaml", banking_flaws, ARRAY_LENGTH(banking_flaws));
    static const struct flaw ev_flaws[] = {
        {"contract: required", "contract: none", "contract is none of the product's fields"},
        {"contacts: [registered, technical, administrative]", "contacts: [registered, technical]",
            "fields.contacts.administrative.invoice: the unit has no administrative contact"},
        {"  contacts.*.renewal_notice: {format: words, change: review}\n", "",
            "there is no field contacts.registered.renewal_notice"},
        {"  contacts.*.email: {required: true, format: email, change: review}\n", "",
            "to the contact, but there is no field contacts.registered.email"},
        {"{rdn: CN, field: dns.0}", "{rdn: CN, field: dns}", "write dns.0"},
        {"{rdn: CN, field: dns.0}", "{rdn: CN, field: contacts.registered.name}",
            "contacts.registered.name is the contract's"},
        {"csr: at-request\n  contact_changes", "csr: at-retrieval\n  contact_changes",
            "renew.csr: at-retrieval, but nothing is retrieved"},
        {"unretrieved: false", "unretrieved: true", "none is unretrieved"},
        {"  csr: at-request\n  expiry", "  csr: at-retrieval\n  expiry", "reissue.csr"},
        {"default: none, defer_days: 14", "default: none", "deferred by how much?"},
        {"choices: [deferred, immediate]", "choices: [deferred, on-retrieval]",
            "the successor is not retrieved"},
        {"from: issue", "from: retrieval", "validity begins with the retrieval"},
        {"  reissue: {contact: session, operator: recorded}", "  reissue: {contact: session}",
            "is an emergency, but no operator may"},
        {"reason_required: true\n  free_text", "reason_required: false\n  free_text",
            "reason_required must be true"},
        {"  account.otp_email: {format: email, change: immediate}  ", "  #",
            "to the account, but there is no field"},
        {"  dns: {required: true, change: new-application}", "  dns: {change: new-application}",
            "dns names a subscriber, so it must be required"},
        {"after_expiry: new-application", "after_expiry: first-retrieval", "nobody may retrieve"},
    };
    try_flaws(TESTED "web-ev.yaml", ev_flaws, ARRAY_LENGTH(ev_flaws));
    static const struct flaw resident_flaws[] = {
        {"password: {", "password: none\n#", "password-change is offered, but the product has no"},
        {"  password-set: {subscriber: counter, agent: counter}\n", "",
            "nobody may set a password"},
        {"  disclose: {what", "  #", "a correction follows a disclosure"},
        {"device: card", "device: none", "the unit has no device"},
    };
    try_flaws(TESTED "resident.yaml", resident_flaws, ARRAY_LENGTH(resident_flaws));
}

static int one_base(void *arg, const char *product, struct buf *ret, struct err *err)
{
    if (strcmp(product, "base") != 0)
        return err_set(err, ERR_NOT_FOUND, NULL, "%s.yaml: no such file", product);
    buf_add_text(ret, arg);
    return 0;
}

static void extensions_are_one_step_and_name_their_lines(void **state)
{
    (void)state;
    AUTO_TEXT base = text_of(TESTED "class2.yaml");
    const struct policy_bases bases = {one_base, base};
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"product: x\nextends: other\n", "x.yaml:2: extends: other.yaml: no such file"},
        {"product: x\nextends: ../base\n", "the name of another product is wanted"},
        {"product: x\nextends: base\nreissue:\n  min_days_left: 1000\n",
            "x.yaml:4: reissue.min_days_left: more days"},
        {"product: x\nextends: base\ncode: none\n",
            "base.yaml:68: mails.code: the product has no code"},
        {"product: x\nextends: base\nnotices: ~\n", "the key notices is missing"},
        {"product: x\nextends: base\nfields: {title: ~, department: ~}\n", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(policy) p = NULL;
        struct err err = {0};
        int failed = policy_load_text("x.yaml", bytes_of_text(rows[i].text), &bases, &p, &err);
        if (failed != (rows[i].wanted ? -1 : 0) || (failed && !strstr(err.text, rows[i].wanted)))
            fail_msg("wanted %s\n   got %s", rows[i].wanted ? rows[i].wanted : "(taken)", err.text);
        if (!failed)
            assert_null(policy_field(p, "title"));
    }
    AUTO_TEXT twice = mem_printf("extends: y\n%s", base);
    const struct policy_bases deep = {one_base, twice};
    AUTO(policy) p = NULL;
    struct err err = {0};
    assert_int_equal(
        policy_load_text("x.yaml", bytes_of_text("extends: base\n"), &deep, &p, &err), -1);
    assert_non_null(strstr(err.text, "one step is all there is"));
}

/* --- sets --- */

static void sets_hold_every_file(void **state)
{
    (void)state;
    AUTO(policy_set) set = NULL;
    AUTO(config) config = MEM_NEW(struct config);
    struct err err = {0};
    if (policy_set_load(CERTQ_SOURCE_DIR "/tests/data/products", &set, &err))
        fail_msg("%s", err.text);
    assert_int_equal(set->count, 4);
    assert_string_equal(set->items[0]->name, "class2");
    assert_non_null(policy_set_find(set, "web-sr"));
    assert_null(policy_set_find(set, "web"));
    config->path = mem_text("certq.yaml");
    assert_int_equal(policy_set_check(set, config, &err), -1);
    assert_non_null(strstr(err.text, "class2.yaml: certificate.issuer: person-ca is none of"));
    AUTO(policy_set) none = NULL;
    assert_int_equal(policy_set_load("/nonexistent", &none, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(policy_set_load(CERTQ_SOURCE_DIR "/tests/data", &none, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* --- what comes in --- */

#define SUBSCRIBER(more)                                                                               \
    "{\"subscriber\":{\"email\":\"hanako@example.jp\",\"name\":{\"ja\":\"見本 花子\","             \
    "\"latin\":\"Hanako Mihon\"},\"organisation\":{\"ja\":\"株式会社〇〇\",\"latin\":\"Example " \
    "KK\"}" more "}}"

struct input {
    const char *args, *path, *message; /* NULL path: nothing is wrong */
};

static void try_inputs(const struct policy *p, const struct input *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        AUTO_TYPE(json, json_t) *args = NULL;
        AUTO_TYPE(json, json_t) *fields = json_object();
        AUTO_BUF got = {0};
        struct err err = {0};
        if (json_parse_object(bytes_of_text(rows[i].args), &args, &err))
            fail_msg("%s: %s", err.text, rows[i].args);
        bool ok = policy_check_fields(p, args, fields);
        json_write(fields, &got);
        const char *message =
            rows[i].path ? json_string_value(json_object_get(fields, rows[i].path)) : NULL;
        if (ok != !rows[i].path || ok != !json_object_size(fields))
            fail_msg("%s\n%s", rows[i].args, buf_text(&got));
        if (rows[i].path && (!message || !strstr(message, rows[i].message)))
            fail_msg("%s\nwanted %s: %s\n   got %s", rows[i].args, rows[i].path, rows[i].message,
                buf_text(&got));
    }
}

static void applications_are_checked_field_by_field(void **state)
{
    (void)state;
    AUTO(policy) p = loaded(SHIPPED "association.yaml");
    static const struct input rows[] = {
        {SUBSCRIBER(""), NULL, NULL},
        {SUBSCRIBER(",\"language\":\"en\",\"telephone\":\"03-1234-5678\""), NULL, NULL},
        {SUBSCRIBER(",\"title\":null,\"department\":\"\""), NULL, NULL},
        {"{}", "subscriber.email", "is required"},
        {"{}", "subscriber.organisation.latin", "is required"},
        {"{\"subscriber\":[]}", "subscriber", "must be an object"},
        {"{\"subscriber\":\"x\"}", "subscriber", "must be an object"},
        {SUBSCRIBER(",\"language\":\"fr\""), "subscriber.language", "must be one of ja, en"},
        {SUBSCRIBER(",\"telephone\":12"), "subscriber.telephone", "must be a text"},
        {SUBSCRIBER(",\"telephone\":{\"a\":1}"), "subscriber.telephone", "must be a text"},
        {SUBSCRIBER(",\"telephone\":[\"1\"]"), "subscriber.telephone", "must be a text"},
        {SUBSCRIBER(",\"title\":\"a\\nb\""), "subscriber.title", "one line"},
        {SUBSCRIBER(",\"title\":\"a\\u0085b\""), "subscriber.title", "one line"},
        {SUBSCRIBER(",\"title\":\"a\\u2028b\""), "subscriber.title", "one line"},
        {SUBSCRIBER(",\"title\":\"a\\u202eb\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\"a\\u200bb\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\" a\""), "subscriber.title", "begin or end with a space"},
        {SUBSCRIBER(",\"title\":\"a\\u3000\""), "subscriber.title", "begin or end with a space"},
        {SUBSCRIBER(",\"titel\":\"a\""), "subscriber.titel", "did you mean title?"},
        {SUBSCRIBER(",\"name.ja\":\"a\""), "subscriber.name.ja", "is not a field"},
        {SUBSCRIBER(",\"a\\nb\":\"a\""), "subscriber.?", "is not a field"},
        {SUBSCRIBER(",\"address\":{\"city\":\"x\",\"town\":\"y\"}"), "subscriber.address.town",
            "is not a field"},
        {SUBSCRIBER(",\"address\":\"x\""), "subscriber.address", "is not a field"},
        {SUBSCRIBER(",\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":1}}}}}"), "subscriber.a.b.c.d.e",
            "is not a field"},
        {SUBSCRIBER("},\"contract\":{\"id\":\"x\""), "contract", "has no contracts"},
        {SUBSCRIBER("},\"dns\":{"), "dns", "is not a field"},
    };
    try_inputs(p, rows, ARRAY_LENGTH(rows));
    AUTO(policy) class2 = loaded(TESTED "class2.yaml");
    AUTO_TYPE(json, json_t) *fields = json_object();
    AUTO_TYPE(json, json_t) *args = json_pack("{s:{s:s,s:s,s:s,s:{s:s}}}", "subscriber", "email",
        "x", "title", "ｶﾁｮｳ", "telephone", "03-1", "address", "postal_code", "123456");
    assert_false(policy_check_fields(class2, args, fields)); /* all at once (B6) */
    static const char *const wrong[][2] = {
        {"subscriber.email", "not an e-mail address"},
        {"subscriber.title", "full-width"},
        {"subscriber.telephone", "digits only"},
        {"subscriber.address.postal_code", "exactly 7 digits"},
        {"subscriber.address.prefecture", "is required"},
        {"subscriber.address.city", "is required"},
        {"subscriber.address.street", "is required"},
        {"subscriber.organisation.latin", "is required"},
        {"subscriber.name.latin", "is required"},
    };
    assert_int_equal(json_object_size(fields), ARRAY_LENGTH(wrong));
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        if (!strstr(json_string_value(json_object_get(fields, wrong[i][0])), wrong[i][1]))
            fail_msg("%s", wrong[i][0]);
}

static void contracts_and_hosts_are_checked(void **state)
{
    (void)state;
    AUTO(policy) p = loaded(TESTED "web-ev.yaml");
#define S                                                                                          \
    "\"subscriber\":{\"organisation\":{\"latin\":\"X\"},\"address\":{\"prefecture\":\"P\","        \
    "\"city\":\"C\"}}"
#define ID ",\"contract\":{\"id\":\"c\"}"
#define DNS ",\"dns\":[\"www.example.jp\"]"
    static const struct input rows[] = {
        {"{" S ID DNS "}", NULL, NULL},
        {"{" S ID "}", "dns", "is required"},
        {"{" S ID ",\"dns\":[]}", "dns", "is required"},
        {"{" S ID ",\"dns\":\"www.example.jp\"}", "dns", "must be a list"},
        {"{" S ID ",\"dns\":[\"www.example.jp\",\"www.example.jp\"]}", "dns", "the same twice"},
        {"{" S ID ",\"dns\":[\"*.example.jp\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"example\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"-a.example.jp\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"a-.example.jp\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"a..jp\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"a.jp.\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"192.0.2.1\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"a b.jp\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[1]}", "dns", "must be a text"},
        {"{" S DNS "}", "contract.contacts.technical.email", "is required"},
        {"{" S DNS ",\"contract\":3}", "contract", "must be an object"},
        {"{" S DNS ",\"contract\":{\"id\":\"c\",\"contacts\":{\"sales\":{\"name\":\"x\"}}}}",
            "contract.contacts.sales.name", "is not a field"},
        {"{" S DNS ",\"contract\":{\"id\":\"c\",\"contacts\":{\"administrative\":{\"invoice\":"
         "\"fax\"}}}}",
            "contract.contacts.administrative.invoice", "must be one of electronic, paper"},
        {"{" S DNS ",\"contract\":{\"id\":\"c\",\"account\":{\"otp_email\":\"x@\"}}}",
            "contract.account.otp_email", "not an e-mail address"},
    };
    try_inputs(p, rows, ARRAY_LENGTH(rows));
}

static void addresses_cannot_inject(void **state)
{
    (void)state;
    AUTO(policy) p = loaded(SHIPPED "association.yaml");
    const struct policy_field *email = policy_field(p, "email");
    static const char *const bad[] = {"a@b", "a@example.jp\r\nBcc: x@example.jp", "a@example.jp>",
        "<a@example.jp>", "a b@example.jp", "\"a\"@example.jp", "a@example.jp,b@example.jp",
        "a@[192.0.2.1]", "あ@example.jp", "a@例え.jp", "a@@example.jp", "@example.jp", "a@",
        "a@example..jp", ".a@example.jp", "a.@example.jp", "a\\@example.jp", "a@example.jp\n",
        "a(x)@example.jp", "a@-example.jp", "a;b@example.jp", "a:b@example.jp"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        AUTO_TYPE(json, json_t) *value = json_string(bad[i]);
        AUTO_BUF message = {0};
        if (policy_check_value(email, value, &message))
            fail_msg("%s", bad[i]);
        assert_true(message.length > 0);
    }
    for (int local = 64; local <= 65; local++) {
        AUTO_TEXT name = mem_zero((size_t)local + 1, 1);
        memset(name, 'a', (size_t)local);
        AUTO_TEXT address = mem_printf("%s@example.jp", name);
        AUTO_TYPE(json, json_t) *value = json_string(address);
        AUTO_BUF message = {0};
        assert_true(policy_check_value(email, value, &message) == (local == 64));
    }
    AUTO_TYPE(json, json_t) *nul = json_stringn("a@example.jp\0x", 14);
    AUTO_BUF message = {0};
    assert_false(policy_check_value(email, nul, &message));
}

static void changes_follow_the_effects(void **state)
{
    (void)state;
    AUTO(policy) association = loaded(SHIPPED "association.yaml");
    AUTO(policy) class2 = loaded(TESTED "class2.yaml");
    AUTO(policy) ev = loaded(TESTED "web-ev.yaml");
    AUTO(policy) resident = loaded(TESTED "resident.yaml");
    const struct {
        const struct policy *p;
        enum policy_procedure procedure;
        const char *path, *value, *wanted;
    } rows[] = {
        {association, PROC_CHANGE, "email", "new@example.jp", NULL},
        {association, PROC_CHANGE, "email", "", "is required"},
        {association, PROC_CHANGE, "email", "bad", "not an e-mail"},
        {association, PROC_CHANGE, "title", "", NULL},
        {association, PROC_REISSUE, "email", "new@example.jp", "cannot be changed with a reissue"},
        {association, PROC_CHANGE, "emial", "x", "did you mean email?"},
        {class2, PROC_REISSUE, "email", "new@example.jp", NULL},
        {class2, PROC_REISSUE, "name.ja", "x", "cannot be changed"},
        {class2, PROC_REISSUE, "organisation.company_code", "123456789", "cannot be changed"},
        {class2, PROC_REISSUE, "address.postal_code", "１２３４５６７", "digits"},
        {class2, PROC_CHANGE, "email", "new@example.jp", "only with a reissue"},
        {ev, PROC_RENEW, "contacts.technical.email", "new@example.jp", NULL},
        {ev, PROC_RENEW, "organisation.latin", "X", "cannot be changed with a renewal"},
        {ev, PROC_CHANGE, "account.otp_email", "new@example.jp", NULL},
        {resident, PROC_CORRECT, "name.ja", "x", NULL},
        {resident, PROC_CHANGE, "name.ja", "x", "only by a correction"},
        {resident, PROC_CORRECT, "resident_id", "x", "cannot be changed"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *changes = json_object();
        AUTO_TYPE(json, json_t) *fields = json_object();
        json_object_set_new(changes, rows[i].path, json_string(rows[i].value));
        bool ok = policy_check_changes(rows[i].p, rows[i].procedure, changes, fields);
        AUTO_TEXT key = mem_printf("changes.%s", rows[i].path);
        const char *message = json_string_value(json_object_get(fields, key));
        if (ok != !rows[i].wanted || (!ok && (!message || !strstr(message, rows[i].wanted))))
            fail_msg("row %zu %s: %s", i, rows[i].path, message ? message : "(taken)");
    }
    AUTO_TYPE(json, json_t) *fields = json_object();
    assert_false(policy_check_changes(class2, PROC_REISSUE, NULL, fields));
}

static void evidence_is_asked_for_and_ages(void **state)
{
    (void)state;
    AUTO(policy) resident = loaded(TESTED "resident.yaml");
    AUTO(policy) association = loaded(SHIPPED "association.yaml");
#define MANDATE                                                                                    \
    "\"form\":\"3\",\"photo_id\":true,\"mandate\":{\"signed\":true,\"sealed\":true},"              \
    "\"inquiry\":{\"method\":\"post\",\"reply\":\"confirmed\"}"
#define SEAL(day) ",\"seal_certificate\":{\"obtained_on\":\"" day "\"}"
    const struct {
        const struct policy *p;
        enum policy_procedure procedure;
        enum policy_actor actor;
        enum policy_channel channel;
        const char *evidence, *path, *wanted;
    } rows[] = {
        /* D10: obtained within the last three months, asked on 2014-03-16 */
        {resident, PROC_REVOKE, ACTOR_AGENT, CHANNEL_COUNTER, MANDATE SEAL("2013-12-16"), NULL,
            NULL},
        {resident, PROC_REVOKE, ACTOR_AGENT, CHANNEL_COUNTER, MANDATE SEAL("2013-12-15"),
            "seal_certificate.obtained_on", "too long ago"},
        {resident, PROC_REVOKE, ACTOR_AGENT, CHANNEL_COUNTER, MANDATE SEAL("2014-03-17"),
            "seal_certificate.obtained_on", "in the future"},
        {resident, PROC_REVOKE, ACTOR_AGENT, CHANNEL_COUNTER, MANDATE SEAL("16.12.2013"),
            "seal_certificate.obtained_on", "must be a day"},
        {resident, PROC_REVOKE, ACTOR_AGENT, CHANNEL_COUNTER, MANDATE,
            "seal_certificate.obtained_on", "is required"},
        {resident, PROC_ISSUE, ACTOR_AGENT, CHANNEL_COUNTER,
            "\"mandate\":{\"signed\":true}" SEAL("2014-03-16"), "mandate.sealed", "is required"},
        {resident, PROC_REVOKE, ACTOR_SUBSCRIBER, CHANNEL_COUNTER, "\"form\":\"3\"", "photo_id",
            "is required"},
        {resident, PROC_REVOKE, ACTOR_SUBSCRIBER, CHANNEL_COUNTER,
            "\"form\":\"3\",\"photo_id\":true", NULL, NULL},
        {resident, PROC_REVOKE, ACTOR_SUBSCRIBER, CHANNEL_COUNTER,
            "\"form\":\"3\",\"photo_id\":true,\"device\":7", "device", "must be true or"},
        {resident, PROC_REVOKE, ACTOR_SUBSCRIBER, CHANNEL_SIGNATURE, "", NULL, NULL},
        {association, PROC_CHANGE, ACTOR_ORGANISATION, CHANNEL_PAPER, "", "form.seal",
            "is required"},
        {association, PROC_WITHDRAW, ACTOR_ORGANISATION, CHANNEL_PAPER,
            "\"form\":{\"seal\":true,\"received_on\":\"2014-03-01\"}", NULL, NULL},
        {association, PROC_WITHDRAW, ACTOR_ORGANISATION, CHANNEL_PAPER,
            "\"form\":{\"seal\":false,\"received_on\":\"2014-03-01\"}", "form.seal",
            "must be true"},
        {association, PROC_REVOKE, ACTOR_OPERATOR, CHANNEL_RECORDED, "", NULL, NULL},
    };
    int64_t now; /* 2014-03-16 in Japan, still the 15th in UTC */
    assert_true(clock_parse("2014-03-16T00:00:00+09:00", 25, &now));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TEXT text = mem_printf("{\"evidence\":{%s}}", rows[i].evidence);
        AUTO_TYPE(json, json_t) *by = NULL;
        AUTO_TYPE(json, json_t) *fields = json_object();
        struct err err = {0};
        assert_int_equal(json_parse_object(bytes_of_text(text), &by, &err), 0);
        bool ok = policy_check_evidence(
            rows[i].p, rows[i].procedure, rows[i].actor, rows[i].channel, by, now, fields);
        AUTO_TEXT key = mem_printf("by.evidence.%s", rows[i].path ? rows[i].path : "");
        const char *message = json_string_value(json_object_get(fields, key));
        if (ok != !rows[i].path || (!ok && (!message || !strstr(message, rows[i].wanted))))
            fail_msg("row %zu: %s", i, message ? message : "(no such message)");
    }
    AUTO_TYPE(json, json_t) *fields = json_object();
    assert_false(policy_check_evidence(
        association, PROC_CHANGE, ACTOR_ORGANISATION, CHANNEL_PAPER, NULL, now, fields));
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
        {TESTED "web-sr.yaml",
            {"6 calendar months or 12 calendar months", "before day 25 from issue",
                "only an operator may ask", "Deferred means 14 days",
                "An operator confirms it by "
                "telephone"}},
        {TESTED "resident.yaml", {"that day counted", "at most 3 months ago",
                                     "acknowledged by document", "No mail is sent."}},
        {TESTED "class2.yaml", {"fewer than 31 days left", "the one in the certificate"}},
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
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(extensions_are_one_step_and_name_their_lines),
        cmocka_unit_test(sets_hold_every_file),
        cmocka_unit_test(applications_are_checked_field_by_field),
        cmocka_unit_test(contracts_and_hosts_are_checked),
        cmocka_unit_test(addresses_cannot_inject),
        cmocka_unit_test(changes_follow_the_effects),
        cmocka_unit_test(evidence_is_asked_for_and_ages),
        cmocka_unit_test(policies_explain_themselves),
        cmocka_unit_test(the_document_names_every_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

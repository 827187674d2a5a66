#include "lifecycle/notice.h"

#include "lifecycle/decide_certificate.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define SECOND_MS 1000

const char *notice_reason_word(enum notice_reason reason)
{
#define NOTICE_WORD(symbol, word) word,
    static const char *const words[] = {NOTICE_REASONS(NOTICE_WORD)};
#undef NOTICE_WORD
    return words[reason];
}

/* --- which --- */

/* The first instant after the day that is `days` after that of now. */
static int64_t end_of_day(const struct policy *policy, int64_t now_ms, int days)
{
    return day_start_ms(date_add_days(date_at(now_ms, policy->zone), days + 1), policy->zone);
}

size_t notice_bands(
    const struct policy *policy, int64_t as_of_ms, struct notice_band ret[static POLICY_LIST_MOST])
{
    const struct policy_notices *n = &policy->notices;
    /* The last second is valid until its last millisecond. */
    int64_t from_ms = (as_of_ms / SECOND_MS) * SECOND_MS;
    if (!policy->mails[MAIL_EXPIRY].count)
        return 0;
    for (size_t i = n->mail_day_count; i-- > 0;) {
        ret[i] = (struct notice_band){
            n->mail_days[i], from_ms, end_of_day(policy, as_of_ms, n->mail_days[i])};
        from_ms = ret[i].until_ms;
    }
    return n->mail_day_count;
}

/* --- to whom --- */

static const json_t *contact_of(const struct notice_facts *f, enum policy_party party)
{
    return f->contacts ? json_object_get(f->contacts, policy_word(party, party)) : NULL;
}

static bool is_contact(enum policy_party party)
{
    return party == PARTY_REGISTERED || party == PARTY_TECHNICAL || party == PARTY_ADMINISTRATIVE;
}

/* NULL: this party has none. */
static const char *address_of(const struct notice_facts *f, enum policy_party party)
{
    const char *address = is_contact(party)           ? json_text_at(contact_of(f, party), "email")
                          : party == PARTY_SUBSCRIBER ? json_text_at(f->profile, "email")
                          : party == PARTY_ORGANISATION
                              ? json_text_at(f->profile, "organisation.email")
                              : NULL;
    return address && address[0] ? address : NULL;
}

/* C9: a contact that does not want renewal notices. */
static bool has_opted_out(const struct notice_facts *f, enum policy_party party)
{
    const char *wish =
        is_contact(party) ? json_text_at(contact_of(f, party), "renewal_notice") : NULL;
    return f->policy->notices.has_opt_out && wish && strcmp(wish, "unwanted") == 0;
}

static enum notice_reason reason_of(const struct notice_facts *f, enum policy_party party)
{
    if (!f->is_valid)
        return NOTICE_REVOKED;
    if (f->is_renewed)
        return NOTICE_RENEWED;
    if (f->is_withdrawn)
        return NOTICE_WITHDRAWN;
    if (has_opted_out(f, party))
        return NOTICE_OPTED_OUT;
    return address_of(f, party) ? NOTICE_WANTED : NOTICE_NO_ADDRESS;
}

/* Two parties may have one address; it gets one notice, when either wants it. */
static size_t add(struct notice *list, size_t first, size_t n, const struct notice *one)
{
    for (size_t i = first; i < n; i++) {
        if (strcmp(list[i].recipient, one->recipient) != 0)
            continue;
        if (one->reason == NOTICE_WANTED)
            list[i] = *one;
        return n;
    }
    list[n] = *one;
    return n + 1;
}

static size_t add_all(
    const struct notice_facts *f, int days, bool is_nearest, struct notice *list, size_t n)
{
    const struct policy_recipients *to = &f->policy->mails[MAIL_EXPIRY];
    const size_t first = n;
    for (size_t i = 0; i < to->count && i < PARTIES; i++) {
        enum policy_party party = to->items[i].party;
        const char *address = address_of(f, party);
        struct notice one = {days, party, address ? address : policy_word(party, party),
            is_nearest ? reason_of(f, party) : NOTICE_NEARER};
        n = add(list, first, n, &one);
    }
    return n;
}

size_t notice_decide(
    const struct notice_facts *facts, int days, struct notice ret[static NOTICES_MOST])
{
    const struct policy_notices *p = &facts->policy->notices;
    size_t n = 0;
    for (size_t i = 0; i < p->mail_day_count; i++)
        if (p->mail_days[i] >= days && p->mail_days[i] < facts->noticed_days)
            n = add_all(facts, p->mail_days[i], p->mail_days[i] == days, ret, n);
    return n;
}

/* --- what it says --- */

static void put(json_t *facts, const char *name, const char *value)
{
    if (value && value[0])
        json_object_set_new(facts, name, json_string(value));
}

static void put_days_left(json_t *facts, int64_t days, enum policy_language language)
{
    char text[64];
    if (language == LANGUAGE_JA)
        snprintf(text, sizeof text, days ? "あと%lld日" : "本日限り", (long long)days);
    else if (days)
        snprintf(text, sizeof text, "%lld day%s", (long long)days, days == 1 ? "" : "s");
    else
        snprintf(text, sizeof text, "ends today");
    put(facts, "days_left", text);
}

static void put_addressee(json_t *facts, const struct notice_facts *f, enum policy_party party,
    const struct person *person, enum policy_language language)
{
    const char *organisation =
        person_value(person, language == LANGUAGE_JA ? "organisation.ja" : "organisation.latin");
    const char *name = person_value(person, language == LANGUAGE_JA ? "name.ja" : "name.latin");
    const char *company = is_contact(party) ? json_text_at(contact_of(f, party), "company") : NULL;
    put(facts, "organisation", company ? company : organisation);
    if (party == PARTY_SUBSCRIBER) {
        put(facts, "name", person_name(person, language));
        return;
    }
    put(facts, "about", name);
    if (is_contact(party))
        put(facts, "name", json_text_at(contact_of(f, party), "name"));
}

/* How to go on, which is the policy's `renew`. */
static void put_what_to_do(json_t *facts, const struct policy *policy)
{
    static const char *const ways[RENEWALS] = {[RENEW_NEW_APPLICATION] = "apply_again",
        [RENEW_APPLICATION] = "renew",
        [RENEW_IN_PLACE] = "renew",
        [RENEW_COUNTER] = "counter"};
    const char *way = ways[policy->renew.mode];
    put(facts, way ? way : "ends", "yes");
    if (policy->renew.mode == RENEW_NEW_APPLICATION &&
        policy->renew.charge == CHARGE_NEW_APPLICATION)
        put(facts, "charged", "yes");
    put(facts, "url", policy->notices.screen_link);
}

static json_t *mail_facts(const struct decision *d, const struct notice_facts *f,
    const struct notice *notice, enum policy_language language)
{
    char text[64];
    AUTO_TEXT serial = mem_zero(f->serial.length * 2 + 1, 1);
    json_t *facts = json_object();
    AUTO_PERSON person = person_of_args(&f->subscriber, f->profile, NULL);
    put(facts, "service", f->policy->service[language]);
    put_addressee(facts, f, notice->party, &person, language);
    put(facts, "common_name", subject_common_name(f->policy, &person));
    hex_encode(f->serial.data, f->serial.length, serial);
    put(facts, "serial", serial);
    put(facts, "not_after",
        d->ports->time_text(d->ports->arg, f->not_after_ms, f->policy->zone, language, text));
    put_days_left(facts, days_between(d->now_ms, f->not_after_ms, f->policy->zone), language);
    put_what_to_do(facts, f->policy);
    return facts;
}

json_t *notice_mail(
    const struct decision *d, const struct notice_facts *facts, const struct notice *notice)
{
    const enum policy_language language = policy_language_of(facts->policy, facts->language);
    json_t *args = json_object();
    put(args, "template", "expiry-notice");
    put(args, "recipient", notice->recipient);
    put(args, "language", policy_word(language, language));
    json_object_set_new(args, "certificate", json_uuid(&facts->certificate));
    json_object_set_new(args, "subscriber", json_uuid(&facts->subscriber));
    json_object_set_new(args, "facts", mail_facts(d, facts, notice, language));
    return args;
}

/* --- on the screen --- */

bool notice_takes_later(const struct policy *policy)
{
    return !policy->unit.has_coupon;
}

/* The same as the statement notice.load. */
static bool replaces(
    const struct aggregate *a, const struct certificate *other, const struct certificate *c)
{
    const struct certificate *root = aggregate_certificate(a, &other->root);
    return uuid_equal(&other->predecessor, &c->id) ||
           (root && uuid_equal(&root->predecessor, &c->id)) ||
           (uuid_equal(&other->root, &c->root) && other->issued_ms > c->issued_ms);
}

bool notice_is_renewed(
    const struct policy *policy, const struct aggregate *aggregate, const struct certificate *c)
{
    for (size_t i = 0; i < aggregate->certificate_count; i++) {
        const struct certificate *other = aggregate->certificates[i];
        if (other != c && other->state == CERTIFICATE_VALID &&
            (replaces(aggregate, other, c) ||
                (notice_takes_later(policy) && other->not_after_ms > c->not_after_ms)))
            return true;
    }
    return false;
}

static bool is_open(const struct decision *d, const struct policy *policy,
    const struct aggregate *aggregate, const struct certificate *c)
{
    return c->state == CERTIFICATE_VALID && !certificate_is_expired(c, d->now_ms) &&
           days_between(d->now_ms, c->not_after_ms, policy->zone) <= policy->notices.screen_days &&
           !notice_is_renewed(policy, aggregate, c);
}

/* Where it stands among those before it, by its end. */
static size_t place_of(const json_t *list, int64_t not_after_ms)
{
    size_t at = json_array_size(list);
    while (at > 0 && strcmp(json_text_at(json_array_get(list, at - 1), "not_after"),
                         clock_s(not_after_ms)) > 0)
        at--;
    return at;
}

void notice_screen(const struct decision *d, const struct policy *policy,
    const struct aggregate *aggregate, struct plan *plan)
{
    AUTO_TYPE(json, json_t) *list = json_array();
    for (size_t i = 0; aggregate && i < aggregate->certificate_count; i++) {
        const struct certificate *c = aggregate->certificates[i];
        if (!is_open(d, policy, aggregate, c))
            continue;
        json_t *item = json_pack("{s:s, s:o, s:o, s:I, s:s}", "certificate", uuid_s(&c->id),
            "serial", json_serial(c), "not_after", json_time(c->not_after_ms), "days_left",
            (json_int_t)days_between(d->now_ms, c->not_after_ms, policy->zone), "link",
            policy->notices.screen_link ? policy->notices.screen_link : "");
        json_array_insert_new(list, place_of(list, c->not_after_ms), item);
    }
    plan_result(plan, json_pack("{s:O}", "notices", list));
}

/* The list of certificates that can be reissued (B1, B2); decide_retrieve.h says what it promises.
 */
#include "lifecycle/decide_certificate.h"
#include "lifecycle/decide_retrieve.h"

#include <stdio.h>

/* B2: too near its end is left out, as if it were not there. */
static bool is_listed(
    const struct decision *d, const struct policy *policy, const struct certificate *c)
{
    if (c->state != CERTIFICATE_VALID || certificate_is_expired(c, d->now_ms))
        return false;
    return days_between(d->now_ms, c->not_after_ms, policy->zone) >= policy->reissue.min_days_left;
}

static void put(json_t *item, const char *name, const char *value)
{
    json_object_set_new(item, name, value ? json_string(value) : json_null());
}

/* The days as they are printed for people, in the product's zone (B9). */
static json_t *shown(const struct policy *policy, const struct certificate *c)
{
    char from[16], to[16];
    struct date first = date_at(c->not_before_ms, policy->zone);
    struct date last = date_at(c->not_after_ms, policy->zone);
    snprintf(from, sizeof from, "%04d/%02d/%02d", first.year, first.month, first.day);
    snprintf(to, sizeof to, "%04d/%02d/%02d", last.year, last.month, last.day);
    return json_pack("{s:s, s:s}", "from", from, "to", to);
}

/* B1: a number for people, drawn with the certificate's id; tells the certificates of one apart. */
static json_t *coupon_of(const struct policy *policy, const struct certificate *c)
{
    uint64_t drawn = 0;
    for (size_t i = 8; i < sizeof c->id.b; i++)
        drawn = drawn << 8 | c->id.b[i];
    return policy->unit.has_coupon
               ? json_sprintf("%010llu", (unsigned long long)(drawn % UINT64_C(10000000000)))
               : json_null();
}

static json_t *item_of(
    const struct policy *policy, const struct certificate *c, const struct person *p)
{
    json_t *item = json_object();
    put(item, "certificate", uuid_s(&c->id));
    json_object_set_new(item, "coupon", coupon_of(policy, c));
    json_object_set_new(item, "not_before", json_time(c->not_before_ms));
    json_object_set_new(item, "not_after", json_time(c->not_after_ms));
    json_object_set_new(item, "shown", shown(policy, c));
    put(item, "name", person_name(p, LANGUAGE_JA));
    put(item, "common_name", subject_common_name(policy, p));
    put(item, "organisation", person_value(p, "organisation.ja"));
    put(item, "company_code", person_value(p, "organisation.company_code"));
    json_object_set_new(item, "serial", json_serial(c));
    put(item, "email", person_value(p, "email"));
    return item;
}

static int add(const struct decision *d, const struct policy *policy, const struct aggregate *a,
    const struct certificate *c, json_t *list, struct err *err)
{
    const struct application *application = aggregate_application(a, &c->application);
    AUTO_PERSON person = {0};
    if (!application || !is_listed(d, policy, c))
        return 0;
    if (person_of_rows(a, application, &person, err))
        return -1;
    json_array_append_new(list, item_of(policy, c, &person));
    return 0;
}

int decide_lookup(const struct decision *d, const struct credentials *c,
    const struct candidate *candidates, size_t n, struct plan *plan, struct err *err)
{
    struct proven who = {0};
    bool is_right = false;
    actor_record(d, plan);
    if (credentials_prove(d, c, candidates, n, &who, &is_right, plan, err))
        return -1;
    AUTO_TYPE(json, json_t) *list = json_array();
    const struct aggregate *a = is_right ? who.candidate->aggregate : NULL;
    for (size_t i = 0; a && i < a->certificate_count; i++)
        if ((!who.certificate || who.certificate == a->certificates[i]) &&
            add(d, who.candidate->policy, a, a->certificates[i], list, err))
            return -1;
    if (!plan->refused)
        plan_result(plan, json_pack("{s:O}", "certificates", list));
    return 0;
}

bool lookup_contract_read(
    struct decision *d, const json_t *args, struct uuid *ret_contract, struct plan *plan)
{
    static const char *const known[] = {"contract", "by", NULL};
    if (!actor_read(d, args, plan))
        return false;
    args_known(args, known, plan);
    return args_uuid(args, "contract", ret_contract, plan) && !plan->refused;
}

int decide_lookup_contract(const struct decision *d, const json_t *args,
    const struct policy *policy, const struct contract *contract, struct plan *plan,
    struct err *err)
{
    actor_record(d, plan);
    AUTO_TYPE(json, json_t) *list = json_array();
    if (!contract || !policy)
        plan_refuse(plan, "not-found", "there is no such contract");
    else if (!actor_may(d, policy, PROC_LOOKUP, args, plan))
        return 0;
    for (size_t i = 0; !plan->refused && i < contract->member_count; i++) {
        const struct aggregate *a = contract->members[i];
        for (size_t k = 0; k < a->certificate_count; k++)
            if (add(d, policy, a, a->certificates[k], list, err))
                return -1;
    }
    if (!plan->refused)
        plan_result(plan, json_pack("{s:O}", "certificates", list));
    return 0;
}

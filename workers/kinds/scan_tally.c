#include "kinds/scan_tally.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

struct scan_tally {
    json_t *products, *notices;
    bool has_more;
};

struct scan_tally *scan_tally_new(void)
{
    struct scan_tally *t = MEM_NEW(struct scan_tally);
    t->products = json_object();
    t->notices = json_array();
    return t;
}

void scan_tally_free(struct scan_tally *t)
{
    if (!t)
        return;
    json_decref(t->products);
    json_decref(t->notices);
    free(t);
}

static void raise(json_t *object, const char *name, int64_t by)
{
    json_int_t before = json_integer_value(json_object_get(object, name));
    json_object_set_new(object, name, json_integer(before + (json_int_t)by));
}

static json_t *product_of(struct scan_tally *t, const char *name)
{
    json_t *p = json_object_get(t->products, name);
    if (!p) {
        p = json_pack("{s:i, s:{}, s:i, s:{}}", "scanned", 0, "due", "sent", 0, "skipped");
        json_object_set_new(t->products, name, p);
    }
    return p;
}

void scan_tally_product(struct scan_tally *t, const struct policy *policy)
{
    json_t *due = json_object_get(product_of(t, policy->name), "due");
    char days[16];
    for (size_t i = 0; i < policy->notices.mail_day_count; i++) {
        snprintf(days, sizeof days, "%d", policy->notices.mail_days[i]);
        raise(due, days, 0);
    }
}

void scan_tally_due(struct scan_tally *t, const char *product, int days, int64_t certificates)
{
    json_t *p = product_of(t, product);
    char name[16];
    snprintf(name, sizeof name, "%d", days);
    raise(json_object_get(p, "due"), name, certificates);
    raise(p, "scanned", certificates);
}

void scan_tally_reason(
    struct scan_tally *t, const char *product, enum notice_reason reason, int64_t rows)
{
    json_t *p = product_of(t, product);
    if (reason == NOTICE_WANTED)
        raise(p, "sent", rows);
    else
        raise(json_object_get(p, "skipped"), notice_reason_word(reason), rows);
}

void scan_tally_list(struct scan_tally *t, const struct notice_facts *facts,
    const struct notice *notice, int64_t as_of_ms)
{
    if (json_array_size(t->notices) == SCAN_LISTED_MOST) {
        t->has_more = true;
        return;
    }
    const struct zone *zone = facts->policy->zone;
    json_t *item = json_pack("{s:s, s:s, s:i, s:I, s:s, s:s}", "product", facts->policy->name,
        "certificate", uuid_s(&facts->certificate), "threshold", notice->days, "days_left",
        (json_int_t)days_between(as_of_ms, facts->not_after_ms, zone), "not_after",
        clock_s(facts->not_after_ms), "recipient", notice->recipient);
    if (notice->reason != NOTICE_WANTED)
        json_object_set_new(item, "skipped", json_string(notice_reason_word(notice->reason)));
    json_array_append_new(t->notices, item);
}

json_t *scan_tally_result(const struct scan_tally *t, const char *as_of, bool is_dry)
{
    json_t *result =
        json_pack("{s:s, s:b, s:O}", "as_of", as_of, "dry_run", is_dry, "products", t->products);
    if (is_dry) {
        json_object_set(result, "notices", t->notices);
        json_object_set_new(result, "more", json_boolean(t->has_more));
    }
    return result;
}

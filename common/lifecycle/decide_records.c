#include "lifecycle/decide_records.h"

#include "lifecycle/decide_addressee.h"
#include "lifecycle/decide_device.h"
#include "lifecycle/decide_disclosure.h"
#include "lifecycle/decide_document.h"
#include "lifecycle/decide_successor.h"

#include <string.h>

/* --- reading --- */

bool records_read(struct decision *d, const struct policy_set *policies, const json_t *args,
    struct records_request *ret, struct plan *plan)
{
    static const char *const known[] = {"subscriber", "product", "by", NULL};
    *ret = (struct records_request){.args = args};
    if (!actor_read(d, args, plan))
        return false;
    args_known(args, known, plan);
    (void)whom_read(policies, args, &ret->whom, plan);
    return !plan->refused;
}

void records_request_clear(struct records_request *r)
{
    whom_clear(&r->whom);
}

/* --- disclosing (D4) --- */

/* Both documents; nothing has changed yet. */
static int make_documents(const struct decision *d, const struct records_request *r,
    const struct disclosure *it, json_t *result, struct err *err)
{
    char number[DOCUMENT_NUMBER];
    const enum document which = it->aggregate ? DOCUMENT_DISCLOSURE : DOCUMENT_NO_RECORDS;
    const struct policy *policy = it->policy;
    AUTO_TYPE(json, json_t) *facts =
        addressee_facts(d, policy, it->person, agent_of(d, r->args), d->now_ms, it->language);
    AUTO_TYPE(json, json_t) *bill = json_copy(facts);
    json_t *document = NULL;
    disclosure_facts(d, it, facts);
    if (document_make(d, policy, which, it->language, facts, &document, err))
        return -1;
    json_object_set_new(result, "document", document);
    if (policy->records.disclose_charge == CHARGE_FREE)
        return 0;
    json_object_del(bill, "holder_id");
    document_fact(bill, "disclosure", document_number(d, which, number));
    if (document_make(d, policy, DOCUMENT_PAYMENT_NOTICE, it->language, bill, &document, err))
        return -1;
    json_object_set_new(result, "payment_notice", document);
    return 0;
}

static int disclose(const struct decision *d, const struct records_request *r,
    const struct disclosure *it, struct plan *plan, struct err *err)
{
    struct aggregate *a = it->aggregate;
    const struct uuid nobody = {{0}};
    const struct uuid *subject = a ? &a->subscriber.id : &nobody;
    AUTO_TYPE(json, json_t) *result = json_object();
    if (make_documents(d, r, it, result, err))
        return -1;
    struct application row = application_of(
        d, subject, KIND_WORD_DISCLOSE, (enum policy_charge)it->policy->records.disclose_charge);
    json_object_set_new(result, "state", json_string(a ? "disclosed" : "none"));
    if (a) {
        json_object_set_new(result, "subscriber", json_uuid(subject));
        json_object_set_new(result, "application", json_uuid(&row.id));
        json_object_set_new(result, "records", disclosure_records(it));
        *aggregate_add_application(a) = row;
    }
    result_add_charge(&row, result);
    plan_audit(plan, a ? "records.disclosed" : "records.none", subject,
        json_pack("{s:s, s:O, s:O?}", "product", it->policy->name, "document",
            json_at(result, "document.number"), "asked", a ? NULL : r->whom.names));
    plan_result(plan, TAKE(result));
    return 0;
}

int decide_disclose(const struct decision *d, const struct records_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan, struct err *err)
{
    actor_record(d, plan);
    if (!policy && aggregate)
        return err_set(err, ERR_TEMPORARY, "damaged", "there is no policy of %s here",
            aggregate->subscriber.product);
    if (!policy) {
        whom_refuse(&r->whom, plan);
        return 0;
    }
    if (!actor_may(d, policy, PROC_DISCLOSE, r->args, plan))
        return 0;
    if (!aggregate && !policy->records.confirms_none) {
        whom_refuse(&r->whom, plan);
        return 0;
    }
    const struct uuid nobody = {{0}};
    AUTO_PERSON person = {0};
    if (!aggregate)
        person = person_of_args(&nobody, r->whom.names, NULL);
    else if (person_of_subscriber(aggregate, &person, err))
        return -1;
    const struct disclosure it = {policy, aggregate, &person, r->files, r->file_count,
        policy_language_of(policy, aggregate ? aggregate->subscriber.language : NULL)};
    return disclose(d, r, &it, plan, err);
}

/* --- erasing (D8) --- */

/* The list of that device, made when it is not there yet. */
static json_t *list_of(json_t *devices, const char *device)
{
    size_t i;
    json_t *item;
    json_array_foreach(devices, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "device"));
        if (name && strcmp(name, device) == 0)
            return json_object_get(item, "certificates");
    }
    json_t *list = json_array();
    json_array_append_new(devices, json_pack("{s:s, s:o}", "device", device, "certificates", list));
    return list;
}

static json_t *erasable_devices(const struct policy *policy, const struct aggregate *a)
{
    json_t *devices = json_array();
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *c = a->certificates[i];
        const int why = device_erasable(policy, a, c);
        if (why >= 0)
            json_array_append_new(list_of(devices, c->device),
                json_pack("{s:o, s:o, s:s, s:o}", "certificate", json_uuid(&c->id), "serial",
                    json_serial(c), "why", policy_word(erasable, why), "revoked",
                    json_time(c->revoked_ms)));
    }
    return devices;
}

int decide_erasable(const struct decision *d, const struct records_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan, struct err *err)
{
    actor_record(d, plan);
    if (!aggregate) {
        whom_refuse(&r->whom, plan);
        return 0;
    }
    if (!policy)
        return err_set(err, ERR_TEMPORARY, "damaged", "there is no policy of %s here",
            aggregate->subscriber.product);
    if (!actor_may(d, policy, PROC_ERASABLE, r->args, plan))
        return 0;
    json_t *devices = erasable_devices(policy, aggregate);
    plan_audit(plan, "records.erasable", &aggregate->subscriber.id,
        json_pack("{s:i}", "devices", (int)json_array_size(devices)));
    plan_result(plan, json_pack("{s:o, s:o}", "subscriber", json_uuid(&aggregate->subscriber.id),
                          "devices", devices));
    return 0;
}

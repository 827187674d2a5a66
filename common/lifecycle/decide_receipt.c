#include "lifecycle/decide_receipt.h"

#include "lifecycle/decide_addressee.h"
#include "lifecycle/decide_document.h"
#include "lifecycle/people_words.h"

static bool has_card(const json_t *args)
{
    const json_t *device = json_at(args, "by.evidence.device");
    return json_is_true(device) || json_string_length(device) > 0;
}

int receipt_make(const struct decision *d, const struct policy *policy, const struct person *person,
    const struct certificate *certificate, enum reason reason, const json_t *args, json_t **ret,
    struct err *err)
{
    if (policy->revoke.acknowledge != ACKNOWLEDGE_DOCUMENT)
        return 0;
    const enum policy_language language =
        policy_language_of(policy, json_text_at(person->profile, "language"));
    const bool is_issued = certificate->state == CERTIFICATE_VALID;
    AUTO_TYPE(json, json_t) *facts =
        addressee_facts(d, policy, person, agent_of(d, args), d->now_ms, language);
    json_object_set_new(facts, "serial", json_serial(certificate));
    document_fact(facts, "reason", people_reason(reason, language));
    document_fact(facts, "common_name", subject_common_name(policy, person));
    document_time(d, policy, language, facts, "not_after", certificate->not_after_ms);
    document_time(d, policy, language, facts, "revoked_on", is_issued ? d->now_ms : 0);
    document_fact(facts, "card", has_card(args) ? "yes" : NULL);
    return document_make(d, policy, DOCUMENT_REVOCATION_ACCEPTED, language, facts, ret, err);
}

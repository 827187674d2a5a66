#include "lifecycle/decide_disclosure.h"

#include "base/clock.h"
#include "lifecycle/decide_document.h"
#include "lifecycle/people_words.h"

#include <string.h>

static bool tells(const struct disclosure *it, enum policy_record what)
{
    return it->policy->records.disclose & POLICY_BIT(what);
}

/* --- the revocation file --- */

/* Revoked by the time the file was made, and not expired before it. */
static bool is_in(const struct record_file *file, const struct certificate *c)
{
    return c->state == CERTIFICATE_REVOKED && strcmp(c->issuer, file->issuer) == 0 &&
           c->revoked_ms <= file->this_update_ms && c->not_after_ms >= file->this_update_ms;
}

static bool has_any(const struct disclosure *it, const struct record_file *file)
{
    for (size_t i = 0; file->number && i < it->aggregate->certificate_count; i++)
        if (is_in(file, it->aggregate->certificates[i]))
            return true;
    return false;
}

/* --- for upstream --- */

static json_t *time_or_null(int64_t time_ms)
{
    return time_ms ? json_time(time_ms) : json_null();
}

static json_t *issue_records(const struct aggregate *a)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *c = a->certificates[i];
        json_t *o = json_object();
        json_object_set_new(o, "certificate", json_uuid(&c->id));
        json_object_set_new(o, "serial", json_serial(c));
        json_object_set_new(o, "state", json_string(certificate_state_word(c->state)));
        json_object_set_new(o, "subject", c->subject ? json_string(c->subject) : json_null());
        json_object_set_new(o, "device", c->device ? json_string(c->device) : json_null());
        json_object_set_new(o, "applied", json_time(c->created_ms));
        json_object_set_new(o, "issued", time_or_null(c->issued_ms));
        json_object_set_new(o, "not_before", time_or_null(c->not_before_ms));
        json_object_set_new(o, "not_after", time_or_null(c->not_after_ms));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *revocation_records(const struct aggregate *a)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *c = a->certificates[i];
        if (c->state == CERTIFICATE_REVOKED)
            json_array_append_new(
                list, json_pack("{s:o, s:o, s:o, s:s, s:b}", "certificate", json_uuid(&c->id),
                          "serial", json_serial(c), "revoked", json_time(c->revoked_ms), "reason",
                          reason_name(c->reason), "online", c->was_revoked_online));
    }
    return list;
}

static json_t *file_record(const struct disclosure *it, const struct record_file *file)
{
    json_t *serials = json_array();
    for (size_t i = 0; i < it->aggregate->certificate_count; i++)
        if (is_in(file, it->aggregate->certificates[i]))
            json_array_append_new(serials, json_serial(it->aggregate->certificates[i]));
    return json_pack("{s:s, s:I, s:o, s:o, s:o}", "issuer", file->issuer, "number",
        (json_int_t)file->number, "this_update", json_time(file->this_update_ms), "next_update",
        json_time(file->next_update_ms), "serials", serials);
}

json_t *disclosure_records(const struct disclosure *it)
{
    json_t *records = json_object();
    json_object_set(records, "registered", it->person->profile);
    if (tells(it, RECORD_ISSUE))
        json_object_set_new(records, "issue", issue_records(it->aggregate));
    if (tells(it, RECORD_REVOCATION))
        json_object_set_new(records, "revocation", revocation_records(it->aggregate));
    if (!tells(it, RECORD_REVOCATION_FILE))
        return records;
    json_t *files = json_array();
    for (size_t i = 0; i < it->file_count; i++)
        if (has_any(it, &it->files[i]))
            json_array_append_new(files, file_record(it, &it->files[i]));
    json_object_set_new(records, "revocation_file", files);
    return records;
}

/* --- for the document --- */

static json_t *registered_facts(const struct disclosure *it)
{
    json_t *list = json_array();
    for (size_t i = 0; i < it->policy->field_count; i++) {
        const struct policy_field *field = &it->policy->fields[i];
        const char *value =
            field->place == PLACE_SUBSCRIBER ? person_value(it->person, field->path) : NULL;
        if (value)
            json_array_append_new(
                list, json_pack("{s:s, s:s}", "label", people_field(field->path, it->language),
                          "value", value));
    }
    return list;
}

static json_t *issue_facts(const struct decision *d, const struct disclosure *it)
{
    json_t *list = json_array();
    const enum policy_language language = it->language;
    for (size_t i = 0; i < it->aggregate->certificate_count; i++) {
        const struct certificate *c = it->aggregate->certificates[i];
        json_t *facts = json_object();
        json_object_set_new(facts, "serial", json_serial(c));
        document_fact(facts, "subject", c->subject);
        document_fact(facts, "state", people_state(c->state, language));
        document_time(d, it->policy, language, facts, "issued_on", c->issued_ms);
        document_time(d, it->policy, language, facts, "not_before", c->not_before_ms);
        document_time(d, it->policy, language, facts, "not_after", c->not_after_ms);
        json_array_append_new(list, facts);
    }
    return list;
}

static json_t *revocation_facts(const struct decision *d, const struct disclosure *it)
{
    json_t *list = json_array();
    for (size_t i = 0; i < it->aggregate->certificate_count; i++) {
        const struct certificate *c = it->aggregate->certificates[i];
        if (c->state != CERTIFICATE_REVOKED)
            continue;
        json_t *facts = json_object();
        json_object_set_new(facts, "serial", json_serial(c));
        document_time(d, it->policy, it->language, facts, "revoked_on", c->revoked_ms);
        document_fact(facts, "reason", people_reason(c->reason, it->language));
        json_array_append_new(list, facts);
    }
    return list;
}

static json_t *file_facts(const struct decision *d, const struct disclosure *it)
{
    json_t *list = json_array();
    for (size_t i = 0; i < it->file_count; i++) {
        const struct record_file *file = &it->files[i];
        char number[24];
        if (!has_any(it, file))
            continue;
        json_t *facts = json_object();
        snprintf(number, sizeof number, "%llu", (unsigned long long)file->number);
        document_fact(facts, "issuer", file->issuer);
        document_fact(facts, "crl_number", number);
        document_time(d, it->policy, it->language, facts, "this_update", file->this_update_ms);
        document_time(d, it->policy, it->language, facts, "next_update", file->next_update_ms);
        json_array_append_new(list, facts);
    }
    return list;
}

void disclosure_facts(const struct decision *d, const struct disclosure *it, json_t *facts)
{
    static const char *const asked[] = {[RECORD_ISSUE] = "asked_issue",
        [RECORD_REVOCATION] = "asked_revocation",
        [RECORD_REVOCATION_FILE] = "asked_file"};
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++)
        document_fact(facts, asked[i], tells(it, (enum policy_record)i) ? "yes" : NULL);
    if (!it->aggregate)
        return;
    json_object_set_new(facts, "records", registered_facts(it));
    if (tells(it, RECORD_ISSUE))
        json_object_set_new(facts, "issues", issue_facts(d, it));
    if (tells(it, RECORD_REVOCATION))
        json_object_set_new(facts, "revocations", revocation_facts(d, it));
    if (tells(it, RECORD_REVOCATION_FILE))
        json_object_set_new(facts, "files", file_facts(d, it));
}

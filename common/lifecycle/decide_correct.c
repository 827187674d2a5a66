#include "lifecycle/decide_correct.h"

#include "base/mem.h"
#include "lifecycle/decide_addressee.h"
#include "lifecycle/decide_approval.h"
#include "lifecycle/decide_document.h"
#include "lifecycle/decide_grant.h"
#include "lifecycle/decide_profile.h"
#include "lifecycle/decide_records.h"
#include "lifecycle/people_words.h"

#include <string.h>

/* --- reading --- */

bool correct_read(struct decision *d, const struct policy_set *policies, const json_t *args,
    struct correct_request *ret, struct plan *plan)
{
    static const char *const known[] = {"subscriber", "product", "changes", "by", NULL};
    *ret = (struct correct_request){.args = args, .changes = json_object_get(args, "changes")};
    if (!actor_read(d, args, plan))
        return false;
    args_known(args, known, plan);
    (void)whom_read(policies, args, &ret->whom, plan);
    if (!json_is_object(ret->changes) || !json_object_size(ret->changes))
        plan_bad_field(plan, "changes", "must be an object of field paths and values");
    return !plan->refused;
}

void correct_request_clear(struct correct_request *r)
{
    whom_clear(&r->whom);
}

/* --- checking --- */

static const char *text_at(const json_t *profile, const char *path)
{
    const char *text = json_text_at(profile, path);
    return text && text[0] ? text : NULL;
}

/* Each is a correction, an addition or a deletion that the policy takes. */
static void check_each(const struct policy *policy, const struct person *before,
    const struct person *after, const json_t *changes, struct plan *plan)
{
    const char *path;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)changes, path, value)
    {
        const struct policy_field *field = policy_field(policy, path);
        const char *old = text_at(before->profile, path), *new = text_at(after->profile, path);
        const int what = !old ? CORRECTION_ADD : new ? CORRECTION_CORRECT : CORRECTION_DELETE;
        AUTO_TEXT key = mem_printf("changes.%s", path);
        if (!field || field->place != PLACE_SUBSCRIBER)
            plan_bad_field(plan, key, "is not recorded of the subscriber");
        else if ((!old && !new) || (old && new &&strcmp(old, new) == 0))
            plan_bad_field(plan, key, "is what is recorded already");
        else if (!(policy->records.correct & POLICY_BIT(what)))
            plan_bad_field(plan, key, "%s is not done here", policy_word(correction, what));
    }
}

/* A correction of the subscriber as recorded now. */
struct correction {
    const struct policy *policy;
    struct aggregate *aggregate;
    const json_t *changes;
    struct person before, after; /* owned */
    char *unit_key;              /* owned; NULL: stays */
};

static void correction_clear(struct correction *c)
{
    person_clear(&c->before);
    person_clear(&c->after);
    free(c->unit_key);
}
#define AUTO_CORRECTION CLEANUP(correction_clear) struct correction

static int correction_check(
    const struct decision *d, struct correction *c, struct plan *plan, struct err *err)
{
    AUTO_TYPE(json, json_t) *fields = json_object();
    if (person_of_subscriber(c->aggregate, &c->before, err))
        return -1;
    memcpy(c->after.id, c->before.id, sizeof c->after.id);
    c->after.profile = profile_merge(c->before.profile, c->changes);
    if (!policy_check_changes(c->policy, PROC_CORRECT, c->changes, fields))
        profile_bad_fields(fields, plan);
    else
        check_each(c->policy, &c->before, &c->after, c->changes, plan);
    if (plan->refused || !profile_check(d, c->policy, &c->after, plan))
        return 0;
    return profile_check_unit(d, c->policy, c->aggregate, &c->after, &c->unit_key, plan, err);
}

/* --- asking --- */

static const struct application *last_disclosure(const struct aggregate *a)
{
    for (size_t i = a->application_count; i-- > 0;)
        if (strcmp(a->applications[i]->kind, KIND_WORD_DISCLOSE) == 0)
            return a->applications[i];
    return NULL;
}

/* {path: {"before", "after"}}; null where nothing is or will be recorded. */
static json_t *differences(const struct correction *c)
{
    json_t *list = json_object();
    const char *path;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)c->changes, path, value)
        json_object_set_new(list, path,
            json_pack("{s:s?, s:s?}", "before", text_at(c->before.profile, path), "after",
                text_at(c->after.profile, path)));
    return list;
}

static void accept(const struct decision *d, const struct correct_request *r,
    const struct correction *c, const struct application *disclosure, struct plan *plan)
{
    struct aggregate *a = c->aggregate;
    AUTO_TYPE(json, json_t) *request =
        json_pack("{s:{s:O, s:o, s:s?}}", "correct", "changes", (json_t *)(uintptr_t)r->changes,
            "disclosure", json_uuid(&disclosure->job), "agent", agent_of(d, r->args));
    struct application *row = aggregate_add_application(a);
    *row = application_of(d, &a->subscriber.id, KIND_WORD_CORRECT, CHARGE_FREE);
    row->state = APPLICATION_AWAITING_APPROVAL;
    row->request = json_compact(request);
    plan_audit(plan, "correction.requested", &a->subscriber.id,
        json_pack("{s:o, s:o}", "application", json_uuid(&row->id), "changes", differences(c)));
    json_t *result = json_object();
    json_object_set_new(result, "subscriber", json_uuid(&a->subscriber.id));
    json_object_set_new(result, "application", json_uuid(&row->id));
    json_object_set_new(result, "state", json_string("awaiting-approval"));
    plan_result(plan, result);
}

int decide_correct(const struct decision *d, const struct correct_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan, struct err *err)
{
    AUTO_CORRECTION c = {policy, aggregate, r->changes, .unit_key = NULL};
    actor_record(d, plan);
    if (!aggregate) {
        whom_refuse(&r->whom, plan);
        return 0;
    }
    if (!policy)
        return err_set(err, ERR_TEMPORARY, "damaged", "there is no policy of %s here",
            aggregate->subscriber.product);
    if (!actor_may(d, policy, PROC_CORRECT, r->args, plan))
        return 0;
    const struct application *disclosure = last_disclosure(aggregate);
    if (!disclosure) {
        plan_refuse(plan, "no-disclosure",
            "a correction follows a disclosure: nothing was disclosed to subscriber %s yet",
            uuid_s(&aggregate->subscriber.id));
        return 0;
    }
    if (correction_check(d, &c, plan, err))
        return -1;
    if (!plan->refused)
        accept(d, r, &c, disclosure, plan);
    return 0;
}

/* --- deciding --- */

static json_t *change_facts(const struct correction *c, enum policy_language language)
{
    json_t *list = json_array();
    const char *path;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)c->changes, path, value)
    {
        json_t *facts = json_object();
        document_fact(facts, "label", people_field(path, language));
        document_fact(facts, "before", text_at(c->before.profile, path));
        document_fact(facts, "after", text_at(c->after.profile, path));
        json_array_append_new(list, facts);
    }
    return list;
}

static int make_document(const struct approval *a, const struct correction *c, const json_t *terms,
    json_t **ret, struct err *err)
{
    const enum policy_language language =
        policy_language_of(a->policy, a->aggregate->subscriber.language);
    AUTO_TYPE(json, json_t) *facts = addressee_facts(a->d, a->policy, &c->before,
        json_text_at(terms, "agent"), a->application->created_ms, language);
    const char *disclosure = json_text_at(terms, "disclosure");
    struct decision then = {0};
    char number[DOCUMENT_NUMBER];
    if (disclosure && uuid_parse(disclosure, strlen(disclosure), &then.job))
        document_fact(facts, "disclosure", document_number(&then, DOCUMENT_DISCLOSURE, number));
    document_fact(facts, a->r->is_approved ? "corrected" : "refused", "yes");
    document_fact(facts, "note", a->r->note);
    json_object_set_new(facts, "changes", change_facts(c, language));
    return document_make(a->d, a->policy, DOCUMENT_CORRECTION, language, facts, ret, err);
}

static void apply(const struct approval *a, struct correction *c, struct plan *plan)
{
    const struct uuid *subject = &a->aggregate->subscriber.id;
    approval_record(a);
    plan_audit(plan, a->r->is_approved ? "records.corrected" : "records.kept", subject,
        json_pack("{s:o, s:s, s:s, s:o}", "application", json_uuid(&a->application->id), "operator",
            a->r->who, "inquiry", a->r->note, "changes", differences(c)));
    if (a->r->is_approved)
        profile_set(a->policy, a->aggregate, c->after.profile, &c->unit_key);
}

int correct_decided(const struct approval *a, struct plan *plan, struct err *err)
{
    AUTO_TYPE(json, json_t) *request =
        a->application->request ? json_loads(a->application->request, 0, NULL) : NULL;
    const json_t *terms = json_object_get(request, "correct");
    AUTO_CORRECTION c = {
        a->policy, a->aggregate, json_object_get(terms, "changes"), .unit_key = NULL};
    struct plan ignored = {0};
    json_t *document = NULL;
    if (!c.changes)
        return approval_damaged(a, "changes", err);
    if (!a->r->note) {
        plan_bad_field(plan, "note", "is missing: what did the inquiry find?");
        return 0;
    }
    /* What can be done no more can still be refused. */
    int failed = correction_check(a->d, &c, a->r->is_approved ? plan : &ignored, err);
    plan_clear(&ignored);
    if (failed)
        return -1;
    if (plan->refused)
        return 0;
    if (make_document(a, &c, terms, &document, err))
        return -1;
    json_t *result = json_object();
    json_object_set_new(result, "state", json_string(a->r->is_approved ? "corrected" : "rejected"));
    json_object_set_new(result, "document", document);
    apply(a, &c, plan);
    approval_finish(a, result, plan);
    return 0;
}

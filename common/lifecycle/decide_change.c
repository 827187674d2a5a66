#include "lifecycle/decide_change.h"

#include "base/mem.h"
#include "lifecycle/decide_contract.h"
#include "lifecycle/decide_profile.h"
#include "lifecycle/decide_state.h"
#include "lifecycle/decide_successor.h"

#include <string.h>

/* --- reading --- */

bool change_read(
    struct decision *d, const json_t *args, struct change_request *ret, struct plan *plan)
{
    static const char *const known[] = {"subscriber", "contract", "changes", "by", NULL};
    *ret = (struct change_request){.args = args, .changes = json_object_get(args, "changes")};
    if (!actor_read(d, args, plan))
        return false;
    args_known(args, known, plan);
    bool is_of_subscriber = args_uuid(args, "subscriber", &ret->subscriber, plan);
    ret->is_of_contract = args_uuid(args, "contract", &ret->contract, plan);
    if (is_of_subscriber && ret->is_of_contract)
        plan_bad_field(plan, "contract", "name the subscriber or the contract, not both");
    else if (!is_of_subscriber && !ret->is_of_contract && !plan->refused)
        plan_bad_field(plan, "subscriber", "is missing: name it, or a contract");
    if (!json_is_object(ret->changes) || !json_object_size(ret->changes))
        plan_bad_field(plan, "changes", "must be an object of field paths and values, not empty");
    return !plan->refused;
}

/* --- what the fields lead to --- */

static const struct policy_effect_rule *rule_of(
    const struct change_case *k, const struct policy_field *field)
{
    return &k->policy->change.effects[field->change];
}

static bool is_at(const struct change_case *k, const struct policy_field *field)
{
    return k->is_of_contract ? field->place == PLACE_CONTACT || field->place == PLACE_ACCOUNT
                             : field->place == PLACE_SUBSCRIBER;
}

static void check_place(
    const struct change_case *k, const struct policy_field *field, struct plan *plan)
{
    AUTO_TEXT key = mem_printf("changes.%s", field->path);
    if (!is_at(k, field) && rule_of(k, field)->refusal == REFUSAL_NONE)
        plan_bad_field(plan, key, "%s",
            k->is_of_contract ? "is no field of a contract" : "is no field of a subscriber");
}

/* B6: everything that is wrong at once, before a rule says no to what is right. */
static bool check_fields(const struct change_case *k, const json_t *changes, struct plan *plan)
{
    AUTO_TYPE(json, json_t) *fields = json_object();
    const char *path;
    json_t *value;
    if (!policy_check_changes(k->policy, PROC_CHANGE, changes, fields))
        profile_bad_fields(fields, plan);
    json_object_foreach((json_t *)(uintptr_t)changes, path, value)
    {
        const struct policy_field *field = policy_field(k->policy, path);
        if (field)
            check_place(k, field, plan);
    }
    return !plan->refused;
}

/* C1: what is not for this procedure is answered in the policy's word. */
static bool check_refusals(const struct change_case *k, struct plan *plan)
{
    const char *path;
    json_t *value;
    json_object_foreach(k->changes, path, value)
    {
        const struct policy_effect_rule *rule = rule_of(k, policy_field(k->policy, path));
        if (rule->refusal == REFUSAL_NONE)
            continue;
        plan_refuse(plan, policy_word(refusal, rule->refusal), "%s does not change %s this way: %s",
            k->policy->name, path,
            rule->refusal == REFUSAL_NEW_APPLICATION ? "apply anew" : "ask the service's staff");
        return false;
    }
    return true;
}

static int gravity(int effect)
{
    return effect == EFFECT_NEW_APPLICATION ? 2 : effect == EFFECT_REISSUE ? 1 : 0;
}

/* A review would hold up what is to be done at once, so the two are not asked for together (C3). */
static bool find_effect(struct change_case *k, struct plan *plan)
{
    const char *path;
    json_t *value;
    json_object_foreach(k->changes, path, value)
    {
        const struct policy_field *field = policy_field(k->policy, path);
        k->needs_review = k->needs_review || rule_of(k, field)->review == REVIEW_ALWAYS;
        k->is_reviewed_later = k->is_reviewed_later || rule_of(k, field)->review == REVIEW_AFTER;
        if (k->rule && gravity(field->change) <= gravity((int)k->effect))
            continue;
        k->effect = (enum policy_effect)field->change;
        k->rule = rule_of(k, field);
    }
    json_object_foreach(k->changes, path, value)
    {
        AUTO_TEXT key = mem_printf("changes.%s", path);
        if (k->needs_review && policy_field(k->policy, path)->change == EFFECT_IMMEDIATE)
            plan_bad_field(plan, key, "is changed at once; ask for it without the others");
    }
    return !plan->refused;
}

/* --- before and after --- */

static json_t *differences(const struct change_case *k, const json_t *changes)
{
    json_t *differing = json_object();
    const char *path;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)changes, path, value)
    {
        const struct policy_field *field = policy_field(k->policy, path);
        bool is_elsewhere = field && !is_at(k, field); /* refused, whatever its value is */
        if (is_elsewhere || profile_differs(k->before.profile, k->after.profile, path))
            json_object_set(differing, path, value);
    }
    return differing;
}

static int load(struct change_case *k, struct err *err)
{
    const struct aggregate *a = k->aggregate;
    struct err why = {0};
    if (k->is_of_contract)
        k->before.profile = contract_state(a->contract);
    else if (json_parse_object(bytes_of_text(a->subscriber.profile), &k->before.profile, &why))
        return err_set(err, ERR_TEMPORARY, "damaged", "subscriber %s: the stored profile: %s",
            uuid_s(&a->subscriber.id), why.text);
    uuid_format(&a->subscriber.id, k->before.id);
    memcpy(k->after.id, k->before.id, sizeof k->after.id);
    return 0;
}

/* 0 with the case filled, or with the plan refused. */
static int look(struct change_case *k, const json_t *changes, struct plan *plan, struct err *err)
{
    if (load(k, err))
        return -1;
    if (!check_fields(k, changes, plan))
        return 0;
    k->after.profile = profile_merge(k->before.profile, changes);
    k->changes = differences(k, changes);
    if (!check_refusals(k, plan) || !find_effect(k, plan) || k->is_of_contract)
        return 0;
    if (!profile_check(k->d, k->policy, &k->after, plan))
        return 0;
    return profile_check_unit(k->d, k->policy, k->aggregate, &k->after, &k->unit_key, plan, err);
}

static void clear(struct change_case *k)
{
    json_decref(k->changes);
    person_clear(&k->before);
    person_clear(&k->after);
    grant_clear(&k->grant);
    free(k->unit_key);
}

/* --- accepting; nothing can fail here --- */

/* The change's own application: what was asked for, on record from now on. */
static void attach(struct change_case *k)
{
    struct application *row = aggregate_add_application(k->aggregate);
    const struct uuid contract = row->contract;
    *row = application_of(k->d, &k->aggregate->subscriber.id, KIND_WORD_CHANGE, change_charge(k));
    row->contract = contract;
    AUTO_TYPE(json, json_t) *request = json_pack("{s:O}", "changes", k->changes);
    if (k->is_reviewed_later && !k->needs_review)
        json_object_set_new(request, "review", json_string("after"));
    row->request = json_compact(request);
    k->application = row;
}

/* The charge of what was reviewed is that of the day it was asked for. */
static json_t *result_of(const struct change_case *k, const char *state)
{
    json_t *result = json_object();
    json_object_set_new(result, "application", json_uuid(&k->application->id));
    json_object_set_new(result, "state", json_string(state));
    json_object_set_new(result, "changed", change_paths(k));
    json_object_set_new(result, "follow_up", json_string(change_follow_up(k)));
    result_add_charge(k->application, result);
    return result;
}

static json_t *complete(struct change_case *k, struct plan *plan)
{
    json_t *result = result_of(k, "done");
    k->led_to = strcmp(change_follow_up(k), "none") != 0 ? k->effect : EFFECT_NEVER;
    if (k->rule && k->rule->confirms_on_screen)
        json_object_set_new(result, "confirm_on_screen", json_true());
    if (k->is_of_contract)
        contract_set_state(k->aggregate->contract, k->after.profile);
    else
        change_subscriber(k, result, plan);
    change_mail_all(k, plan);
    return result;
}

static void accept(struct change_case *k, struct plan *plan)
{
    attach(k);
    if (k->needs_review)
        k->application->state = APPLICATION_AWAITING_APPROVAL;
    change_audit(k, k->needs_review ? "change.accepted" : "change.completed", plan);
    plan_result(plan, k->needs_review ? result_of(k, "awaiting-review") : complete(k, plan));
}

/* --- deciding --- */

int decide_change(const struct decision *d, const struct change_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan, struct err *err)
{
    struct change_case k = {
        .d = d, .policy = policy, .aggregate = aggregate, .is_of_contract = r->is_of_contract};
    actor_record(d, plan);
    if (!aggregate) {
        plan_refuse(plan, "not-found", "there is no such %s",
            r->is_of_contract ? "contract" : "subscriber");
        return 0;
    }
    if (!policy)
        return err_set(err, ERR_TEMPORARY, "damaged", "there is no policy of %s here",
            aggregate->subscriber.product);
    if (!actor_may(d, policy, PROC_CHANGE, r->args, plan) || !state_is_open(d, aggregate, plan))
        return 0;
    int result = look(&k, r->changes, plan, err);
    if (!result && !plan->refused && !json_object_size(k.changes))
        plan_refuse(plan, "unchanged", "everything is recorded so already");
    if (!result && !plan->refused && !k.needs_review)
        result = change_prepare(&k, plan, err);
    if (!result && !plan->refused)
        accept(&k, plan);
    clear(&k);
    return result;
}

/* --- an operator's word --- */

static int approve(
    struct change_case *k, const struct approval *a, struct plan *plan, struct err *err)
{
    if (!state_is_open(k->d, k->aggregate, plan))
        return 0;
    if (change_prepare(k, plan, err) || plan->refused)
        return plan->refused ? 0 : -1;
    approval_record(a);
    change_audit(k, "change.completed", plan);
    approval_finish(a, complete(k, plan), plan);
    return 0;
}

static void reject(struct change_case *k, const struct approval *a, struct plan *plan)
{
    json_t *result = json_pack("{s:s, s:o}", "state", "rejected", "changed", change_paths(k));
    approval_record(a);
    change_mail_rejected(k, plan);
    approval_finish(a, result, plan);
}

/* What has been recorded meanwhile makes no difference any more; what is bad now cannot be done. */
static int look_again(
    struct change_case *k, const struct approval *a, struct plan *plan, struct err *err)
{
    AUTO_TYPE(json, json_t) *request =
        a->application->request ? json_loads(a->application->request, 0, NULL) : NULL;
    const json_t *changes = json_object_get(request, "changes");
    if (!json_is_object(changes))
        return approval_damaged(a, "changes", err);
    if (a->r->is_approved)
        return look(k, changes, plan, err);
    if (load(k, err)) /* a rejection needs no rule, only whom to tell */
        return -1;
    k->after.profile = profile_merge(k->before.profile, changes);
    k->changes = json_deep_copy(changes);
    return 0;
}

int change_decided(const struct approval *a, struct plan *plan, struct err *err)
{
    struct change_case k = {.d = a->d,
        .policy = a->policy,
        .aggregate = a->aggregate,
        .is_of_contract = !uuid_is_zero(&a->application->contract),
        .application = a->application,
        .note = a->r->note,
        .was_reviewed = true};
    int result = look_again(&k, a, plan, err);
    if (!result && !plan->refused && a->r->is_approved)
        result = approve(&k, a, plan, err);
    else if (!result && !plan->refused)
        reject(&k, a, plan);
    clear(&k);
    return result;
}

/* --- riding on a renewal --- */

bool change_check_riding(const struct policy *policy, const json_t *changes, struct plan *plan)
{
    AUTO_TYPE(json, json_t) *fields = json_object();
    if (!policy_check_changes(policy, PROC_RENEW, changes, fields))
        profile_bad_fields(fields, plan);
    return !plan->refused;
}

void change_ride(const struct decision *d, const struct policy *policy, struct aggregate *a,
    struct application *application, const json_t *changes, struct plan *plan)
{
    struct change_case k = {.d = d,
        .policy = policy,
        .aggregate = a,
        .is_of_contract = true,
        .note = application->note,
        .application = application};
    k.before.profile = contract_state(a->contract);
    k.after.profile = profile_merge(k.before.profile, changes);
    k.changes = differences(&k, changes);
    if (application->state == APPLICATION_APPROVED) {
        contract_set_state(a->contract, k.after.profile);
        change_audit(&k, "change.completed", plan);
        change_mail_contacts(&k, MAIL_CHANGE_COMPLETED, plan);
    } else {
        change_mail_contacts(&k, MAIL_CHANGE_REJECTED, plan);
    }
    clear(&k);
}

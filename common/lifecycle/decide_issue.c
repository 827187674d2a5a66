#include "lifecycle/decide_issue.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "lifecycle/args_shape.h"
#include "lifecycle/decide_contract.h"
#include "lifecycle/decide_device.h"
#include "lifecycle/decide_grant.h"

#include <stdio.h>
#include <string.h>

/* --- reading --- */

static bool has(const json_t *args, const char *name)
{
    const json_t *value = json_object_get(args, name);
    return value && !json_is_null(value);
}

/* Addresses and host names are told apart without their case; of several hosts the first counts. */
static char *unit_value(const struct issue_request *r, const char *path, const char *at)
{
    const json_t *hosts = json_object_get(r->args, "dns");
    const char *host = json_string_value(json_array_get(hosts, 0));
    if (strcmp(path, "contract") == 0)
        return mem_text(uuid_s(&r->contract));
    if (strcmp(path, "dns") == 0)
        return host ? email_fold(host) : NULL;
    const char *value = strcmp(path, "email") == 0 ? r->email : json_text_at(r->args, at);
    return value ? mem_text(value) : NULL;
}

/* The values that tell subscribers of a product apart, one a line (no field holds a line break). */
static void make_unit_key(struct issue_request *r, struct plan *plan)
{
    AUTO_BUF key = {0};
    for (size_t i = 0; i < r->policy->unit.subscriber_count; i++) {
        const char *path = r->policy->unit.subscriber[i];
        const struct policy_field *field = policy_field(r->policy, path);
        const char *at = field ? field->args_path : path;
        AUTO_TEXT value = unit_value(r, path, at);
        if (i)
            buf_add_char(&key, '\n');
        if (value && value[0])
            buf_add_text(&key, value);
        else
            plan_bad_field(plan, at, "is missing: it tells the subscribers apart");
    }
    if (key.length > UNIT_KEY_MOST)
        plan_bad_field(plan, "subscriber", "what tells subscribers apart is longer than %d bytes",
            UNIT_KEY_MOST);
    r->unit_key = buf_take_text(&key);
}

static void read_contract(const struct decision *d, struct issue_request *r, struct plan *plan)
{
    const json_t *given = json_object_get(r->args, "contract");
    if (!r->policy->unit.has_contract)
        return;
    r->names_contract = json_is_object(given) && has(given, "id");
    const char *id = json_text_at(given, "id");
    if (!r->names_contract)
        r->contract = d->ports->draw_id(d->ports->arg);
    else if (!id || !uuid_parse(id, strlen(id), &r->contract))
        plan_bad_field(plan, "contract.id", "is no UUID");
}

static void check_secret(const struct issue_request *r, struct plan *plan)
{
    bool given = has(r->args, "password");
    if (r->policy->password.is_used && !given)
        plan_bad_field(plan, "password", "is missing");
    else if (!r->policy->password.is_used && given)
        plan_bad_field(plan, "password", "%s has no passwords", r->policy->name);
}

static void check_csr(const struct issue_request *r, struct plan *plan)
{
    bool given = has(r->args, "csr");
    if (r->policy->issue.path == PATH_DIRECT && !given)
        plan_bad_field(plan, "csr", "is missing: %s issues at once", r->policy->name);
    else if (r->policy->issue.path == PATH_RETRIEVE && given)
        plan_bad_field(plan, "csr", "is given at the retrieval, not here");
}

static void read_term(struct issue_request *r, struct plan *plan)
{
    const char *text = args_text(r->args, "term", 32, plan);
    r->term = policy_term(r->policy, text);
    if (!r->term)
        plan_bad_field(plan, "term", "%s has no such term", r->policy->name);
}

static void read_names(struct issue_request *r, struct plan *plan)
{
    const char *email = json_text_at(r->subscriber, "email");
    const char *user = json_text_at(r->subscriber, "user_id");
    if (email && email[0])
        r->email = email_fold(email);
    if (user && utf8_length(bytes_of_text(user)) > USER_ID_MOST)
        plan_bad_field(plan, "subscriber.user_id", "is longer than %d characters", USER_ID_MOST);
    make_unit_key(r, plan);
}

/* What the certificate needs and the profile does not hold; NULL: nothing. */
static json_t *request_json(const struct issue_request *r)
{
    json_t *request = NULL;
    static const char *const names[] = {"term", "dns"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (!has(r->args, names[i]))
            continue;
        request = request ? request : json_object();
        json_object_set(request, names[i], json_object_get(r->args, names[i]));
    }
    return request;
}

static void check_fields(const struct decision *d, struct issue_request *r, struct plan *plan)
{
    AUTO_TYPE(json, json_t) *fields = json_object();
    if (!policy_check_fields(r->policy, r->args, fields)) {
        const char *path;
        json_t *message;
        json_object_foreach(fields, path, message)
            plan_bad_field(plan, path, "%s", json_string_value(message));
    }
    check_secret(r, plan);
    check_csr(r, plan);
    read_contract(d, r, plan);
    read_term(r, plan);
    r->device = device_read(r->args, r->policy, plan);
    r->has_renews = args_uuid(r->args, "renews", &r->renews, plan);
    if (plan->refused)
        return;
    read_names(r, plan);
    struct uuid nobody = {{0}};
    AUTO_PERSON person = person_of_args(&nobody, r->subscriber, request_json(r));
    subject_check(d, r->policy, &person, plan);
}

static bool find_product(
    const struct policy_set *policies, struct issue_request *r, struct plan *plan)
{
    const char *product = args_text(r->args, "product", POLICY_NAME_MOST, plan);
    if (!product && !plan->refused)
        plan_bad_field(plan, "product", "is missing");
    if (plan->refused)
        return false;
    r->policy = policy_set_find(policies, product);
    if (r->policy)
        return true;
    plan_bad_field(plan, "product", "there is no product \"%s\"", product);
    return false;
}

bool issue_read(struct decision *d, const struct policy_set *policies, const json_t *args,
    struct issue_request *ret, struct plan *plan)
{
    static const char *const known[] = {"product", "subscriber", "password", "contract", "csr",
        "dns", "term", "renews", "device", "by", NULL};
    *ret = (struct issue_request){.args = args, .subscriber = json_object_get(args, "subscriber")};
    if (!actor_read(d, args, plan))
        return false;
    bool is_known = find_product(policies, ret, plan);
    if (!json_is_object(ret->subscriber))
        plan_bad_field(plan, "subscriber", ret->subscriber ? "must be an object" : "is missing");
    if (!is_known)
        return false;
    if (!actor_may(d, ret->policy, PROC_ISSUE, args, plan))
        return false;
    args_known(args, known, plan);
    ret->ignored = json_array();
    ret->args = ret->own = args_own_fields(ret->policy, args, ret->ignored);
    ret->subscriber = json_object_get(ret->own, "subscriber");
    if (json_is_object(ret->subscriber))
        check_fields(d, ret, plan);
    return !plan->refused;
}

void issue_request_clear(struct issue_request *r)
{
    free(r->unit_key);
    free(r->email);
    json_decref(r->own);
    json_decref(r->ignored);
    r->unit_key = r->email = NULL;
    r->own = r->ignored = NULL;
}

/* --- deciding --- */

/*
 * Does anything stand behind a second application, so that it may replace password and profile? A
 * code does, since it goes to the registered address alone; so does an approval, or any other way
 * of asking than a form that anybody may fill in. Else whoever knows a user id could take it over.
 */
static bool is_backed(const struct decision *d, const struct issue_request *r)
{
    return r->policy->code.is_used || r->policy->issue.approval != APPROVAL_NONE ||
           d->actor.how != CHANNEL_CREDENTIALS;
}

static void update_subscriber(
    const struct decision *d, struct aggregate *a, const struct issue_request *r)
{
    struct subscriber *s = &a->subscriber;
    if (s->password && !s->is_withdrawn && !is_backed(d, r))
        return;
    char *profile = json_compact(r->subscriber);
    if (s->profile && strcmp(s->profile, profile) != 0)
        profile_keep(a);
    free(s->profile);
    s->profile = profile;
    text_set(&s->email, r->email);
    text_set(&s->user_id, json_text_at(r->subscriber, "user_id"));
    snprintf(s->language, sizeof s->language, "%s",
        policy_word(
            language, policy_language_of(r->policy, json_text_at(r->subscriber, "language"))));
    bool keeps_first = r->policy->credentials.password == AGE_FIRST_APPLICATION; /* B10 */
    if (r->password && !(keeps_first && s->password))
        text_set(&s->password, r->password);
    s->is_withdrawn = false;
    row_touch(&s->row);
}

/* A2: a renewal is a fresh application, made while the old certificate lives. */
static bool renews_check(const struct decision *d, const struct issue_request *r,
    const struct aggregate *a, struct plan *plan)
{
    if (!r->has_renews)
        return true;
    const struct certificate *old = a ? aggregate_certificate(a, &r->renews) : NULL;
    if (!old)
        plan_bad_field(plan, "renews", "is no certificate of this subscriber");
    else if (old->state != CERTIFICATE_VALID)
        plan_bad_field(plan, "renews", "is %s", certificate_state_word(old->state));
    else if (certificate_is_expired(old, d->now_ms))
        plan_bad_field(plan, "renews", "has expired; apply without it");
    return !plan->refused;
}

/* --- the contract (C1) --- */

static const json_t *contact_given(const struct issue_request *r, int role)
{
    const json_t *contract = json_object_get(r->args, "contract");
    return json_object_get(json_object_get(contract, "contacts"), policy_word(role, role));
}

/* A contract there already keeps its contacts: they are changed by `change`, with its review. */
static void check_same(const struct issue_request *r, struct plan *plan)
{
    for (int role = 0; role < ROLES; role++) {
        const json_t *given = contact_given(r, role);
        const char *text = r->under->contacts[role].profile;
        AUTO_TYPE(json, json_t) *present = text ? json_loads(text, 0, NULL) : NULL;
        AUTO_TEXT path = mem_printf("contract.contacts.%s", policy_word(role, role));
        if (given && !json_equal((json_t *)(uintptr_t)given, present))
            plan_bad_field(plan, path, "the contract has another one; change it with `change`");
    }
}

static void check_complete(const struct issue_request *r, struct plan *plan)
{
    for (int role = 0; role < ROLES; role++)
        if (r->policy->unit.contacts & POLICY_BIT(role) && !contact_given(r, role)) {
            plan_bad_field(plan, "contract.id",
                "there is no contract %s; a new one needs all its contacts", uuid_s(&r->contract));
            return;
        }
}

static bool contract_check(const struct issue_request *r, struct plan *plan)
{
    if (!r->policy->unit.has_contract)
        return true;
    if (!r->under)
        check_complete(r, plan);
    else if (strcmp(r->under->product, r->policy->name) != 0)
        plan_bad_field(plan, "contract.id", "is a contract of %s", r->under->product);
    else if (r->under->has_ended)
        plan_refuse(plan, "contract-ended", "contract %s ended on %s", uuid_s(&r->contract),
            clock_s(r->under->ended_ms));
    else
        check_same(r, plan);
    return !plan->refused;
}

static struct contract *make_contract(const struct decision *d, const struct issue_request *r)
{
    struct contract *c = contract_new(&r->contract, r->policy->name);
    const json_t *account = json_object_get(json_object_get(r->args, "contract"), "account");
    c->created_ms = d->now_ms;
    if (json_object_size(account))
        c->account = json_compact(account);
    for (int role = 0; role < ROLES; role++)
        if (contact_given(r, role))
            contract_put_contact(c, (enum policy_role)role, contact_given(r, role));
    return c;
}

static struct aggregate *new_subscriber(
    const struct decision *d, const struct issue_request *r, struct uuid id)
{
    struct aggregate *a = aggregate_new();
    a->subscriber.row = ROW_NEW;
    a->subscriber.id = id;
    a->subscriber.unit_key = mem_text(r->unit_key);
    a->subscriber.created_ms = d->now_ms;
    snprintf(a->subscriber.product, sizeof a->subscriber.product, "%s", r->policy->name);
    if (r->policy->unit.has_contract && !r->under)
        contract_join(make_contract(d, r), a);
    else if (r->under)
        contract_join(r->under, a);
    return a;
}

static json_t *result_of(const struct issue_request *r, const struct application *a)
{
    json_t *result = json_object();
    if (r->policy->unit.has_contract)
        json_object_set_new(result, "contract", json_uuid(&r->contract));
    json_object_set_new(result, "subscriber", json_uuid(&a->subscriber));
    json_object_set_new(result, "application", json_uuid(&a->id));
    json_object_set_new(result, "certificate", json_uuid(&a->certificate));
    json_object_set_new(result, "chargeable",
        a->charged == CHARGED_UPSTREAM ? json_null() : json_boolean(a->charged == CHARGED_YES));
    json_object_set_new(result, "charge_reason", json_string(a->charge_reason));
    return result;
}

/* Attaches the rows; from here on nothing can fail. */
static void accept(const struct decision *d, const struct issue_request *r, struct aggregate *a,
    struct draft *draft, struct grant *grant, struct person *person, struct plan *plan)
{
    json_t *result = result_of(r, &draft->application);
    bool waits = draft->application.state == APPLICATION_AWAITING_APPROVAL;
    update_subscriber(d, a, r);
    struct application *application = aggregate_add_application(a);
    *application = draft->application;
    struct certificate *certificate = aggregate_add_certificate(a);
    *certificate = draft->certificate;
    bool is_own = !r->device && r->policy->issue.supersedes_other_device; /* a device unnamed, D8 */
    text_set(&certificate->device, is_own ? uuid_s(&certificate->id) : r->device);
    if (waits && r->key) {
        person->request = person->request ? person->request : json_object();
        json_object_set_new(person->request, "key", key_to_json(r->key));
    }
    if (person->request)
        application->request = json_compact(person->request);
    if (waits) {
        certificate_move(certificate, CERTIFICATE_AWAITING_APPROVAL);
        json_object_set_new(result, "state", json_string("awaiting-approval"));
    } else {
        struct granted to = {r->policy, a, application, certificate, person, r->key, 0};
        grant_apply(d, grant, &to, result, plan);
        device_supersede(d, r->policy, a, certificate, plan);
    }
    plan_audit(plan, "application.accepted", &certificate->id,
        json_pack("{s:s, s:o, s:o, s:O}", "product", r->policy->name, "application",
            json_uuid(&application->id), "subscriber", json_uuid(&a->subscriber.id), "state",
            json_object_get(result, "state")));
    if (json_array_size(r->ignored))
        json_object_set(result, "ignored", r->ignored);
    plan_result(plan, result);
}

int decide_issue(const struct decision *d, const struct issue_request *r,
    struct aggregate **aggregate, struct plan *plan, struct err *err)
{
    struct aggregate *a = *aggregate;
    actor_record(d, plan);
    if (!contract_check(r, plan) || !renews_check(d, r, a, plan) ||
        (a && !device_is_free(d, r->policy, a, r->device, plan)) ||
        (r->key && !key_check(r->policy, r->key, plan)))
        return 0;
    struct uuid subscriber = a ? a->subscriber.id : d->ports->draw_id(d->ports->arg);
    struct draft draft =
        draft_of(d, r->policy, &subscriber, "issue", (enum policy_charge)r->policy->issue.charge);
    if (r->has_renews)
        draft.certificate.predecessor = r->renews;
    AUTO_PERSON person = person_of_args(&subscriber, r->subscriber, request_json(r));
    AUTO_GRANT grant = {0};
    if (r->policy->issue.approval != APPROVAL_NONE)
        draft.application.state = APPLICATION_AWAITING_APPROVAL;
    else if (grant_prepare(d, r->policy, &person, &draft.certificate, r->key, &grant, plan, err))
        return -1;
    if (plan->refused)
        return 0;
    if (!a)
        *aggregate = a = new_subscriber(d, r, subscriber);
    accept(d, r, a, &draft, &grant, &person, plan);
    return 0;
}

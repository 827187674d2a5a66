#include "lifecycle/decide_approval.h"

#include "base/clock.h"
#include "lifecycle/decide_certificate.h"
#include "lifecycle/decide_mail.h"

#include <string.h>

/* --- reading --- */

static void read_verdict(const json_t *args, struct approval_request *r, struct plan *plan)
{
    const char *word = args_text(args, "decision", 32, plan);
    r->is_approved = word && strcmp(word, "approve") == 0;
    if (!r->is_approved && (!word || strcmp(word, "reject") != 0))
        plan_bad_field(plan, "decision", "must be approve or reject");
}

/* Who decides: args.operator and by.operator are the same person, said once or twice. */
static void read_operator(
    const struct decision *d, const json_t *args, struct approval_request *r, struct plan *plan)
{
    r->who = args_text(args, "operator", ACTOR_NAME_MOST, plan);
    if (!r->who && d->actor.name[0])
        r->who = d->actor.name;
    if (!r->who)
        plan_bad_field(plan, "operator", "is missing: who decides?");
    else if (d->actor.name[0] && strcmp(d->actor.name, r->who) != 0)
        plan_bad_field(plan, "operator", "is not the operator of by");
}

static const char *line_at(const json_t *object, const char *name, size_t most)
{
    struct plan ignored = {0};
    const char *text = args_text(object, name, most, &ignored);
    plan_clear(&ignored);
    return text;
}

static void read_confirmation(
    const struct decision *d, const json_t *args, struct confirmation *ret, struct plan *plan)
{
    static const char *const known[] = {"by", "with", "person", "at", NULL};
    const json_t *given = json_object_get(args, "confirmation");
    struct plan members = {0};
    if (!given || json_is_null(given))
        return;
    const char *by = line_at(given, "by", 32), *with = line_at(given, "with", 32);
    const char *when = line_at(given, "at", 64);
    *ret = (struct confirmation){.is_given = true,
        .by = by ? policy_word_find(policy_confirm_words, by) : -1,
        .with = with ? policy_word_find(policy_role_words, with) : -1,
        .person = line_at(given, "person", PERSON_MOST)};
    if (!json_is_object(given) || !args_known(given, known, &members))
        plan_bad_field(plan, "confirmation", "must be {by, with, person, at}");
    plan_clear(&members);
    if (ret->by <= CONFIRM_NONE)
        plan_bad_field(plan, "confirmation.by", "must be telephone");
    if (ret->with < 0)
        plan_bad_field(plan, "confirmation.with",
            "must be the contact who was asked: registered, technical or administrative");
    if (!ret->person)
        plan_bad_field(plan, "confirmation.person", "is missing: who answered? One line");
    if (!when || !clock_parse(when, strlen(when), &ret->at_ms))
        plan_bad_field(plan, "confirmation.at", "must be a time: RFC 3339 with an offset");
    else if (ret->at_ms > d->now_ms)
        plan_bad_field(plan, "confirmation.at", "is in the future");
}

bool approval_read(
    struct decision *d, const json_t *args, struct approval_request *ret, struct plan *plan)
{
    static const char *const known[] = {
        "subject", "decision", "operator", "note", "confirmation", "reason", "by", NULL};
    *ret = (struct approval_request){0};
    if (!actor_read_operator(d, args, plan))
        return false;
    if (d->actor.role != ACTOR_OPERATOR) {
        plan_refuse(plan, "forbidden",
            "only an operator decides: say by: {\"role\": \"operator\", \"operator\": NAME}");
        return false;
    }
    args_known(args, known, plan);
    if (!args_uuid(args, "subject", &ret->application, plan) && !plan->refused)
        plan_bad_field(plan, "subject", "is missing: the id of what is decided");
    read_verdict(args, ret, plan);
    read_operator(d, args, ret, plan);
    read_confirmation(d, args, &ret->confirmation, plan);
    ret->note = args_text(args, "note", NOTE_MOST, plan);
    ret->reason = args_text(args, "reason", 64, plan);
    return !plan->refused;
}

/* --- for the kinds --- */

void approval_record(const struct approval *a)
{
    struct application *row = a->application;
    row->state = a->r->is_approved ? APPLICATION_APPROVED : APPLICATION_REJECTED;
    row->decided_ms = a->d->now_ms;
    text_set(&row->decided_by, a->r->who);
    text_set(&row->note, a->r->note);
    row_touch(&row->row);
}

static bool is_kind(const struct application *a, const char *kind)
{
    return strcmp(a->kind, kind) == 0;
}

/* A change has a mail of its own, a correction a document; what exists already was not refused. */
static bool is_told(const struct approval *a)
{
    const struct application *row = a->application;
    if (a->r->is_approved || is_kind(row, "change") || is_kind(row, "correct"))
        return false;
    return is_kind(row, "revoke") || !a->certificate ||
           a->certificate->state == CERTIFICATE_CANCELLED;
}

static void mail_rejected(const struct approval *a, struct plan *plan)
{
    const struct application *own =
        a->certificate ? aggregate_application(a->aggregate, &a->certificate->application) : NULL;
    AUTO_PERSON person = {0};
    struct err err = {0};
    if (uuid_is_zero(&a->aggregate->subscriber.id) ||
        person_of_rows(a->aggregate, own ? own : a->application, &person, &err))
        return;
    const struct mail_order mail = {.event = MAIL_REJECTED,
        .policy = a->policy,
        .aggregate = a->aggregate,
        .application = a->application,
        .certificate = a->certificate,
        .person = &person,
        .note = a->r->note,
        .spares_subscriber = is_kind(a->application, "withdraw")}; /* the organisation asked */
    mail_plan(a->d, &mail, plan);
}

void approval_finish(const struct approval *a, json_t *result, struct plan *plan)
{
    const struct application *row = a->application;
    const bool is_of_certificate = !uuid_is_zero(&row->certificate);
    json_object_set_new(result, "application", json_uuid(&row->id));
    json_object_set_new(result, "kind", json_string(row->kind));
    if (is_of_certificate && !json_object_get(result, "certificate"))
        json_object_set_new(result, "certificate", json_uuid(&row->certificate));
    plan_audit(plan, a->r->is_approved ? "application.approved" : "application.rejected",
        is_of_certificate ? &row->certificate : &row->id,
        json_pack("{s:o, s:s, s:s, s:s?, s:O}", "application", json_uuid(&row->id), "kind",
            row->kind, "operator", a->r->who, "note", a->r->note, "state",
            json_object_get(result, "state")));
    plan_result(plan, result);
    if (is_told(a))
        mail_rejected(a, plan);
}

bool approval_confirmed(
    const struct approval *a, enum policy_confirm by, int with, struct plan *plan)
{
    const struct confirmation *c = &a->r->confirmation;
    if (by == CONFIRM_NONE)
        return true;
    if (!c->is_given)
        plan_bad_field(plan, "confirmation", "is missing: ask by %s first, and say who answered",
            policy_word(confirm, by));
    else if (c->by != (int)by)
        plan_bad_field(plan, "confirmation.by", "must be %s", policy_word(confirm, by));
    else if (with >= 0 && c->with != with)
        plan_bad_field(
            plan, "confirmation.with", "must be the %s contact", policy_word(role, with));
    else if (c->at_ms / 1000 < a->application->created_ms / 1000)
        plan_bad_field(plan, "confirmation.at", "is before the request");
    return !plan->refused;
}

int approval_damaged(const struct approval *a, const char *what, struct err *err)
{
    return err_set(err, ERR_TEMPORARY, "damaged", "application %s has no %s",
        uuid_s(&a->application->id), what);
}

/* --- deciding --- */

static const struct {
    const char *kind; /* of the application */
    int (*decided)(const struct approval *a, struct plan *plan, struct err *err);
    bool is_confirmed; /* takes confirmation and reason */
} kinds[] = {
    {"issue", issue_decided, false},
    {"reissue", reissue_decided, false},
    {"correct", correct_decided, false},
    {"renew", renew_decided, false},
    {"change", change_decided, false},
    {"withdraw", withdraw_decided, true},
    {"revoke", revoke_decided, true},
};

/* What was done at once and is reviewed after (C6); once. */
static bool awaits_later_review(const struct application *a)
{
    if (a->state != APPLICATION_APPROVED || a->decided_ms || !a->request)
        return false;
    AUTO_TYPE(json, json_t) *request = json_loads(a->request, 0, NULL);
    const char *review = json_text_at(request, "review");
    return review && strcmp(review, "after") == 0;
}

/* It is done already: a rejection is written down, and does not undo it. */
static int review_later(const struct approval *a, struct plan *plan)
{
    json_t *result = json_object();
    json_object_set_new(result, "state", json_string(a->r->is_approved ? "reviewed" : "rejected"));
    if (a->certificate)
        json_object_set_new(result, "certificate_state",
            json_string(certificate_state_word(a->certificate->state)));
    approval_record(a);
    approval_finish(a, result, plan);
    return 0;
}

static bool waits(const struct application *a, const struct approval_request *r, struct plan *plan)
{
    if (!a)
        plan_refuse(plan, "not-found", "there is no application %s", uuid_s(&r->application));
    else if (a->state == APPLICATION_AWAITING_APPROVAL || awaits_later_review(a))
        return true;
    else if (a->decided_ms)
        plan_refuse(plan, "not-awaiting", "application %s was %s on %s by %s",
            uuid_s(&r->application), application_state_word(a->state), clock_s(a->decided_ms),
            a->decided_by ? a->decided_by : "somebody");
    else
        plan_refuse(plan, "not-awaiting", "application %s waits for no decision: it is %s",
            uuid_s(&r->application), application_state_word(a->state));
    return false;
}

static bool takes_confirmation(const struct approval *a, bool is_confirmed, struct plan *plan)
{
    if (is_confirmed)
        return true;
    if (a->r->confirmation.is_given)
        plan_bad_field(
            plan, "confirmation", "only an end is confirmed, this is: %s", a->application->kind);
    if (a->r->reason)
        plan_bad_field(plan, "reason", "only a revocation has one, this is: %s; see note",
            a->application->kind);
    return !plan->refused;
}

int decide_approval(const struct decision *d, const struct approval_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan, struct err *err)
{
    struct approval a = {.d = d, .r = r, .policy = policy, .aggregate = aggregate};
    actor_record(d, plan);
    a.application = aggregate ? aggregate_application(aggregate, &r->application) : NULL;
    if (!waits(a.application, r, plan))
        return 0;
    if (!policy)
        return approval_damaged(&a, "policy here", err);
    a.certificate = aggregate_certificate(aggregate, &a.application->certificate);
    if (!a.certificate && !uuid_is_zero(&a.application->certificate))
        return approval_damaged(&a, "certificate that waits for it", err);
    if (a.application->state == APPLICATION_APPROVED)
        return takes_confirmation(&a, false, plan) ? review_later(&a, plan) : 0;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (strcmp(kinds[i].kind, a.application->kind) == 0)
            return takes_confirmation(&a, kinds[i].is_confirmed, plan)
                       ? kinds[i].decided(&a, plan, err)
                       : 0;
    return approval_damaged(&a, "kind that anybody decides", err);
}

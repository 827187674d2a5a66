#include "lifecycle/decide_password.h"

#include "base/clock.h"
#include "lifecycle/decide_certificate.h"
#include "lifecycle/decide_credentials.h"
#include "lifecycle/decide_mail.h"

#include <string.h>

/* --- reading --- */

static bool has(const json_t *args, const char *name)
{
    const json_t *value = json_object_get(args, name);
    return value && !json_is_null(value);
}

static void check_secret(const json_t *args, const char *name, bool is_wanted, struct plan *plan)
{
    if (is_wanted && !has(args, name))
        plan_bad_field(plan, name, "is missing");
    else if (!is_wanted && has(args, name))
        plan_bad_field(plan, name, "has no place in this kind of job");
}

bool password_request_read(struct decision *d, const struct policy_set *policies,
    enum policy_procedure procedure, const json_t *args, struct password_request *ret,
    struct plan *plan)
{
    static const char *const known[] = {"subscriber", "product", "old", "new", "by", NULL};
    *ret = (struct password_request){.procedure = procedure, .args = args};
    if (!actor_read(d, args, plan))
        return false;
    args_known(args, known, plan);
    (void)whom_read(policies, args, &ret->whom, plan);
    check_secret(args, "old", procedure == PROC_PASSWORD_CHANGE, plan);
    check_secret(args, "new", procedure != PROC_PASSWORD_RESET, plan);
    return !plan->refused;
}

void password_request_clear(struct password_request *r)
{
    whom_clear(&r->whom);
}

/* --- deciding --- */

static void unlock(struct subscriber *s)
{
    s->failures = 0;
    s->locked_ms = 0;
    row_touch(&s->row);
}

static const char *set(const struct password_request *r, struct subscriber *s)
{
    unlock(s);
    text_set(&s->password, r->hash);
    return r->procedure == PROC_PASSWORD_SET ? "set" : "changed";
}

/* NULL: the plan is refused. */
static const char *change(const struct decision *d, const struct password_request *r,
    const struct policy *policy, struct aggregate *a, struct plan *plan)
{
    struct subscriber *s = &a->subscriber;
    if (s->locked_ms) {
        plan_refuse(plan, "locked", "the password was locked on %s after %u wrong tries",
            clock_s(s->locked_ms), s->failures);
    } else if (!s->password) {
        plan_refuse(plan, "no-password", "there is no password to change; set one");
    } else if (!r->fits) {
        const struct candidate wrong = {.aggregate = a, .policy = policy};
        credentials_count_wrong(d, &wrong, plan);
        plan_refuse(plan, "credentials", "the old password is wrong");
    } else {
        return set(r, s);
    }
    return NULL;
}

static const char *reset(const struct policy *policy, struct subscriber *s, struct plan *plan)
{
    const bool was_locked = s->locked_ms != 0;
    if (!policy->password.reset_then_set && !was_locked) {
        plan_refuse(plan, "not-locked", "the password is not locked: %u wrong tries of %d",
            s->failures, policy->password.lock_after);
        return NULL;
    }
    unlock(s);
    if (!policy->password.reset_then_set)
        return "unlocked";
    text_set(&s->password, NULL);
    return "reset";
}

static const char *set_anew(const struct password_request *r, const struct policy *policy,
    struct subscriber *s, struct plan *plan)
{
    if (!policy->password.reset_then_set || !s->password)
        return set(r, s);
    plan_refuse(plan, "not-reset", "there is a password: reset it first, or change it");
    return NULL;
}

static const char *apply(const struct decision *d, const struct password_request *r,
    const struct policy *policy, struct aggregate *a, struct plan *plan)
{
    switch (r->procedure) {
    case PROC_PASSWORD_CHANGE:
        return change(d, r, policy, a, plan);
    case PROC_PASSWORD_RESET:
        return reset(policy, &a->subscriber, plan);
    default:
        return set_anew(r, policy, &a->subscriber, plan);
    }
}

/* The owner hears of a reset, whoever asked for it at the counter (D7). */
static void mail_reset(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, struct plan *plan)
{
    const struct application none = {0};
    AUTO_PERSON person = {0};
    struct err err = {0};
    if (person_of_rows(a, &none, &person, &err))
        return;
    const struct mail_order mail = {
        .event = MAIL_PASSWORD_RESET, .policy = policy, .aggregate = a, .person = &person};
    mail_plan(d, &mail, plan);
}

/* The hash was compared outside the transaction: is it still the one that counts? */
static bool is_current(const struct password_request *r, const struct subscriber *s)
{
    if (r->procedure != PROC_PASSWORD_CHANGE)
        return true;
    return r->tried && s->password ? strcmp(r->tried, s->password) == 0 : !r->tried && !s->password;
}

static const char *event_of(const char *state)
{
    return strcmp(state, "changed") == 0    ? "password.changed"
           : strcmp(state, "reset") == 0    ? "password.reset"
           : strcmp(state, "unlocked") == 0 ? "password.unlocked"
                                            : "password.set";
}

int decide_password(const struct decision *d, const struct password_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan, struct err *err)
{
    actor_record(d, plan);
    if (!aggregate) {
        whom_refuse(&r->whom, plan);
        return 0;
    }
    struct subscriber *s = &aggregate->subscriber;
    if (!policy)
        return err_set(err, ERR_TEMPORARY, "damaged", "there is no policy of %s here", s->product);
    if (!actor_may(d, policy, r->procedure, r->args, plan))
        return 0;
    if (s->is_withdrawn) {
        plan_refuse(plan, "withdrawn", "subscriber %s has withdrawn", uuid_s(&s->id));
        return 0;
    }
    if (!is_current(r, s))
        return err_set(err, ERR_CONFLICT, NULL, "the password has just been changed");
    const bool was_locked = s->locked_ms != 0;
    const char *state = apply(d, r, policy, aggregate, plan);
    if (!state)
        return 0;
    plan_audit(plan, event_of(state), &s->id, json_pack("{s:b}", "was_locked", was_locked));
    json_t *result = json_object();
    json_object_set_new(result, "subscriber", json_uuid(&s->id));
    json_object_set_new(result, "state", json_string(state));
    plan_result(plan, result);
    if (r->procedure == PROC_PASSWORD_RESET)
        mail_reset(d, policy, aggregate, plan);
    return 0;
}

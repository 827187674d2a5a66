#include "lifecycle/decide_credentials.h"

#include "base/utf8.h"
#include "lifecycle/decide_mail.h"

#include <string.h>

/* --- reading --- */

static bool has(const json_t *args, const char *name)
{
    const json_t *value = json_object_get(args, name);
    return value && !json_is_null(value);
}

static unsigned needed(const struct credentials *c, const struct policy *policy)
{
    return policy->credentials.needed[c->procedure];
}

/* Does the product know the requester by these at all, secrets aside? */
static bool identifies(const struct credentials *c, const struct policy *policy)
{
    const unsigned who = POLICY_BIT(CREDENTIAL_EMAIL) | POLICY_BIT(CREDENTIAL_USER_ID);
    unsigned wanted = needed(c, policy) & who;
    if (c->product && strcmp(c->product, policy->name) != 0)
        return false;
    return wanted ? (wanted & ~c->given) == 0 : c->given & POLICY_BIT(CREDENTIAL_USER_ID);
}

bool credentials_suit(
    const struct decision *d, const struct credentials *c, const struct policy *policy)
{
    const struct actor *a = &d->actor;
    /* Nothing is needed only of whom upstream vouches for. */
    if (needed(c, policy) == 0 && a->how != CHANNEL_SESSION)
        return false;
    return identifies(c, policy) && (needed(c, policy) & ~c->given) == 0 &&
           policy_allows(policy, c->procedure, a->role, a->how);
}

/* The first secret that would have made the request one for some product. */
static void refuse_unsuited(const struct decision *d, const struct policy_set *policies,
    const struct credentials *c, struct plan *plan)
{
    bool is_offered = false;
    for (size_t i = 0; i < policies->count; i++) {
        const struct policy *p = policies->items[i];
        if (!identifies(c, p) || !policy_allows(p, c->procedure, d->actor.role, d->actor.how))
            continue;
        unsigned missing = needed(c, p) & ~c->given;
        is_offered = is_offered || missing;
        for (int bit = 0; bit < CREDENTIALS; bit++)
            if (missing & POLICY_BIT(bit))
                plan_bad_field(plan, policy_word(credential, bit), "is missing");
    }
    if (!is_offered)
        plan_refuse(plan, "forbidden", "no product takes %s from %s (%s) with these credentials",
            policy_word(procedure, c->procedure), policy_word(actor, d->actor.role),
            policy_word(channel, d->actor.how));
}

static void read_email(const json_t *args, struct credentials *c, struct plan *plan)
{
    const char *email = args_text(args, "email", 254, plan);
    if (!email)
        return;
    c->email = email_fold(email);
    c->given |= POLICY_BIT(CREDENTIAL_EMAIL);
}

static const char *read_word(const json_t *args, const char *name, enum policy_credential which,
    struct credentials *c, struct plan *plan)
{
    const char *text = args_text(args, name, USER_ID_MOST, plan);
    if (text)
        c->given |= POLICY_BIT(which);
    return text;
}

static bool some_suits(
    const struct decision *d, const struct policy_set *policies, const struct credentials *c)
{
    for (size_t i = 0; i < policies->count; i++)
        if (credentials_suit(d, c, policies->items[i]))
            return true;
    return false;
}

bool credentials_read(struct decision *d, const struct policy_set *policies,
    enum policy_procedure procedure, const json_t *args, struct credentials *ret, struct plan *plan)
{
    struct credentials c = {.procedure = procedure};
    *ret = c;
    if (!actor_read(d, args, plan))
        return false;
    c.product = args_text(args, "product", POLICY_NAME_MOST, plan);
    if (c.product && !policy_set_find(policies, c.product))
        plan_bad_field(plan, "product", "there is no product \"%s\"", c.product);
    c.user_id = read_word(args, "user_id", CREDENTIAL_USER_ID, &c, plan);
    c.company_code = read_word(args, "company_code", CREDENTIAL_COMPANY_CODE, &c, plan);
    read_email(args, &c, plan);
    if (has(args, "password"))
        c.given |= POLICY_BIT(CREDENTIAL_PASSWORD);
    if (has(args, "code"))
        c.given |= POLICY_BIT(CREDENTIAL_CODE);
    *ret = c;
    if (plan->refused)
        return false;
    if (!c.email && !c.user_id)
        plan_bad_field(plan, "email", "is missing: give an email or a user_id");
    else if (!some_suits(d, policies, &c))
        refuse_unsuited(d, policies, &c, plan);
    return !plan->refused;
}

void credentials_clear(struct credentials *c)
{
    free(c->email);
    c->email = NULL;
}

char *credentials_unit_key(const struct credentials *c, const struct policy *policy)
{
    AUTO_BUF key = {0};
    for (size_t i = 0; i < policy->unit.subscriber_count; i++) {
        const char *path = policy->unit.subscriber[i];
        const char *value = strcmp(path, "email") == 0                       ? c->email
                            : strcmp(path, "user_id") == 0                   ? c->user_id
                            : strcmp(path, "organisation.company_code") == 0 ? c->company_code
                                                                             : NULL;
        if (!value)
            return NULL;
        if (i)
            buf_add_char(&key, '\n');
        buf_add_text(&key, value);
    }
    return buf_take_text(&key);
}

/* --- proving --- */

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : !a && !b;
}

/* The hash was compared outside the transaction: is it still the one that counts? */
static int check_current(
    const struct credentials *c, const struct candidate *candidates, size_t n, struct err *err)
{
    if (!(c->given & POLICY_BIT(CREDENTIAL_PASSWORD)))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!same_text(candidates[i].tried, candidates[i].aggregate->subscriber.password))
            return err_set(err, ERR_CONFLICT, NULL, "the password has just been changed");
    return 0;
}

/* The certificate the code belongs to; every code of every candidate is tried, so that the time
 * tells nothing. */
static int match_code(const struct decision *d, const struct credentials *c,
    const struct candidate *candidates, size_t n, struct proven *ret, struct err *err)
{
    for (size_t i = 0; c->code && i < n; i++) {
        const struct aggregate *a = candidates[i].aggregate;
        for (size_t k = 0; k < a->certificate_count; k++) {
            bool matches = false;
            if (!a->certificates[k]->code_key[0])
                continue;
            if (d->ports->code_matches(d->ports->arg, a->certificates[k], c->code, &matches, err))
                return -1;
            if (matches)
                *ret = (struct proven){&candidates[i], a->certificates[k]};
        }
    }
    return 0;
}

/* A company code that was given must be the subscriber's, needed or not. */
static bool is_of_company(const struct credentials *c, const struct subscriber *s)
{
    if (!c->company_code)
        return true;
    AUTO_TYPE(json, json_t) *profile = s->profile ? json_loads(s->profile, 0, NULL) : NULL;
    return same_text(json_text_at(profile, "organisation.company_code"), c->company_code);
}

/* B10: by the address of the certificate in question where the policy says so. */
static bool has_address(
    const struct credentials *c, const struct candidate *candidate, const struct proven *by_code)
{
    const struct aggregate *a = candidate->aggregate;
    if (!c->email)
        return true;
    if (candidate->policy->credentials.email != AGE_OF_CERTIFICATE ||
        by_code->candidate != candidate || !by_code->certificate)
        return same_text(a->subscriber.email, c->email);
    const struct application *application =
        aggregate_application(a, &by_code->certificate->application);
    AUTO_PERSON person = {0};
    struct err err = {0};
    if (!application || person_of_rows(a, application, &person, &err))
        return false;
    const char *own = person_value(&person, "email");
    AUTO_TEXT folded = own ? email_fold(own) : NULL;
    return same_text(folded, c->email);
}

static bool proves(const struct decision *d, const struct credentials *c,
    const struct candidate *candidate, const struct proven *by_code)
{
    const struct subscriber *s = &candidate->aggregate->subscriber;
    unsigned wanted = needed(c, candidate->policy);
    if (s->locked_ms || s->is_withdrawn || !credentials_suit(d, c, candidate->policy) ||
        !is_of_company(c, s) || !has_address(c, candidate, by_code))
        return false;
    if (wanted & POLICY_BIT(CREDENTIAL_PASSWORD) && !candidate->fits)
        return false;
    return !(wanted & POLICY_BIT(CREDENTIAL_CODE)) || by_code->candidate == candidate;
}

/* The owner hears of it, whatever the requester is told (D7, B2). */
static void mail_locked(
    const struct decision *d, const struct candidate *candidate, struct plan *plan)
{
    const struct application none = {0};
    AUTO_PERSON person = {0};
    struct err err = {0};
    if (person_of_rows(candidate->aggregate, &none, &person, &err))
        return;
    const struct mail_order mail = {.event = MAIL_LOCKED,
        .policy = candidate->policy,
        .aggregate = candidate->aggregate,
        .person = &person};
    mail_plan_regardless(d, &mail, plan);
}

void credentials_count_wrong(
    const struct decision *d, const struct candidate *candidate, struct plan *plan)
{
    struct subscriber *s = &candidate->aggregate->subscriber;
    const int most = candidate->policy->password.lock_after;
    if (s->locked_ms || !candidate->policy->password.is_used)
        return;
    s->failures++;
    row_touch(&s->row);
    plan_audit(plan, "credentials.failed", &s->id, json_pack("{s:i}", "count", (int)s->failures));
    if (most && s->failures >= (uint32_t)most) {
        s->locked_ms = d->now_ms;
        plan_audit(
            plan, "subscriber.locked", &s->id, json_pack("{s:i}", "count", (int)s->failures));
        mail_locked(d, candidate, plan);
    }
}

/* Against whom: those whose password was right (the code was not), or all when it fitted nobody. */
static void count_all(
    const struct decision *d, const struct candidate *candidates, size_t n, struct plan *plan)
{
    bool some_fit = false;
    for (size_t i = 0; i < n; i++)
        some_fit = some_fit || candidates[i].fits;
    for (size_t i = 0; i < n; i++)
        if (candidates[i].fits || !some_fit)
            credentials_count_wrong(d, &candidates[i], plan);
}

int credentials_prove(const struct decision *d, const struct credentials *c,
    const struct candidate *candidates, size_t n, struct proven *ret, bool *ret_right,
    struct plan *plan, struct err *err)
{
    struct proven by_code = {0};
    const struct candidate *found = NULL;
    size_t count = 0;
    if (check_current(c, candidates, n, err) || match_code(d, c, candidates, n, &by_code, err))
        return -1;
    for (size_t i = 0; i < n; i++)
        if (proves(d, c, &candidates[i], &by_code)) {
            found = &candidates[i];
            count++;
        }
    *ret_right = count == 1;
    if (count > 1)
        plan_bad_field(
            plan, "company_code", "is needed: these credentials fit several subscribers");
    if (count == 0)
        count_all(d, candidates, n, plan);
    if (count != 1)
        return 0;
    struct subscriber *s = &found->aggregate->subscriber;
    if (s->failures) {
        s->failures = 0;
        row_touch(&s->row);
    }
    *ret = (struct proven){found, by_code.candidate == found ? by_code.certificate : NULL};
    return 0;
}

#include "kinds/claim.h"

#include "crypto/scrypt.h"
#include "kinds/ports.h"
#include "kinds/secrets.h"
#include "kinds/whom.h"
#include "lifecycle/code.h"
#include "store/certificate_store.h"
#include "store/subscriber_store.h"
#include "unit.h"
#include "worker.h"

#include <string.h>

/* --- prepare --- */

/* Typing errors are told by the code alone, before anybody is looked for (B2). */
static void read_code(struct worker *w, struct task *task, struct claim *c)
{
    AUTO(secret) typed = NULL;
    struct err err = {0};
    if (!(c->credentials.given & POLICY_BIT(CREDENTIAL_CODE)) ||
        !secret_open(w, task, "code", &typed))
        return;
    if (code_parse((struct bytes){typed->data, typed->length}, &c->code, &err) != CODE_OK)
        plan_bad_field(&task->plan, "code", "%s", err.text);
    c->credentials.code = c->code;
}

void claim_name(struct claim *c, const struct uuid *certificate)
{
    c->is_named = true;
    c->certificate = *certificate;
}

/* Opens both secrets, so that all that is wrong is named at once (B6). */
bool claim_prepare(
    struct worker *w, struct task *task, enum policy_procedure procedure, struct claim *c)
{
    c->decision = decision_of(task, NULL);
    if (!credentials_read(
            &c->decision, w->policies, procedure, task->args, &c->credentials, &task->plan) &&
        !task->plan.fields)
        return false;
    read_code(w, task, c);
    if (c->credentials.given & POLICY_BIT(CREDENTIAL_PASSWORD) &&
        !secret_open(w, task, "password", &c->password))
        return false;
    return !task->plan.refused;
}

/* --- resolve --- */

static void hits_free(struct claim_hit *hits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(hits[i].tried);
}

static int find(struct db *db, const struct claim *c, const struct policy *policy,
    struct subscriber_hit *ret, size_t most, size_t *ret_n, struct err *err)
{
    const struct credentials *by = &c->credentials;
    AUTO_TEXT unit_key = credentials_unit_key(by, policy);
    if (unit_key && policy->credentials.email != AGE_OF_CERTIFICATE)
        return subscriber_find_unit(db, policy->name, unit_key, ret, ret_n, err);
    if (policy->credentials.needed[by->procedure] & POLICY_BIT(CREDENTIAL_EMAIL))
        return subscriber_find_email(db, policy->name, by->email, ret, most, ret_n, err);
    return subscriber_find_user(db, policy->name, by->user_id, ret, most, ret_n, err);
}

/* One more than fits tells that there are too many. */
static int find_in(struct worker *w, struct task *task, struct claim *c,
    const struct policy *policy, struct err *err)
{
    struct subscriber_hit found[TASK_AGGREGATES_MAX + 1];
    size_t n = 0;
    if (find(w->db, c, policy, found, ARRAY_LENGTH(found), &n, err))
        return -1;
    bool is_named = c->credentials.email || !c->credentials.user_id;
    for (size_t i = 0; i < n; i++) {
        /* A user id belongs to one company: one guess must not be tried at all of them. */
        if (!is_named && n > 1) {
            free(found[i].password);
            plan_bad_field(
                &task->plan, "company_code", "is needed: several companies have this user id");
            continue;
        }
        if (c->hit_count == TASK_AGGREGATES_MAX) {
            free(found[i].password);
            plan_bad_field(&task->plan, "company_code", "is needed: too many subscribers fit");
            continue;
        }
        c->hits[c->hit_count++] = (struct claim_hit){
            .subscriber = found[i].id, .policy = policy, .tried = found[i].password};
    }
    return 0;
}

/*
 * What was compared in an earlier try of the transaction need not be compared again. Found is not
 * compared: that try may have lost its connection in between.
 */
static const struct claim_hit *known(
    const struct claim_hit *hit, const struct claim_hit *before, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (before[i].is_compared && uuid_equal(&before[i].subscriber, &hit->subscriber) &&
            before[i].tried && hit->tried && strcmp(before[i].tried, hit->tried) == 0)
            return &before[i];
    return NULL;
}

static int try_password(const struct worker *w, struct claim *c, const struct claim_hit *before,
    size_t n, struct err *err)
{
    const struct config_scrypt *from = &w->config->scrypt;
    const struct scrypt_params usual = {from->ln, from->r, from->p};
    bool was_compared = false;
    for (size_t i = 0; i < c->hit_count; i++) {
        struct claim_hit *hit = &c->hits[i];
        const struct claim_hit *same = known(hit, before, n);
        if (same)
            hit->fits = same->fits;
        else if (hit->tried && scrypt_verify(c->password, hit->tried, &hit->fits, err))
            return -1;
        hit->is_compared = true;
        was_compared = was_compared || hit->tried;
    }
    if (!was_compared && n == 0)
        scrypt_dummy(c->password, &usual);
    return 0;
}

static int find_all(struct worker *w, struct task *task, struct claim *c, struct err *err)
{
    for (size_t i = 0; i < w->policies->count; i++)
        if (credentials_suit(&c->decision, &c->credentials, w->policies->items[i]) &&
            find_in(w, task, c, w->policies->items[i], err))
            return -1;
    return 0;
}

static int find_named(
    struct worker *w, struct task *task, const struct uuid *certificate, struct err *err)
{
    if (certificate_find(w->db, certificate, 1, &task->aggregates[0], err))
        return -1;
    task->aggregate_count = !uuid_is_zero(&task->aggregates[0]);
    return 0;
}

int claim_resolve(struct worker *w, struct task *task, struct claim *c, struct err *err)
{
    if (c->is_named)
        return find_named(w, task, &c->certificate, err);
    struct claim_hit before[TASK_AGGREGATES_MAX];
    const size_t n = c->hit_count;
    memcpy(before, c->hits, sizeof before);
    c->hit_count = 0;
    int result = find_all(w, task, c, err);
    if (result == 0 && c->password && !task->plan.refused)
        result = try_password(w, c, before, n, err);
    hits_free(before, n);
    for (size_t i = 0; i < c->hit_count; i++)
        task->aggregates[i] = c->hits[i].subscriber;
    task->aggregate_count = c->hit_count;
    return result;
}

/* --- decide --- */

size_t claim_candidates(const struct claim *c, const struct unit *unit,
    struct candidate ret[static TASK_AGGREGATES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < c->hit_count; i++) {
        const struct claim_hit *hit = &c->hits[i];
        struct aggregate *a = unit_find(unit, &hit->subscriber);
        if (a)
            ret[n++] = (struct candidate){a, hit->policy, hit->tried, hit->fits};
    }
    return n;
}

struct claimants claim_find(const struct worker *w, const struct task *task,
    const struct unit *unit, const struct claim *c,
    struct candidate memory[static TASK_AGGREGATES_MAX])
{
    if (!c->is_named)
        return (struct claimants){&c->credentials, memory, claim_candidates(c, unit, memory)};
    memory[0] = (struct candidate){0};
    memory[0].aggregate = whom_find(w, task, unit, &memory[0].policy);
    return (struct claimants){.candidates = memory, .count = memory[0].aggregate != NULL};
}

void claim_clear(struct claim *c)
{
    credentials_clear(&c->credentials);
    secret_free(c->password);
    secret_free(c->code);
    hits_free(c->hits, c->hit_count);
}

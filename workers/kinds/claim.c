#include "kinds/claim.h"

#include "base/mem.h"
#include "base/parallel.h"
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

/* What the subscriber's unit is found by; NULL: it is looked for in another way. */
static char *unit_key_of(const struct claim *c, const struct policy *policy)
{
    if (policy->credentials.email == AGE_OF_CERTIFICATE)
        return NULL;
    return credentials_unit_key(&c->credentials, policy);
}

/* One more than fits tells that there are too many. */
static void take(struct task *task, struct claim *c, const struct policy *policy,
    const struct subscriber_hit *found, size_t n)
{
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
}

static int find_one(struct worker *w, struct task *task, struct claim *c,
    const struct policy *policy, struct err *err)
{
    const struct credentials *by = &c->credentials;
    const bool by_email = policy->credentials.needed[by->procedure] & POLICY_BIT(CREDENTIAL_EMAIL);
    struct subscriber_hit found[TASK_AGGREGATES_MAX + 1];
    size_t n = 0;
    if (by_email ? subscriber_find_email(
                       w->db, policy->name, by->email, found, ARRAY_LENGTH(found), &n, err)
                 : subscriber_find_user(
                       w->db, policy->name, by->user_id, found, ARRAY_LENGTH(found), &n, err))
        return -1;
    take(task, c, policy, found, n);
    return 0;
}

/* Claims of a group, as they are looked for in one product. */
struct seekers {
    struct task **tasks;
    struct claim **claims;
    size_t n;
};

static int find_units(
    struct worker *w, const struct seekers *s, const struct policy *policy, struct err *err)
{
    char **keys = mem_zero(s->n, sizeof *keys);
    size_t *places = mem_zero(s->n, sizeof *places), count = 0;
    struct subscriber_hit *found = mem_zero(s->n, sizeof *found);
    for (size_t i = 0; i < s->n; i++) {
        char *key = unit_key_of(s->claims[i], policy);
        if (key) {
            keys[count] = key;
            places[count++] = i;
        }
    }
    int result =
        subscriber_find_units(w->db, policy->name, (const char *const *)keys, count, found, err);
    for (size_t i = 0; i < count; i++) {
        if (result || uuid_is_zero(&found[i].id))
            free(found[i].password);
        else
            take(s->tasks[places[i]], s->claims[places[i]], policy, &found[i], 1);
        free(keys[i]);
    }
    free(found);
    free(places);
    free(keys);
    return result;
}

static int find_in(
    struct worker *w, const struct seekers *s, const struct policy *policy, struct err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        AUTO_TEXT key = unit_key_of(s->claims[i], policy);
        if (!key && find_one(w, s->tasks[i], s->claims[i], policy, err))
            return -1;
    }
    return find_units(w, s, policy, err);
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

static int try_password(const struct worker *w, struct claim *c, struct err *err)
{
    const struct config_scrypt *from = &w->config->scrypt;
    const struct scrypt_params usual = {from->ln, from->r, from->p};
    bool was_compared = false;
    for (size_t i = 0; i < c->hit_count; i++) {
        struct claim_hit *hit = &c->hits[i];
        const struct claim_hit *same = known(hit, c->before, c->before_count);
        if (same)
            hit->fits = same->fits;
        else if (hit->tried && scrypt_verify(c->password, hit->tried, &hit->fits, err))
            return -1;
        hit->is_compared = true;
        was_compared = was_compared || hit->tried;
    }
    if (!was_compared && c->before_count == 0)
        scrypt_dummy(c->password, &usual);
    return 0;
}

struct trial {
    const struct worker *w;
    struct claim **claims;
    struct err *errs;
    int *results;
};

static void try_one(void *context, size_t at, size_t thread UNUSED)
{
    const struct trial *t = context;
    t->results[at] = try_password(t->w, t->claims[at], &t->errs[at]);
}

static int try_passwords(const struct worker *w, const struct seekers *s, struct err *err)
{
    enum { AT_ONCE = 2 };
    struct trial t = {.w = w, .claims = mem_zero(s->n, sizeof *t.claims)};
    size_t count = 0;
    int result = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->claims[i]->password && !s->tasks[i]->plan.refused)
            t.claims[count++] = s->claims[i];
    t.errs = mem_zero(count, sizeof *t.errs);
    t.results = mem_zero(count, sizeof *t.results);
    parallel_each(count, AT_ONCE, try_one, &t);
    for (size_t i = 0; i < count && result == 0; i++) {
        result = t.results[i];
        if (result)
            *err = t.errs[i];
    }
    free(t.results);
    free(t.errs);
    free(t.claims);
    return result;
}

static int find_all(struct worker *w, const struct seekers *s, struct err *err)
{
    struct seekers suited = {.tasks = mem_zero(s->n, sizeof *suited.tasks),
        .claims = mem_zero(s->n, sizeof *suited.claims)};
    int result = 0;
    for (size_t p = 0; p < w->policies->count && result == 0; p++) {
        const struct policy *policy = w->policies->items[p];
        suited.n = 0;
        for (size_t i = 0; i < s->n; i++)
            if (credentials_suit(&s->claims[i]->decision, &s->claims[i]->credentials, policy)) {
                suited.tasks[suited.n] = s->tasks[i];
                suited.claims[suited.n++] = s->claims[i];
            }
        result = find_in(w, &suited, policy, err);
    }
    free(suited.claims);
    free(suited.tasks);
    return result;
}

static int find_named(
    struct worker *w, struct task *task, const struct uuid *certificate, struct err *err)
{
    if (certificate_find(w->db, certificate, 1, &task->aggregates[0], err))
        return -1;
    task->aggregate_count = !uuid_is_zero(&task->aggregates[0]);
    return 0;
}

static void begin(struct claim *c)
{
    memcpy(c->before, c->hits, sizeof c->before);
    c->before_count = c->hit_count;
    c->hit_count = 0;
}

static void end(struct task *task, struct claim *c)
{
    hits_free(c->before, c->before_count);
    c->before_count = 0;
    for (size_t i = 0; i < c->hit_count; i++)
        task->aggregates[i] = c->hits[i].subscriber;
    task->aggregate_count = c->hit_count;
}

int claim_resolve_all(struct worker *w, struct task **tasks, size_t n,
    struct claim *(*of)(struct task *task), struct err *err)
{
    struct seekers s = {
        .tasks = mem_zero(n, sizeof *s.tasks), .claims = mem_zero(n, sizeof *s.claims)};
    int result = 0;
    for (size_t i = 0; i < n && result == 0; i++) {
        struct claim *c = of(tasks[i]);
        if (c && c->is_named) {
            result = find_named(w, tasks[i], &c->certificate, err);
        } else if (c) {
            begin(c);
            s.tasks[s.n] = tasks[i];
            s.claims[s.n++] = c;
        }
    }
    if (result == 0)
        result = find_all(w, &s, err) || try_passwords(w, &s, err) ? -1 : 0;
    for (size_t i = 0; i < s.n; i++)
        end(s.tasks[i], s.claims[i]);
    free(s.claims);
    free(s.tasks);
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

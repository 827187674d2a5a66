/*
 * notices: what upstream shows after login (E3). Reads only, outside any lock: it is asked at every
 * login and must not make others wait. Not durable.
 */
#include "base/map.h"
#include "base/mem.h"
#include "kinds/alone.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "lifecycle/decide_credentials.h"
#include "lifecycle/notice.h"
#include "store/certificate_store.h"
#include "store/subscriber_store.h"
#include "worker.h"

#include <string.h>

/* Whom it is about: a subscriber's id, or what a login knows. */
struct question {
    struct decision decision;
    bool has_id;
    struct uuid subscriber;
    struct credentials names;
};

static void read_question(struct worker *w, struct task *task, struct question *q)
{
    static const char *const known[] = {
        "subscriber", "company_code", "user_id", "product", "by", NULL};
    struct plan *plan = &task->plan;
    const json_t *args = task->args;
    if (!actor_read(&q->decision, args, plan))
        return;
    if (!json_object_get(args, "by")) /* upstream asks, after a login of its own (E3) */
        q->decision.actor.how = CHANNEL_SESSION;
    args_known(args, known, plan);
    q->has_id = args_uuid(args, "subscriber", &q->subscriber, plan);
    q->names.user_id = args_text(args, "user_id", USER_ID_MOST, plan);
    q->names.company_code = args_text(args, "company_code", USER_ID_MOST, plan);
    q->names.product = args_text(args, "product", POLICY_NAME_MOST, plan);
    if (q->names.product && !policy_set_find(w->policies, q->names.product))
        plan_bad_field(plan, "product", "there is no such product");
    if (!q->has_id && !q->names.user_id && !plan->refused)
        plan_bad_field(plan, "subscriber", "is missing: give it, or company_code and user_id");
}

/* --- finding --- */

static void take(void *arg, struct aggregate *a)
{
    struct aggregate **ret = arg;
    aggregate_free(*ret);
    *ret = a;
}

static struct aggregate *of(void *arg, const struct uuid *subscriber UNUSED)
{
    return *(struct aggregate **)arg;
}

static int load(struct worker *w, const struct uuid *id, struct aggregate **ret, struct err *err)
{
    if (subscriber_load(w->db, id, 1, take, ret, err))
        return -1;
    return *ret ? certificate_load(w->db, id, 1, of, ret, err) : 0;
}

/* The product whose unit these names are, and its subscriber when there is one. */
static int find_by_names(struct worker *w, const struct question *q, const struct policy *policy,
    struct aggregate **ret, struct err *err)
{
    struct subscriber_hit hit = {0};
    size_t n = 0;
    AUTO_TEXT unit_key = credentials_unit_key(&q->names, policy);
    if (subscriber_find_unit(w->db, policy->name, unit_key, &hit, &n, err))
        return -1;
    free(hit.password);
    return n ? load(w, &hit.id, ret, err) : 0;
}

/* Could these names, asked for in this way, mean a subscriber of this product? */
static bool suits(const struct question *q, const struct policy *policy)
{
    AUTO_TEXT unit_key = credentials_unit_key(&q->names, policy);
    return unit_key && (!q->names.product || strcmp(q->names.product, policy->name) == 0) &&
           policy_offers(policy, PROC_NOTICES);
}

static const struct policy *policy_for(
    const struct worker *w, const struct question *q, struct plan *plan)
{
    const struct policy *found = NULL;
    for (size_t i = 0; i < w->policies->count; i++) {
        if (!suits(q, w->policies->items[i]))
            continue;
        if (found) {
            plan_bad_field(plan, "product", "is needed: several products know such users");
            return NULL;
        }
        found = w->policies->items[i];
    }
    if (!found)
        plan_bad_field(plan, q->names.company_code ? "product" : "company_code",
            q->names.company_code ? "no product shows notices to such users"
                                  : "is missing, or no product shows notices to such users");
    return found;
}

static int answer(struct worker *w, struct task *task, struct question *q, struct err *err)
{
    AUTO(aggregate) a = NULL;
    struct plan *plan = &task->plan;
    const struct policy *policy = NULL;
    if (q->has_id) {
        if (load(w, &q->subscriber, &a, err))
            return -1;
        policy = a ? policy_set_find(w->policies, a->subscriber.product) : NULL;
        if (!policy)
            plan_refuse(plan, "not-found", "there is no such subscriber");
    } else {
        policy = policy_for(w, q, plan);
    }
    if (!policy || !actor_may(&q->decision, policy, PROC_NOTICES, task->args, plan))
        return 0;
    if (!q->has_id && find_by_names(w, q, policy, &a, err))
        return -1;
    notice_screen(&q->decision, policy, a, plan);
    return 0;
}

static int run_one(
    struct worker *w, struct task *task, const struct uuid *group UNUSED, struct err *err)
{
    struct ports ports;
    ports_of(w, NULL, &ports);
    struct question q = {.decision = decision_of(task, &ports)};
    if (!task->plan.refused)
        read_question(w, task, &q);
    if (!task->plan.refused && (db_open(w->db, err) || answer(w, task, &q, err)))
        return -1;
    task->outcome = task->plan.refused ? OUTCOME_REFUSED : OUTCOME_DONE;
    return 0;
}

static int run(
    struct worker *w, struct task **tasks, size_t n, const struct uuid *group, struct err *err)
{
    return alone_each(w, tasks, n, group, run_one, err);
}

const struct kind_ops notices_ops = {.id = KIND_NOTICES, .run = run};

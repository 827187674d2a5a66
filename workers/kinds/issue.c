/*
 * issue: an application. Args are checked against the product's policy before any transaction; the
 * subscriber is looked for by what tells subscribers apart, so that only one that exists is locked.
 * Two first applications of one subscriber at once meet at the unique key: the later one starts
 * over and finds the subscriber there.
 */
#include "base/mem.h"
#include "kinds/csr.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/secrets.h"
#include "lifecycle/decide_issue.h"
#include "store/subscriber_store.h"
#include "unit.h"
#include "worker.h"

#include <string.h>

struct issue {
    struct decision decision;
    struct issue_request request;
    struct new_password password;
    struct csr csr;
};

static void prepare(struct worker *w, struct task *task)
{
    struct issue *issue = task->request = MEM_NEW(struct issue);
    struct ports ports;
    ports_of(w, NULL, &ports);
    issue->decision = decision_of(task, &ports);
    if (issue_read(&issue->decision, w->policies, task->args, &issue->request, &task->plan) &&
        csr_take(task, &issue->csr) && issue->request.policy->password.is_used)
        password_read(w, task, &issue->password);
}

/* The tasks of one product, whose units are looked for with one query. */
static int find_subscribers(
    struct worker *w, struct task **tasks, size_t n, const struct policy *policy, struct err *err)
{
    const char **keys = mem_zero(n, sizeof *keys);
    struct subscriber_hit *hits = mem_zero(n, sizeof *hits);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct issue *issue = tasks[i]->request;
        if (issue->request.policy == policy)
            keys[count++] = issue->request.unit_key;
    }
    int result = subscriber_find_units(w->db, policy->name, keys, count, hits, err);
    for (size_t i = 0, at = 0; result == 0 && i < n; i++) {
        const struct issue *issue = tasks[i]->request;
        if (issue->request.policy != policy)
            continue;
        if (issue->request.names_contract)
            tasks[i]->contract = issue->request.contract;
        if (!uuid_is_zero(&hits[at].id))
            tasks[i]->aggregates[tasks[i]->aggregate_count++] = hits[at].id;
        at++;
    }
    for (size_t i = 0; i < count; i++)
        free(hits[i].password);
    free(keys);
    free(hits);
    return result;
}

static bool is_first_of_product(struct task **tasks, size_t at)
{
    const struct issue *issue = tasks[at]->request;
    for (size_t i = 0; i < at; i++)
        if (((const struct issue *)tasks[i]->request)->request.policy == issue->request.policy)
            return false;
    return true;
}

static int resolve(struct worker *w, struct task **tasks, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct issue *issue = tasks[i]->request;
        if (password_hash(w, &issue->password, err))
            return -1;
        issue->request.password = issue->password.hash;
        if (is_first_of_product(tasks, i) &&
            find_subscribers(w, tasks, n, issue->request.policy, err))
            return -1;
    }
    return 0;
}

static void decide(struct worker *w, struct task *task, struct unit *unit)
{
    const struct issue *issue = task->request;
    const struct issue_request *r = &issue->request;
    struct ports ports;
    struct err err = {0};
    ports_of(w, unit, &ports);
    struct decision d = issue->decision;
    d.ports = &ports.ports;
    struct aggregate *before = unit_find_key(unit, r->policy->name, r->unit_key);
    struct aggregate *after = before;
    struct issue_request with = *r;
    with.key = csr_key(&issue->csr);
    with.under = unit_find_contract(unit, &r->contract);
    if (decide_issue(&d, &with, &after, &task->plan, &err))
        unit_fail(unit, &err);
    else if (after != before)
        unit_add(unit, after);
}

static void release(struct task *task)
{
    struct issue *issue = task->request;
    if (!issue)
        return;
    issue_request_clear(&issue->request);
    new_password_clear(&issue->password);
    csr_clear(&issue->csr);
    free(issue);
    task->request = NULL;
}

const struct kind_ops issue_ops = {
    .id = KIND_ISSUE, .prepare = prepare, .resolve = resolve, .decide = decide, .release = release};

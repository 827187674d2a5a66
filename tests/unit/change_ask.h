/* Changes, as their forms or contacts ask for them; on top of contract_fixture.h and decide_ask.h.
 */
#ifndef CHANGE_ASK_H
#define CHANGE_ASK_H

#include "contract_fixture.h"
#include "decide_ask.h"
#include "lifecycle/decide_change.h"

#define PAPER                                                                                      \
    "{'role': 'organisation', 'how': 'paper', 'name': '〇〇', 'evidence': {'form': "             \
    "{'received_on': '2026-04-01', 'seal': true}}}"
#define STAFF "{'role': 'operator', 'operator': 'op1'}"
#define CONTACT_ONLINE "{'role': 'contact', 'how': 'session', 'name': '〇〇'}"

/* of: "subscriber" or "contract" */
static UNUSED const char *change_of(
    struct world *w, struct aggregate *a, const char *of, const char *changes, const char *by)
{
    struct decision d = decision(w);
    struct change_request r;
    const struct uuid *id = strcmp(of, "contract") == 0 ? &a->contract->id : &a->subscriber.id;
    AUTO_TEXT text =
        mem_printf("{'%s': '%s', 'changes': %s, 'by': %s}", of, uuid_s(id), changes, by);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    const struct policy *policy = policy_set_find(w->set, a->subscriber.product);
    if (change_read(&d, args, &r, &w->plan) && decide_change(&d, &r, policy, a, &w->plan, &w->err))
        fail_msg("change: %s", w->err.text);
    return answer(w);
}

#endif

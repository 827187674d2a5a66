/*
 * A resident at the counter, by themselves or by an agent: applications and revocations of the
 * product resident; on top of decide_ask.h.
 */
#ifndef RESIDENT_ASK_H
#define RESIDENT_ASK_H

#include "decide_ask.h"

static UNUSED int set_up(void **state)
{
    struct world *w = MEM_NEW(struct world);
    world_init(w);
    w->now_ms = at("2014-03-16T10:00:00+09:00");
    *state = w;
    return 0;
}

#define COUNTER "'by': {'role': 'subscriber', 'how': 'counter', 'operator': 'desk-1'}"
#define EVIDENCE                                                                                   \
    "'by': {'role': 'subscriber', 'how': 'counter', 'operator': 'desk-1', 'evidence': {'form': "   \
    "true, 'photo_id': 'licence'%s}}"
#define AGENT                                                                                      \
    "'by': {'role': 'agent', 'how': 'counter', 'name': '代理 〇〇', 'operator': 'desk-1', "    \
    "'evidence': {'mandate': {'signed': true, 'sealed': true}, 'seal_certificate': "               \
    "{'obtained_on': '%s'}, 'inquiry': {'method': 'post', 'reply': '2014-03-10'}}}"

static UNUSED struct policy *resident(const struct world *w)
{
    return (struct policy *)(uintptr_t)policy_set_find(w->set, "resident");
}

static UNUSED const char *issue_on(
    struct world *w, struct aggregate **a, const char *card, char key, const char *by)
{
    AUTO_TEXT text = mem_printf(
        "{'product': 'resident', 'password': {'scrypt': 'x'}, 'csr': 'x', %s, 'device': %s, "
        "'subscriber': {'resident_id': 'R-0001', 'name': {'ja': '山田 花子'}, 'address': "
        "{'city': '例示市'}}}",
        by, card);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct request_key request = key_of(key);
    if (issue_json(w, a, args, HASH, &request))
        fail_msg("issue: %s", w->err.text);
    return answer(w);
}

static UNUSED struct aggregate *applied(struct world *w)
{
    struct aggregate *a = NULL;
    assert_string_equal(issue_on(w, &a, "'CARD-1'", 'a', COUNTER), "done");
    stored(a);
    return a;
}

static UNUSED const char *revoke(
    struct world *w, struct aggregate *a, const char *by, const char *reason, bool is_signed)
{
    struct decision d = decision(w);
    struct revoke_request r;
    AUTO_TEXT text =
        mem_printf("{'certificate': '%s', 'reason': '%s', %s}", uuid_s(&newest(a)->id), reason, by);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    if (is_signed)
        d.signed_by = newest(a)->id;
    if (revoke_read(&d, args, &r, &w->plan) &&
        decide_revoke(&d, &r, resident(w), a, newest(a), &w->plan, &w->err))
        fail_msg("revoke: %s", w->err.text);
    return answer(w);
}

#define SIGNED "'by': {'how': 'signature'}"

#endif

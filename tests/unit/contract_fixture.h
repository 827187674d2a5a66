/* Services C for tests of decisions: a contract with its contacts, and certificates under it. */
#ifndef CONTRACT_FIXTURE_H
#define CONTRACT_FIXTURE_H

#include "decide_fixture.h"
#include "lifecycle/decide_contract.h"

#define CONTACT(who)                                                                               \
    "{'name': '" who " 〇〇', 'telephone': '0312345678', 'email': '" who "@example.jp', "          \
    "'renewal_notice': 'wanted'}"
#define CONTACTS                                                                                   \
    "{'registered': " CONTACT("r") ", 'technical': " CONTACT("t") ", 'administrative': " CONTACT(  \
        "a") "}"
#define BY_CONTACT "'by': {'role': 'contact', 'how': 'session', 'name': '〇〇'}"
#define SERVER                                                                                     \
    "'csr': 'x', 'subscriber': {'organisation': {'latin': 'Example Corporation'}, 'address': "     \
    "{'prefecture': 'Tokyo', 'city': 'Chiyoda'}}, " BY_CONTACT
/* product, contract, dns */
#define SERVER_ARGS "{'product': '%s', 'contract': %s, 'dns': ['%s'], " SERVER "}"
#define NEW_CONTRACT "{'contacts': " CONTACTS ", 'account': {'otp_email': 'otp@example.jp'}}"

/* Asks for a certificate; *a is the subscriber, if any. */
static UNUSED int ask_server(struct world *w, const char *text, struct contract *under,
    const struct request_key *key, struct aggregate **a)
{
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct decision d = decision(w);
    struct issue_request r;
    int result = 0;
    if (issue_read(&d, w->set, args, &r, &w->plan)) {
        r.key = key;
        r.under = under;
        result = decide_issue(&d, &r, a, &w->plan, &w->err);
    }
    issue_request_clear(&r);
    return result;
}

static UNUSED const char *decide_text(struct world *w, struct aggregate *a, const char *text)
{
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct decision d = decision(w);
    struct approval_request r;
    const struct policy *policy = a ? policy_set_find(w->set, a->subscriber.product) : NULL;
    if (approval_read(&d, args, &r, &w->plan) &&
        decide_approval(&d, &r, policy, a, &w->plan, &w->err))
        fail_msg("decide: %s", w->err.text);
    return answer(w);
}

/* Approves or rejects the newest application. */
static UNUSED const char *decide_last(struct world *w, struct aggregate *a, const char *decision)
{
    const struct application *last = a->applications[a->application_count - 1];
    AUTO_TEXT text = mem_printf(
        "{'subject': '%s', 'decision': '%s', 'operator': 'op'}", uuid_s(&last->id), decision);
    return decide_text(w, a, text);
}

/* A server certificate issued under a new contract. */
static UNUSED struct aggregate *issue_server(struct world *w, const char *product, char key)
{
    struct aggregate *a = NULL;
    const struct request_key with = key_of(key);
    AUTO_TEXT text = mem_printf(SERVER_ARGS, product, NEW_CONTRACT, "www.example.jp");
    if (ask_server(w, text, NULL, &with, &a))
        fail_msg("issue: %s", w->err.text);
    if (w->plan.refused)
        fail_msg("issue refused: %s", w->plan.message);
    assert_string_equal(decide_last(w, a, "approve"), "done");
    stored(a);
    return a;
}

static UNUSED void free_server(struct aggregate *a)
{
    struct contract *c = a ? a->contract : NULL;
    aggregate_free(a);
    contract_free(c);
}
DEFINE_AUTO(server, struct aggregate, free_server);
#define AUTO_SERVER CLEANUP(server_auto_free) struct aggregate *

/* Recipients of the planned mails, in order, with a blank between. */
static UNUSED char *mails_to(const struct plan *plan)
{
    AUTO_BUF to = {0};
    for (size_t i = 0; i < plan->followup_count; i++)
        if (plan->followups[i].kind == KIND_MAIL)
            buf_printf(&to, "%s%s", to.length ? " " : "",
                json_text_at(plan->followups[i].args, "recipient"));
    return buf_take_text(&to);
}

#endif

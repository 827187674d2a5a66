/* Retrievals, lookups and reissues as requests with credentials; on top of decide_fixture.h. */
#ifndef DECIDE_ASK_H
#define DECIDE_ASK_H

#include "decide_fixture.h"

struct ask {
    const char *args; /* JSON with single quotes; secrets are only there or not */
    bool fits;        /* the password */
    const char *code; /* NULL: as the certificate's; "" none */
    char request;
    const char *tried; /* NULL: the current hash */
    unsigned misfits;  /* mask of candidates the password does not fit all the same */
};

#define THREE "{'email': 'taro@EXAMPLE.jp', 'password': 1, 'code': 1, 'csr': 'x'}"
#define RIGHT ((struct ask){.args = THREE, .fits = true, .request = 'a'})

static UNUSED struct secret *typed_code(const struct ask *ask, const struct aggregate *a)
{
    AUTO_TEXT own = a->certificate_count ? fake_code(a->certificates[a->certificate_count - 1])
                                         : mem_text("none");
    const char *code = ask->code ? ask->code : own;
    return code[0] ? secret_new(code, strlen(code)) : NULL;
}

/* Runs a retrieve or a lookup against the subscribers given. */
static UNUSED int ask(struct world *w, enum policy_procedure procedure, struct aggregate **all,
    size_t n, const struct ask *ask)
{
    struct decision d = decision(w);
    struct credentials c;
    struct request_key key = key_of(ask->request);
    struct candidate candidates[8];
    AUTO_TYPE(json, json_t) *args = json_of(ask->args);
    AUTO(secret) code = typed_code(ask, all[0]);
    int result = 0;
    for (size_t i = 0; i < n; i++)
        candidates[i] = (struct candidate){.aggregate = all[i],
            .policy = policy_set_find(w->set, all[i]->subscriber.product),
            .tried = ask->tried ? ask->tried : all[i]->subscriber.password,
            .fits = ask->fits && !(ask->misfits & 1u << i)};
    if (credentials_read(&d, w->set, procedure, args, &c, &w->plan)) {
        c.code = code;
        if (procedure == PROC_LOOKUP)
            result = decide_lookup(&d, &c, candidates, n, &w->plan, &w->err);
        else if (retrieve_read(args, &w->plan))
            result = decide_retrieve(&d, &c, &key, candidates, n, &w->plan, &w->err);
    }
    credentials_clear(&c);
    return result;
}

static UNUSED const char *retrieve(struct world *w, struct aggregate *a, struct ask how)
{
    if (ask(w, PROC_RETRIEVE, &a, 1, &how))
        fail_msg("retrieve: %s", w->err.text);
    return answer(w);
}

static UNUSED size_t listed(struct world *w, struct aggregate *a, struct ask how)
{
    if (ask(w, PROC_LOOKUP, &a, 1, &how))
        fail_msg("lookup: %s", w->err.text);
    assert_string_equal(answer(w), "done");
    return json_array_size(json_object_get(w->plan.result, "certificates"));
}

/* --- reissues --- */

#define THREE_ONLY "{'email': 'taro@EXAMPLE.jp', 'password': 1, 'code': 1%s}"

/* By credentials: `more` is appended to the args (", 'reason': 'lost'"). */
static UNUSED int reissue_by(
    struct world *w, struct aggregate *a, const char *more, const struct ask *how)
{
    struct decision d = decision(w);
    struct credentials c = {0};
    struct reissue_request r;
    AUTO_TEXT text = mem_printf(THREE_ONLY, more);
    AUTO_TYPE(json, json_t) *args = json_of(how->args ? how->args : text);
    AUTO(secret) code = typed_code(how, a);
    struct candidate candidate = {.aggregate = a,
        .policy = policy_set_find(w->set, a->subscriber.product),
        .tried = a->subscriber.password,
        .fits = how->fits};
    int result = 0;
    if (reissue_read(args, &r, &w->plan) &&
        credentials_read(&d, w->set, PROC_REISSUE, args, &c, &w->plan)) {
        struct claimants facts = {&c, &candidate, 1};
        c.code = code;
        result = decide_reissue(&d, &r, &facts, &w->plan, &w->err);
    }
    credentials_clear(&c);
    return result;
}

/* With the right credentials and the code of this certificate; NULL: of the newest. */
static UNUSED const char *reissue(
    struct world *w, struct aggregate *a, const struct certificate *c, const char *more)
{
    AUTO_TEXT code = c ? fake_code(c) : NULL;
    struct ask how = {.fits = true, .code = code};
    if (reissue_by(w, a, more, &how))
        fail_msg("reissue: %s", w->err.text);
    return answer(w);
}

static UNUSED const char *reissue_by_operator(
    struct world *w, struct aggregate *a, const struct certificate *c, const char *more)
{
    struct decision d = decision(w);
    struct reissue_request r;
    AUTO_TEXT text =
        mem_printf("{'certificate': '%s', 'by': {'role': 'operator', 'operator': 'op1'}%s}",
            uuid_s(&c->id), more);
    AUTO_TYPE(json, json_t) *args = json_of(text);
    struct candidate candidate = {
        .aggregate = a, .policy = policy_set_find(w->set, a->subscriber.product)};
    struct claimants facts = {NULL, &candidate, 1};
    if (actor_read(&d, args, &w->plan) && reissue_read(args, &r, &w->plan) &&
        decide_reissue(&d, &r, &facts, &w->plan, &w->err))
        fail_msg("reissue: %s", w->err.text);
    return answer(w);
}

static UNUSED const json_t *mail_of(const struct world *w, const char *template)
{
    for (size_t i = 0; i < w->plan.followup_count; i++) {
        const char *name = json_text_at(w->plan.followups[i].args, "template");
        if (name && strcmp(name, template) == 0)
            return w->plan.followups[i].args;
    }
    return NULL;
}

static UNUSED bool audited(const struct world *w, const char *event)
{
    for (size_t i = 0; i < w->plan.audit_count; i++)
        if (strcmp(w->plan.audits[i].event, event) == 0)
            return true;
    return false;
}

static UNUSED struct certificate *newest(const struct aggregate *a)
{
    return a->certificates[a->certificate_count - 1];
}

#endif

/* Retrievals and lookups as requests with credentials; on top of decide_fixture.h. */
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

#endif

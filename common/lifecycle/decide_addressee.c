#include "lifecycle/decide_addressee.h"

#include "lifecycle/decide_document.h"

int person_of_subscriber(const struct aggregate *a, struct person *ret, struct err *err)
{
    const struct application nothing_more = {0};
    return person_of_rows(a, &nothing_more, ret, err);
}

/* Unlike mails, documents address nobody by a user id. */
static const char *name_of(const struct person *p, enum policy_language language)
{
    const bool is_ja = language == LANGUAGE_JA;
    const char *first = person_value(p, is_ja ? "name.ja" : "name.latin");
    return first ? first : person_value(p, is_ja ? "name.latin" : "name.ja");
}

json_t *addressee_facts(const struct decision *d, const struct policy *policy,
    const struct person *person, const char *agent, int64_t applied_ms,
    enum policy_language language)
{
    json_t *facts = json_object();
    const char *holder = person_value(person, "resident_id");
    document_fact(facts, "name", name_of(person, language));
    document_fact(facts, "agent", agent);
    document_fact(facts, "holder_id", holder ? holder : person_value(person, "user_id"));
    document_time(d, policy, language, facts, "applied_on", applied_ms);
    return facts;
}

const char *agent_of(const struct decision *d, const json_t *args)
{
    const char *name = json_text_at(args, "by.name");
    return d->actor.role == ACTOR_AGENT ? name ? name : d->actor.name : NULL;
}

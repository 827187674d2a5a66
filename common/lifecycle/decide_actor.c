/* The requester and the shapes of args: who asks, how, and members that are what they must be. */
#include "lifecycle/decide.h"

#include "base/utf8.h"

#include <string.h>

#define EVIDENCE_MOST 8192 /* bytes as JSON: it is kept with every line of the audit (D10) */

static bool is_member(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

bool args_known(const json_t *args, const char *const *names, struct plan *plan)
{
    const char *name;
    json_t *value;
    bool known = true;
    json_object_foreach((json_t *)(uintptr_t)args, name, value)
    {
        if (is_member(name, names))
            continue;
        struct bytes text = bytes_of_text(name);
        bool fit = text.length <= 64 && utf8_is_line(text);
        plan_bad_field(plan, fit ? name : "args", "is no argument of this kind of job");
        known = false;
    }
    return known;
}

static const char *text_member(
    const json_t *object, const char *name, const char *path, size_t most, struct plan *plan)
{
    const json_t *value = json_object_get(object, name);
    if (!value || json_is_null(value))
        return NULL;
    struct bytes text = {(const uint8_t *)json_string_value(value), json_string_length(value)};
    if (!json_is_string(value))
        plan_bad_field(plan, path, "must be a text");
    else if (!text.length)
        plan_bad_field(plan, path, "is empty");
    else if (!utf8_is_line(text))
        plan_bad_field(plan, path, "must be one line without control characters");
    else if (utf8_length(text) > most)
        plan_bad_field(plan, path, "is longer than %zu characters", most);
    else
        return (const char *)text.data;
    return NULL;
}

const char *args_text(const json_t *args, const char *name, size_t most, struct plan *plan)
{
    return text_member(args, name, name, most, plan);
}

bool args_uuid(const json_t *args, const char *name, struct uuid *ret, struct plan *plan)
{
    const json_t *value = json_object_get(args, name);
    if (!value || json_is_null(value))
        return false;
    const char *text = json_string_value(value);
    if (text && uuid_parse(text, json_string_length(value), ret))
        return true;
    plan_bad_field(plan, name, "must be an id (a UUID)");
    return false;
}

/* One word of a closed list; `fallback` when it is missing. */
static int word_member(const json_t *by, const char *name, const char *path,
    const char *const *words, int fallback, struct plan *plan)
{
    const json_t *value = json_object_get(by, name);
    if (!value)
        return fallback;
    const char *text = json_string_value(value);
    int word = text ? policy_word_find(words, text) : -1;
    if (word >= 0)
        return word;
    AUTO_BUF list = {0};
    for (size_t i = 0; words[i]; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", words[i]);
    plan_bad_field(plan, path, "must be one of: %s", buf_text(&list));
    return fallback;
}

static bool read_by(struct actor *actor, const json_t *by, struct plan *plan)
{
    static const char *const known[] = {"role", "how", "name", "operator", "evidence", NULL};
    if (!json_is_object(by)) {
        plan_bad_field(plan, "by", "must be an object");
        return false;
    }
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)by, name, value) if (!is_member(name, known))
        plan_bad_field(plan, "by", "knows role, how, name, operator and evidence only");
    int role = word_member(by, "role", "by.role", policy_actor_words, ACTOR_SUBSCRIBER, plan);
    int usual = role == ACTOR_OPERATOR ? CHANNEL_RECORDED : CHANNEL_CREDENTIALS;
    actor->role = (enum policy_actor)role;
    actor->how =
        (enum policy_channel)word_member(by, "how", "by.how", policy_channel_words, usual, plan);
    const char *person = text_member(by, "name", "by.name", ACTOR_NAME_MOST, plan);
    const char *staff = text_member(by, "operator", "by.operator", ACTOR_NAME_MOST, plan);
    actor->name = staff ? staff : person ? person : "";
    if (json_dumpb(json_object_get(by, "evidence"), NULL, 0, JSON_ENCODE_ANY) > EVIDENCE_MOST)
        plan_bad_field(plan, "by.evidence", "is larger than %d bytes", EVIDENCE_MOST);
    if (role == ACTOR_OPERATOR && !staff && !plan->refused)
        plan_bad_field(plan, "by.operator", "is missing: which operator asks for this?");
    return !plan->refused;
}

/* What `by` says beside role, channel and the actor's name: the person where that name is an
 * operator's, and the evidence (D10). */
static json_t *by_more(const json_t *by)
{
    json_t *more = json_object(), *evidence = json_object_get(by, "evidence");
    if (json_object_get(by, "operator") && json_object_get(by, "name"))
        json_object_set(more, "name", json_object_get(by, "name"));
    if (json_object_size(evidence))
        json_object_set_new(more, "evidence", json_deep_copy(evidence));
    return more;
}

void actor_record(const struct decision *d, struct plan *plan)
{
    plan_by(plan, policy_word(actor, d->actor.role), policy_word(channel, d->actor.how),
        d->actor.name && d->actor.name[0] ? d->actor.name : NULL);
    plan_by_more(plan, by_more(d->by));
}

bool actor_read(struct decision *d, const json_t *args, struct plan *plan)
{
    d->actor = (struct actor){ACTOR_SUBSCRIBER, CHANNEL_CREDENTIALS, ""};
    const json_t *by = json_object_get(args, "by");
    if (by && !json_is_null(by) && !read_by(&d->actor, by, plan))
        return false;
    d->by = by;
    actor_record(d, plan);
    return true;
}

bool actor_read_operator(struct decision *d, const json_t *args, struct plan *plan)
{
    const json_t *by = json_object_get(args, "by");
    if (by && !json_is_null(by))
        return actor_read(d, args, plan);
    const char *who = args_text(args, "operator", ACTOR_NAME_MOST, plan);
    d->actor = (struct actor){ACTOR_OPERATOR, CHANNEL_RECORDED, who ? who : ""};
    actor_record(d, plan);
    return !plan->refused;
}

static void add_bad_fields(struct plan *plan, const json_t *fields)
{
    const char *path;
    json_t *message;
    json_object_foreach((json_t *)(uintptr_t)fields, path, message)
        plan_bad_field(plan, path, "%s", json_string_value(message));
}

bool actor_may(const struct decision *d, const struct policy *policy,
    enum policy_procedure procedure, const json_t *args, struct plan *plan)
{
    const struct actor *a = &d->actor;
    if (!policy_offers(policy, procedure)) {
        plan_refuse(plan, "not-offered", "%s does not offer %s", policy->name,
            policy_word(procedure, procedure));
        return false;
    }
    if (!policy_admits(policy, procedure, a->role, a->how)) {
        plan_refuse(plan, "forbidden", "%s does not take %s from %s (%s)", policy->name,
            policy_word(procedure, procedure), policy_word(actor, a->role),
            policy_word(channel, a->how));
        return false;
    }
    AUTO_TYPE(json, json_t) *fields = json_object();
    if (policy_check_evidence(
            policy, procedure, a->role, a->how, json_object_get(args, "by"), d->now_ms, fields))
        return true;
    add_bad_fields(plan, fields);
    return false;
}

bool actor_signed(const struct decision *d, const struct certificate *c, struct plan *plan)
{
    if (d->actor.how != CHANNEL_SIGNATURE || uuid_equal(&d->signed_by, &c->id))
        return true;
    plan_refuse(plan, "bad-signature", "the request is not signed with the key of certificate %s",
        uuid_s(&c->id));
    return false;
}

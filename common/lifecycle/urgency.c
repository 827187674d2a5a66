#include "lifecycle/urgency.h"

bool urgency_concerns(enum kind_id kind)
{
    return kind == KIND_REVOKE || kind == KIND_REISSUE;
}

/* As actor_read takes them; false for who may not be urgent, or words that are none. */
static bool read_actor(
    const json_t *args, enum policy_actor *ret_role, enum policy_channel *ret_how)
{
    const char *role = json_text_at(args, "by.role"), *how = json_text_at(args, "by.how");
    int actor = role ? policy_word_find(policy_actor_words, role) : ACTOR_SUBSCRIBER;
    int usual = actor == ACTOR_OPERATOR ? CHANNEL_RECORDED : CHANNEL_CREDENTIALS;
    int channel = how ? policy_word_find(policy_channel_words, how) : usual;
    if (actor < 0 || channel < 0 || channel == CHANNEL_CREDENTIALS)
        return false;
    *ret_role = (enum policy_actor)actor;
    *ret_how = (enum policy_channel)channel;
    return true;
}

bool urgency_of(const struct policy_set *policies, enum kind_id kind, const json_t *args)
{
    const enum policy_procedure procedure = kind == KIND_REVOKE ? PROC_REVOKE : PROC_REISSUE;
    const char *word = json_text_at(args, "reason");
    enum policy_actor role;
    enum policy_channel how;
    if (!urgency_concerns(kind) || !word || !read_actor(args, &role, &how))
        return false;
    for (size_t i = 0; i < policies->count; i++) {
        const struct policy *p = policies->items[i];
        const struct policy_reason *reason =
            policy_reason(kind == KIND_REVOKE ? &p->revoke.reasons : &p->reissue.reasons, word);
        if (reason && reason->is_urgent && policy_admits(p, procedure, role, how) &&
            (!reason->channels || reason->channels & POLICY_BIT(how)))
            return true;
    }
    return false;
}

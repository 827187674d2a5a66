#include "lifecycle/decide_contract.h"

#include <string.h>

void contract_put_contact(struct contract *c, enum policy_role role, const json_t *contact)
{
    const char *email = json_text_at(contact, "email");
    const char *notice = json_text_at(contact, "renewal_notice");
    char *text = json_compact(contact);
    contact_set(c, role, email ? email : "", !notice || strcmp(notice, "unwanted") != 0, text);
    free(text);
}

static json_t *parsed(const char *text)
{
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    return json ? json : json_object();
}

json_t *contract_state(const struct contract *c)
{
    json_t *contacts = json_object();
    for (int role = 0; role < ROLES; role++)
        if (c->contacts[role].profile)
            json_object_set_new(
                contacts, policy_word(role, role), parsed(c->contacts[role].profile));
    return json_pack("{s:o, s:o}", "contacts", contacts, "account", parsed(c->account));
}

void contract_set_state(struct contract *c, const json_t *state)
{
    AUTO_TYPE(json, json_t) *before = contract_state(c);
    const json_t *contacts = json_object_get(state, "contacts");
    json_t *account = json_object_get(state, "account");
    for (int role = 0; role < ROLES; role++) {
        const char *word = policy_word(role, role);
        json_t *contact = json_object_get(contacts, word);
        if (contact &&
            !json_equal(contact, json_object_get(json_object_get(before, "contacts"), word)))
            contract_put_contact(c, (enum policy_role)role, contact);
    }
    if (!account || json_equal(account, json_object_get(before, "account")))
        return;
    free(c->account);
    c->account = json_object_size(account) ? json_compact(account) : NULL;
    row_touch(&c->row);
}

/* A successor that waits for its approval has no ground any more once its predecessor is gone. */
static bool waits(const struct aggregate *a, const struct certificate *c)
{
    const struct certificate *old = aggregate_certificate(a, &c->predecessor);
    return c->state == CERTIFICATE_AWAITING_RETRIEVAL ||
           (c->state == CERTIFICATE_AWAITING_APPROVAL && (!old || old->state == CERTIFICATE_VALID));
}

bool contract_is_used(const struct contract *contract, int64_t now_ms)
{
    for (size_t i = 0; i < contract->member_count; i++) {
        const struct aggregate *a = contract->members[i];
        for (size_t k = 0; k < a->certificate_count; k++) {
            const struct certificate *c = a->certificates[k];
            bool lives = c->state == CERTIFICATE_VALID && !certificate_is_expired(c, now_ms);
            if (lives || waits(a, c))
                return true;
        }
    }
    return false;
}

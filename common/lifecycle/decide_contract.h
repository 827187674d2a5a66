/*
 * What services C keep beside a certificate (C1, C3, C9): the contacts and the account of a
 * contract as JSON, laid out as `issue` brings them. Shared by issue, change and renewal.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_CONTRACT_H
#define CERTQ_LIFECYCLE_DECIDE_CONTRACT_H

#include "lifecycle/decide.h"

/* Puts or replaces a contact, which was checked: its email, and renewal_notice unless unwanted. */
void contract_put_contact(struct contract *c, enum policy_role role, const json_t *contact);
/*
 * {"contacts": {ROLE: {...}}, "account": {...}} as it stands; new reference. A change is checked
 * and merged here and written back with contract_set_state().
 */
json_t *contract_state(const struct contract *c);
/* Writes what differs. */
void contract_set_state(struct contract *c, const json_t *state);
/* Does anything under it still live: a valid certificate, or one that waits? */
bool contract_is_used(const struct contract *c, int64_t now_ms);

#endif

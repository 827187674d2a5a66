/*
 * What the program's own words are called in mails and documents, in each language: reasons, fields
 * and states as a subscriber reads them. Pure tables; texts are literals.
 */
#ifndef CERTQ_LIFECYCLE_PEOPLE_WORDS_H
#define CERTQ_LIFECYCLE_PEOPLE_WORDS_H

#include "base/reason.h"
#include "lifecycle/model.h"
#include "lifecycle/policy_words.h"

/* Why something was revoked, by its CRL reason: the words of a product are in no language. */
const char *people_reason(enum reason reason, enum policy_language language);
/*
 * A field by its path ("address.city", "contacts.technical.email"). The path itself where it has no
 * name here, such as attributes.NAME; lives as long as `path`.
 */
const char *people_field(const char *path, enum policy_language language);
/* Which contact; NULL for a path that is none of a contact. */
const char *people_contact(const char *path, enum policy_language language);
const char *people_state(enum certificate_state state, enum policy_language language);

#endif

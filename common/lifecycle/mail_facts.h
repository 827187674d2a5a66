/*
 * What a mail tells: the template of each occasion and its facts, out of the records as they stand
 * when the mail is planned. docs/templates.md says what each fact means. Pure.
 */
#ifndef CERTQ_LIFECYCLE_MAIL_FACTS_H
#define CERTQ_LIFECYCLE_MAIL_FACTS_H

#include "lifecycle/decide_mail.h"

/* The template of an occasion; what replaces a certificate has one of its own, whatever the event.
 */
const char *mail_template(const struct mail_order *o);
/* NULL: the recipient is no contact, or the contract has none of that role. */
const struct contact *mail_contact(const struct mail_order *o, const struct policy_recipient *to);
json_t *mail_facts(const struct decision *d, const struct mail_order *o,
    const struct policy_recipient *to, enum policy_language language);

#endif

/*
 * Mails a decision wants sent: follow-up jobs of kind mail, one for each recipient the policy
 * names, in the subscriber's language. Their args name template, recipient, certificate and code
 * generation and carry the facts of the text (mail_facts.h), never a code (X5).
 *
 * Adding an occasion: a word in POLICY_MAILS, its row in mail_facts.c, its template
 * (mail/template.h), the list of events in docs/products.md.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_MAIL_H
#define CERTQ_LIFECYCLE_DECIDE_MAIL_H

#include "lifecycle/decide_certificate.h"

struct mail_order {
    enum policy_mail event;
    const struct policy *policy;
    const struct aggregate *aggregate;
    const struct application *application; /* NULL: there is none */
    const struct certificate *certificate; /* NULL: it is about none */
    const struct person *person;           /* NULL: it is about the contract */
    const struct person *before; /* whose address a change replaced; NULL: nothing changed */
    int priority;                /* 0: as any mail */
    enum policy_role role;       /* PARTY_CONTACT: the contact concerned (C2) */
    const char *address_before;  /* of that contact or the account, where a change replaced it */
    const char *address_after;   /* of that contact, where a change of it was rejected (C2) */
    const json_t *changed;       /* of a change: {path: value}; only the paths are told */
    enum policy_effect effect;   /* of a change: what it led to; never: nothing */
    const char *note;            /* of a refusal: why, one line; NULL: it is not said */
    bool is_resent;              /* a code that was sent before (A11) */
    bool spares_subscriber;      /* they have died: nothing goes to them (A10) */
};
/* What tells that the certificate of this application was issued: as a reissue or renewal, where
 * the product has a mail for that. */
enum policy_mail mail_of_issue(const struct policy *policy, const struct application *application);
/* Nothing when the policy has no such mail. An address that was named twice gets one. */
void mail_plan(const struct decision *d, const struct mail_order *order, struct plan *plan);
/* The same whether the plan is refused or not: somebody must hear of it either way (D7). */
void mail_plan_regardless(
    const struct decision *d, const struct mail_order *order, struct plan *plan);

#endif

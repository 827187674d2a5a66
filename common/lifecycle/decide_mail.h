/*
 * Mails a decision wants sent: follow-up jobs of kind mail, one for each recipient the policy
 * names, in the subscriber's language. Their args name template, recipient, certificate and code
 * generation and carry the facts of the text, never a code (X5).
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_MAIL_H
#define CERTQ_LIFECYCLE_DECIDE_MAIL_H

#include "lifecycle/decide_certificate.h"

struct mail_order {
    enum policy_mail event;
    const struct policy *policy;
    const struct aggregate *aggregate;
    const struct application *application;
    const struct certificate *certificate; /* NULL: it is about none */
    const struct person *person;
    const struct person *before; /* whose address a change replaced; NULL: nothing changed */
    int priority;                /* 0: as any mail */
    enum policy_role role;       /* PARTY_CONTACT: the contact concerned (C2) */
    const char *address_before;  /* of that contact or the account, where a change replaced it */
    bool spares_subscriber;      /* nothing to the subscriber, who died (A10) */
};
/* What tells that the certificate of this application was issued: as a reissue or renewal, where
 * the product has a mail for that. */
enum policy_mail mail_of_issue(const struct policy *policy, const struct application *application);
/* Nothing when the policy has no such mail. An address that was named twice gets one. */
void mail_plan(const struct decision *d, const struct mail_order *order, struct plan *plan);

#endif

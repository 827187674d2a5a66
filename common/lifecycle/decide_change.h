/*
 * Changes of what is recorded (kind change): of a subscriber (A3-A5), or of the contacts and the
 * account of a contract (C1-C3). What a field's change leads to is the policy's: it is recorded, at
 * once or after an operator's review; the present certificates are replaced free of charge (A4); or
 * it is a new application (A5). One request may hold several: the gravest decides for the whole.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_CHANGE_H
#define CERTQ_LIFECYCLE_DECIDE_CHANGE_H

#include "lifecycle/decide_approval.h"
#include "lifecycle/decide_grant.h"

#define KIND_WORD_CHANGE "change" /* application.kind */

struct change_request {
    const json_t *args; /* borrowed, as is changes */
    bool is_of_contract;
    struct uuid subscriber, contract; /* one of them */
    const json_t *changes;            /* {path: value} */
};

bool change_read(
    struct decision *d, const json_t *args, struct change_request *ret, struct plan *plan);
/*
 * aggregate: the subscriber's, or the contract's own; NULL: there is none. Refusals: not-found,
 * forbidden, not-offered, bad-request, withdrawn, contract-ended, locked, unchanged, contact-us,
 * new-application.
 */
int decide_change(const struct decision *d, const struct change_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan,
    struct err *err) MUST_USE;

/* --- changes of contacts that ride on a renewal (C2) --- */

bool change_check_riding(const struct policy *policy, const json_t *changes, struct plan *plan);
/*
 * Once the renewal's application is decided: writes them into the contract of the subscriber `a`,
 * or not, and tells the contacts so.
 */
void change_ride(const struct decision *d, const struct policy *policy, struct aggregate *a,
    struct application *application, const json_t *changes, struct plan *plan);

/* --- for the parts of the decision --- */

struct change_case {
    const struct decision *d;
    const struct policy *policy;
    struct aggregate *aggregate;
    bool is_of_contract;
    json_t *changes; /* those that make a difference, owned */
    /* Before and after: the subscriber's profile, or {"contacts": {...}, "account": {...}}. */
    struct person before, after;
    char *unit_key;            /* a new one, owned; NULL: as it is */
    enum policy_effect effect; /* the gravest, when there are changes */
    const struct policy_effect_rule *rule;
    bool needs_review, is_reviewed_later;
    bool was_reviewed;
    struct grant grant;              /* of what it leads to; owned */
    struct application *application; /* the change's own, once it is attached */
    enum policy_effect led_to;       /* once it is done; never: nothing */
    const char *note;                /* of an operator's word; NULL: none */
};
/* --- of a subscriber (decide_change_subscriber.c) --- */

/* reissue or new-application, when there is a certificate for it to replace; else none. */
const char *change_follow_up(const struct change_case *k);
enum policy_charge change_charge(const struct change_case *k);
/* What can fail. The plan may be refused afterwards. */
int change_prepare(struct change_case *k, struct plan *plan, struct err *err) MUST_USE;
/* Writes it and does what it leads to: certificates and revoked go into the result. */
void change_subscriber(struct change_case *k, json_t *result, struct plan *plan);

/* --- telling (decide_change_tell.c) --- */

json_t *change_paths(const struct change_case *k); /* of the fields, a new array */
/* To everybody the policy names for what was changed; and where an operator said no. */
void change_mail_all(const struct change_case *k, struct plan *plan);
void change_mail_rejected(const struct change_case *k, struct plan *plan);
/* Each contact concerned, at the old address and at the new one. */
void change_mail_contacts(const struct change_case *k, enum policy_mail event, struct plan *plan);
void change_audit(const struct change_case *k, const char *event, struct plan *plan);

#endif

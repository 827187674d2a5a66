/*
 * An operator's word on an application that waits for it (kind decide). What the word does is for
 * the decision that made the application: each kind of application has one function for both
 * answers, in the file of its decision, listed in decide_approval.c.
 *
 * A new kind of application: its function declared here, its row in the table of decide_approval.c,
 * its states in docs/protocol.md.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_APPROVAL_H
#define CERTQ_LIFECYCLE_DECIDE_APPROVAL_H

#include "lifecycle/decide.h"

#define PERSON_MOST 128 /* characters of a name */

/* Who asked whom whether a request is really theirs (C8). */
struct confirmation {
    bool is_given;
    int by;             /* enum policy_confirm, never none */
    int with;           /* enum policy_role */
    const char *person; /* who answered; borrowed from args */
    int64_t at_ms;
};

struct approval_request {
    struct uuid application;
    bool is_approved;
    const char *who, *note; /* borrowed from args; note NULL: none */
    const char *reason;     /* what a free text maps to (C8); NULL: none */
    struct confirmation confirmation;
};

bool approval_read(
    struct decision *d, const json_t *args, struct approval_request *ret, struct plan *plan);
/* aggregate NULL: there is no such application. */
int decide_approval(const struct decision *d, const struct approval_request *r,
    const struct policy *policy, struct aggregate *aggregate, struct plan *plan,
    struct err *err) MUST_USE;

/* --- for the functions of the kinds --- */

/* An application that waits, and the word on it. */
struct approval {
    const struct decision *d;
    const struct approval_request *r;
    const struct policy *policy;
    struct aggregate *aggregate;
    struct application *application;
    struct certificate *certificate; /* the one the application names; NULL: it names none */
};
/* Writes the word down; nothing may refuse after it. */
void approval_record(const struct approval *a);
/*
 * Adds application and certificate to the result, which has a state, and the audit's line; plans
 * the mail `rejected`.
 */
void approval_finish(const struct approval *a, json_t *result, struct plan *plan);
/*
 * Is it confirmed as the policy wants (C8)? `with` is the contact who must have been asked, -1:
 * whoever it was. The plan is refused otherwise.
 */
bool approval_confirmed(
    const struct approval *a, enum policy_confirm by, int with, struct plan *plan);
/* ERR_TEMPORARY: the application lacks what it must have. */
int approval_damaged(const struct approval *a, const char *what, struct err *err) MUST_USE;

int issue_decided(const struct approval *a, struct plan *plan, struct err *err) MUST_USE;
int reissue_decided(const struct approval *a, struct plan *plan, struct err *err) MUST_USE;
int change_decided(const struct approval *a, struct plan *plan, struct err *err) MUST_USE;
int renew_decided(const struct approval *a, struct plan *plan, struct err *err) MUST_USE;
int revoke_decided(const struct approval *a, struct plan *plan, struct err *err) MUST_USE;
int withdraw_decided(const struct approval *a, struct plan *plan, struct err *err) MUST_USE;
int correct_decided(const struct approval *a, struct plan *plan, struct err *err) MUST_USE; /* D5 */

#endif

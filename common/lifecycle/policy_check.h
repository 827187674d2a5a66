/* Inside the policy files only: a product under review for contradictions (X7). */
#ifndef CERTQ_LIFECYCLE_POLICY_CHECK_H
#define CERTQ_LIFECYCLE_POLICY_CHECK_H

#include "lifecycle/policy_read.h"

struct review {
    const struct policy *p;
    const struct yaml_node *root;
    struct err *err;
    bool failed; /* the first contradiction is in err; nothing more is said */
};

/* Records a contradiction when `wrong`, at the key `path` or the nearest key above that exists. */
void clash(struct review *r, bool wrong, const char *path, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* clash() where a path is needed in the message too. */
bool review_given(const struct review *r, const char *path);
/* Any actor may use the channel for the procedure. */
bool review_channel(
    const struct review *r, enum policy_procedure procedure, enum policy_channel channel);
/* The fewest days any term of the product lasts. */
int review_shortest_days(const struct policy *p);

/* policy_check_form.c: unit, fields, certificate, mails. */
void review_form(struct review *r);
/* Mails about what never happens; after everything that says what does. */
void review_occasions(struct review *r);

#endif

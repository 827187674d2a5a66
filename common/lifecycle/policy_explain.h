/*
 * Inside the policy files only: phrases of policy_explain. Each section's heading ends with the ids
 * the product's `rules` names for it.
 */
#ifndef CERTQ_LIFECYCLE_POLICY_EXPLAIN_H
#define CERTQ_LIFECYCLE_POLICY_EXPLAIN_H

#include "lifecycle/policy.h"

void explain_heading(
    const struct policy *p, enum policy_topic topic, const char *title, struct buf *ret);
/* One sentence, at most 1000 bytes. */
void explain_line(struct buf *ret, const char *format, ...) PRINTF_LIKE(2, 3);
/* "a, b and c" from the words of a mask; `last` is the and. */
void explain_mask(unsigned mask, const char *const *words, const char *last, struct buf *ret);
/* "at the counter or by a signature". */
void explain_channels(unsigned channels, struct buf *ret);
const char *explain_charge(int charge);
const char *explain_timing(int timing);
const char *explain_review(int review);
/* policy_explain_form.c: unit, fields, certificate, who, evidence, credentials, password, code. */
void explain_form(const struct policy *p, struct buf *ret);

#endif

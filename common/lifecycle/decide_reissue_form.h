/*
 * The changes a reissue brings along (B5, B6, B10): checked all at once, merged into what the
 * certificate's application holds, and written into the subscriber once nothing can fail.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_REISSUE_FORM_H
#define CERTQ_LIFECYCLE_DECIDE_REISSUE_FORM_H

#include "lifecycle/decide_reissue_rules.h"
#include "lifecycle/decide_succession.h"

/* Makes k->before and k->after; the plan may be refused afterwards. */
int form_fill(struct reissue_case *k, const struct succession *terms, struct plan *plan,
    struct err *err) MUST_USE;
void form_apply(struct reissue_case *k);
bool form_changes_email(const struct reissue_case *k);
json_t *form_changed(const struct reissue_case *k); /* paths that came with it, a new array */

#endif

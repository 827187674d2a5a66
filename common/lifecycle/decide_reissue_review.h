/*
 * The operator's part in reissues of services C: the review before one is issued (C7), the review
 * after an emergency that could not wait (C6), and the count on the contract (C4).
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_REISSUE_REVIEW_H
#define CERTQ_LIFECYCLE_DECIDE_REISSUE_REVIEW_H

#include "lifecycle/decide_approval.h"

/* One more, once it is issued. Nothing for a subscriber without a contract. */
void reissue_count(const struct aggregate *a);

#endif

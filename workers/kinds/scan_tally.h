/* What an expiry scan found, product by product: its result, and for a dry run who would get what.
 */
#ifndef CERTQ_WORKERS_KINDS_SCAN_TALLY_H
#define CERTQ_WORKERS_KINDS_SCAN_TALLY_H

#include "base/json.h"
#include "lifecycle/notice.h"
#include "lifecycle/policy_set.h"

#define SCAN_LISTED_MOST 1000 /* notices a dry run lists one by one */

struct scan_tally;
struct scan_tally *scan_tally_new(void);
void scan_tally_free(struct scan_tally *t);
DEFINE_AUTO_STRUCT(scan_tally);
/* A product that is looked at, found or not. */
void scan_tally_product(struct scan_tally *t, const struct policy *policy);
void scan_tally_due(struct scan_tally *t, const char *product, int days, int64_t certificates);
void scan_tally_reason(
    struct scan_tally *t, const char *product, enum notice_reason reason, int64_t rows);
/* For a dry run: one notice by name; past SCAN_LISTED_MOST it is only known that there are more. */
void scan_tally_list(struct scan_tally *t, const struct notice_facts *facts,
    const struct notice *notice, int64_t as_of_ms);
/*
 * {"as_of", "dry_run", "products": {NAME: {"scanned", "due": {DAYS: n}, "sent", "skipped": {REASON:
 * n}}}}, and of a dry run "notices" [{product, certificate, threshold, days_left, not_after,
 * recipient, skipped?}] and "more". New reference.
 */
json_t *scan_tally_result(const struct scan_tally *t, const char *as_of, bool is_dry);

#endif

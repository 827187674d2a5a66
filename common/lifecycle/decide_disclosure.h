/* What a disclosure tells (D4): as JSON for upstream, and as the facts of its document. */
#ifndef CERTQ_LIFECYCLE_DECIDE_DISCLOSURE_H
#define CERTQ_LIFECYCLE_DECIDE_DISCLOSURE_H

#include "lifecycle/decide_certificate.h"
#include "lifecycle/decide_records.h"

struct disclosure {
    const struct policy *policy;
    struct aggregate *aggregate; /* NULL: nothing is held */
    const struct person *person; /* as recorded, or as they named themselves */
    const struct record_file *files;
    size_t file_count;
    enum policy_language language;
};

/*
 * {"registered": profile, "issue": [...], "revocation": [...], "revocation_file": [...]}, of which
 * the last three are there as the policy offers them.
 */
json_t *disclosure_records(const struct disclosure *it);
/* asked_*, records, issues, revocations and files of the document. */
void disclosure_facts(const struct decision *d, const struct disclosure *it, json_t *facts);

#endif

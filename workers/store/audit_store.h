/* The rows of audit: appended, never changed (D9). (tx) */
#ifndef CERTQ_WORKERS_STORE_AUDIT_STORE_H
#define CERTQ_WORKERS_STORE_AUDIT_STORE_H

#include "base/job.h"
#include "db/db.h"
#include "lifecycle/plan.h"

/* What one job wrote down. */
struct audit_source {
    const struct job *job;
    const struct plan *plan;
};
int audit_insert(struct db *db, const struct audit_source *sources, size_t n, int64_t now_ms,
    struct err *err) MUST_USE;

#endif

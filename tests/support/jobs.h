/* Jobs for tests of the store, with what a test does not say filled in. */
#ifndef CERTQ_TESTS_SUPPORT_JOBS_H
#define CERTQ_TESTS_SUPPORT_JOBS_H

#include "base/job.h"
#include "db/job_store.h"

/* A no-op job of slot 3 for client "shop", attempt 0; borrows static text. */
struct job job_sample(void);
/* Another fingerprint: content that conflicts. */
void job_alter(struct job *job);
/* An accept of that job. */
struct accept accept_of(const struct job *job);
/* Lock and complete in one transaction, as a worker does. */
int job_finish(struct db *db, const struct job *job, const struct uuid *group, struct err *err);

/* For cmocka tests with a `struct err err` in scope. */
#define must(call)                                                                                 \
    do {                                                                                           \
        if (call)                                                                                  \
            fail_msg("%s: %s %s", #call, err_kind_name(err.kind), err.text);                       \
    } while (0)
#define fails(call, kind_, code_, word)                                                            \
    do {                                                                                           \
        err_clear(&err);                                                                           \
        assert_int_equal((call), -1);                                                              \
        if (err.kind != (kind_) || strcmp(err.code, (code_)) != 0 || !strstr(err.text, (word)))    \
            fail_msg("%s: %s %s %s", #call, err_kind_name(err.kind), err.code, err.text);          \
    } while (0)

#endif

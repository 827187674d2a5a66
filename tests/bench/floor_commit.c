#include "base/clock.h"
#include "floor.h"

void commit_one_by_one(const struct options *o, struct latencies *ret)
{
    MYSQL *m = floor_connect(o, o->database);
    struct rows *job = job_rows_new(m, 1);
    char args[ARGS_LENGTH];
    job_args(args);
    const int64_t end_us = clock_monotonic_us() + o->ms * 1000;
    for (int64_t now_us = clock_monotonic_us(); now_us < end_us;) {
        const struct uuid id = uuid_new();
        job_row(job, 0, &id, "noop", args);
        rows_send(job, 1);
        const int64_t before_us = now_us;
        now_us = clock_monotonic_us();
        latencies_add(ret, now_us - before_us);
    }
    rows_free(job);
    mysql_close(m);
}

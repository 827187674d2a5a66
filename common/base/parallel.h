/*
 * The same for each of many things that have nothing to do with each other, on all cores:
 * signatures to verify, say. Blocks until all are done; the threads live no longer than the call,
 * and the caller's thread works with them.
 */
#ifndef CERTQ_BASE_PARALLEL_H
#define CERTQ_BASE_PARALLEL_H

#include <stddef.h>

#define PARALLEL_MOST 8 /* threads */

/*
 * each(context, i, thread) for every i < n, in no order, on at most `most` threads (starting one
 * takes some 30 microseconds). Two calls at once differ in `thread`, which is under PARALLEL_MOST,
 * so that a thread may have a state of its own. Where no thread can be started the caller does all.
 */
void parallel_each(
    size_t n, size_t most, void (*each)(void *context, size_t at, size_t thread), void *context);

#endif

/*
 * The certification request in args.csr, for kinds that issue from one (issue, retrieve, reissue,
 * renew). `prepare` takes it, and the runner has all of a group checked at once: verifying their
 * signatures is most of what such a job costs a worker.
 */
#ifndef CERTQ_WORKERS_KINDS_CSR_H
#define CERTQ_WORKERS_KINDS_CSR_H

#include "kind_ops.h"
#include "lifecycle/decide.h"

struct request;

struct csr {
    struct bytes text;       /* as it stands in args; no data: there was none */
    struct request *request; /* NULL: not checked yet, or not good */
    struct request_key key;
};
/*
 * PEM, or DER in base64. Without one nothing happens. False: the plan is refused. `ret` belongs to
 * the task's request and stays where it is.
 */
bool csr_take(struct task *task, struct csr *ret);
/* The key it asks for, borrowed, which csr_check_all fills; NULL: there is none. */
const struct request_key *csr_key(const struct csr *c);
/* Checks what the tasks took, on all cores. What is bad is a bad field of its plan. */
void csr_check_all(struct worker *w, struct task *tasks, size_t n);
void csr_clear(struct csr *c);

#endif

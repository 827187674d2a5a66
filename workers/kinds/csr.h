/* The certification request in args.csr, for kinds that issue from one (issue, reissue, renew). */
#ifndef CERTQ_WORKERS_KINDS_CSR_H
#define CERTQ_WORKERS_KINDS_CSR_H

#include "kind_ops.h"
#include "lifecycle/decide.h"

struct request;

struct csr {
    struct request *request; /* NULL: there was none */
    struct request_key key;
};
/* PEM, or DER in base64; its signature is checked. Without one nothing happens. False: the plan is
 * refused. */
bool csr_read(struct worker *w, struct task *task, struct csr *ret);
/* NULL: there was none. Borrowed. */
const struct request_key *csr_key(const struct csr *c);
void csr_clear(struct csr *c);

#endif

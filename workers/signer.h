/*
 * What the signing kinds keep between jobs: the checkers of requested keys (one a thread), and for
 * each product the prepared part of its certificates, all made when first needed. Belongs to the
 * job thread; borrows issuers and policies from the worker.
 */
#ifndef CERTQ_WORKERS_SIGNER_H
#define CERTQ_WORKERS_SIGNER_H

#include "lifecycle/decide.h"

struct signer;
struct worker;
struct request;

struct signer *signer_new(void);
void signer_free(struct signer *s);
DEFINE_AUTO_STRUCT(signer);

/*
 * A request as it stands in args: PEM, or the DER in base64. Input errors (bad-csr) name what is
 * wrong with it; keys are those some policy may take, whether this product's does is decided later.
 * May run at once with itself where `thread` differs (base/parallel.h).
 */
int signer_read_request(struct signer *s, size_t thread, struct bytes text, struct request **ret,
    struct err *err) MUST_USE;
/* The request's key as decisions see it; borrows from the request. */
struct request_key signer_key(const struct request *request);
/* As decide_ports.sign. ERR_TEMPORARY when this worker has no such issuer. */
int signer_sign(const struct worker *w, const struct signing *what, struct buf *ret,
    char **ret_subject, struct err *err) MUST_USE;

#endif

/*
 * Requests signed with a certificate's key (`by.how: signature`, D2, E4): CMS SignedData in base64,
 * args.signature, over the UTF-8 text
 *
 *     certq KIND CERTIFICATE-ID JOB-ID SHA256
 *
 * with both ids in lower case and the hash in hex over the canonical args (RFC 8785) without
 * `signature`. So it is good for one job only, and nothing in the args can be exchanged. A kind
 * reads it in prepare and verifies it in decide, when the certificate it is about is locked.
 */
#ifndef CERTQ_WORKERS_KINDS_SIGNATURE_H
#define CERTQ_WORKERS_KINDS_SIGNATURE_H

#include "kind_ops.h"
#include "lifecycle/decide.h"

struct signature {
    struct buf der; /* owned; empty: none was given */
    char args_sha256[65];
};

/*
 * After actor_read: there must be a signature exactly where the actor comes by one. False: a bad
 * field `signature`.
 */
bool signature_read(struct task *task, const struct actor *actor, struct signature *ret);
void signature_clear(struct signature *s);

/*
 * (tx) Where one was given: d->signed_by becomes this certificate, or the plan is refused with
 * `bad-signature` (or a bad field, when it is no SignedData at all). Whether the certificate is
 * still good for anything is the decision's question. -1: the certificate could not be loaded.
 */
int signature_verify(const struct signature *s, struct certificate *certificate, struct task *task,
    struct decision *d, struct err *err) MUST_USE;

#endif

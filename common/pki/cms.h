/*
 * Signatures by a certificate's key over a text of ours (interfaces.md, "Signatures"): CMS
 * SignedData (RFC 5652), DER. The certificate is the one in our records: what is embedded in the
 * message is not used, and its validity and revocation are the caller's rules.
 */
#ifndef CERTQ_PKI_CMS_H
#define CERTQ_PKI_CMS_H

#include "base/buf.h"
#include "base/err.h"

#define CMS_BYTES_MAX 65536

/*
 * 0 when `der` is one SignedData, with exactly one signer, who is `certificate` (DER), over exactly
 * `text` (attached or detached), with SHA-256 or better. Input: not that, or too large, or bytes
 * after it. Denied, code "bad-signature": another signer, another text, a signature that is wrong.
 */
int cms_verify_text(
    struct bytes der, struct bytes text, struct bytes certificate, struct err *err) MUST_USE;

#endif

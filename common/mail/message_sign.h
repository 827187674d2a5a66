/*
 * S/MIME (RFC 8551): a composed message signed for its readers, multipart/signed with a detached
 * CMS SignedData by the sender's own certificate, so that they can tell a real mail from a forged
 * one. What is signed is sent byte for byte: CRLF, 7-bit, base64 or quoted-printable. Loading reads
 * files; signing blocks nothing and may be done by any thread.
 */
#ifndef CERTQ_MAIL_MESSAGE_SIGN_H
#define CERTQ_MAIL_MESSAGE_SIGN_H

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

struct message_signer;

/*
 * PEM files: the certificate, then those of its issuers (they go along, without a root), and its
 * key. `from` is the address that signs. ERR_INPUT "FILE: what" for: no certificate or key, a key
 * of another certificate, neither RSA of 2048 bits nor EC, a certificate without that address (RFC
 * 8550 3) or not for signing mail, one that has ended at now_ms.
 */
int message_signer_load(const char *certificate, const char *key, const char *from, int64_t now_ms,
    struct message_signer **ret, struct err *err) MUST_USE;
void message_signer_free(struct message_signer *s);
DEFINE_AUTO_STRUCT(message_signer);

/*
 * Appends `message` (as message_compose makes it) signed: its headers stay but for those of the
 * content, which move into what is signed. `id` makes the boundary: the same mail has the same one.
 */
int message_sign(const struct message_signer *s, struct bytes message, const char *id,
    struct buf *ret, struct err *err) MUST_USE;

#endif

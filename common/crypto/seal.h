/*
 * Sealed secrets (I6): DER CMS AuthEnvelopedData (RFC 5083, RFC 5084), AES-256-GCM, to the intake
 * certificate, of {"id": JOB-ID, "path": PATH, "value": TEXT}. Who seals needs the certificate
 * only; workers hold the keys. The same as
 *
 *   openssl cms -encrypt -binary -aes-256-gcm -outform DER intake.pem
 *
 * The intake key is EC (P-256 when we make it): `openssl cms` takes such a certificate without any
 * option, and ECDH has no padding to be probed, as RSA's default there (PKCS #1 v1.5) would have;
 * RSA keys are refused. Loading reads files; the rest is computation and thread-safe.
 */
#ifndef CERTQ_CRYPTO_SEAL_H
#define CERTQ_CRYPTO_SEAL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/uuid.h"

#define SEAL_VALUE_MOST 1024 /* bytes of a secret */
#define SEAL_DER_MOST 8192   /* bytes of a sealed one */

struct sealer;
struct seal_opener;

/* Seals to the first certificate of a PEM file. */
int sealer_load(const char *certificate_path, struct sealer **ret, struct err *err) MUST_USE;
void sealer_free(struct sealer *s);
/* Appends the DER. ERR_INPUT: not UTF-8, has a NUL, or is longer than SEAL_VALUE_MOST. */
int seal(const struct sealer *s, const struct uuid *id, const char *path,
    const struct secret *value, struct buf *ret, struct err *err) MUST_USE;
/* The member as it stands in args: {"sealed": BASE64}. */
int seal_member(const struct sealer *s, const struct uuid *id, const char *path,
    const struct secret *value, json_t **ret, struct err *err) MUST_USE;
/* Replaces every plain secret member of args (secrets.h) by its sealed form. */
int seal_args(
    const struct sealer *s, const struct uuid *id, json_t *args, struct err *err) MUST_USE;

/*
 * PEM files that may hold several keys and several certificates: after a rotation the new one is
 * first and the old ones open what was sealed to them. The key file must be readable by its owner
 * only; the first certificate must have its key.
 */
int seal_opener_load(const char *key_path, const char *certificate_path, struct seal_opener **ret,
    struct err *err) MUST_USE;
void seal_opener_free(struct seal_opener *o);
/*
 * Opens DER that was sealed for this job and this path. Everything wrong is ERR_INPUT "bad-request"
 * whose text names the path and never the value: another job or path, trailing bytes, BER,
 * EnvelopedData without authentication, another cipher, a short tag, another key, altered bytes.
 */
int unseal(const struct seal_opener *o, const struct uuid *id, const char *path, struct bytes der,
    struct secret **ret, struct err *err) MUST_USE;
/* The same from the base64 text of {"sealed": BASE64}. */
int unseal_text(const struct seal_opener *o, const struct uuid *id, const char *path,
    struct bytes base64, struct secret **ret, struct err *err) MUST_USE;

DEFINE_AUTO_STRUCT(sealer);
DEFINE_AUTO_STRUCT(seal_opener);

#endif

/* What loading and making issuers share: their files, and the mark of a test CA. Inside pki only.
 */
#ifndef CERTQ_PKI_ISSUER_FILE_H
#define CERTQ_PKI_ISSUER_FILE_H

#include "base/err.h"
#include "pki/openssl.h"

#include <stdbool.h>
#include <stddef.h>

/* PEM without pass phrase; refused when group or others may read it. The caller frees. */
int issuer_read_key(const char *path, EVP_PKEY **ret, struct err *err) MUST_USE;
/* Up to `most` certificates; *ret_count of them are the caller's to free, also after an error. */
int issuer_read_certificates(
    const char *path, X509 **ret, size_t most, size_t *ret_count, struct err *err) MUST_USE;
/* O= is ISSUER_TEST_MARK. */
bool issuer_name_is_test(const X509_NAME *name);

#endif

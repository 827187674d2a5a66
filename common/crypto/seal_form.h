/*
 * What a sealed value must look like before OpenSSL opens it. The library takes more than we do:
 * BER, trailing bytes, short tags, other ciphers, EnvelopedData without authentication.
 */
#ifndef CERTQ_CRYPTO_SEAL_FORM_H
#define CERTQ_CRYPTO_SEAL_FORM_H

#include "base/buf.h"
#include "base/err.h"

/* DER AuthEnvelopedData (RFC 5083), AES-256-GCM with a 12-byte nonce and a 16-byte tag (RFC 5084),
 * nothing before or after it and no attributes. ERR_INPUT says what is otherwise. */
int seal_form_check(struct bytes der, struct err *err) MUST_USE;

#endif

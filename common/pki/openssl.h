/* More scope-bound OpenSSL objects, beside crypto's. */
#ifndef CERTQ_PKI_OPENSSL_H
#define CERTQ_PKI_OPENSSL_H

#include "crypto/openssl.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

DEFINE_AUTO(bn, BIGNUM, BN_free);
DEFINE_AUTO(bn_ctx, BN_CTX, BN_CTX_free);
DEFINE_AUTO(pkey_ctx, EVP_PKEY_CTX, EVP_PKEY_CTX_free);
DEFINE_AUTO(md_ctx, EVP_MD_CTX, EVP_MD_CTX_free);

#endif

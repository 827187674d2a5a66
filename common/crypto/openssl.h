/* Scope-bound OpenSSL objects, and its error queue in words. */
#ifndef CERTQ_CRYPTO_OPENSSL_H
#define CERTQ_CRYPTO_OPENSSL_H

#include "base/auto.h"

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

DEFINE_AUTO(bio, BIO, BIO_free_all);
DEFINE_AUTO(cms, CMS_ContentInfo, CMS_ContentInfo_free);
DEFINE_AUTO(pkey, EVP_PKEY, EVP_PKEY_free);
DEFINE_AUTO(x509, X509, X509_free);

#define OPENSSL_REASON 160
/* The first reason in this thread's error queue, which is emptied; returns `text`. */
const char *openssl_reason_text(char text[static OPENSSL_REASON]);
#define openssl_reason() openssl_reason_text((char[OPENSSL_REASON]){0})

#endif
